//! wharf: a self-hosted, S3-compatible chunk gateway in one binary. This is the architecture document.
//!
//! # Bird's eye
//!
//! A client sends a big file as parts; each part becomes one immutable **blob** on local disk, durable before it is
//! acknowledged. A **catalog** (redb) knows which blobs make up which upload and which object. Completing an upload moves no
//! bytes: it is one metadata commit that turns the list of parts into the object's list of extents, so it costs the same for
//! 10 MB and for 5 TB. Reads stream across extents, every 64 KiB block verified.
//!
//! # The life of a byte
//!
//! 1. [`server`] accepts the connection (TLS or not), reads the head within a deadline and calls one handler.
//! 2. [`s3`] finds bucket and key ([`s3::address`]), selects the operation (one static row each, `s3::ops`), authenticates
//!    ([`auth`]), authorises ([`s3::permission`]), checks declared lengths, free room and quota. Only then is the body read (this is when a waiting
//!    client gets its `100 Continue`). A POST form carries its credentials in its first fields, so there it is the file that is
//!    not read before all this; and a few small bodies (keys to delete, tags, parameters) are read first because permission depends on them.
//! 3. The body's frames go, without copies, through the aws-chunked decoder where there is one (which verifies the chunks'
//!    signatures as they pass) into [`store::body::BodyWriter`], which gathers 1 MiB units and hands them to a blocking
//!    thread: hashed and written in one pass, with a checksum per block, into an unnamed file ([`store::blob::disk`]).
//! 4. At the end the file is synced, linked under its final name, and its directory is synced, together with everyone else's.
//! 5. The digests are compared with what the client declared. What does not match, a chunk that was not signed so included,
//!    is dropped; the sweep removes it.
//! 6. One [`store::meta::Batch`] names the blob. The committer ([`store::meta::commit`]) applies the batches that are queued at
//!    that moment in one redb transaction with one fsync (two where it also saves redb's allocator state), and answers each. Only now does the client get its 200.
//!    What comes by the upload API ([`pipeline`]) goes the same way in other envelopes: each form chunk, each piece of a tus upload is a blob, named as a part of a
//!    *session* (`store::sessions`), and the commit that brings a session's last part makes the object, without anybody listing the parts. Presigned sessions
//!    hand out URLs of the S3 port. A [`generator`] is a client like any other.
//! 7. A GET takes a snapshot, pins the body, and streams it: from the page cache in place, from the disk on a blocking thread.
//! 8. A copy adds a name to bytes that are there. Overwritten, deleted, aborted or expired: one row moves to the grave in the same commit; [`store::maintain::gc`] removes
//!    the blobs, then forgets the row.
//!
//! # Map and ranks
//!
//! A module imports strictly lower ranks and itself; `tests/tidy.rs` enforces the table.
//!
//! | rank | modules | what | must not know |
//! | --- | --- | --- | --- |
//! | 0 | [`base`] | clock, rng, ids, limits, digests, buffers, workers | anything else |
//! | 1 | [`telemetry`] | log, metrics, access log, health | |
//! | 2 | [`wire`] | HTTP vocabulary: body, form, range, handler; the client of our own and where it may go; what an image is called | |
//! | 3 | [`auth`] | SigV4, presigned URLs made and verified, those of SigV2, POST forms and their policies, aws-chunked framing and its signatures; access keys, temporary credentials, tokens; the language of policies | the store |
//! | 3 | [`store`] | buckets, objects, uploads, quotas, and small records of the ranks above, over catalog and blobs | HTTP, XML, identities |
//! | 3 | [`generator`] | images whose every byte follows from their description, drawn by the CPU or a GPU and sent in parts: orders, queue, uploader | the gateway, but for its API over HTTP |
//! | 4 | [`server`] | listeners, TLS, deadlines, drain | S3 |
//! | 4 | [`s3`] | the dialect: one file per operation | the server |
//! | 4 | [`pipeline`] | the upload API: form chunks, presigned sessions, Companion, tus, generations with callbacks and events | S3, the server, the generator |
//! | 5 | [`config`] | flags, environment, file: one validated value | |
//! | 6 | [`app`] | composition root: opens, mounts, drives workers, drains; keeps keys, and administers over `admin.sock` and port 9001 | |
//! | 7 | [`cli`] | commands and exit codes | |
//!
//! Inside the store, `meta` and `blob` never import each other; both stand on `fsio`, the only code on the data path that
//! touches `std::fs`. (`fsio` stands beside them because the catalog's file needs the same simulated disk as the blobs.)
//! Blobs have a second home in object stores ([`store::blob::remote`]), with the same names and format; no setting selects it
//! yet.
//!
//! # Invariants
//!
//! - **Bytes are durable before the metadata that names them; metadata is gone before its bytes are removed.** A crash can
//!   leave orphaned bytes, never a name without bytes.
//! - A metadata change is a [`store::meta::Batch`]: requirements and writes, all or nothing. Conditional writes, exactly one
//!   winner and idempotent completes are requirements, never locks.
//! - Only object and upload rows are keyed by the client's key; every other table that grows with the data is keyed by a growing number ([`base::id`]), because inserts at
//!   the right edge of a B-tree are nearly free.
//! - A copy is a further reference: objects that share bytes name one manifest, the catalog counts them, and gc frees the bytes
//!   with the last of them (`store::copy`).
//! - A blob is never overwritten, never renamed, and its name is never used twice. It belongs to one upload or one manifest.
//! - Whoever begins a blob looks after it until a commit that names it was answered; otherwise the sweep judges it
//!   (`store::orphans`). There is no other clean-up path.
//! - Every wait on a peer has a deadline, every buffer a size, every collection of outside input a limit ([`base::limits`]).
//! - Permission is decided in one place ([`s3::permission`]), by policies and ACLs alone: owning something gives nothing by itself.
//!   A change of keys or policies counts from the request on that comes after its answer.
//! - An upload of a session is complete by what is there, in the commit that brings it; its counters and its place are gone with it.
//! - What others tell us to call (part URLs, reports, callbacks) is called only where the settings allow, at the addresses that were checked.
//! - Secrets are kept sealed and never shown again; what carries them has no `Debug` that tells.
//! - What is recognised and not built answers 501, never a wrong success.
//! - Tokio's timers, request latencies and the cryptography of TLS aside, nothing but [`base::clock`] reads the clock, [`base::rng`] randomness, `store::fsio` the disk: tests own time, chance
//!   and power.
//!
//! # Absent on purpose
//!
//! Threads or timers in the store (the supervisor in [`app`] drives its workers; in `tests/sim` the test does), a second copy
//! of a blob (but for UploadPartCopy, whose part has digests of its own), transactions that outlive a call, locks held over input or output, a cluster protocol, HTTP/2, feature flags,
//! macros of our own. What hyper cannot parse as HTTP gets its bare 400 or 431, without an error document. Damage is logged,
//! counted and ends the answer; no flag on the object remembers it. redb checks its pages in repair alone, so a damaged page
//! of the catalog is noticed only where a record no longer decodes.

pub mod app;
pub mod auth;
pub mod base;
pub mod cli;
pub mod config;
pub mod generator;
pub mod pipeline;
pub mod s3;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod wire;
