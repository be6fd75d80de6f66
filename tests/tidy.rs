//! The laws of the source tree that no compiler knows, read from the text of `src/` and `tests/`: who may import whom,
//! how large things may grow, where `unsafe`, files, clock and chance may stand, and what is never written.
//!
//! There is no list of exceptions: a law that does not fit is changed here, for everybody. Each check is shown to catch
//! a bad sample, so that none of them is blind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed assumption is the test's answer")]

#[path = "tidy/confinement.rs"]
mod confinement;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/writing.rs"]
mod writing;

use std::path::{Path, PathBuf};

use source::Source;

/// A law: what in one file breaks it, one line each, as `line: what`.
type Check = fn(&Source) -> Vec<String>;

const CHECKS: [(&str, Check); 6] = [
    ("layers", layers::check),
    ("size", size::check),
    ("confinement", confinement::check),
    ("names", writing::names),
    ("words", writing::words),
    ("attributes and imports", writing::attributes_and_imports),
];

/// Every `.rs` file below `folder`, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let nested = entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn the_tree_keeps_its_laws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = ["src", "tests"].iter().flat_map(|folder| files(&root.join(folder))).collect();
    assert!(files.len() > 10, "the sources were not found: {files:?}");
    let mut broken = Vec::new();
    for file in &files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        let source = Source::new(path, &std::fs::read_to_string(file).unwrap());
        for (law, check) in CHECKS {
            broken.extend(check(&source).into_iter().map(|what| format!("{path}:{what} [{law}]")));
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// For samples: what `check` says of `text` at `path`.
fn found(check: Check, path: &str, text: &str) -> Vec<String> {
    check(&Source::new(path, text))
}
