//! What an earlier version wrote, as files: today's code reads it, and writes the very same.
//!
//! - `records.txt`: one record of each kind, and of each variant that is encoded differently. A line is a name and the bytes.
//! - `store.txt`: every row of a small store. A line is the table, the key and the record.
//! - `store-counted.txt`: the rows that format 3 adds to it.
//! - `store-sessions.txt`: every row of a store with sessions, which format 4 added.
//! - `footers.txt`: for each blob of that store its id and the footer that follows its content.
//!
//! A line here is never changed, because stores hold such bytes. A new field or kind gets a line of its own; the old ones
//! stay and show that records without it are still read. A test that misses a line prints it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption is the test's answer"
)]

mod records;
mod sessions;
mod store;

use std::collections::BTreeMap;
use std::path::Path;

use wharf::base::digest::hex;

/// The lines of a golden file, by their first words.
fn lines(file: &str, words: usize) -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let (name, bytes) = line.rsplit_once(' ').unwrap();
        assert_eq!(name.split(' ').count(), words, "{line}");
        (name.to_owned(), from_hex(bytes))
    };
    text.lines().map(line).collect()
}

/// Bytes, with `-` for none.
fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.trim_start_matches('-').as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".to_owned() } else { hex(bytes) }
}
