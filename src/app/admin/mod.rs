//! The administration: access keys and their tokens, buckets, open uploads. JSON in and out, for root alone: whoever mounts
//! it has made sure of that (the socket by its mode, port 9001 by the credentials, a command by holding the lock).
//!
//! | path | methods |
//! | --- | --- |
//! | `/admin/keys` | `GET`: a page of keys by id. `POST {accessKey?, secretKey?, name?, policy?, enabled?}`: a new one; the only answer that shows a secret |
//! | `/admin/keys/{accessKey}` | `GET`, `PATCH {enabled?, policy?, name?}` (null takes policy or name away), `DELETE` |
//! | `/admin/keys/{accessKey}/tokens` | `GET`, `POST {expiresIn?, policy?}`: a bearer token, shown once; `DELETE`: all of them |
//! | `/admin/keys/{accessKey}/tokens/{id}` | `DELETE` |
//! | `/admin/buckets` | `GET ?prefix=`: a page of buckets by name. `POST {name, public?, quota?}` |
//! | `/admin/buckets/{name}` | `GET`, `DELETE` (only an empty one) |
//! | `/admin/buckets/{name}/quota` | `PUT {bytes}`, `DELETE` |
//! | `/admin/buckets/{name}/policy` | `GET`, `PUT` (the document), `DELETE` |
//! | `/admin/uploads` | `GET ?bucket=&prefix=`: a page of open uploads by bucket, key and age |
//! | `/admin/uploads/{id}?bucket=&key=` | `DELETE`: aborts it |
//!
//! Pages take `?after=&limit=` and carry `next`: the `after` of the next page, or null. A policy is the name of a canned one,
//! or a document's text.

mod buckets;
mod call;
mod keys;
mod reply;
pub(in crate::app) mod socket;
mod uploads;

use std::sync::Arc;

use http::{Request, Response};

use super::keys::{Keys, KeysError};
use crate::auth::Keyring;
use crate::base::rng::Rng;
use crate::store::Store;
use crate::wire::Body;
use crate::wire::handler::{Handler, handler};

pub(super) use buckets::public_read_policy;
pub(super) use reply::refusal;

use call::Call;
use reply::{AdminError, Reply};

/// The administration of one store.
pub(super) struct Admin {
    store: Arc<Store>,
    keys: Keys,
    rng: Arc<dyn Rng>,
}

impl Admin {
    /// Brings the kept keys into the keyring, and administers them from then on.
    pub(super) fn new(store: Arc<Store>, keyring: Arc<Keyring>, rng: Arc<dyn Rng>) -> Result<Arc<Self>, KeysError> {
        let keys = Keys::load(Arc::clone(&store), keyring, Arc::clone(&rng))?;
        Ok(Arc::new(Self { store, keys, rng }))
    }

    /// Answers requests, each of which is root's.
    pub(super) fn handler(self: &Arc<Self>) -> Handler {
        let admin = Arc::clone(self);
        handler(move |request| {
            let admin = Arc::clone(&admin);
            async move { admin.answer(request).await }
        })
    }

    /// Answers a request that is root's. It is carried out to its end whether or not the client waits for it: a change that is
    /// committed must reach the keyring.
    pub(super) async fn answer(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let admin = Arc::clone(self);
        let routed = tokio::spawn(async move { admin.route(request).await }).await;
        reply::response(routed.unwrap_or_else(|panic| Err(AdminError::Internal(panic.to_string()))))
    }

    async fn route(&self, request: Request<Body>) -> Result<Reply, AdminError> {
        let call = Call::read(request)?;
        let path: Vec<String> = call.path.clone();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["keys"] => self.keys_call(call).await,
            ["keys", id] => self.key_call(call, id).await,
            ["keys", id, "tokens"] => self.tokens_call(call, id).await,
            ["keys", id, "tokens", token] => self.token_call(call, id, token).await,
            ["buckets"] => self.buckets_call(call).await,
            ["buckets", name] => self.bucket_call(call, name).await,
            ["buckets", name, "quota"] => self.quota_call(call, name).await,
            ["buckets", name, "policy"] => self.policy_call(call, name).await,
            ["uploads"] => self.uploads_call(call).await,
            ["uploads", id] => self.upload_call(call, id).await,
            _ => Err(AdminError::NoSuchPath),
        }
    }
}
