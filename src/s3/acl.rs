//! Access control lists: the canned ones, which are all that is built.
//!
//! An ACL stands beside the policies and only ever adds to them: it lets everybody, or everybody who signs, read or write. It
//! takes nothing away, and it gives an owner nothing that the owner's own policy does not. A list of grants is taken where it
//! is one of the canned ones written out; any other is 501.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>.

use http::HeaderMap;

use super::call::filled;
use super::error::{Code, Error};
use super::xml::{self, Document, Element};

/// The header that names one.
pub const HEADER: &str = "x-amz-acl";

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type";

/// A canned ACL. The numbers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CannedAcl {
    /// The owner alone.
    #[default]
    Private = 0,
    /// Everybody may read.
    PublicRead = 1,
    /// Everybody may read and write.
    PublicReadWrite = 2,
    /// Everybody who signs may read.
    AuthenticatedRead = 3,
    /// The owner of the bucket may read; on a bucket as private.
    BucketOwnerRead = 4,
    /// The owner of the bucket may do everything; on a bucket as private.
    BucketOwnerFullControl = 5,
}

/// What an ACL may allow to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// List a bucket, get an object.
    Read,
    /// Put objects into a bucket and delete them.
    Write,
}

/// Whose an ACL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners<'a> {
    /// Canonical user id of the owner of the bucket or the object.
    pub owner: &'a str,
    /// Canonical user id of the owner of the bucket that the object is in; none for a bucket's ACL.
    pub bucket_owner: Option<&'a str>,
}

impl CannedAcl {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Private, "private"),
        (Self::PublicRead, "public-read"),
        (Self::PublicReadWrite, "public-read-write"),
        (Self::AuthenticatedRead, "authenticated-read"),
        (Self::BucketOwnerRead, "bucket-owner-read"),
        (Self::BucketOwnerFullControl, "bucket-owner-full-control"),
    ];

    /// The one that the headers name.
    ///
    /// # Errors
    /// `InvalidArgument` for one that there is not, `NotImplemented` for those of services that are not here.
    pub fn of_headers(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        match filled(headers, HEADER)? {
            None => Ok(None),
            Some("aws-exec-read" | "log-delivery-write") => Err(Error::not_implemented(HEADER, "this canned ACL")),
            Some(name) => {
                let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
                found
                    .map(|(acl, _)| Some(acl))
                    .ok_or_else(|| Error::argument("There is no such canned ACL.", HEADER, name))
            }
        }
    }

    /// The one that is stored as this number. One that is not known grants nothing.
    pub fn stored(number: Option<u8>) -> Self {
        let found = Self::ALL.into_iter().find(|(acl, _)| Some(*acl as u8) == number);
        found.map_or(Self::Private, |(acl, _)| acl)
    }

    /// As it is stored; nothing stands for private.
    pub fn number(self) -> Option<u8> {
        Some(self as u8).filter(|_| self != Self::Private)
    }

    /// Whether it opens something to everybody or to everybody who signs.
    pub fn is_public(self) -> bool {
        matches!(self, Self::PublicRead | Self::PublicReadWrite | Self::AuthenticatedRead)
    }

    /// Whether it changes nothing where owners own everything in their buckets: such a bucket takes no other.
    pub fn is_owners(self) -> bool {
        matches!(self, Self::Private | Self::BucketOwnerFullControl)
    }

    /// Whether it lets a caller do this who is nobody in particular, or somebody who signed.
    pub fn grants(self, access: Access, signed: bool) -> bool {
        match (self, access) {
            (Self::PublicReadWrite, _) | (Self::PublicRead, Access::Read) => true,
            (Self::AuthenticatedRead, Access::Read) => signed,
            _ => false,
        }
    }

    /// The grants: to whom, and what.
    fn grant_list(self, owners: Owners<'_>) -> Vec<(Grantee, &'static str)> {
        let owner = Grantee::User(owners.owner.to_owned());
        let group = |uri: &'static str| Grantee::Group(uri.to_owned());
        let bucket_owner = owners.bucket_owner.filter(|bucket_owner| *bucket_owner != owners.owner);
        let mut grants = vec![(owner, "FULL_CONTROL")];
        match self {
            Self::Private => {}
            Self::PublicRead => grants.push((group(ALL_USERS), "READ")),
            Self::PublicReadWrite => grants.extend([(group(ALL_USERS), "READ"), (group(ALL_USERS), "WRITE")]),
            Self::AuthenticatedRead => grants.push((group(AUTHENTICATED_USERS), "READ")),
            Self::BucketOwnerRead => {
                grants.extend(bucket_owner.map(|owner| (Grantee::User(owner.to_owned()), "READ")));
            }
            Self::BucketOwnerFullControl => {
                grants.extend(bucket_owner.map(|owner| (Grantee::User(owner.to_owned()), "FULL_CONTROL")));
            }
        }
        grants
    }

    /// The document that shows it.
    pub fn document(self, owners: Owners<'_>) -> String {
        let mut answer = Document::new("AccessControlPolicy");
        answer.element("Owner", |owner| {
            owner.text("ID", owners.owner);
        });
        answer.element("AccessControlList", |list| {
            for (grantee, permission) in self.grant_list(owners) {
                list.element("Grant", |grant| {
                    match &grantee {
                        Grantee::User(id) => grant.attributed("Grantee", XSI, "CanonicalUser", |user| {
                            user.text("ID", id);
                        }),
                        Grantee::Group(uri) => grant.attributed("Grantee", XSI, "Group", |group| {
                            group.text("URI", uri);
                        }),
                    };
                    grant.text("Permission", permission);
                });
            }
        });
        answer.finish()
    }

    /// The one that a document writes out.
    ///
    /// # Errors
    /// `MalformedACLError`; `AccessDenied` for another owner, `NotImplemented` for grants that are none of the canned ones.
    pub fn of_document(body: &[u8], owners: Owners<'_>) -> Result<Self, Error> {
        let malformed = || Error::from(Code::MALFORMED_ACL);
        let root = xml::parse(body, "AccessControlPolicy").map_err(|_| malformed())?;
        let named = root.child("Owner").and_then(|owner| owner.child_text("ID")).ok_or_else(malformed)?;
        if named != owners.owner {
            return Err(Code::ACCESS_DENIED.into());
        }
        let list = root.child("AccessControlList").ok_or_else(malformed)?;
        let mut grants =
            list.children_named("Grant").map(read_grant).collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
        grants.sort();
        grants.dedup();
        let same = |acl: &Self| {
            let canned =
                acl.grant_list(owners).into_iter().map(|(grantee, permission)| (grantee, permission.to_owned()));
            let mut canned: Vec<_> = canned.collect();
            canned.sort();
            canned == grants
        };
        let found = Self::ALL.into_iter().map(|(acl, _)| acl).find(same);
        found.ok_or_else(|| Error::not_implemented("AccessControlPolicy", "grants other than those of the canned ACLs"))
    }
}

/// Who is given something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grantee {
    User(String),
    Group(String),
}

fn read_grant(grant: &Element) -> Option<(Grantee, String)> {
    let grantee = grant.child("Grantee")?;
    let permission = grant.child_text("Permission")?;
    let known = ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"].contains(&permission);
    let grantee = match (grantee.child_text("ID"), grantee.child_text("URI"), grantee.child_text("EmailAddress")) {
        (Some(id), None, None) => Grantee::User(id.to_owned()),
        (None, Some(uri), None) => Grantee::Group(uri.to_owned()),
        (None, None, Some(address)) => Grantee::User(format!("mailto:{address}")),
        _ => return None,
    };
    known.then(|| (grantee, permission.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const OWNERS: Owners<'_> = Owners { owner: "o", bucket_owner: Some("b") };

    #[test]
    fn what_is_shown_is_read_again() {
        for (acl, name) in CannedAcl::ALL {
            assert_eq!(CannedAcl::stored(acl.number()), acl);
            let text = acl.document(OWNERS);
            assert_eq!(CannedAcl::of_document(text.as_bytes(), OWNERS).unwrap(), acl, "{text}");
            let headers = HeaderMap::from_iter([(HeaderName::from_static(HEADER), HeaderValue::from_static(name))]);
            assert_eq!(CannedAcl::of_headers(&headers).unwrap(), Some(acl));
        }
        let alone = Owners { owner: "o", bucket_owner: Some("o") };
        assert_eq!(CannedAcl::BucketOwnerRead.document(alone), CannedAcl::Private.document(alone));
    }

    #[test]
    fn what_is_granted() {
        let granted = |acl: CannedAcl| {
            [(Access::Read, false), (Access::Write, false), (Access::Read, true), (Access::Write, true)]
                .map(|(access, signed)| acl.grants(access, signed))
        };
        assert_eq!(granted(CannedAcl::Private), [false; 4]);
        assert_eq!(granted(CannedAcl::PublicRead), [true, false, true, false]);
        assert_eq!(granted(CannedAcl::PublicReadWrite), [true; 4]);
        assert_eq!(granted(CannedAcl::AuthenticatedRead), [false, false, true, false]);
        assert_eq!(granted(CannedAcl::BucketOwnerFullControl), [false; 4]);
        assert_eq!(CannedAcl::stored(Some(200)), CannedAcl::Private);
    }

    #[test]
    fn headers_that_name_none() {
        let code = |value: &'static str| {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(HEADER), HeaderValue::from_static(value))]);
            CannedAcl::of_headers(&headers).map_err(|error| error.code().name)
        };
        for (value, name) in [
            ("public", "InvalidArgument"),
            ("", "InvalidArgument"),
            ("Public-Read", "InvalidArgument"),
            ("log-delivery-write", "NotImplemented"),
        ] {
            assert_eq!(code(value), Err(name), "{value}");
        }
        assert_eq!(CannedAcl::of_headers(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn documents_that_name_none() {
        let code = |text: &str| CannedAcl::of_document(text.as_bytes(), OWNERS).unwrap_err().code().name;
        let of = |owner: &str, grants: &str| {
            format!(
                "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
            )
        };
        let grant = |grantee: &str, permission: &str| {
            format!("<Grant><Grantee>{grantee}</Grantee><Permission>{permission}</Permission></Grant>")
        };
        assert_eq!(code("junk"), "MalformedACLError");
        assert_eq!(code("<AccessControlPolicy/>"), "MalformedACLError");
        assert_eq!(code(&of("somebody", "")), "AccessDenied");
        assert_eq!(code(&of("o", "")), "NotImplemented");
        assert_eq!(code(&of("o", &grant("<ID>o</ID>", "EVERYTHING"))), "MalformedACLError");
        assert_eq!(code(&of("o", &grant("<ID>o</ID><URI>u</URI>", "READ"))), "MalformedACLError");
        assert_eq!(code(&of("o", &grant("<ID>x</ID>", "READ"))), "NotImplemented");
    }
}
