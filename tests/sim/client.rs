//! A client: one operation as a future over the store, with pauses in which others go on, and every answer compared with
//! what was sent.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use wharf::base::digest::{ChecksumType, DigestRequest};
use wharf::base::rng::SeededRng;
use wharf::store::Store;
use wharf::store::error::{Error, Invalid, Missing};
use wharf::store::types::{
    Attributes, Bucket, BucketName, CompleteRequest, Condition, CopyRequest, CopyTerms, ETag, ListedPart, NewUpload,
    ObjectInfo, ObjectKey, PartNumber, StagedBody, UploadId,
};

use crate::body::{Bodies, Body};
use crate::book::Book;
use crate::model::{Object, Op, OpId, Outcome, Standing};

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A definite answer.
    Heard(Outcome),
    /// It failed and certainly did nothing.
    Failed,
    /// It failed and may have happened.
    InDoubt,
    /// An answer that no history explains.
    Wrong(String),
}

/// An operation on its way.
pub(crate) struct Client {
    pub(crate) id: OpId,
    pub(crate) op: Op,
    pub(crate) future: Pin<Box<dyn Future<Output = Answer>>>,
}

/// What a call needs.
pub(crate) struct Request {
    pub(crate) store: Arc<Store>,
    pub(crate) book: Rc<RefCell<Book>>,
    pub(crate) bucket: &'static str,
    pub(crate) id: OpId,
    pub(crate) op: Op,
    pub(crate) rng: SeededRng,
}

impl Client {
    pub(crate) fn start(request: Request) -> Self {
        let (id, op) = (request.id, request.op.clone());
        let on_upload = op.is_on_upload();
        let future = async move {
            match request.run().await.unwrap_or_else(|answer| answer) {
                Answer::Heard(Outcome::NoBucket) if on_upload => Answer::Heard(Outcome::NoUpload),
                answer => answer,
            }
        };
        Self { id, op, future: Box::pin(future) }
    }
}

type Told = Result<Answer, Answer>;

impl Request {
    async fn run(self) -> Told {
        let name = BucketName::parse(self.bucket).expect("a good name");
        match &self.op {
            Op::CreateBucket => return done(self.store.create_bucket(&name, None).await),
            Op::DeleteBucket => return done(self.store.delete_bucket(&name).await),
            _ => {}
        }
        let bucket = self.store.bucket(&name).map_err(refused)?;
        match &self.op {
            Op::Put { key, body, condition } => self.put(&bucket, key, *body, condition.as_ref()).await,
            Op::Copy { from, to, keeps_attributes, condition } => {
                self.copy(&bucket, from, to, *keeps_attributes, condition.as_ref()).await
            }
            Op::Tag { key } => {
                done(self.store.put_object_tags(&bucket, &object_key(key), tags(Some(self.id)), approved).await)
            }
            Op::Delete { key } => done(self.store.delete_object(&bucket, &object_key(key), None).await),
            Op::Get { key } => self.get(&bucket, key).await,
            Op::Create { key } => self.create(&bucket, key).await,
            Op::Stage { upload, number, body } => self.stage(&bucket, *upload, *number, *body).await,
            Op::Complete { upload, parts } => self.complete(&bucket, *upload, parts).await,
            Op::Abort { upload } => {
                let (key, id) = self.upload(*upload);
                done(self.store.abort_upload(&bucket, &key, id).await)
            }
            op => wrong(format!("no client asks for {op:?}")),
        }
    }

    async fn put(&self, bucket: &Bucket, key: &str, body: Body, condition: Option<&Standing>) -> Told {
        let staged = self.send(body).await?;
        let condition = condition.map(wanted);
        let key = object_key(key);
        let put = self.store.put_object(bucket, &key, staged, attributes(self.id, None), condition).await;
        check_info(&put.map_err(refused)?, &Object { tag: self.id, tagged: None, bodies: Bodies::One(body) })?;
        Ok(Answer::Heard(Outcome::Done))
    }

    async fn copy(&self, bucket: &Bucket, from: &str, to: &str, keeps: bool, condition: Option<&Standing>) -> Told {
        let (from, to) = (object_key(from), object_key(to));
        let request = CopyRequest { source: (bucket, &from), target: (bucket, &to), condition: condition.map(wanted) };
        let own = attributes(self.id, None);
        let terms = |source: &ObjectInfo| -> Result<CopyTerms, Error> {
            let attributes = if keeps { source.attributes.clone() } else { own.clone() };
            Ok(CopyTerms { attributes, checksum: None })
        };
        let info = self.store.copy_object(&request, terms).await.map_err(refused)?;
        Ok(Answer::Heard(Outcome::Found(read_info(&info, &self.book.borrow()).map_err(Answer::Wrong)?)))
    }

    /// Sends a body in pieces.
    async fn send(&self, body: Body) -> Result<StagedBody, Answer> {
        let content = body.content();
        let expected = (self.rng.below(4) > 0).then_some(body.len());
        let mut writer = self.store.body_writer(expected, DigestRequest::default());
        let pieces = 1 + usize::try_from(self.rng.below(3)).unwrap_or_default();
        for piece in content.bytes.chunks((content.bytes.len() / pieces).max(1)) {
            self.pause().await;
            writer.write(content.bytes.slice_ref(piece)).await.map_err(refused)?;
        }
        self.pause().await;
        let staged = writer.finish().await.map_err(refused)?;
        let same = staged.size == body.len() && staged.digests.md5 == content.md5;
        if !same || staged.crc64nvme != content.crc64nvme {
            return Err(Answer::Wrong(format!("{body:?} was received as {staged:?}")));
        }
        self.pause().await;
        Ok(staged)
    }

    async fn get(&self, bucket: &Bucket, key: &str) -> Told {
        let open = self.store.open_object(bucket, &object_key(key)).map_err(refused)?;
        let object = read_info(&open.info, &self.book.borrow()).map_err(Answer::Wrong)?;
        let expected = object.bodies.bytes();
        let start = if self.rng.below(2) == 0 { 0 } else { self.rng.below(open.info.size + 1) };
        let end = if self.rng.below(2) == 0 { open.info.size } else { start + self.rng.below(100_000) };
        let wanted = expected.get(start as usize..(end as usize).min(expected.len())).unwrap_or_default();
        let mut reader = open.read(start..end);
        let mut read = Vec::new();
        loop {
            self.pause().await;
            match reader.next().await {
                Some(bytes) => read.extend_from_slice(&bytes.map_err(refused)?),
                None => break,
            }
        }
        if read != wanted {
            return wrong(format!("bytes {start}..{end} of {object:?} came as {} other bytes", read.len()));
        }
        Ok(Answer::Heard(Outcome::Found(object)))
    }

    async fn create(&self, bucket: &Bucket, key: &str) -> Told {
        let new = NewUpload { attributes: attributes(self.id, None), checksum: None };
        let id = self.store.create_upload(bucket, &object_key(key), new).await.map_err(refused)?;
        if let Some(upload) = self.book.borrow_mut().uploads.get_mut(&self.id) {
            upload.id = Some(id);
        }
        Ok(Answer::Heard(Outcome::Done))
    }

    async fn stage(&self, bucket: &Bucket, upload: OpId, number: u32, body: Body) -> Told {
        let (key, id) = self.upload(upload);
        let staged = self.send(body).await?;
        let number = part_number(number);
        let part = self.store.stage_part(bucket, &key, id, number, staged).await.map_err(refused)?;
        let content = body.content();
        let same = (part.number, part.size, part.md5) == (number, body.len(), content.md5);
        if !same || part.checksum != content.crc64nvme {
            return wrong(format!("{body:?} was staged as {part:?}"));
        }
        Ok(Answer::Heard(Outcome::Done))
    }

    async fn complete(&self, bucket: &Bucket, upload: OpId, parts: &[(u32, Body)]) -> Told {
        let (key, id) = self.upload(upload);
        let listed = |(number, body): &(u32, Body)| ListedPart {
            number: part_number(*number),
            etag: ETag::of_body(body.content().md5),
            checksums: Vec::new(),
        };
        let request = CompleteRequest { parts: parts.iter().map(listed).collect(), ..CompleteRequest::default() };
        let answer = self.store.complete_upload(bucket, &key, id, request).await.map_err(refused)?;
        let bodies = Bodies::Parts(parts.iter().map(|(_, body)| *body).collect());
        if (answer.etag, answer.size) != (bodies.etag(), bodies.len()) || answer.checksum.value != bodies.crc64nvme() {
            return wrong(format!("{bodies:?} was completed as {answer:?}"));
        }
        Ok(Answer::Heard(Outcome::Done))
    }

    fn upload(&self, tag: OpId) -> (ObjectKey, UploadId) {
        let book = self.book.borrow();
        let upload = book.uploads.get(&tag).expect("operations name uploads that were created");
        (object_key(upload.key), upload.id.expect("operations name uploads whose id is known"))
    }

    /// Lets others go on.
    async fn pause(&self) {
        for _ in 0..self.rng.below(3) {
            Yield(false).await;
        }
    }
}

/// Pending once.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The object that `info` describes, if every word of it is true of one that a client asked for.
pub(crate) fn read_info(info: &ObjectInfo, book: &Book) -> Result<Object, String> {
    let bodies = book.bodies(info.etag)?;
    let tag = tag_of(&info.attributes).ok_or_else(|| format!("nobody's attributes: {info:?}"))?;
    let object = Object { tag, tagged: info.attributes.tags.first().and_then(|(_, by)| by.parse().ok()), bodies };
    match check_info(info, &object) {
        Ok(()) => Ok(object),
        Err(answer) => Err(format!("{answer:?}")),
    }
}

fn check_info(info: &ObjectInfo, object: &Object) -> Result<(), Answer> {
    let bodies = &object.bodies;
    let same = (info.etag, info.size, info.parts) == (bodies.etag(), bodies.len(), bodies.etag().parts)
        && info.attributes == attributes(object.tag, object.tagged)
        && info.checksum.kind == ChecksumType::FullObject
        && info.checksum.value == bodies.crc64nvme();
    if same { Ok(()) } else { Err(Answer::Wrong(format!("{object:?} is described as {info:?}"))) }
}

fn attributes(tag: OpId, tagged: Option<OpId>) -> Attributes {
    Attributes {
        headers: vec![("content-type".to_owned(), format!("application/x-{tag}"))],
        user_metadata: vec![("tag".to_owned(), tag.to_string())],
        tags: tags(tagged),
        ..Attributes::default()
    }
}

/// The tags that this operation gave, if one did.
fn tags(tagged: Option<OpId>) -> Vec<(String, String)> {
    tagged.into_iter().map(|by| ("by".to_owned(), by.to_string())).collect()
}

/// Who made an object or upload.
pub(crate) fn tag_of(attributes: &Attributes) -> Option<OpId> {
    attributes.user_metadata.first()?.1.parse().ok()
}

pub(crate) fn object_key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a good key")
}

fn wanted(standing: &Standing) -> Condition {
    match standing {
        Standing::Nothing => Condition::Absent,
        Standing::Object(bodies) => Condition::Matches(bodies.etag()),
    }
}

fn part_number(number: u32) -> PartNumber {
    PartNumber::new(u64::from(number)).expect("a good number")
}

fn done<T>(result: Result<T, Error>) -> Told {
    result.map(|_| Answer::Heard(Outcome::Done)).map_err(refused)
}

fn wrong(what: String) -> Told {
    Err(Answer::Wrong(what))
}

fn refused(error: Error) -> Answer {
    Answer::Heard(match error {
        Error::NotFound(Missing::Bucket) => Outcome::NoBucket,
        Error::NotFound(Missing::Object | Missing::Source) => Outcome::NoObject,
        Error::NotFound(Missing::Upload) => Outcome::NoUpload,
        Error::Exists => Outcome::Exists,
        Error::NotEmpty => Outcome::NotEmpty,
        Error::Precondition => Outcome::Precondition,
        Error::Invalid(Invalid::Part { .. }) => Outcome::InvalidPart,
        Error::Invalid(Invalid::CompletedDifferently) => Outcome::CompletedDifferently,
        // Bodies fail before anything is committed.
        Error::Full | Error::Io(_) => return Answer::Failed,
        Error::Busy(_) => return Answer::InDoubt,
        Error::TooManyBuckets
        | Error::TooManyRecords
        | Error::QuotaExceeded
        | Error::Conflict
        | Error::Invalid(_)
        | Error::Corrupt(_) => {
            return Answer::Wrong(error.to_string());
        }
    })
}

/// Nothing here depends on what stands there.
fn approved(_: &wharf::store::types::ObjectInfo) -> Result<(), wharf::store::error::Error> {
    Ok(())
}
