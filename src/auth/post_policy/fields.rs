//! The fields of a form that stand before its file.

use std::collections::BTreeMap;

/// What is put in for the name of the file.
const FILE_NAME: &str = "${filename}";
/// Fields that authenticate, and so are what they are whatever the file is called.
const VERBATIM: [&str; 7] =
    ["policy", "signature", "awsaccesskeyid", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];

/// Fields by name. Names are compared without regard to case, as Amazon S3 does; the values of fields that are given several
/// times are joined with commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostFields(BTreeMap<String, Field>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// The name as it came.
    name: String,
    value: String,
}

impl PostFields {
    /// Adds a field.
    pub fn add(&mut self, name: &str, value: &str) {
        match self.0.get_mut(&name.to_ascii_lowercase()) {
            Some(field) => {
                field.value.push(',');
                field.value.push_str(value);
            }
            None => {
                let field = Field { name: name.to_owned(), value: value.to_owned() };
                self.0.insert(name.to_ascii_lowercase(), field);
            }
        }
    }

    /// The value of a field, whose name is given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|field| field.value.as_str())
    }

    /// Lower-case names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field.value.as_str()))
    }

    /// Names in lower case and as they came.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field.name.as_str()))
    }

    /// Bytes of all values once `${filename}` is put in.
    pub fn expanded_bytes(&self, file_name: &str) -> usize {
        let grown = |(name, value): (&str, &str)| {
            let places = if VERBATIM.contains(&name) { 0 } else { value.matches(FILE_NAME).count() };
            let kept = value.len().saturating_sub(places.saturating_mul(FILE_NAME.len()));
            kept.saturating_add(places.saturating_mul(file_name.len()))
        };
        self.iter().map(grown).fold(0, usize::saturating_add)
    }

    /// Puts the name of the file in wherever a field says `${filename}`.
    pub fn expand(&mut self, file_name: &str) {
        for (name, field) in &mut self.0 {
            if field.value.contains(FILE_NAME) && !VERBATIM.contains(&name.as_str()) {
                field.value = field.value.replace(FILE_NAME, file_name);
            }
        }
    }
}
