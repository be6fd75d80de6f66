//! One object of several sessions: their parts change hands and no byte moves. Whoever asks has made sure that they are all there.

use super::{OpenSession, check_note, object_of, parts_of, unknown};
use crate::base::digest::{Checksum, ChecksumAlgorithm};
use crate::store::Store;
use crate::store::assemble::Assembly;
use crate::store::error::Error;
use crate::store::meta::schema::{self, ChecksumRecord, CompletedRecord, Content, SessionRecord};
use crate::store::meta::{Batch, Space, Write};
use crate::store::multipart::require_upload;
use crate::store::types::{Bucket, CompletedUpload, NewSession, NewUpload, ObjectKey, UploadId, UploadInfo};

impl Store {
    /// Makes one object of the bytes of these open sessions, in their order; they end with it. The object has a session's id, by
    /// which it is found as if it had been one.
    pub async fn concatenate(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        new: NewUpload,
        session: NewSession,
        sources: &[UploadId],
    ) -> Result<(UploadId, CompletedUpload), Error> {
        check_note(&session.note)?;
        let id = UploadId { number: self.numbers.next(), secret: self.rng.next_u64() };
        let upload = UploadInfo {
            key: key.clone(),
            id,
            initiated: self.now(),
            checksum: None,
            attributes: new.attributes,
            session: true,
        };
        let snapshot = self.snapshot()?;
        let (mut open, mut parts) = (Vec::new(), Vec::new());
        for source in sources {
            let found = self.open(snapshot.as_ref(), source.number)?.filter(|found| found.upload.id == *source);
            let found = found.filter(|_| open.iter().all(|other: &OpenSession| other.upload.id != *source));
            open.push(found.ok_or_else(unknown)?);
            parts.extend(parts_of(snapshot.as_ref(), source.number)?.into_iter().map(|(_, part)| part));
        }
        drop(snapshot);
        let parts: Vec<_> = (1..).zip(parts).collect();
        let answer = object_of(&upload, &parts)?;
        let record = SessionRecord {
            bucket: bucket.name.to_string(),
            name: None,
            total: None,
            note: session.note,
            predecessor: None,
        };
        let assembly = Assembly {
            bucket,
            upload: &upload,
            answer: &answer,
            parts,
            fingerprint: [0; 32],
            session: Some(record),
            last: None,
        };
        let (info, content, mut writes) = self.assemble(assembly)?;
        // It was never open, so it is not one less.
        writes.push(Write::Add(schema::UPLOADS_COUNTER.to_vec(), 1));
        let mut requires = vec![Self::require_bucket(bucket)];
        for source in &open {
            requires.push(require_upload(&source.bucket, &source.upload.key, source.upload.id));
            requires.push(source.unchanged());
            writes.extend(source.leaving());
            writes.extend(self.given_to(source, &content));
        }
        match self.replace(bucket, &info, content, Batch { requires, writes }, None).await {
            Ok(()) => Ok((id, answer)),
            Err(Error::Conflict) => Err(unknown()),
            Err(error) => Err(error),
        }
    }

    /// The writes that end a session whose parts belong to another's object: gc forgets their rows and keeps their bytes.
    fn given_to(&self, source: &OpenSession, content: &Content) -> [Write; 3] {
        let id = source.upload.id;
        let record = CompletedRecord {
            number: id.number,
            secret: id.secret,
            bucket: source.bucket.number,
            key: source.upload.key.as_str().to_owned(),
            size: source.bytes,
            md5: [0; 16].into(),
            parts: source.parts,
            checksum: schema::ObjectChecksumRecord {
                checksum: ChecksumRecord::from(&Checksum::of(ChecksumAlgorithm::Crc64Nvme, b"")),
                kind: 0,
                parts: None,
            },
            fingerprint: [0; 32].into(),
            content: content.clone(),
            completed: self.now().0,
            session: None,
            last: None,
        };
        let mut buried = vec![Space::Completed as u8];
        buried.extend_from_slice(&schema::encode(id.number, &record));
        let row = schema::upload_key(source.bucket.number, source.upload.key.as_str(), id.number);
        [
            Write::Delete(Space::Uploads, row),
            Write::Put(Space::Grave, schema::number_key(self.numbers.next()), buried),
            Write::Add(schema::UPLOADS_COUNTER.to_vec(), -1),
        ]
    }
}
