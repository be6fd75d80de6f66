//! The operations that are built: one file each, one row each.

use super::op::Op;

pub mod abort_multipart_upload;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod create_bucket;
pub mod create_multipart_upload;
pub mod delete_bucket;
pub mod delete_object;
pub mod delete_objects;
pub mod get_bucket_location;
pub mod get_object;
pub mod head_bucket;
pub mod head_object;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_objects_v2;
pub mod list_parts;
pub mod put_object;
pub mod unbuilt;
pub mod upload_part;
pub mod upload_part_copy;

/// The rows.
pub static OPS: &[&Op] = &[
    &list_buckets::OP,
    &create_bucket::OP,
    &head_bucket::OP,
    &delete_bucket::OP,
    &get_bucket_location::OP,
    &put_object::OP,
    &copy_object::OP,
    &get_object::OP,
    &head_object::OP,
    &delete_object::OP,
    &delete_objects::OP,
    &list_objects_v2::OP,
    &create_multipart_upload::OP,
    &upload_part::OP,
    &upload_part_copy::OP,
    &complete_multipart_upload::OP,
    &abort_multipart_upload::OP,
    &list_parts::OP,
    &list_multipart_uploads::OP,
];
