//! Buckets and uploads of a gateway, and the requests that name them.

use crate::gateway::Gateway;
use crate::request::Request;
use crate::signer::encode_path;
use crate::xml;

/// A bucket of a gateway.
pub(crate) struct Bucket<'a> {
    pub gateway: &'a Gateway,
    pub name: String,
}

/// An open multipart upload.
pub(crate) struct Upload<'a> {
    pub bucket: &'a Bucket<'a>,
    pub key: String,
    pub id: String,
}

impl<'a> Bucket<'a> {
    /// A request that names the bucket.
    pub(crate) fn request(&self, method: &str) -> Request<'a> {
        Request::new(self.gateway, method, &format!("/{}", self.name))
    }

    /// A request that names an object; the key is encoded here.
    pub(crate) fn object(&self, method: &str, key: impl AsRef<[u8]>) -> Request<'a> {
        Request::new(self.gateway, method, &format!("/{}/{}", self.name, encode_path(key)))
    }

    pub(crate) fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> Request<'a> {
        self.object("PUT", key).body(body)
    }

    pub(crate) fn get(&self, key: &str) -> Request<'a> {
        self.object("GET", key)
    }

    pub(crate) fn head(&self, key: &str) -> Request<'a> {
        self.object("HEAD", key)
    }

    pub(crate) fn delete(&self, key: &str) -> Request<'a> {
        self.object("DELETE", key)
    }

    pub(crate) fn list(&self) -> Request<'a> {
        self.request("GET").query("list-type", "2")
    }

    /// Puts many small objects, over several connections at once.
    pub(crate) fn fill(&self, keys: &[String]) {
        const CONNECTIONS: usize = 8;
        std::thread::scope(|scope| {
            for share in keys.chunks(keys.len().div_ceil(CONNECTIONS)) {
                scope.spawn(move || {
                    let mut connection = self.gateway.connect();
                    for key in share {
                        self.put(key, "x").send_on(&mut connection).ok(200);
                    }
                });
            }
        });
    }

    /// Every key of the bucket, page by page.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut request = self.list();
            if let Some(token) = &token {
                request = request.query("continuation-token", token);
            }
            let page = request.send().ok(200).text();
            keys.extend(xml::blocks(&page, "Contents").iter().map(|entry| xml::text(entry, "Key").unwrap()));
            token = xml::text(&page, "NextContinuationToken");
            if token.is_none() {
                return keys;
            }
        }
    }

    /// The request that creates an upload.
    pub(crate) fn create(&self, key: &str) -> Request<'a> {
        self.object("POST", key).raw_query("uploads")
    }

    /// A new upload.
    pub(crate) fn upload(&'a self, key: &str) -> Upload<'a> {
        self.created(key, &self.create(key))
    }

    /// The upload that this request creates.
    pub(crate) fn created(&'a self, key: &str, create: &Request<'_>) -> Upload<'a> {
        let id = xml::text(&create.send().ok(200).text(), "UploadId").unwrap();
        Upload { bucket: self, key: key.to_owned(), id }
    }
}

impl<'a> Upload<'a> {
    /// A request that names the upload.
    pub(crate) fn request(&self, method: &str) -> Request<'a> {
        self.bucket.object(method, &self.key).query("uploadId", &self.id)
    }

    /// The PUT of a part.
    pub(crate) fn part(&self, number: u32, body: impl Into<Vec<u8>>) -> Request<'a> {
        self.request("PUT").query("partNumber", &number.to_string()).unsigned_payload().body(body)
    }

    /// Puts a part and gives its ETag.
    pub(crate) fn put_part(&self, number: u32, body: impl Into<Vec<u8>>) -> String {
        self.part(number, body).send().ok(200).header("etag").unwrap().to_owned()
    }

    /// The complete with these parts.
    pub(crate) fn complete(&self, parts: &[(u32, &str)]) -> Request<'a> {
        let parts: Vec<String> = parts
            .iter()
            .map(|(number, etag)| format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"))
            .collect();
        self.complete_with(&parts.concat())
    }

    /// The complete with these part elements.
    pub(crate) fn complete_with(&self, parts: &str) -> Request<'a> {
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        let body = format!("<CompleteMultipartUpload xmlns=\"{namespace}\">{parts}</CompleteMultipartUpload>");
        self.request("POST").body(body)
    }

    pub(crate) fn abort(&self) -> Request<'a> {
        self.request("DELETE")
    }

    pub(crate) fn list(&self) -> Request<'a> {
        self.request("GET")
    }
}
