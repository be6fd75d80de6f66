//! The operations: one file for each that is built, or for each document; [`unbuilt`] names the rest.

use super::op::Op;

pub mod abort_multipart_upload;
pub mod acl;
pub mod assume_role;
pub mod bucket_cors;
pub mod bucket_policy;
pub mod bucket_tagging;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod create_bucket;
pub mod create_multipart_upload;
pub mod delete_bucket;
pub mod delete_object;
pub mod delete_objects;
pub mod get_bucket_location;
pub mod get_object;
pub mod get_object_attributes;
pub mod head_bucket;
pub mod head_object;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod list_objects_v2;
pub mod list_parts;
pub mod object_tagging;
pub mod ownership_controls;
pub mod post_object;
pub mod preflight;
pub mod public_access_block;
pub mod put_object;
pub mod unbuilt;
pub mod upload_part;
pub mod upload_part_copy;
pub mod versioning;

/// The rows.
pub static OPS: &[&Op] = &[
    &list_buckets::OP,
    &assume_role::OP,
    &create_bucket::OP,
    &head_bucket::OP,
    &delete_bucket::OP,
    &get_bucket_location::OP,
    &versioning::GET,
    &put_object::OP,
    &post_object::OP,
    &copy_object::OP,
    &get_object::OP,
    &get_object_attributes::OP,
    &head_object::OP,
    &delete_object::OP,
    &delete_objects::OP,
    &list_objects_v2::OP,
    &list_objects::OP,
    &list_object_versions::OP,
    &create_multipart_upload::OP,
    &upload_part::OP,
    &upload_part_copy::OP,
    &complete_multipart_upload::OP,
    &abort_multipart_upload::OP,
    &list_parts::OP,
    &list_multipart_uploads::OP,
    &object_tagging::GET,
    &object_tagging::PUT,
    &object_tagging::DELETE,
    &bucket_tagging::GET,
    &bucket_tagging::PUT,
    &bucket_tagging::DELETE,
    &bucket_policy::GET,
    &bucket_policy::PUT,
    &bucket_policy::DELETE,
    &bucket_policy::STATUS,
    &acl::GET_BUCKET,
    &acl::PUT_BUCKET,
    &acl::GET_OBJECT,
    &acl::PUT_OBJECT,
    &public_access_block::GET,
    &public_access_block::PUT,
    &public_access_block::DELETE,
    &ownership_controls::GET,
    &ownership_controls::PUT,
    &ownership_controls::DELETE,
    &bucket_cors::GET,
    &bucket_cors::PUT,
    &bucket_cors::DELETE,
    &preflight::OBJECT,
    &preflight::BUCKET,
    &preflight::SERVICE,
];
