//! Random secrets, and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::EntitlementError;

/// How every bearer token begins, so that secret scanners and people recognise one.
pub const TOKEN_PREFIX: &str = "rv_";

/// Longest cookie, token or link worth hashing; ours have 43 to 46 characters.
const SECRET_CHARS_MAX: usize = 128;

/// `N` random bytes from the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], EntitlementError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| EntitlementError::Random(e.to_string()))?;
    Ok(bytes)
}

/// 256 bits as 43 URL-safe characters.
pub(super) fn fresh() -> Result<String, EntitlementError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A public name for something that has a secret: the letter of its kind and 48 random bits, as `t0123456789ab`.
///
/// # Errors
/// The system has no random numbers.
pub fn public_id(kind: char) -> Result<String, EntitlementError> {
    Ok(format!("{kind}{:012x}", u64::from_be_bytes(random()?) >> 16))
}

/// What is stored of a secret of 256 random bits. A plain hash is enough: there is nothing to guess. `None` for
/// what cannot be one of ours.
pub(super) fn hash(secret: &str) -> Option<[u8; 32]> {
    (secret.len() <= SECRET_CHARS_MAX).then(|| Sha256::digest(secret.as_bytes()).into())
}

/// A password that a person can copy from a terminal: 4 groups of 5 from 32 unambiguous letters and digits,
/// 100 bits.
///
/// # Errors
/// The system has no random numbers.
pub fn readable_password() -> Result<String, EntitlementError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random::<20>()?;
    let groups: Vec<String> =
        bytes.chunks(5).map(|group| group.iter().map(|b| char::from(LETTERS[usize::from(b & 31)])).collect()).collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_password_has_a_hundred_bits_and_no_lookalikes() {
        let password = readable_password().unwrap();
        assert_eq!(password.len(), 23);
        assert!(password.chars().all(|c| !"lo01".contains(c)), "{password}");
        assert_ne!(password, readable_password().unwrap());
    }

    #[test]
    fn a_secret_longer_than_any_of_ours_is_not_even_hashed() {
        assert!(hash(&"x".repeat(129)).is_none());
    }
}
