//! The two tokens of a generation. Nobody keeps them: each is a mark of the gateway's master key over the generation's name.
//!
//! - the generator's: opens the generation's upload while it is not over, and takes reports about it;
//! - the listener's, in the query of the events' URL: opens its events and nothing else.

use subtle::ConstantTimeEq as _;

use super::super::Config;
use super::super::call::{Caller, Scope};
use super::super::error::Error;
use super::record::{Record, Status};
use crate::auth::Identity;
use crate::auth::seal::Sealer;
use crate::base::rng::Rng;
use crate::store::types::{RecordKind, UploadId};

/// What the generator's token begins with.
const PREFIX: &str = "wgen_";
/// Characters of a UUID.
const UUID_CHARACTERS: usize = 36;

/// A random UUID (RFC 9562 section 5.4).
pub(super) fn new_uuid(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    let value = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{value:032x}");
    let piece = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", piece(0..8), piece(8..12), piece(12..16), piece(16..20), piece(20..32))
}

/// Whether a text can be the name of a generation: 36 characters in the form of a UUID, in lower case.
pub(in crate::pipeline) fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == UUID_CHARACTERS && text.bytes().enumerate().all(fits)
}

/// What a generator shows that was given an order; the attempt tells it from one that was given an order before.
pub(super) fn of_generator(sealer: &Sealer, uuid: &str, attempt: u64) -> String {
    format!("{PREFIX}{uuid}_{attempt}_{}", sealer.mark(&format!("generation-token\n{uuid}\n{attempt}")))
}

/// What a listener shows.
pub(super) fn of_listener(sealer: &Sealer, uuid: &str) -> String {
    sealer.mark(&format!("events-token\n{uuid}"))
}

/// Whether a token is the listener's of this generation.
pub(super) fn is_listeners(sealer: &Sealer, uuid: &str, token: &str) -> bool {
    same(&of_listener(sealer, uuid), token)
}

/// Whether a bearer token has the form of a generator's.
pub(in crate::pipeline) fn is_generators(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The generator that shows a token: the owner of its generation, for that alone.
///
/// # Errors
/// 401 for a token that is none, for a generation that is forgotten, and where its owner's rights have ended.
pub(in crate::pipeline) fn caller(config: &Config, token: &str) -> Result<Caller, Error> {
    let uuid = token.strip_prefix(PREFIX).and_then(|rest| rest.get(..UUID_CHARACTERS)).unwrap_or_default();
    let attempt = token.split('_').nth(2).and_then(|attempt| attempt.parse().ok()).ok_or_else(Error::unauthorized)?;
    let keyring = config.authenticator.keyring();
    if !is_uuid(uuid) || !same(&of_generator(keyring.sealer(), uuid, attempt), token) {
        return Err(Error::unauthorized());
    }
    let record = config.store.record(RecordKind::Generation, uuid)?.ok_or_else(Error::unauthorized)?;
    let record = Record::read(&record.bytes)?;
    let identity = match &record.owner {
        None => Identity::Anonymous,
        Some(owner) => owner.identity(keyring, config.clock.now()).ok_or_else(Error::unauthorized)?,
    };
    // A report may come twice, so the token still says who it is once the generation is over. It opens nothing then, but for
    // the upload that it has completed: whoever lost the answer to that gets it again.
    let open = record.status == Status::Completed || (!record.status.is_over() && record.ending.is_none());
    let upload = UploadId::parse(&record.upload).filter(|_| open);
    let (volume_bytes, part_count) = (record.volume_bytes, record.part_count());
    let scope = Scope::Generation { uuid: uuid.to_owned(), upload, attempt, volume_bytes, part_count };
    Ok(Caller { identity, scope: Some(scope) })
}

/// Takes the same time wherever they differ.
fn same(expected: &str, token: &str) -> bool {
    bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn names_are_random_uuids() {
        let rng = SeededRng::new(1);
        let (one, other) = (new_uuid(&rng), new_uuid(&rng));
        assert!(is_uuid(&one) && is_uuid(&other) && one != other, "{one} {other}");
        assert_eq!(one.get(14..15), Some("4"), "{one}");
        assert!(one.get(19..20).is_some_and(|digit| "89ab".contains(digit)), "{one}");
        let upper = one.to_uppercase();
        for bad in ["", "callbacks", one.replace('-', "0").as_str(), upper.as_str(), one.get(1..).unwrap()] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }

    #[test]
    fn tokens_are_of_one_generation_and_one_use() {
        let (sealer, rng) = (Sealer::new([7; 32]), SeededRng::new(2));
        let (one, other) = (new_uuid(&rng), new_uuid(&rng));
        let token = of_listener(&sealer, &one);
        assert!(is_listeners(&sealer, &one, &token) && !is_listeners(&sealer, &other, &token));
        assert!(!is_listeners(&sealer, &one, "") && !is_listeners(&Sealer::new([8; 32]), &one, &token));
        let generator = of_generator(&sealer, &one, 1);
        assert!(is_generators(&generator) && !is_generators(&token));
        assert_ne!(generator, of_generator(&sealer, &one, 2));
        assert!(!generator.contains(&token) && generator != of_generator(&sealer, &other, 1));
    }
}
