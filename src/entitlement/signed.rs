//! Signed playback tokens: for players that can send neither a cookie nor a header.
//!
//! `v1.<payload>.<signature>`, both parts base64url without padding. The payload is packed rather than JSON because the
//! token stands on every line of a playlist: start, end and expiry in microseconds (`i64`, big-endian, 24 bytes),
//! account and stream separated by a slash. The signature is HMAC-SHA256 over `v1.<payload>`. Nothing is kept on the
//! server: a token ends by expiring, or all of them by changing the key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

const VERSION: &str = "v1.";
/// Two slugs of 64, three times and a slash make 153 bytes; longer is not one of ours.
const TOKEN_CHARS_MAX: usize = 300;

/// What a signed token grants: viewing one stream over one range, until it expires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRange {
    pub account: AccountId,
    pub stream: StreamId,
    pub range: TimeRange,
    pub expires_at: Timestamp,
}

/// Makes and checks tokens with one key.
#[derive(Clone)]
pub(super) struct UrlSigner(Hmac<Sha256>);

impl std::fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UrlSigner(..)")
    }
}

impl UrlSigner {
    pub(super) fn new(key: &[u8]) -> Self {
        UrlSigner(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    pub(super) fn sign(&self, granted: &SignedRange) -> String {
        let mut payload = Vec::with_capacity(160);
        for t in [granted.range.start(), granted.range.end(), granted.expires_at] {
            payload.extend_from_slice(&t.as_micros().to_be_bytes());
        }
        payload.extend_from_slice(format!("{}/{}", granted.account, granted.stream).as_bytes());
        let mut token = VERSION.to_owned();
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = self.0.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// What `token` grants at `now`; `None` for anything but an unexpired token signed with our key. The
    /// signature is checked first, in constant time, and nothing of the payload is looked at before.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<SignedRange> {
        if token.len() > TOKEN_CHARS_MAX || !token.starts_with(VERSION) {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.0.clone().chain_update(signed).verify_slice(&signature).ok()?;
        let granted = unpack(&URL_SAFE_NO_PAD.decode(signed.strip_prefix(VERSION)?).ok()?)?;
        (now < granted.expires_at).then_some(granted)
    }
}

fn unpack(payload: &[u8]) -> Option<SignedRange> {
    let (times, names) = payload.split_at_checked(24)?;
    let time = |i: usize| times[i * 8..][..8].try_into().ok().map(|b| Timestamp(i64::from_be_bytes(b)));
    let (account, stream) = std::str::from_utf8(names).ok()?.split_once('/')?;
    Some(SignedRange {
        account: account.parse().ok()?,
        stream: stream.parse().ok()?,
        range: TimeRange::new(time(0)?, time(1)?).ok()?,
        expires_at: time(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted() -> SignedRange {
        SignedRange {
            account: AccountId::main(),
            stream: "cam1".parse().unwrap(),
            range: TimeRange::new(Timestamp::from_secs(100), Timestamp::from_secs(200)).unwrap(),
            expires_at: Timestamp::from_secs(1000),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let signer = UrlSigner::new(b"key");
        let token = signer.sign(&granted());
        assert!(token.len() < 110, "{} characters on every playlist line", token.len());
        assert_eq!(signer.verify(&token, Timestamp::from_secs(999)), Some(granted()));
        assert_eq!(signer.verify(&token, Timestamp::from_secs(1000)), None);
        assert_eq!(UrlSigner::new(b"other").verify(&token, Timestamp::from_secs(999)), None);
    }

    #[test]
    fn no_changed_character_goes_unnoticed() {
        let signer = UrlSigner::new(b"key");
        let token = signer.sign(&granted());
        for at in 0..token.len() {
            for with in ["A", "B", ".", "-"] {
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
