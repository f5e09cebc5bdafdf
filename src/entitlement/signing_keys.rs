//! The keys of signed addresses, remembered.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::signed::UrlSigner;
use super::{EntitlementError, secret};
use crate::clock::SharedClock;
use crate::db::Db;

/// As long after another process (the command line) has removed a key, what it signed opens nothing. Each request is checked,
/// so half would double the reads for nothing.
const FRESH: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct SigningKeys(RwLock<(Arc<UrlSigner>, Option<Duration>)>);

impl SigningKeys {
    /// # Errors
    /// The database does not answer, or the system has no random numbers.
    pub(super) async fn open(db: &Db, clock: &SharedClock) -> Result<Self, EntitlementError> {
        let keys = db.signing_keys(&secret::random::<32>()?, clock.now()).await?;
        Ok(SigningKeys(RwLock::new((Arc::new(UrlSigner::new(&keys)), Some(clock.monotonic())))))
    }

    /// A database that does not answer changes nothing: who plays, plays on with the keys that were there.
    pub(super) async fn signer(&self, db: &Db, clock: &SharedClock) -> Arc<UrlSigner> {
        let (signer, read_at) = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let monotonic = clock.monotonic();
        if read_at.is_some_and(|read_at| monotonic < read_at + FRESH) {
            return signer;
        }
        // Never used: there is always a key, or this process would not have started.
        let Ok(fresh) = secret::random::<32>() else { return signer };
        match db.signing_keys(&fresh, clock.now()).await {
            Ok(keys) => {
                let signer = Arc::new(UrlSigner::new(&keys));
                *self.0.write().unwrap_or_else(PoisonError::into_inner) = (Arc::clone(&signer), Some(monotonic));
                signer
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "read the keys of signed addresses");
                signer
            }
        }
    }

    /// Keys have changed: read them again.
    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).1 = None;
    }
}
