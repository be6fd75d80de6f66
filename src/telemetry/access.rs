//! The access log: one event per request, at level `info` under the target `wharf::access`.
//!
//! Of the query only the names are logged, and the values of those parameters that are known to hold no secret. A list of
//! secrets to hide would miss the one that is spelled in another way (`X%2DAmz-Signature`) or added later.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// Parameters whose values are logged.
const OPEN_PARAMETERS: [&str; 17] = [
    "delimiter",
    "encoding-type",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "start-after",
    "upload-id-marker",
    "uploadId",
    "versionId",
    "x-id",
    "X-Amz-Expires",
];

/// A request as the access log shows it.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The path as it came, still encoded.
    pub path: &'a str,
    /// The query as it came, without its `?`.
    pub query: Option<&'a str>,
    /// The operation's name.
    pub operation: &'static str,
    /// The status answered.
    pub status: u16,
    /// The error code answered, if any.
    pub error: Option<&'a str>,
    /// Bytes of the request's body that were read.
    pub bytes_in: u64,
    /// Bytes of the response's body that were taken.
    pub bytes_out: u64,
    /// False when the response broke off.
    pub complete: bool,
    /// From the head's arrival to the end of the response.
    pub elapsed: Duration,
    /// The request's id, as the client was told.
    pub request_id: &'a str,
    /// Who asked, without a secret: the access key, or empty when anonymous.
    pub identity: &'a str,
    /// The client's address.
    pub peer: SocketAddr,
}

impl Access<'_> {
    /// Writes the event.
    pub fn log(&self) {
        let query = self.query.map(without_secrets);
        let ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "wharf::access",
            method = self.method,
            path = self.path,
            query = query.as_deref(),
            operation = self.operation,
            status = self.status,
            error = self.error,
            bytes_in = self.bytes_in,
            bytes_out = self.bytes_out,
            complete = self.complete,
            ms,
            request_id = self.request_id,
            identity = self.identity,
            peer = %self.peer,
        );
    }
}

/// The query with every value left out that is not known to be harmless.
fn without_secrets(query: &str) -> String {
    let mut shown = String::with_capacity(query.len());
    for (index, parameter) in query.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        match parameter.split_once('=') {
            Some((name, value)) if OPEN_PARAMETERS.contains(&name) || value.is_empty() => shown.push_str(parameter),
            // Writing into a string does not fail.
            Some((name, _)) => drop(write!(shown, "{name}=...")),
            None => shown.push_str(parameter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log::tests::captured;

    #[test]
    fn secrets_stay_out() {
        for (query, shown) in [
            ("partNumber=3&uploadId=abc", "partNumber=3&uploadId=abc"),
            ("uploads=", "uploads="),
            ("acl&X-Amz-Signature=5ec2e7", "acl&X-Amz-Signature=..."),
            ("X%2DAmz-Signature=5ec2e7&x-amz-security-token=t", "X%2DAmz-Signature=...&x-amz-security-token=..."),
            ("token=a=b&Signature=x", "token=...&Signature=..."),
            ("", ""),
        ] {
            assert_eq!(without_secrets(query), shown);
        }
    }

    #[test]
    fn one_event_a_request() {
        let lines = captured("info", || {
            let access = Access {
                method: "PUT",
                path: "/bucket/key",
                query: Some("X-Amz-Signature=5ec2e7"),
                operation: "PutObject",
                status: 403,
                error: Some("AccessDenied"),
                bytes_in: 1,
                bytes_out: 243,
                complete: true,
                elapsed: Duration::from_micros(2700),
                request_id: "0000000000000001",
                identity: "",
                peer: SocketAddr::from(([127, 0, 0, 1], 4321)),
            };
            access.log();
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["target"], "wharf::access");
        assert_eq!(line["operation"], "PutObject");
        assert_eq!(line["status"], 403);
        assert_eq!(line["ms"], 2);
        assert_eq!(line["peer"], "127.0.0.1:4321");
        assert!(!line.to_string().contains("5ec2e7"));
    }
}
