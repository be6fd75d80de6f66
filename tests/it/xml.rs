//! Reads the documents the gateway answers: just enough to find elements by name, and strict about references.

/// What stands between the first `<name>` and its end; none without such an element.
pub(crate) fn block<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    blocks(document, name).into_iter().next()
}

/// What stands in each element of this name that is not inside another of the same name.
pub(crate) fn blocks<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once(&start) {
        let (inside, behind) = after.split_once(&end).unwrap_or_else(|| panic!("{name} has no end: {document}"));
        found.push(inside);
        rest = behind;
    }
    found
}

/// The text of the first element of this name.
pub(crate) fn text(document: &str, name: &str) -> Option<String> {
    block(document, name).map(unescape)
}

/// The texts of all elements of this name.
pub(crate) fn texts(document: &str, name: &str) -> Vec<String> {
    blocks(document, name).into_iter().map(unescape).collect()
}

/// Text as it may stand in an element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    assert!(!text.contains('<'), "an element where text was expected: {text}");
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (reference, rest) = piece.split_once(';').unwrap_or_else(|| panic!("a bare ampersand: {text}"));
        out.push(resolve(reference));
        out.push_str(rest);
    }
    out
}

fn resolve(reference: &str) -> char {
    match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = reference.strip_prefix('#').unwrap_or_else(|| panic!("an unknown entity: {reference}"));
            let code = match digits.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => digits.parse(),
            };
            char::from_u32(code.unwrap()).unwrap()
        }
    }
}
