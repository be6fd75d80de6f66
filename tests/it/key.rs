//! Access keys beside the root key, made by the command line, and temporary credentials, made by AssumeRole.

use crate::admin::{command, succeed};
use crate::gateway::Gateway;
use crate::http::{Answer, Connection};
use crate::request::Request;
use crate::signer::encode_query;
use crate::xml;

/// Somebody who signs.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Gateway {
    /// A new key with a policy: a canned one's name, or a document.
    pub(crate) fn key(&self, policy: &str) -> Key {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), policy).unwrap();
        let policy = if policy.starts_with('{') { file.path().to_str().unwrap() } else { policy };
        let arguments = ["key", "create", "--json", "--policy", policy];
        let printed: serde_json::Value = serde_json::from_str(&succeed(command(&self.data_dir, &arguments))).unwrap();
        let text = |name: &str| printed[name].as_str().unwrap().to_owned();
        Key { id: text("accessKey"), secret: text("secretKey"), token: None }
    }

    /// Administers: `wharf ARGUMENTS`, which succeeds.
    pub(crate) fn administer(&self, arguments: &[&str]) {
        succeed(command(&self.data_dir, arguments));
    }

    /// A call of the Security Token Service with these parameters, signed by this key for it.
    pub(crate) fn sts(&self, key: &Key, parameters: &[(&str, &str)]) -> Answer {
        let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", encode_query(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.request("POST", "/").by(key).service("sts");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let mut connection: Connection = self.connect();
        connection.write(request.bytes());
        connection.read_answer("POST")
    }

    /// Temporary credentials of this key.
    pub(crate) fn assume(&self, key: &Key, more: &[(&str, &str)]) -> Key {
        let parameters =
            [&[("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleSessionName", "tests")], more].concat();
        let text = self.sts(key, &parameters).ok(200).text();
        let part = |name: &str| xml::text(&text, name).unwrap_or_else(|| panic!("no {name}: {text}"));
        Key { id: part("AccessKeyId"), secret: part("SecretAccessKey"), token: Some(part("SessionToken")) }
    }
}

impl Request<'_> {
    /// Signed by this key.
    pub(crate) fn by(self, key: &Key) -> Self {
        let signed = self.signer(|signer| {
            signer.access_key.clone_from(&key.id);
            signer.secret_key.clone_from(&key.secret);
        });
        match &key.token {
            Some(token) => signed.header("x-amz-security-token", token),
            None => signed,
        }
    }
}
