//! The head of a part: its name, and the name of its file.

use super::FormError;

/// A part of a form, as its head describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of its field.
    pub name: String,
    /// The name of the file it was read from, as the client wrote it; it may be empty, and it may contain a path. Browsers
    /// write `%22`, `%0D` and `%0A` for a quote and line ends, which are left as they are.
    pub file_name: Option<String>,
}

impl Part {
    /// Reads the lines of a head.
    pub(super) fn read(head: &[u8]) -> Result<Self, FormError> {
        let mut part = None;
        for line in lines(head) {
            let (name, value) = split_line(line)?;
            if name.eq_ignore_ascii_case(b"content-disposition") && part.replace(disposition(value)?).is_some() {
                return Err(FormError::Malformed("a part has two dispositions"));
            }
            let plain = [&b"7bit"[..], b"8bit", b"binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
            if name.eq_ignore_ascii_case(b"content-transfer-encoding") && !plain {
                return Err(FormError::Malformed("a part has an encoding of its own"));
            }
        }
        part.ok_or(FormError::Malformed("a part has no disposition"))
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head).filter(|head| !head.is_empty());
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let Some(end) = memchr::memmem::find(all, b"\r\n") else { return Some(all) };
        rest = all.get(end.saturating_add(2)..);
        all.get(..end)
    })
}

/// Name and value. Lines that go on in the next are refused: no client writes them (RFC 7578 needs none).
fn split_line(line: &[u8]) -> Result<(&[u8], &[u8]), FormError> {
    let malformed = FormError::Malformed("a line of a part's head is none");
    let Some(colon) = memchr::memchr(b':', line) else { return Err(malformed) };
    let (name, value) = line.split_at(colon);
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    if !is_name || memchr::memchr3(b'\r', b'\n', 0, line).is_some() {
        return Err(malformed);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

fn disposition(value: &[u8]) -> Result<Part, FormError> {
    let (kind, parameters) = split_parameters(value);
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err(FormError::Malformed("a part is no form-data"));
    }
    let name = parameter(parameters, "name")?.ok_or(FormError::Malformed("a part has no name"))?;
    Ok(Part { name, file_name: parameter(parameters, "filename")? })
}

/// The value of a header before its first semicolon, and what follows it.
pub(super) fn split_parameters(value: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (kind, parameters) = value.split_at(end);
    (kind.trim_ascii(), parameters)
}

/// The parameter of this name in `; name=value; name="value"`.
pub(super) fn parameter(mut rest: &[u8], wanted: &str) -> Result<Option<String>, FormError> {
    const MALFORMED: FormError = FormError::Malformed("a parameter of a header is none");
    let mut found = None;
    while let Some((b';', after)) = rest.split_first() {
        let after = after.trim_ascii_start();
        if after.is_empty() || after.starts_with(b";") {
            rest = after;
            continue;
        }
        let equals = memchr::memchr(b'=', after).ok_or(MALFORMED)?;
        let (name, value) = after.split_at(equals);
        let (value, left) = read_value(value.get(1..).unwrap_or_default()).ok_or(MALFORMED)?;
        rest = left;
        if name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
            && found.replace(String::from_utf8(value).map_err(|_| MALFORMED)?).is_some()
        {
            return Err(FormError::Malformed("a parameter of a header is given twice"));
        }
    }
    if rest.is_empty() { Ok(found) } else { Err(MALFORMED) }
}

/// A quoted string or a token, and what follows it. A backslash quotes a quote and a backslash only: old browsers write
/// paths like `C:\dir\file` as they are.
fn read_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(mut rest) = text.trim_ascii_start().strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (token, left) = text.split_at(end);
        return Some((token.trim_ascii().to_vec(), left));
    };
    let mut value = Vec::new();
    loop {
        match rest {
            [b'\\', quoted @ (b'"' | b'\\'), left @ ..] => {
                value.push(*quoted);
                rest = left;
            }
            [b'"', left @ ..] => return Some((value, left.trim_ascii_start())),
            [byte, left @ ..] => {
                value.push(*byte);
                rest = left;
            }
            [] => return None,
        }
    }
}
