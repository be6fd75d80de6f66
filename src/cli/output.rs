//! What administering commands print: JSON for programs, aligned columns for people.

use std::io::Write as _;

use serde_json::Value;

use super::session::Failure;

/// Prints lines on standard output. A reader that closed the pipe has seen enough.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}

/// Prints a listing whose pages come one after the other: as one JSON array, or as columns.
pub(super) struct Listing<'a> {
    json: bool,
    columns: &'a [&'a str],
    begun: bool,
}

impl<'a> Listing<'a> {
    pub(super) fn new(json: bool, columns: &'a [&'a str]) -> Self {
        Self { json, columns, begun: false }
    }

    /// Prints a page; `row` gives an item's columns.
    pub(super) fn page(&mut self, items: &[Value], row: impl Fn(&Value) -> Vec<String>) -> Result<(), Failure> {
        if items.is_empty() {
            return Ok(());
        }
        if !self.json {
            let head = if self.begun { None } else { Some(self.columns) };
            self.begun = true;
            return print(&aligned(head, items.iter().map(row).collect()));
        }
        for item in items {
            print(&format!("{}{item}", if self.begun { "," } else { "[" }))?;
            self.begun = true;
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn end(self) -> Result<(), Failure> {
        match (self.json, self.begun) {
            (true, true) => print("]"),
            (true, false) => print("[]"),
            (false, _) => Ok(()),
        }
    }
}

/// Columns of the width of their longest cell, two spaces apart.
pub(super) fn aligned(head: Option<&[&str]>, rows: Vec<Vec<String>>) -> String {
    let head = head.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let rows: Vec<Vec<String>> = head.into_iter().chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A member as people read it: text without quotes, and a dash where there is none. What could act on a terminal does not.
pub(super) fn shown(item: &Value, name: &str) -> String {
    match item.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Some(value) => value.to_string(),
    }
}

/// A member; null where there is none.
pub(super) fn member(item: &Value, name: &str) -> Value {
    item.get(name).cloned().unwrap_or_default()
}

/// A number of bytes in the largest binary unit that leaves at least one.
pub(super) fn bytes(item: &Value, name: &str) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let Some(bytes) = item.get(name).and_then(Value::as_u64) else { return "-".to_owned() };
    let unit = UNITS.iter().enumerate().rev().find(|(power, _)| bytes >> (10 * (power + 1)) > 0);
    match unit {
        None => format!("{bytes} B"),
        Some((power, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> (10 * (power + 1));
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// A number of seconds in its two largest units.
pub(super) fn age(item: &Value, name: &str) -> String {
    let Some(seconds) = item.get(name).and_then(Value::as_u64) else { return "-".to_owned() };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_align_and_nothing_acts_on_the_terminal() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["längere".to_owned(), String::new()]];
        assert_eq!(aligned(Some(&["KEY", "N"]), rows), "KEY      N\na        1\nlängere");
        assert_eq!(shown(&json!({"k": "a\u{1b}[2Jb\n"}), "k"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(
            (shown(&json!({"k": null}), "k"), shown(&json!({"k": true}), "k")),
            ("-".to_owned(), "true".to_owned())
        );
    }

    #[test]
    fn sizes_and_ages() {
        for (value, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (u64::MAX, "16383.9 PiB")]
        {
            assert_eq!(bytes(&json!({"n": value}), "n"), text);
        }
        for (value, text) in [(59, "59s"), (61, "1m1s"), (3700, "1h1m"), (90_000, "1d1h")] {
            assert_eq!(age(&json!({"n": value}), "n"), text);
        }
    }
}
