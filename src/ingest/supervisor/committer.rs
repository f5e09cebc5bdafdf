//! From what workers report to rows: batches, retries, and what happens while the database does not answer.
//!
//! Reports never wait for the database, because a worker whose reports are not read stops recording. They go
//! into a queue that one task empties, as many at a time as have come together ([`BATCH_MAX`]): that is the
//! group commit.
//!
//! | the database | then |
//! |---|---|
//! | locked, disk full, read-only, any failure | the batch is tried again, waiting longer each time |
//! | so for long | changes to one block fold into one: memory per block instead of per segment ([`FOLD_AT`]) |
//! | for very long | the queue is let go ([`QUEUE_MAX`]); once rows can be written again, recovery finds in the files what was let go |
//! | refuses a change for what it says (overlap) | that stream's part is taken out and reported; the others commit |

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::db::{DbError, DbResult, IndexChange};
use crate::index::Index;
use crate::media::{BlockId, BlockInfo, BlockState, RunId, StreamId};

/// Changes in one transaction. SQLite gains nothing beyond about 100; a longer one keeps readers of the live
/// edge waiting.
pub const BATCH_MAX: usize = 256;
/// Half a minute of 200 streams with a segment each 4 s, or a database that is locked for a while.
pub const FOLD_AT: usize = 2_048;
/// Folded, this is a day of 200 streams in blocks of 10 minutes, about 100 MB.
pub const QUEUE_MAX: usize = 30_000;
/// First and longest wait before a batch is tried again; a database that is back is noticed within the latter.
pub const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Where changes go. [`crate::index`] in the service; something that fails on demand in tests.
#[async_trait]
pub trait CommitSink: Send + Sync + 'static {
    async fn commit(&self, changes: Vec<IndexChange>) -> DbResult<()>;
}

#[async_trait]
impl CommitSink for Index {
    async fn commit(&self, changes: Vec<IndexChange>) -> DbResult<()> {
        Index::commit(self, changes).await
    }
}

/// What the committer tells the supervisor.
#[derive(Debug)]
pub enum CommitNews {
    /// The database refused this stream's changes for what they say.
    Refused { stream: StreamId, error: DbError },
    /// The database fails (`Some`) or works again (`None`).
    Health(Option<String>),
    /// Rows can be written again after the queue had been let go: run recovery.
    LetGo,
}

struct Entry {
    stream: StreamId,
    change: IndexChange,
}

#[derive(Default)]
struct Queue {
    entries: Vec<Entry>,
    /// Everything reported of the blocks that have a change in the queue or are open: what folding puts in its place.
    mirrors: HashMap<BlockId, BlockInfo>,
    waiters: Vec<oneshot::Sender<()>>,
    busy: bool,
    let_go: bool,
    closed: bool,
}

/// The end that takes changes. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Committer {
    queue: Arc<Mutex<Queue>>,
    wake: Arc<Notify>,
    retry: (Duration, Duration),
}

impl Committer {
    /// Starts the task that commits. News go to `news`, which must be read. `retry`: see [`RETRY`].
    pub fn start(sink: Arc<dyn CommitSink>, retry: (Duration, Duration), news: mpsc::UnboundedSender<CommitNews>) -> Self {
        let committer = Committer { queue: Arc::default(), wake: Arc::new(Notify::new()), retry };
        tokio::spawn(committer.clone().run(sink, news));
        committer
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the queue")
    }

    /// Queues a change of `stream`. Order is kept within a stream.
    pub fn push(&self, stream: &StreamId, change: IndexChange) {
        self.queue().push(stream.clone(), change);
        self.wake.notify_one();
    }

    /// Waits until everything queued before is committed, or `most` has passed. True when it is.
    pub async fn flush(&self, most: Duration) -> bool {
        let (done, wait) = oneshot::channel();
        {
            let mut queue = self.queue();
            if queue.entries.is_empty() && !queue.busy {
                return true;
            }
            queue.waiters.push(done);
        }
        tokio::time::timeout(most, wait).await.is_ok_and(|r| r.is_ok())
    }

    /// The task ends after one last try with what is queued.
    pub fn close(&self) {
        self.queue().closed = true;
        self.wake.notify_one();
    }

    async fn run(self, sink: Arc<dyn CommitSink>, news: mpsc::UnboundedSender<CommitNews>) {
        let (wait_min, wait_max) = self.retry;
        let mut wait = wait_min;
        let mut failing = false;
        loop {
            let (batch, closed) = self.take_batch();
            if batch.is_empty() {
                if closed {
                    return;
                }
                self.wake.notified().await;
                continue;
            }
            match self.commit(&*sink, batch, &news).await {
                Ok(()) => {
                    wait = wait_min;
                    if std::mem::take(&mut failing) {
                        // Nobody listens any more at shutdown; the same for all news.
                        let _ = news.send(CommitNews::Health(None));
                    }
                    if self.finish_batch() {
                        let _ = news.send(CommitNews::LetGo);
                    }
                }
                Err((rest, error)) => {
                    if !std::mem::replace(&mut failing, true) {
                        let _ = news.send(CommitNews::Health(Some(error.to_string())));
                    }
                    self.put_back(rest);
                    if closed {
                        return;
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(wait_max);
                }
            }
        }
    }

    /// Commits a batch; a stream whose changes are refused is taken out. The error is of the kind that
    /// passes, with everything that is not committed.
    async fn commit(
        &self,
        sink: &dyn CommitSink,
        mut batch: Vec<Entry>,
        news: &mpsc::UnboundedSender<CommitNews>,
    ) -> Result<(), (Vec<Entry>, DbError)> {
        match sink.commit(changes(&batch)).await {
            Ok(()) => return Ok(()),
            Err(e) if passes(&e) => return Err((batch, e)),
            Err(_) => {}
        }
        // One stream's part at a time finds the one that is refused.
        while let Some(stream) = batch.first().map(|e| e.stream.clone()) {
            let (part, rest): (Vec<Entry>, Vec<Entry>) = batch.into_iter().partition(|e| e.stream == stream);
            batch = rest;
            match sink.commit(changes(&part)).await {
                Ok(()) => {}
                Err(e) if passes(&e) => {
                    batch.splice(0..0, part);
                    return Err((batch, e));
                }
                Err(error) => {
                    self.queue().forget_stream(&stream);
                    let _ = news.send(CommitNews::Refused { stream, error });
                }
            }
        }
        Ok(())
    }

    fn take_batch(&self) -> (Vec<Entry>, bool) {
        let mut queue = self.queue();
        let n = queue.entries.len().min(BATCH_MAX);
        queue.busy = n > 0;
        (queue.entries.drain(..n).collect(), queue.closed)
    }

    fn put_back(&self, batch: Vec<Entry>) {
        let mut queue = self.queue();
        queue.entries.splice(0..0, batch);
        queue.busy = false;
        queue.fold_when_long();
    }

    /// True when the queue had been let go and recovery is due.
    fn finish_batch(&self) -> bool {
        let mut queue = self.queue();
        queue.busy = false;
        if !queue.entries.is_empty() {
            return false;
        }
        queue.mirrors.retain(|_, block| block.state == BlockState::Open);
        for waiter in queue.waiters.drain(..) {
            // A flush that gave up.
            let _ = waiter.send(());
        }
        std::mem::take(&mut queue.let_go)
    }
}

fn changes(batch: &[Entry]) -> Vec<IndexChange> {
    batch.iter().map(|e| e.change.clone()).collect()
}

/// Whether trying again may help: everything but what the change itself says.
fn passes(error: &DbError) -> bool {
    !matches!(error, DbError::Overlap { .. } | DbError::Exists { .. } | DbError::Missing { .. } | DbError::Damaged { .. })
}

fn block_of(change: &IndexChange) -> Option<BlockId> {
    match change {
        IndexChange::BlockOpened(b) | IndexChange::BlockIndexed(b) => Some(b.id),
        IndexChange::SegmentAppended { block, .. } | IndexChange::BlockSealed { block, .. } => Some(*block),
        _ => None,
    }
}

impl Queue {
    fn push(&mut self, stream: StreamId, change: IndexChange) {
        self.mirror(&change);
        self.entries.push(Entry { stream, change });
        // While a commit is under way the batch is out of sight: fold only when it comes back.
        if !self.busy {
            self.fold_when_long();
        }
    }

    fn mirror(&mut self, change: &IndexChange) {
        match change {
            IndexChange::BlockOpened(block) | IndexChange::BlockIndexed(block) => {
                self.mirrors.insert(block.id, block.clone());
            }
            IndexChange::SegmentAppended { block, entry } => {
                if let Some(mirror) = self.mirrors.get_mut(block) {
                    mirror.table.push(*entry);
                    mirror.size_bytes += u64::from(entry.stored_bytes());
                }
            }
            IndexChange::BlockSealed { block, size_bytes, checksum } => {
                if let Some(mirror) = self.mirrors.get_mut(block) {
                    mirror.state = BlockState::Sealed;
                    mirror.size_bytes = *size_bytes;
                    mirror.checksum = Some(*checksum);
                }
            }
            _ => {}
        }
    }

    fn fold_when_long(&mut self) {
        if self.entries.len() < FOLD_AT {
            return;
        }
        self.fold();
        if self.entries.len() >= QUEUE_MAX {
            self.let_go();
        }
    }

    /// Keeps what later reports build on: open blocks and their runs, one of each a stream.
    fn let_go(&mut self) {
        let open = |id: &BlockId| self.mirrors.get(id).is_some_and(|b| b.state == BlockState::Open);
        let runs: HashSet<RunId> = self.mirrors.values().filter(|b| b.state == BlockState::Open).map(|b| b.run).collect();
        self.entries.retain(|e| match &e.change {
            IndexChange::RunStarted(run) => runs.contains(&run.id),
            change => block_of(change).is_some_and(|id| open(&id)),
        });
        self.let_go = true;
    }

    /// All changes to one block become one, in the place of the first. A block without a mirror (opened by a
    /// worker of an earlier life) keeps its changes.
    fn fold(&mut self) {
        let mut seen = HashSet::new();
        let mirrors = &self.mirrors;
        self.entries.retain_mut(|entry| {
            let Some(mirror) = block_of(&entry.change).and_then(|id| mirrors.get(&id)) else { return true };
            if !seen.insert(mirror.id) {
                return false;
            }
            entry.change = IndexChange::BlockIndexed(mirror.clone());
            true
        });
    }

    fn forget_stream(&mut self, stream: &StreamId) {
        self.entries.retain(|e| e.stream != *stream);
        self.mirrors.retain(|_, b| b.stream != *stream);
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
