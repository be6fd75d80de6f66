//! What a JSON text costs, before it is read.

/// How many members and items a JSON text has at most, all levels together. Each costs memory far beyond its text: `{"a":0}`
/// takes 8 bytes of a body and a hundred times as many of memory.
pub fn items(text: &[u8]) -> usize {
    let (mut items, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' | b',' if !in_string => items = items.saturating_add(1),
            _ => {}
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_are_counted_outside_of_texts() {
        assert_eq!(items(br#"{"a,[{\"":[1,2],"b":"\\"}"#), 4);
        assert_eq!(items(b"0"), 0);
    }
}
