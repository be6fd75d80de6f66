//! What policies may ask of a request: the keys of conditions and their values.
//!
//! A key that is not here, or has no value in this request, is absent, and conditions say themselves what that means.
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.

use std::cell::Cell;

use super::{Asking, Place};
use crate::auth::ACCOUNT_ID;
use crate::auth::policy::ConditionContext;
use crate::base::clock::Timestamp;
use crate::s3::rules::Ownership;
use crate::s3::{copy_source, tags};
use crate::store::types::Attributes;

/// What FULL_CONTROL of an object is: reading it, and reading and writing its ACL.
const OF_OBJECT_OWNER: [&str; 4] = ["s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectAcl", "s3:PutObjectAcl"];

/// The facts of one question.
pub(super) struct Facts<'a> {
    pub(super) asking: &'a Asking<'a>,
    pub(super) action: &'a str,
    pub(super) place: Place<'a>,
    pub(super) now: Timestamp,
    /// Set where something could not be looked up.
    pub(super) failed: Cell<bool>,
}

impl ConditionContext for Facts<'_> {
    fn values(&self, key: &str) -> Option<Vec<String>> {
        let one = |value: String| Some(vec![value]);
        match key.split_once(':')? {
            ("aws", name) => self.of_request(name).or_else(|| self.of_principal(name)).and_then(one),
            ("wharf", "resourceowner") => self.owners(),
            ("s3", name) => self.of_s3(name),
            _ => None,
        }
    }
}

impl Facts<'_> {
    fn of_request(&self, name: &str) -> Option<String> {
        match name {
            "sourceip" => Some(self.asking.connection?.peer.ip().to_canonical().to_string()),
            "securetransport" => Some(self.asking.connection?.tls.to_string()),
            "currenttime" => Some(self.now.iso8601()),
            "epochtime" => Some(self.now.seconds().to_string()),
            "useragent" => self.header("user-agent"),
            "referer" => self.header("referer"),
            "resourceaccount" => self.place.bucket().map(|_| ACCOUNT_ID.to_owned()),
            _ => None,
        }
    }

    fn of_principal(&self, name: &str) -> Option<String> {
        let key = self.asking.auth.identity.key();
        match (name, key) {
            ("principaltype", None) => Some("Anonymous".to_owned()),
            ("principaltype", Some(key)) if key.session.is_some() => Some("AssumedRole".to_owned()),
            ("principaltype", Some(key)) => Some(if key.root { "Account" } else { "User" }.to_owned()),
            ("principalaccount", Some(_)) => Some(ACCOUNT_ID.to_owned()),
            ("principalarn", Some(key)) => key.arns.last().cloned(),
            ("userid", Some(key)) => Some(key.canonical_user_id.clone()),
            ("username", Some(key)) if !key.root => Some(key.user.clone()),
            _ => None,
        }
    }

    fn of_s3(&self, name: &str) -> Option<Vec<String>> {
        let one = |value: Option<String>| value.map(|value| vec![value]);
        match name {
            "prefix" | "delimiter" | "max-keys" => one(self.query(name)),
            "versionid" => one(self.query("versionId")),
            "resourceaccount" => one(self.place.bucket().map(|_| ACCOUNT_ID.to_owned())),
            "authtype" => one(self.asking.auth.signed.map(|signed| signed.place.name().to_owned())),
            "signatureversion" => one(self.asking.auth.signed.map(|signed| signed.version.to_owned())),
            "signatureage" => {
                let at = self.asking.auth.signed.and_then(|signed| signed.at);
                one(at.map(|at| self.now.since(at).as_millis().to_string()))
            }
            "if-match" | "if-none-match" => one(self.header(name)),
            "requestobjecttagkeys" => self.request_tags().map(|tags| tags.into_iter().map(|(key, _)| key).collect()),
            _ => match name.split_once('/') {
                Some(("existingobjecttag", tag)) => one(tag_value(self.attributes()?.tags, tag)),
                Some(("requestobjecttag", tag)) => one(tag_value(self.request_tags()?, tag)),
                Some(_) => None,
                // Two ways to write one source would be two names of it.
                None if name == copy_source::HEADER => one(self.header(name).map(|source| copy_source::plain(&source))),
                None if name.starts_with("x-amz-") => one(self.header(name)),
                None => None,
            },
        }
    }

    /// The owner of the bucket; and for what the owner of an object may do with it wherever it is, that of the object.
    fn owners(&self) -> Option<Vec<String>> {
        // Whoever makes a bucket will own it.
        if let Place::NewBucket(_) = self.place {
            return self.asking.auth.identity.key().map(|key| vec![key.canonical_user_id.clone()]);
        }
        let bucket = self.place.bucket()?;
        let of_object = match self.place {
            Place::Object(..) if OF_OBJECT_OWNER.contains(&self.action) && !self.is_enforced() => {
                self.attributes().and_then(|attributes| attributes.owner)
            }
            _ => None,
        };
        Some([self.asking.owner_of(bucket).to_owned()].into_iter().chain(of_object).collect())
    }

    fn header(&self, name: &str) -> Option<String> {
        self.asking.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn query(&self, name: &str) -> Option<String> {
        self.asking.query.get(name).map(str::to_owned)
    }

    /// Whether the owner of the bucket owns whatever is in it.
    fn is_enforced(&self) -> bool {
        match self.asking.rules(self.place) {
            Ok(rules) => rules.is_some_and(|rules| rules.ownership == Ownership::BucketOwnerEnforced),
            Err(_) => self.fails(true),
        }
    }

    fn attributes(&self) -> Option<Attributes> {
        let Place::Object(bucket, key) = self.place else { return None };
        self.asking.attributes(bucket, key).unwrap_or_else(|_| self.fails(None))
    }

    fn fails<T>(&self, value: T) -> T {
        self.failed.set(true);
        value
    }

    fn request_tags(&self) -> Option<Vec<(String, String)>> {
        let brought = match self.asking.tags {
            Some(tags) => tags.to_vec(),
            None => tags::from_header(self.asking.headers).unwrap_or_default(),
        };
        Some(brought).filter(|tags| !tags.is_empty())
    }
}

fn tag_value(tags: Vec<(String, String)>, key: &str) -> Option<String> {
    tags.into_iter().find(|(known, _)| known == key).map(|(_, value)| value)
}
