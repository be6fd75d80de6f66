//! Keys of rows: numbers big-endian and texts escaped, so that they sort as what they stand for.

/// A growing number as a key.
pub fn number_key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Appends `text` escaped, without its end: the beginning of every key that begins with `text`.
pub fn push_escaped_prefix(to: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        to.push(byte);
        if byte == 0 {
            to.push(0xff);
        }
    }
}

/// `bucket`, then `prefix` escaped: the beginning of every row of a key with that prefix.
pub fn prefix_key(bucket: u64, prefix: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + prefix.len() + 10);
    key.extend_from_slice(&bucket.to_be_bytes());
    push_escaped_prefix(&mut key, prefix);
    key
}

/// The row of the object `key`.
pub fn object_key(bucket: u64, key: &str) -> Vec<u8> {
    let mut row = prefix_key(bucket, key);
    row.extend_from_slice(&[0, 1]);
    row
}

/// The row of an upload of `key`.
pub fn upload_key(bucket: u64, key: &str, upload: u64) -> Vec<u8> {
    let mut row = object_key(bucket, key);
    row.extend_from_slice(&upload.to_be_bytes());
    row
}

/// The object key in a row of `Current` or `Uploads`.
pub fn key_of_row(row: &[u8]) -> Option<String> {
    let escaped = row.get(8..)?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            0 => match bytes.next() {
                Some(0xff) => key.push(0),
                Some(1) => return String::from_utf8(key).ok(),
                _ => return None,
            },
            _ => key.push(byte),
        }
    }
    None
}

/// What stands for the two bytes of a part number that has four.
const LONG_NUMBER: [u8; 2] = [0xff; 2];

/// The row of a staged part.
pub fn part_key(upload: u64, number: u32, sequence: u64) -> Vec<u8> {
    let mut key = number_key(upload);
    match u16::try_from(number).map(u16::to_be_bytes) {
        Ok(short) if short != LONG_NUMBER => key.extend_from_slice(&short),
        _ => {
            key.extend_from_slice(&LONG_NUMBER);
            key.extend_from_slice(&number.to_be_bytes());
        }
    }
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// The part number in a row of `Parts`.
pub fn part_number_of_row(row: &[u8]) -> Option<u32> {
    match row.get(8..10)?.try_into().ok()? {
        LONG_NUMBER => row.get(10..14)?.try_into().ok().map(u32::from_be_bytes),
        short => Some(u32::from(u16::from_be_bytes(short))),
    }
}

/// The row of a manifest's extents.
pub fn extents_key(manifest: u64, index: u32) -> Vec<u8> {
    let mut key = number_key(manifest);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The row of a run.
pub fn run_key(run: u32) -> Vec<u8> {
    run.to_be_bytes().to_vec()
}

/// The row of a bucket's document of this kind.
pub fn bucket_document_key(bucket: u64, kind: u8) -> Vec<u8> {
    let mut key = number_key(bucket);
    key.push(kind);
    key
}

/// The row of a record that the ranks above keep.
pub fn record_key(kind: u8, name: &str) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(name.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_keys_keep_the_order_of_keys() {
        let mut keys = vec!["a", "a\0", "a\0b", "a\u{1}", "a/", "a/b", "ab", "b", "\u{10ffff}", "\0", "\0\0"];
        let mut rows: Vec<_> = keys.iter().map(|key| object_key(7, key)).collect();
        keys.sort_unstable();
        rows.sort();
        let back: Vec<_> = rows.iter().map(|row| key_of_row(row).unwrap()).collect();
        assert_eq!(back, keys);
    }

    #[test]
    fn rows_of_one_key_stay_together_and_before_longer_keys() {
        assert!(upload_key(1, "a", u64::MAX) < upload_key(1, "a\0", 0));
        assert!(upload_key(1, "a", u64::MAX) < upload_key(1, "aa", 0));
        assert!(upload_key(1, "a", 1) < upload_key(1, "a", 2));
        assert_eq!(key_of_row(&upload_key(1, "a\0b", 5)).as_deref(), Some("a\0b"));
    }
}
