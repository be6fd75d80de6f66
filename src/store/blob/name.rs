//! Where a blob stands below the root of a store of blobs: `<run>-<number>/<sequence>-<random>`, all in lower-case
//! hexadecimal and of fixed width, so that names sort as ids do. The directory follows from the id alone: its number is the
//! sequence divided by [`DIRECTORY_FILES_MAX`].
//!
//! Disk and object stores share the names as they share the format (`footer`): the blobs of one, copied as they are, can be
//! read by the other.

use crate::base::id::{BlobId, RunNumber};
use crate::base::limits::DIRECTORY_FILES_MAX;

/// The number, within its run, of the directory that holds this sequence.
pub(super) fn directory_of(sequence: u64) -> u64 {
    sequence / DIRECTORY_FILES_MAX
}

pub(super) fn directory_name(run: RunNumber, number: u64) -> String {
    format!("{run:08x}-{number:06x}")
}

pub(super) fn file_name(id: BlobId) -> String {
    format!("{:016x}-{:08x}", id.sequence, id.random)
}

/// The inverse of [`directory_name`]; none for a name it does not make.
pub(super) fn parse_directory_name(name: &str) -> Option<(RunNumber, u64)> {
    let (run, number) = name.split_once('-')?;
    let parsed = (RunNumber::from_str_radix(run, 16).ok()?, u64::from_str_radix(number, 16).ok()?);
    (directory_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// The inverse of [`file_name`]; none for a name it does not make.
pub(super) fn parse_file_name(run: RunNumber, name: &str) -> Option<BlobId> {
    let (sequence, random) = name.split_once('-')?;
    let sequence = u64::from_str_radix(sequence, 16).ok()?;
    let id = BlobId { run, sequence, random: u32::from_str_radix(random, 16).ok()? };
    (file_name(id) == name).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_foreign_ones_are_ignored() {
        let id = BlobId { run: 7, sequence: 3 * DIRECTORY_FILES_MAX + 5, random: 0xabc };
        assert_eq!(directory_name(id.run, directory_of(id.sequence)), "00000007-000003");
        assert_eq!(file_name(id), "000000000000c005-00000abc");
        assert_eq!(parse_directory_name("00000007-000003"), Some((7, 3)));
        assert_eq!(parse_directory_name("00000007-1000000"), Some((7, 1 << 24)));
        assert_eq!(parse_file_name(7, "000000000000c005-00000abc"), Some(id));
        for foreign in ["", "-", "lost+found", "7-3", "+0000007-000003", "00000007-0000003", "0000000A-000003"] {
            assert_eq!(parse_directory_name(foreign), None, "{foreign}");
            assert_eq!(parse_file_name(7, foreign), None, "{foreign}");
        }
    }
}
