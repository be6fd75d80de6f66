//! The pair of keys a gateway makes for itself, and the file that keeps it: the AWS shared-credentials format
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>), so that `AWS_SHARED_CREDENTIALS_FILE` can point
//! to it. Text in, text out: reading and writing the file is the caller's.

use super::values;
use super::{Credentials, Secret};
use crate::base::rng::{LETTERS_AND_DIGITS, Rng, UPPER_CASE_AND_DIGITS, draw};

/// What a generated access key begins with, so that it is known for what it is.
const ACCESS_KEY_PREFIX: &str = "WHARF";
/// Characters after the prefix: 20 in all, as AWS's have.
const ACCESS_KEY_RANDOM_CHARS: usize = 15;
/// Characters of a generated secret, as AWS's have: 238 bits.
const SECRET_KEY_CHARS: usize = 40;

const SECTION: &str = "[default]";
const ACCESS_KEY: &str = "aws_access_key_id";
const SECRET_KEY: &str = "aws_secret_access_key";

/// Why a credentials file cannot be used. The words never repeat what the file holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// There is no `[default]` section, or it lacks this key.
    #[error("no {0} under [default]")]
    Missing(&'static str),
    /// The value of this key would not be accepted as a setting either.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
}

/// A new random pair.
pub fn generate(rng: &dyn Rng) -> Credentials {
    let access_key = ACCESS_KEY_PREFIX.to_owned() + &draw(rng, UPPER_CASE_AND_DIGITS, ACCESS_KEY_RANDOM_CHARS);
    Credentials { access_key, secret_key: Secret::new(draw(rng, LETTERS_AND_DIGITS, SECRET_KEY_CHARS)) }
}

/// An access key that a setting would accept, too. The error says what is wrong with it.
pub fn access_key(text: &str) -> Result<String, String> {
    values::access_key(&[text.to_owned()])
}

/// A secret key that a setting would accept, too. The error does not repeat it.
pub fn secret_key(text: &str) -> Result<Secret, String> {
    values::secret_key(&[text.to_owned()])
}

/// The file's text.
pub fn render(credentials: &Credentials) -> String {
    let Credentials { access_key, secret_key } = credentials;
    format!("{SECTION}\n{ACCESS_KEY} = {access_key}\n{SECRET_KEY} = {}\n", secret_key.expose())
}

/// The pair of the `[default]` section; other sections and keys are left alone.
pub fn parse(text: &str) -> Result<Credentials, CredentialsError> {
    let value = |key: &'static str| {
        let section = text.lines().map(str::trim).skip_while(|line| *line != SECTION).skip(1);
        let mut pairs = section.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
        let found = pairs.find(|(name, _)| name.trim() == key);
        found.map(|(_, value)| vec![value.trim().to_owned()]).ok_or(CredentialsError::Missing(key))
    };
    Ok(Credentials {
        access_key: values::access_key(&value(ACCESS_KEY)?)
            .map_err(|problem| CredentialsError::Refused(ACCESS_KEY, problem))?,
        secret_key: values::secret_key(&value(SECRET_KEY)?)
            .map_err(|problem| CredentialsError::Refused(SECRET_KEY, problem))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn a_generated_pair_survives_its_file() {
        let credentials = generate(&SeededRng::new(7));
        assert_eq!(credentials.access_key.len(), 20);
        assert!(credentials.access_key.starts_with("WHARF"));
        assert!(credentials.access_key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        assert_eq!(credentials.secret_key.expose().len(), 40);
        assert!(credentials.secret_key.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(parse(&render(&credentials)), Ok(credentials.clone()));
        assert_ne!(generate(&SeededRng::new(8)), credentials);
    }

    #[test]
    fn files_of_other_hands_are_read() {
        let text = "# mine\r\n[other]\naws_access_key_id = no\n\n[default]\r\naws_access_key_id=root\r\n; note\nregion = eu\n\
                    aws_secret_access_key=abc=defgh\n[last]\naws_secret_access_key = wrong-one\n";
        let credentials = parse(text).unwrap();
        assert_eq!(credentials.access_key, "root");
        assert_eq!(credentials.secret_key.expose(), "abc=defgh");
    }

    #[test]
    fn what_is_missing_or_refused_is_named() {
        assert_eq!(parse(""), Err(CredentialsError::Missing("aws_access_key_id")));
        let other = "[default]\naws_access_key_id = root\n[b]\naws_secret_access_key = 12345678\n";
        assert_eq!(parse(other), Err(CredentialsError::Missing("aws_secret_access_key")));
        let short = "[default]\naws_access_key_id = root\naws_secret_access_key = 1234567\n";
        let error = parse(short).unwrap_err().to_string();
        assert!(error.contains("aws_secret_access_key") && !error.contains("1234567"), "{error}");
    }
}
