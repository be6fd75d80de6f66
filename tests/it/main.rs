//! The gateway from outside: the real binary, real sockets, requests signed by somebody else's signer.
//!
//! Nothing in here imports wharf: what these tests know of it is what a client knows. [`gateway`] starts and ends
//! processes, [`http`] is a client that can also send what no decent client sends, [`counterpart`] is what a generator talks to, [`signer`] signs with the `aws-sigv4`
//! crate, [`request`] puts the two together and checks what every answer must have (request id, date, error document).
//! The other modules are named after the operation or the behaviour they try.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed assumption is the test's answer")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "the same")]

mod api;
mod bucket;
mod certificate;
mod counterpart;
mod digests;
mod form;
mod gateway;
mod http;
mod key;
mod peer;
mod process;
mod request;
mod signer;
mod tus_client;
mod xml;

mod acl;
mod admin;
mod admin_api;
mod admin_offline;
mod api_callers;
mod api_cors;
mod attacks;
mod auth_header;
mod auth_presigned;
mod auth_sigv2;
mod bad_keys;
mod bad_xml;
mod bmp;
mod bmp_callbacks;
mod bmp_rights;
mod bucket_policy;
mod bucket_tagging;
mod buckets;
mod checksums;
mod companion;
mod complete_upload;
mod conditional_deletes;
mod conditional_races;
mod conditions;
mod copy_object;
mod cors;
mod crash;
mod delete_object;
mod delete_objects;
mod demo;
mod expect_continue;
mod forwarded;
mod framing;
mod generations;
mod generator;
mod get_object;
mod get_part;
mod health;
mod list_object_versions;
mod list_objects;
mod list_objects_v2;
mod object_attributes;
mod object_tagging;
mod permission;
mod post_forms;
mod post_object;
mod presign;
mod put_object;
mod ranges;
mod reserve;
mod serve;
mod settings;
mod signed_chunks;
mod signed_length;
mod signed_trailers;
mod storage_class;
mod tls;
mod tls_reload;
mod tls_self_signed;
mod trailers;
mod tus;
mod tus_breaks;
mod tus_filepond;
mod unbuilt;
mod upload_checksums;
mod upload_chunk;
mod upload_chunk_fields;
mod upload_listings;
mod upload_part_copy;
mod upload_parts;
mod upload_sessions;
mod virtual_host;
