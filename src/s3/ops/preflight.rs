//! The preflight of a browser: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>. It carries no credentials,
//! and the query of the request that it asks for.
//!
//! S3 has it for buckets and objects. At `/` only the built-in rules can let anybody in: a page that lists buckets needs it.

use http::Method;

use crate::s3::cors;
use crate::s3::op::{BodyRule, Op, Target};

/// The row for objects.
pub static OBJECT: Op = row("PreflightObject", Target::Object);
/// The row for buckets.
pub static BUCKET: Op = row("PreflightBucket", Target::Bucket);
/// The row for the gateway.
pub static SERVICE: Op = row("PreflightService", Target::Service);

const fn row(name: &'static str, target: Target) -> Op {
    Op {
        name,
        method: Method::OPTIONS,
        target,
        query: "",
        also: &[],
        header: None,
        action: "",
        body: BodyRule::None,
        run: Some(|call| Box::pin(async move { cors::preflight(&call) })),
    }
}
