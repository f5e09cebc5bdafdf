//! What of a stream is there to be seen at a moment: the judge's word, for every segment that is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;

use super::judge::{AccountRules, Cap, Held, Judge, Prune};
use super::rules::Plans;
use crate::clock::SharedClock;
use crate::db::{CapRow, Db, DbResult, HoldRow};
use crate::entitlement::{Limit, Visible, Windows};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// What applies to a stream is read again after this time; what this process changes is known at once ([`Visibility::forget`]).
/// Only another process, the command line, can change it unseen for so long. The window's start itself is worked out for each
/// request, so that footage leaves to the moment.
const FRESH: Duration = Duration::from_secs(1);
/// Streams remembered: ten times what one machine records.
const STREAMS_MAX: usize = 10_000;

/// What applies to a stream, as last read.
struct Known {
    account: AccountId,
    rules: AccountRules,
    caps: Vec<CapRow>,
    holds: Vec<HoldRow>,
    erasing: Arc<[TimeRange]>,
    read_at: Duration,
}

/// Remembers what applies to each stream. Cheap to clone.
#[derive(Clone)]
pub struct Visibility(Arc<Inner>);

struct Inner {
    db: Db,
    plans: Arc<dyn Plans>,
    clock: SharedClock,
    known: Cache<StreamId, Arc<Known>>,
    /// Counts changes: what was read before one is not remembered after it.
    changes: AtomicU64,
}

impl std::fmt::Debug for Visibility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visibility").finish_non_exhaustive()
    }
}

impl Visibility {
    pub fn new(db: Db, plans: Arc<dyn Plans>, clock: SharedClock) -> Visibility {
        Visibility(Arc::new(Inner { db, plans, clock, known: Cache::new(STREAMS_MAX), changes: AtomicU64::new(0) }))
    }

    /// Something has changed: plans, caps, holds or erasures.
    pub fn forget(&self) {
        self.0.changes.fetch_add(1, Ordering::SeqCst);
        self.0.known.clear();
    }

    async fn known(&self, stream: &StreamId) -> DbResult<Option<Arc<Known>>> {
        let s = &*self.0;
        let read_at = s.clock.monotonic();
        if let Some(known) = s.known.get(stream).filter(|known| read_at < known.read_at + FRESH) {
            return Ok(Some(known));
        }
        let changes = s.changes.load(Ordering::SeqCst);
        let Some(row) = s.db.stream(stream).await? else { return Ok(None) };
        let known = Arc::new(Known {
            rules: s.plans.rules(&row.account).await?,
            account: row.account,
            caps: s.db.caps(stream).await?,
            holds: s.db.holds_on(stream).await?,
            erasing: s.db.pending_erasures(stream).await?.into(),
            read_at,
        });
        s.known.insert(stream.clone(), Arc::clone(&known));
        // Looked at after the entry is there: whoever changes something counts first and clears then, so one of the two sees the
        // other.
        if s.changes.load(Ordering::SeqCst) != changes {
            s.known.remove(stream);
        }
        Ok(Some(known))
    }
}

#[async_trait]
impl Windows for Visibility {
    async fn visible(&self, stream: &StreamId, now: Timestamp) -> DbResult<Option<Arc<Visible>>> {
        Ok(self.known(stream).await?.map(|known| Arc::new(known.at(stream, now))))
    }
}

impl Known {
    fn at(&self, stream: &StreamId, now: Timestamp) -> Visible {
        let cap = self.caps.iter().rev().find(|c| c.from <= now).and_then(|c| c.hours).map(|hours| Cap { hours });
        let judge = Judge::at(now, &self.rules, cap, Held::default());
        let limit = |prune| match prune {
            Prune::Plan { months } => Limit::Plan { months },
            Prune::Cap { hours } => Limit::Cap { hours },
        };
        Visible {
            stream: stream.clone(),
            account: self.account.clone(),
            from: judge.limit().map(|(from, prune)| (from, limit(prune))),
            held: self.holds.iter().filter(|h| h.active_at(now)).map(HoldRow::kept).collect(),
            erasing: Arc::clone(&self.erasing),
        }
    }
}
