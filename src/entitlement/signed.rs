//! Signed playback tokens: for players that can send neither a cookie nor a header.
//!
//! `v2.<payload>.<signature>`, both parts base64url without padding. The payload is packed rather than JSON because the
//! token stands on every line of a playlist: start, end and expiry in microseconds (`i64`), number of the key (`u16`), all
//! big-endian, the verbs (one byte, a bit for each), account and stream separated by a slash. The signature is HMAC-SHA256 over
//! `v2.<payload>`. Nothing is kept on the server: a token ends by expiring, or with the key that signed it.
//!
//! Keys are rotated by adding one: it signs from then on, and those before it go on opening what they signed until
//! somebody removes them. `v1.` tokens, of the version before, had neither key nor verbs: the first key, and all verbs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Verbs;
use crate::db::SigningKeyRow;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

const VERSION: &str = "v2.";
const VERSION_BEFORE: &str = "v1.";
/// The key that signed before there were several.
const FIRST_KEY: u16 = 1;
/// Two slugs of 64, three times, key, verbs and a slash make 156 bytes; longer is not one of ours.
const TOKEN_CHARS_MAX: usize = 300;

/// What a signed token grants: one stream over one range, in these ways, until it expires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRange {
    pub account: AccountId,
    pub stream: StreamId,
    pub range: TimeRange,
    pub verbs: Verbs,
    pub expires_at: Timestamp,
}

/// Makes and checks tokens.
#[derive(Clone)]
pub(super) struct UrlSigner {
    /// Oldest first; the last signs.
    keys: Vec<(u16, Hmac<Sha256>)>,
}

impl std::fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UrlSigner(..)")
    }
}

impl UrlSigner {
    /// `keys`: oldest first, never empty.
    pub(super) fn new(keys: &[SigningKeyRow]) -> Self {
        let keyed = |row: &SigningKeyRow| (row.id, Hmac::new_from_slice(&row.key).expect("HMAC takes keys of any length"));
        UrlSigner { keys: keys.iter().map(keyed).collect() }
    }

    pub(super) fn sign(&self, granted: &SignedRange) -> String {
        let (id, key) = self.keys.last().expect("there is always one");
        let mut payload = Vec::with_capacity(160);
        for t in [granted.range.start(), granted.range.end(), granted.expires_at] {
            payload.extend_from_slice(&t.as_micros().to_be_bytes());
        }
        payload.extend_from_slice(&id.to_be_bytes());
        payload.push(granted.verbs.bits());
        payload.extend_from_slice(format!("{}/{}", granted.account, granted.stream).as_bytes());
        let mut token = VERSION.to_owned();
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = key.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// What `token` grants at `now`; `None` for anything but an unexpired token signed with a key of ours. The signature is
    /// checked first, in constant time; of the payload only the number of the key is looked at before.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<SignedRange> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let before = signed.strip_prefix(VERSION_BEFORE);
        let payload = URL_SAFE_NO_PAD.decode(before.or_else(|| signed.strip_prefix(VERSION))?).ok()?;
        let (times, rest) = payload.split_at_checked(24)?;
        let (id, verbs, names) = match before {
            Some(_) => (FIRST_KEY, Verbs::ALL.bits(), rest),
            None => {
                let (head, names) = rest.split_at_checked(3)?;
                (u16::from_be_bytes([head[0], head[1]]), head[2], names)
            }
        };
        let (_, key) = self.keys.iter().find(|(known, _)| *known == id)?;
        key.clone().chain_update(signed).verify_slice(&signature).ok()?;
        let granted = unpack(times, verbs, names)?;
        (now < granted.expires_at).then_some(granted)
    }
}

fn unpack(times: &[u8], verbs: u8, names: &[u8]) -> Option<SignedRange> {
    let time = |i: usize| times[i * 8..][..8].try_into().ok().map(|b| Timestamp(i64::from_be_bytes(b)));
    let (account, stream) = std::str::from_utf8(names).ok()?.split_once('/')?;
    Some(SignedRange {
        account: account.parse().ok()?,
        stream: stream.parse().ok()?,
        range: TimeRange::new(time(0)?, time(1)?).ok()?,
        verbs: Verbs::from_bits(verbs)?,
        expires_at: time(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entitlement::Verb;

    fn granted() -> SignedRange {
        SignedRange {
            account: AccountId::main(),
            stream: "cam1".parse().unwrap(),
            range: TimeRange::new(Timestamp::from_secs(100), Timestamp::from_secs(200)).unwrap(),
            verbs: [Verb::View, Verb::Export].into_iter().collect(),
            expires_at: Timestamp::from_secs(1000),
        }
    }

    fn signer(keys: &[(u16, &[u8])]) -> UrlSigner {
        let row = |(id, key): &(u16, &[u8])| SigningKeyRow { id: *id, key: key.to_vec(), created_at: Timestamp::from_secs(0) };
        UrlSigner::new(&keys.iter().map(row).collect::<Vec<_>>())
    }

    const NOW: Timestamp = Timestamp(999_000_000);

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let signer_1 = signer(&[(1, b"key")]);
        let token = signer_1.sign(&granted());
        assert!(token.len() < 115, "{} characters on every playlist line", token.len());
        assert_eq!(signer_1.verify(&token, NOW), Some(granted()));
        assert_eq!(signer_1.verify(&token, Timestamp::from_secs(1000)), None);
        assert_eq!(signer(&[(1, b"other")]).verify(&token, NOW), None);
    }

    #[test]
    fn a_new_key_leaves_what_is_signed_good_until_the_old_one_is_removed() {
        let old = signer(&[(1, b"key")]).sign(&granted());
        let both = signer(&[(1, b"key"), (2, b"new")]);
        assert_eq!(both.verify(&old, NOW), Some(granted()));
        let new = both.sign(&granted());
        let only_new = signer(&[(2, b"new")]);
        assert_eq!([only_new.verify(&new, NOW), only_new.verify(&old, NOW)], [Some(granted()), None]);
        assert_eq!(signer(&[(2, b"key")]).verify(&old, NOW), None, "a key is known by its number");
    }

    #[test]
    fn tokens_of_the_version_before_are_still_good() {
        let mut payload = Vec::new();
        for t in [100i64, 200, 1000] {
            payload.extend_from_slice(&(t * 1_000_000).to_be_bytes());
        }
        payload.extend_from_slice(b"main/cam1");
        let signed = format!("v1.{}", URL_SAFE_NO_PAD.encode(payload));
        let mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap().chain_update(&signed).finalize().into_bytes();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        let all = SignedRange { verbs: Verbs::ALL, ..granted() };
        assert_eq!(signer(&[(1, b"key"), (2, b"new")]).verify(&token, NOW), Some(all));
        assert_eq!(signer(&[(2, b"key")]).verify(&token, NOW), None);
    }

    #[test]
    fn no_changed_character_goes_unnoticed() {
        let signer = signer(&[(1, b"key"), (2, b"key2")]);
        let token = signer.sign(&granted());
        for at in 0..token.len() {
            for with in ["A", "B", ".", "-", "1"] {
                let mut forged = token.clone();
                forged.replace_range(at..=at, with);
                if forged != token {
                    assert_eq!(signer.verify(&forged, Timestamp::from_secs(0)), None, "{forged}");
                }
            }
            assert_eq!(signer.verify(&token[..at], Timestamp::from_secs(0)), None);
        }
    }
}
