//! Permission for the upload API: the decision of the S3 port ([`crate::s3::permission`]), which that rank may not import.

use std::sync::Arc;

use http::header::{REFERER, USER_AGENT};
use http::{HeaderMap, StatusCode};

use crate::auth::{Authenticated, Payload};
use crate::pipeline::error::Error;
use crate::pipeline::judge::{Asker, Judge, Place};
use crate::s3::S3Config;
use crate::s3::error::Error as S3Error;
use crate::s3::permission::{Asking, Place as S3Place};
use crate::s3::query::Query;
use crate::store::types::{Attributes, Bucket, ObjectKey};

/// Decides as the S3 port does.
pub(super) struct S3Judge {
    config: Arc<S3Config>,
}

impl S3Judge {
    pub(super) fn new(config: Arc<S3Config>) -> Self {
        Self { config }
    }

    fn ask<T>(&self, asker: &Asker<'_>, question: impl FnOnce(&Asking<'_>) -> Result<T, S3Error>) -> Result<T, Error> {
        let auth = Authenticated { identity: asker.identity.clone(), payload: Payload::Unsigned, signed: None };
        // Headers of S3's say nothing here: what they would ask for is not done, so policies must not go by them.
        let headers: HeaderMap = [USER_AGENT, REFERER]
            .into_iter()
            .filter_map(|name| Some((name.clone(), asker.headers.get(name)?.clone())))
            .collect();
        let query = Query::default();
        let asking = Asking {
            config: &self.config,
            auth: &auth,
            headers: &headers,
            query: &query,
            connection: asker.connection,
            tags: None,
            object: None,
        };
        question(&asking).map_err(in_words)
    }
}

impl Judge for S3Judge {
    fn permit(&self, asker: &Asker<'_>, action: &str, place: Place<'_>) -> Result<(), Error> {
        let Place(bucket, key) = place;
        self.ask(asker, |asking| asking.permit(action, S3Place::Object(bucket, key)))
    }

    fn may_be_asked(&self, asker: &Asker<'_>, bucket: &Bucket) -> Result<(), Error> {
        self.ask(asker, |asking| asking.may_be_asked(S3Place::Bucket(bucket)))
    }

    fn own(
        &self,
        asker: &Asker<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        attributes: &mut Attributes,
    ) -> Result<(), Error> {
        self.ask(asker, |asking| asking.own(bucket, key, attributes))
    }

    fn permit_completion(
        &self,
        asker: &Asker<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        begun: &Attributes,
    ) -> Result<(), Error> {
        self.ask(asker, |asking| asking.permit_completion(bucket, key, begun))
    }
}

/// The S3 port's refusal in the upload API's words.
fn in_words(error: S3Error) -> Error {
    let code = error.code();
    let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Error::from_words(status, code.name, error.text().to_owned(), error.logged().map(str::to_owned))
}
