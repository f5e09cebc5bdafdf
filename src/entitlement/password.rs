//! Passwords: argon2id, one pair of parameters, a bound on how many are computed at once.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::{EntitlementError, secret};

/// Shortest password a person may choose.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// Longest password that is hashed; more is a way to make us work, not a better password.
const PASSWORD_CHARS_MAX: usize = 1024;

/// OWASP's second recommendation (19 MiB, two passes, one lane). Half the memory would need
/// three passes for the same resistance; twice as much would double what a burst of sign-ins takes from the page cache.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// At most so many hashes at once (38 MiB), so that sign-ins cannot starve playback of cores or memory.
const CONCURRENT_MAX: usize = 2;
/// And so many waiting for their turn. Beyond it the answer is "busy".
const WAITING_MAX: usize = 32;

/// Computes and checks password hashes, a bounded number at a time, off the threads that serve requests.
#[derive(Debug)]
pub(super) struct PasswordGate {
    queue: Semaphore,
    work: Semaphore,
    /// Checked in place of the hash of a user who does not exist, so that both answers take equally long.
    decoy: String,
}

impl PasswordGate {
    pub(super) fn new() -> Result<Self, EntitlementError> {
        Ok(PasswordGate {
            queue: Semaphore::new(CONCURRENT_MAX + WAITING_MAX),
            work: Semaphore::new(CONCURRENT_MAX),
            decoy: hash_now(&secret::readable_password()?)?,
        })
    }

    /// Whether `password` is the one that `stored` was made from. `None`, or nothing stored, takes as long and is never true.
    pub(super) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, EntitlementError> {
        let _place = self.queue.try_acquire().map_err(|_| EntitlementError::Busy)?;
        let _turn = self.work.acquire().await.map_err(|_| EntitlementError::Busy)?;
        let stored = stored.filter(|hash| !hash.is_empty());
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        let right =
            tokio::task::spawn_blocking(move || verify_now(&password, &stored)).await.map_err(|e| EntitlementError::Hash(e.to_string()))?;
        Ok(right && known)
    }

    /// The PHC string of a password, in turn with those that are checked.
    pub(super) async fn hash(&self, password: &str) -> Result<String, EntitlementError> {
        let _place = self.queue.try_acquire().map_err(|_| EntitlementError::Busy)?;
        let _turn = self.work.acquire().await.map_err(|_| EntitlementError::Busy)?;
        hash_apart(password).await
    }
}

fn argon2() -> Result<Argon2<'static>, EntitlementError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| EntitlementError::Hash(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password, computed off the threads that serve requests.
pub(super) async fn hash_apart(password: &str) -> Result<String, EntitlementError> {
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash_now(&password)).await;
    hashed.map_err(|e| EntitlementError::Hash(e.to_string()))?
}

/// The PHC string of a password. Blocks for tens of milliseconds.
pub(super) fn hash_now(password: &str) -> Result<String, EntitlementError> {
    if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > PASSWORD_CHARS_MAX {
        return Err(EntitlementError::WeakPassword);
    }
    let salt = SaltString::encode_b64(&secret::random::<16>()?).map_err(|e| EntitlementError::Hash(e.to_string()))?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).map_err(|e| EntitlementError::Hash(e.to_string()))?;
    Ok(hash.to_string())
}

/// The parameters come from the stored string, so older hashes stay good when the constants above change.
fn verify_now(password: &str, stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else { return false };
    let Ok(argon2) = argon2() else { return false };
    password.len() <= PASSWORD_CHARS_MAX && argon2.verify_password(password.as_bytes(), &parsed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let gate = PasswordGate::new().unwrap();
        let stored = hash_now("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(gate.verify("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!gate.verify("correct hors".into(), Some(stored)).await.unwrap());
        assert!(!gate.verify("correct horse".into(), None).await.unwrap());
        assert!(!gate.verify(String::new(), Some(String::new())).await.unwrap());
        assert!(!gate.verify("correct horse".into(), Some("garbage".into())).await.unwrap());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(matches!(hash_now("short"), Err(EntitlementError::WeakPassword)));
        assert!(matches!(hash_now(&"x".repeat(1025)), Err(EntitlementError::WeakPassword)));
    }
}
