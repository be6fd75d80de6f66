//! What stands beside a bucket and says who may do what with it: policy, public access block, ownership controls, ACL. Read and
//! parsed once, and kept until some document of some bucket changes.
//!
//! The generation is asked for before the documents are read, so what is kept under it is never older than it says. A change is
//! answered after the generation was raised: whoever was told that a policy stands is never judged by the one before.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::acl::CannedAcl;
use super::error::{Code, Error};
use super::xml::{self, Document, Element};
use crate::auth::policy::{Policy, PolicyKind};
use crate::store::Store;
use crate::store::types::{Bucket, DocumentKind};

/// Who may do what with a bucket, apart from what identities bring.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The bucket policy.
    pub policy: Option<Policy>,
    /// Whether that is public by AWS's meaning.
    pub policy_is_public: bool,
    /// What is blocked all the same.
    pub block: PublicAccessBlock,
    /// Whose the objects are.
    pub ownership: Ownership,
    /// The bucket's ACL.
    pub acl: CannedAcl,
}

/// PublicAccessBlock: what no ACL and no policy opens.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAccessBlock {
    /// Public ACLs are refused.
    pub block_acls: bool,
    /// Public ACLs that are there grant nothing.
    pub ignore_acls: bool,
    /// Public policies are refused.
    pub block_policy: bool,
    /// A public policy that is there allows nothing to those without a key.
    pub restrict_buckets: bool,
}

/// OwnershipControls: whose the objects of a bucket are.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Whoever writes one owns it. What a bucket without controls has.
    #[default]
    ObjectWriter,
    /// The same, but the bucket's owner owns what is written with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The bucket's owner owns all, and ACLs grant nothing.
    BucketOwnerEnforced,
}

impl PublicAccessBlock {
    const ROOT: &'static str = "PublicAccessBlockConfiguration";

    /// Reads a document. What it leaves out is not blocked.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let root = xml::parse(body, Self::ROOT)?;
        let mut block = Self::default();
        for child in &root.children {
            let place = match child.name.as_str() {
                "BlockPublicAcls" => &mut block.block_acls,
                "IgnorePublicAcls" => &mut block.ignore_acls,
                "BlockPublicPolicy" => &mut block.block_policy,
                "RestrictPublicBuckets" => &mut block.restrict_buckets,
                _ => return Err(xml::malformed("an unknown element")),
            };
            *place = truth(child)?;
        }
        Ok(block)
    }

    /// The document that says it.
    pub fn document(self) -> String {
        let mut answer = Document::new(Self::ROOT);
        answer.value("BlockPublicAcls", self.block_acls).value("IgnorePublicAcls", self.ignore_acls);
        answer.value("BlockPublicPolicy", self.block_policy).value("RestrictPublicBuckets", self.restrict_buckets);
        answer.finish()
    }
}

impl Ownership {
    const ROOT: &'static str = "OwnershipControls";
    const ALL: [(Self, &'static str); 3] = [
        (Self::ObjectWriter, "ObjectWriter"),
        (Self::BucketOwnerPreferred, "BucketOwnerPreferred"),
        (Self::BucketOwnerEnforced, "BucketOwnerEnforced"),
    ];

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(ownership, _)| ownership)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// Reads a document: one rule.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let root = xml::parse(body, Self::ROOT)?;
        match root.children.as_slice() {
            [rule] if rule.name == "Rule" => {
                let name = rule.only_text("ObjectOwnership")?.unwrap_or_default();
                Self::from_name(name).ok_or_else(|| xml::malformed("an unknown ownership"))
            }
            _ => Err(xml::malformed("there is one rule")),
        }
    }

    /// The document that says it.
    pub fn document(self) -> String {
        let mut answer = Document::new(Self::ROOT);
        answer.element("Rule", |rule| {
            rule.text("ObjectOwnership", self.name());
        });
        answer.finish()
    }
}

fn truth(element: &Element) -> Result<bool, Error> {
    match element.text.trim() {
        _ if !element.children.is_empty() => Err(xml::malformed("an element in place of a truth value")),
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(xml::malformed("neither true nor false")),
    }
}

impl Rules {
    /// Whether ACLs count for nothing here.
    pub fn acls_are_off(&self) -> bool {
        self.ownership == Ownership::BucketOwnerEnforced || self.block.ignore_acls
    }

    fn read(store: &Store, bucket: &Bucket) -> Result<Self, Error> {
        let document = |kind| Ok::<_, Error>(store.bucket_document(bucket, kind)?.map(|document| document.bytes));
        let policy = document(DocumentKind::Policy)?;
        let policy = policy.map(|text| Policy::parse(&text, PolicyKind::Bucket(bucket.name.as_str()))).transpose();
        let policy = policy.map_err(|error| unreadable(bucket, &error.message))?;
        let block = document(DocumentKind::PublicAccessBlock)?.map(|text| PublicAccessBlock::parse(&text)).transpose();
        let ownership = document(DocumentKind::OwnershipControls)?.map(|text| Ownership::parse(&text)).transpose();
        let acl = document(DocumentKind::Acl)?.and_then(|number| number.first().copied());
        Ok(Self {
            policy_is_public: policy.as_ref().is_some_and(Policy::is_public),
            policy,
            block: block.map_err(|error| unreadable(bucket, error.text()))?.unwrap_or_default(),
            ownership: ownership.map_err(|error| unreadable(bucket, error.text()))?.unwrap_or_default(),
            acl: CannedAcl::stored(acl),
        })
    }
}

/// A document that was good when it was put. Nobody is let in by what cannot be read.
fn unreadable(bucket: &Bucket, why: &str) -> Error {
    Error::new(Code::INTERNAL_ERROR).detail(format!("a document of bucket {} is unreadable: {why}", bucket.name))
}

/// The rules of the buckets in use.
#[derive(Debug, Default)]
pub struct RulesCache {
    kept: RwLock<HashMap<u64, (u64, Arc<Rules>)>>,
}

impl RulesCache {
    /// The rules of a bucket, as they are now.
    ///
    /// # Errors
    /// Those of the store; `InternalError` for a document that cannot be read.
    pub fn of(&self, store: &Store, bucket: &Bucket) -> Result<Arc<Rules>, Error> {
        let generation = store.documents_generation();
        if let Some((at, rules)) = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&bucket.number)
            && *at == generation
        {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Rules::read(store, bucket)?);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        // Buckets that are gone leave theirs behind; a new generation is a good time to forget them.
        kept.retain(|_, (at, _)| *at == generation);
        kept.insert(bucket.number, (generation, Arc::clone(&rules)));
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back() {
        for bits in 0..16_u8 {
            let bit = |at: u8| bits & (1 << at) != 0;
            let block = PublicAccessBlock {
                block_acls: bit(0),
                ignore_acls: bit(1),
                block_policy: bit(2),
                restrict_buckets: bit(3),
            };
            assert_eq!(PublicAccessBlock::parse(block.document().as_bytes()).unwrap(), block);
        }
        for (ownership, _) in Ownership::ALL {
            assert_eq!(Ownership::parse(ownership.document().as_bytes()).unwrap(), ownership);
        }
    }

    #[test]
    fn documents_that_are_none() {
        for bad in [
            "",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>yes</BlockPublicAcls></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><Other>true</Other></PublicAccessBlockConfiguration>",
            "<Other/>",
        ] {
            assert_eq!(PublicAccessBlock::parse(bad.as_bytes()).unwrap_err().code().name, "MalformedXML", "{bad}");
        }
        let rule = |name: &str| format!("<Rule><ObjectOwnership>{name}</ObjectOwnership></Rule>");
        for bad in [String::new(), rule("Nobody"), rule("ObjectWriter").repeat(2), "<Rule/>".to_owned()] {
            let text = format!("<OwnershipControls>{bad}</OwnershipControls>");
            assert_eq!(Ownership::parse(text.as_bytes()).unwrap_err().code().name, "MalformedXML", "{bad}");
        }
    }
}
