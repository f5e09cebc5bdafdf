//! Who was recognised a moment ago.
//!
//! A player fetches a segment every few seconds and a downloader many ranges a second; a database lookup for each would
//! cost as much as sending the bytes. So a recognised cookie or token is remembered for [`FRESH`]. What is revoked here is
//! forgotten at once; what another process (the command line) revokes, after that time at the latest.
//!
//! What was read from the database before something was revoked must not be remembered after it: so every lookup says
//! which [`Generation`] it began in, and one that is over is not kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::Principal;
use crate::media::Timestamp;

/// Half would double the lookups of a busy viewer for nothing; double is a long time after "revoke".
const FRESH: Duration = Duration::from_secs(2);
/// Far more than viewers of one machine; about 200 bytes each.
const ENTRIES_MAX: usize = 10_000;

#[derive(Clone)]
struct Seen {
    principal: Principal,
    checked: Duration,
    expires_at: Timestamp,
}

/// The time between two revocations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Generation(u64);

/// Principals by the hash of their cookie or token. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: Cache<[u8; 32], Seen>,
    generation: AtomicU64,
}

impl Recent {
    pub(super) fn new() -> Self {
        Recent(Arc::new(Inner { seen: Cache::new(ENTRIES_MAX), generation: AtomicU64::new(0) }))
    }
    /// To be asked for before the database is read.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.0.generation.load(Ordering::SeqCst))
    }
    pub(super) fn get(&self, hash: &[u8; 32], monotonic: Duration, now: Timestamp) -> Option<Principal> {
        let seen = self.0.seen.get(hash)?;
        (monotonic < seen.checked + FRESH && now < seen.expires_at).then_some(seen.principal)
    }
    /// Remembers who was looked up in `looked_up`, unless something has been revoked since.
    pub(super) fn put(&self, hash: [u8; 32], principal: Principal, monotonic: Duration, expires_at: Timestamp, looked_up: Generation) {
        self.0.seen.insert(hash, Seen { principal, checked: monotonic, expires_at });
        // Looked at after the entry is there: whoever revokes counts first and clears then, so one of the two sees the other.
        if self.generation() != looked_up {
            self.0.seen.remove(&hash);
        }
    }
    pub(super) fn forget_all(&self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
        self.0.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::AccountId;

    #[test]
    fn who_was_looked_up_before_a_revocation_is_not_remembered_after_it() {
        let (recent, hash) = (Recent::new(), [7; 32]);
        let put = |looked_up| {
            recent.put(hash, Principal::command_line(AccountId::main()), Duration::ZERO, Timestamp::MAX, looked_up);
            recent.get(&hash, Duration::ZERO, Timestamp::MIN).is_some()
        };
        let before = recent.generation();
        assert!(put(before));
        recent.forget_all();
        assert!(recent.get(&hash, Duration::ZERO, Timestamp::MIN).is_none());
        assert!(!put(before), "read before, remembered after");
        assert!(put(recent.generation()));
    }
}
