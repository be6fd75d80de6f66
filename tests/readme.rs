//! The README says what the program is: its table of operations is the one the program derives from its rows.

#[test]
fn the_table_of_operations_is_the_programs() {
    let readme = include_str!("../README.md");
    let behind = readme.split_once("<!-- operations:begin -->").map(|(_, rest)| rest);
    let written = behind.and_then(|rest| rest.split_once("<!-- operations:end -->")).map(|(table, _)| table.trim());
    let derived = wharf::s3::operations_table();
    assert!(written == Some(derived.trim()), "README.md is not true any more; the table is\n{derived}");
}

#[test]
fn the_table_of_patterns_is_the_programs() {
    let readme = include_str!("../README.md");
    let behind = readme.split_once("<!-- patterns:begin -->").map(|(_, rest)| rest);
    let written = behind.and_then(|rest| rest.split_once("<!-- patterns:end -->")).map(|(table, _)| table.trim());
    let derived = wharf::wire::image::patterns_table();
    assert!(written == Some(derived.trim()), "README.md is not true any more; the table is\n{derived}");
}
