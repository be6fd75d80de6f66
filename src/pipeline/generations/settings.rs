//! Where generations are made, and who may be told of their ends.

use std::fmt;

use crate::wire::base_url::BaseUrl;
use crate::wire::destination::{Destination, Destinations, Outbound};
use crate::wire::trust::TrustSource;
use crate::wire::url::HttpUrl;

/// The generator, and the ways to it and to those who are called back.
pub struct Settings {
    /// What its paths are put below.
    pub generator: BaseUrl,
    /// What it asks for, where it asks for anything.
    pub generator_token: Option<String>,
    /// The way to the generator: the operator named it, so it is allowed by that.
    pub to_generator: Outbound,
    /// The way to those who are called back.
    pub callbacks: Outbound,
}

impl Settings {
    /// The generator at `generator`, which asks for `token`, and callbacks to hosts that are allowed.
    pub fn new(generator: BaseUrl, token: Option<String>, callback_allow: Destinations, trust: TrustSource) -> Self {
        let host = HttpUrl::parse(&generator.to_string()).ok().and_then(|url| Destination::parse(url.name()));
        let only = Destinations::new(host.into_iter().collect());
        Self {
            generator,
            generator_token: token,
            to_generator: Outbound::new(only, trust.clone()),
            callbacks: Outbound::new(callback_allow, trust),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("generator", &self.generator).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::trust::TrustError;

    #[test]
    fn the_generator_is_allowed_by_being_named_and_nobody_else_is() {
        for (base, other) in [
            ("http://127.0.0.1:9002", "http://127.0.0.2/"),
            ("http://[2001:db8::1]:9002", "http://[2001:db8::2]/"),
            ("http://gpu.example", "http://gpu.example.evil/"),
        ] {
            let trust: TrustSource = Arc::new(|| Err(TrustError::Missing));
            let settings = Settings::new(BaseUrl::parse(base).unwrap(), None, Destinations::loopback(), trust);
            let allows = |url: &str| settings.to_generator.allowed().may_be_allowed(&HttpUrl::parse(url).unwrap());
            assert!(allows(&format!("{base}/generate")) && !allows(other), "{base}");
        }
    }
}
