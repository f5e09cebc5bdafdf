//! Whether the audit log is whole: all of it read and followed from its first record, in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AuditQuery, Db, DbError, DbResult};
use crate::audit::{Broken, Chain, Hash, Record, hex};
use crate::media::Timestamp;

/// Records read at a time: some 2 MB, and 20 ms of hashing.
const BATCH: u32 = 2_000;
/// Between two batches, so that recording and playback do not feel it: a million records take ten seconds, half of it rest.
const REST: Duration = Duration::from_millis(10);
/// Under which name the last one is remembered.
const FACT: &str = "audit_verification";

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verification {
    pub begun_at: Timestamp,
    pub verified_at: Timestamp,
    /// Followed without anything wrong.
    pub records: u64,
    /// Hash of the last of them, hexadecimal.
    pub head: String,
    /// The first record that is wrong, and how; `None`: the log is whole.
    pub first_bad: Option<(u64, String)>,
    /// How far the log reached when it was whole last, and the hash of that record: what it is held to from then on, also when it
    /// has been found wrong since.
    pub seen_records: u64,
    pub seen_head: String,
}

/// Where verification stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerificationState {
    /// `None` before the first.
    pub last: Option<Verification>,
    /// One is under way.
    pub running: bool,
}

type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Verifies the log of one database, once at a time. Cheap to clone.
#[derive(Clone)]
pub struct AuditVerifier {
    db: Db,
    now: Now,
    running: Arc<AtomicBool>,
}

impl std::fmt::Debug for AuditVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditVerifier").field("running", &self.running).finish_non_exhaustive()
    }
}

impl AuditVerifier {
    pub fn new(db: Db, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        AuditVerifier { db, now: Arc::new(now), running: Arc::default() }
    }

    /// # Errors
    /// The database does not answer.
    pub async fn state(&self) -> DbResult<VerificationState> {
        Ok(VerificationState { last: self.last().await?, running: self.running.load(Ordering::Acquire) })
    }

    async fn last(&self) -> DbResult<Option<Verification>> {
        // What another version remembered otherwise is forgotten: the next verification says it anew.
        Ok(self.db.fact(FACT).await?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Begins one in the background. False: one is under way.
    pub fn begin(&self) -> bool {
        if self.running.swap(true, Ordering::AcqRel) {
            return false;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let running = Running(this.running.clone());
            if let Err(error) = this.verify().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the audit log could not be verified; it is tried again tomorrow"
                );
            }
            drop(running);
        });
        true
    }

    /// Follows the whole log, and remembers what it found.
    ///
    /// # Errors
    /// The database does not answer. A log that is not whole is no error, it is the answer.
    pub async fn verify(&self) -> DbResult<Verification> {
        let begun_at = (self.now)();
        let seen = self.last().await?.map(|last| (last.seen_records, last.seen_head));
        let mut chain = Chain::default();
        let first_bad = self.follow(&mut chain, seen.as_ref()).await?;
        let (records, head) = (chain.n, hex(&chain.hash));
        let (seen_records, seen_head) = match &first_bad {
            None => (records, head.clone()),
            Some(_) => seen.unwrap_or_default(),
        };
        let found = Verification { begun_at, verified_at: (self.now)(), records, head, first_bad, seen_records, seen_head };
        if let Some((n, why)) = &found.first_bad {
            tracing::error!(n, why, "the audit log is not what it was: compare it with an export and checkpoints that were kept elsewhere");
        }
        let text = serde_json::to_string(&found).expect("numbers and texts are always JSON");
        self.db.set_fact(FACT, &text).await?;
        Ok(found)
    }

    async fn follow(&self, chain: &mut Chain, seen: Option<&(u64, String)>) -> DbResult<Option<(u64, String)>> {
        loop {
            let page = match self.db.audit_records(&AuditQuery::default(), chain.n, BATCH).await {
                Ok(page) => page,
                Err(DbError::Damaged { detail, .. }) => return self.first_damaged(chain, &detail).await.map(Some),
                Err(error) => return Err(error),
            };
            if page.is_empty() {
                return Ok(seen.filter(|(n, _)| *n > chain.n).map(|(n, _)| (chain.n + 1, cut_off(chain.n, *n))));
            }
            let (from, seen) = (*chain, seen.cloned());
            let followed = tokio::task::spawn_blocking(move || follow_page(from, &page, seen.as_ref()));
            let (reached, bad) = followed.await.map_err(|e| DbError::Sql { step: "follow the audit log", source: e.into() })?;
            *chain = reached;
            if bad.is_some() {
                return Ok(bad);
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// A page cannot be read: which of its records is it?
    async fn first_damaged(&self, chain: &mut Chain, detail: &str) -> DbResult<(u64, String)> {
        for _ in 0..BATCH {
            match self.db.audit_records(&AuditQuery::default(), chain.n, 1).await {
                Ok(one) => match one.first().map(|record| chain.follow(record)) {
                    Some(Ok(())) => {}
                    Some(Err(broken)) => return Ok((chain.n + 1, broken.to_string())),
                    None => break,
                },
                Err(DbError::Damaged { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok((chain.n + 1, format!("record {} cannot be read: {detail}", chain.n + 1)))
    }
}

fn cut_off(found: u64, seen: u64) -> String {
    format!("the log ends with record {found}, and had {seen} when it was verified before: its end has been cut off")
}

/// `seen`: how far the log reached when it was verified before, and the hash of that record: whoever can write can also hash.
fn follow_page(mut chain: Chain, page: &[Record], seen: Option<&(u64, String)>) -> (Chain, Option<(u64, String)>) {
    for record in page {
        if let Err(broken) = chain.follow(record) {
            return (chain, Some((bad_number(&broken, record.n), broken.to_string())));
        }
        if seen.is_some_and(|(n, head)| *n == record.n && *head != hex(&record.hash as &Hash)) {
            let why = format!("record {} is another one than when the log was verified before: it has been rewritten", record.n);
            return (chain, Some((record.n, why)));
        }
    }
    (chain, None)
}

fn bad_number(broken: &Broken, n: u64) -> u64 {
    match broken {
        Broken::Missing { expected, .. } => *expected,
        _ => n,
    }
}

/// Also when it panics: the next one may begin.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
