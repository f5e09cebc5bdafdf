//! Who was recognised a moment ago.
//!
//! A player fetches a segment every few seconds and a downloader many ranges a second; a database lookup for each would
//! cost as much as sending the bytes. So a recognised cookie or token is remembered for [`FRESH`]. What is revoked here is
//! forgotten at once; what another process (the command line) revokes, after that time at the latest.

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

/// Principals by the hash of their cookie or token.
#[derive(Debug)]
pub(super) struct Recent(Cache<[u8; 32], Seen>);

impl Recent {
    pub(super) fn new() -> Self {
        Recent(Cache::new(ENTRIES_MAX))
    }
    pub(super) fn get(&self, hash: &[u8; 32], monotonic: Duration, now: Timestamp) -> Option<Principal> {
        let seen = self.0.get(hash)?;
        (monotonic < seen.checked + FRESH && now < seen.expires_at).then_some(seen.principal)
    }
    pub(super) fn put(&self, hash: [u8; 32], principal: Principal, monotonic: Duration, expires_at: Timestamp) {
        self.0.insert(hash, Seen { principal, checked: monotonic, expires_at });
    }
    pub(super) fn forget_all(&self) {
        self.0.clear();
    }
}
