//! Resources: ARNs with wildcards and variables, compared with the whole ARN of what a request is about.
//!
//! A bucket's policy speaks of S3 alone and of its own bucket; what a wildcard there could reach beyond it, it is not asked
//! about. The policy of an identity may name resources of any service, and `*`.

use super::variables::{Syntax, Template};
use super::{PolicyError, PolicyKind};

/// How ARNs of S3 begin. They name neither a region nor an account.
pub(super) const ARN_PREFIX: &str = "arn:aws:s3:::";

/// Whether a bucket is meant, and objects in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) bucket: bool,
    pub(super) objects: bool,
}

impl Reach {
    pub(super) const NONE: Self = Self { bucket: false, objects: false };

    pub(super) fn or(self, other: Self) -> Self {
        Self { bucket: self.bucket || other.bucket, objects: self.objects || other.objects }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        (self.bucket && other.bucket) || (self.objects && other.objects)
    }
}

/// Reads one resource, and what of its bucket it reaches, which only bucket policies ask.
pub(super) fn read(text: &str, kind: PolicyKind<'_>, variables: bool) -> Result<(Template, Reach), PolicyError> {
    let template = Template::parse(text, Syntax { variables, wildcards: true, fold: false });
    let reach = match kind {
        PolicyKind::Identity | PolicyKind::Session => is_arn(text).then_some(Reach::NONE),
        PolicyKind::Bucket(bucket) => in_bucket(text, bucket),
    };
    template.zip(reach).ok_or_else(|| PolicyError::new("Policy has invalid resource"))
}

/// Whether this is `*` or an ARN of the one partition there is, all of whose components are there or cut short by a star.
fn is_arn(text: &str) -> bool {
    let mut components = text.splitn(6, ':');
    let partition = (components.next() == Some("arn")).then(|| components.next()).flatten();
    let complete = components.count() == 4 || text.ends_with('*');
    text == "*" || (complete && matches!(partition, Some("aws" | "*")))
}

fn in_bucket(text: &str, bucket: &str) -> Option<Reach> {
    let path = text.strip_prefix(ARN_PREFIX)?;
    let name = path.split('/').next()?;
    let syntax = Syntax { variables: false, wildcards: true, fold: false };
    Template::parse(name, syntax).filter(|name| name.matches_alone(bucket))?;
    let whole_bucket = name.len() == path.len();
    Some(Reach { bucket: whole_bucket, objects: !whole_bucket || name.contains('*') })
}
