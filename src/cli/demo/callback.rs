//! The demo's receiver of callbacks: a listener that verifies signatures and hands on what was signed.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::DemoError;
use crate::base::digest::from_hex;
use crate::server::{Config, Limits, Running, Server};
use crate::telemetry::metrics::Metrics;
use crate::wire::Body;
use crate::wire::handler::handler;

/// Longest callback that is read.
const CALLBACK_MAX_BYTES: usize = 64 << 10;
/// Callbacks that wait to be looked at.
const WAITING_MAX: usize = 16;

/// Receives callbacks.
pub(super) struct Callbacks {
    url: String,
    secret: String,
    received: Mutex<Receiver<Value>>,
    _server: Running,
}

impl Callbacks {
    /// Listens on a free port for callbacks signed with `secret`.
    pub(super) fn listen(secret: &str) -> Result<Self, DemoError> {
        let server = Server::bind(Config {
            listen: vec![([127, 0, 0, 1], 0).into()],
            tls: None,
            limits: Limits::default(),
            metrics: Metrics::new(),
        });
        let server = server.map_err(DemoError::failed)?;
        let address = server.local_addrs().first().copied();
        let address = address.ok_or_else(|| DemoError::failed("no port for callbacks"))?;
        let (sender, received) = channel(WAITING_MAX);
        let known = Arc::new((sender, secret.to_owned()));
        let running = server.serve(handler(move |request| {
            let known = Arc::clone(&known);
            async move { receive(request, &known.0, &known.1).await }
        }));
        let url = format!("http://{address}/callback");
        Ok(Self { url, secret: secret.to_owned(), received: Mutex::new(received), _server: running })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What callbacks are signed with.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Waits for the callback of this generation, which has to say that it succeeded.
    pub(super) async fn wait(&self, generation: &Value, within: Duration) -> Result<(), DemoError> {
        let mut received = self.received.lock().await;
        let callback = tokio::time::timeout(within, received.recv()).await.ok().flatten();
        let callback = callback.ok_or_else(|| DemoError::Failed(format!("no callback within {within:?}")))?;
        let same = callback.get("generationUuid") == generation.get("uuid");
        if same && callback.get("isSuccess") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        Err(DemoError::Failed(format!("the callback says: {callback}")))
    }
}

async fn receive(request: Request<Body>, sender: &Sender<Value>, secret: &str) -> Response<Body> {
    let (head, body) = request.into_parts();
    let status = match body.collect(CALLBACK_MAX_BYTES).await {
        Ok(body) if is_signed(&head.headers, &body, secret) => {
            match serde_json::from_slice(&body).ok().map(|callback| sender.try_send(callback)) {
                Some(Ok(())) => StatusCode::NO_CONTENT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
        Ok(_) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// `Wharf-Signature: t=UNIX,v1=HEX`, HMAC-SHA256 of the time, a dot and the body.
fn is_signed(headers: &HeaderMap, body: &[u8], secret: &str) -> bool {
    let value = headers.get("wharf-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((time, signature)) = value.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
        return false;
    };
    let (Ok(mut mac), Some(signature)) = (Hmac::<Sha256>::new_from_slice(secret.as_bytes()), from_hex::<32>(signature))
    else {
        return false;
    };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}
