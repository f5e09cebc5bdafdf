use super::*;
use crate::media::{AccountId, GapCause, RunId, SegmentEntry, SegmentTable, TimeRange, Timestamp};

/// A database that fails as told, and keeps what was committed.
#[derive(Default)]
struct Fickle {
    down: std::sync::atomic::AtomicBool,
    refused: Mutex<Option<StreamId>>,
    committed: Mutex<Vec<Vec<IndexChange>>>,
}

#[async_trait]
impl CommitSink for Fickle {
    async fn commit(&self, changes: Vec<IndexChange>) -> DbResult<()> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(DbError::Locked("held".into()));
        }
        if let Some(refused) = self.refused.lock().unwrap().as_ref() {
            let names_it = |c: &IndexChange| matches!(c, IndexChange::GapClosed { stream, .. } if stream == refused);
            if changes.iter().any(names_it) {
                let range = TimeRange::new(Timestamp(0), Timestamp(1)).unwrap();
                return Err(DbError::Overlap { stream: refused.clone(), new: range, existing: range });
            }
        }
        self.committed.lock().unwrap().push(changes);
        Ok(())
    }
}

impl Fickle {
    fn set_down(&self, down: bool) {
        self.down.store(down, std::sync::atomic::Ordering::SeqCst);
    }
    fn all(&self) -> Vec<IndexChange> {
        self.committed.lock().unwrap().concat()
    }
}

fn id(name: &str) -> StreamId {
    name.parse().unwrap()
}

fn block(n: u8) -> BlockInfo {
    BlockInfo {
        id: BlockId::from_bytes([n; 16]),
        account: AccountId::main(),
        stream: id("cam"),
        run: RunId::from_bytes([1; 16]),
        start: Timestamp::from_secs(i64::from(n) * 1000),
        state: BlockState::Open,
        first_offset: 100,
        first_sequence: 0,
        size_bytes: 100,
        checksum: None,
        table: SegmentTable::default(),
    }
}

fn segment(n: u8) -> IndexChange {
    let entry = SegmentEntry {
        wall_us: 1000,
        media_us: 1000,
        video_bytes: 20,
        audio_bytes: 0,
        keyframe_bytes: 10,
        independent: true,
        erased: false,
    };
    IndexChange::SegmentAppended { block: BlockId::from_bytes([n; 16]), entry }
}

fn gap_closed(stream: &str) -> IndexChange {
    IndexChange::GapClosed { stream: id(stream), end: Timestamp(5) }
}

fn start(sink: &Arc<Fickle>) -> (Committer, mpsc::UnboundedReceiver<CommitNews>) {
    let (news, told) = mpsc::unbounded_channel();
    (Committer::start(sink.clone(), (Duration::from_millis(1), Duration::from_millis(4)), news), told)
}

/// Lets the committer try until `reached`.
async fn until(mut reached: impl FnMut() -> bool) {
    for _ in 0..1_000_000 {
        if reached() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never reached");
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn changes_commit_in_order_and_in_batches() {
    let sink = Arc::new(Fickle::default());
    let (committer, _news) = start(&sink);
    committer.push(&id("cam"), IndexChange::BlockOpened(block(1)));
    for _ in 0..600 {
        committer.push(&id("cam"), segment(1));
    }
    assert!(committer.flush(LONG).await);
    assert!(matches!(sink.all()[0], IndexChange::BlockOpened(_)));
    assert_eq!(sink.all().len(), 601);
    assert_eq!(sink.committed.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn nothing_is_lost_while_the_database_is_locked() {
    let sink = Arc::new(Fickle::default());
    let (committer, mut news) = start(&sink);
    sink.set_down(true);
    committer.push(&id("cam"), IndexChange::BlockOpened(block(1)));
    committer.push(&id("cam"), segment(1));
    assert!(matches!(news.recv().await, Some(CommitNews::Health(Some(_)))));
    assert!(!committer.flush(Duration::ZERO).await);
    sink.set_down(false);
    assert!(committer.flush(LONG).await);
    assert!(matches!(news.recv().await, Some(CommitNews::Health(None))));
    assert_eq!(sink.all().len(), 2);
    assert!(news.try_recv().is_err(), "a failure that goes on is told once");
}

#[tokio::test]
async fn a_long_outage_costs_memory_by_block_and_not_by_segment() {
    let sink = Arc::new(Fickle::default());
    let (committer, _news) = start(&sink);
    committer.push(&id("cam"), IndexChange::BlockOpened(block(1)));
    committer.push(&id("cam"), segment(1));
    assert!(committer.flush(LONG).await);
    sink.set_down(true);
    for _ in 0..FOLD_AT {
        committer.push(&id("cam"), segment(1));
    }
    committer.push(&id("cam"), IndexChange::BlockSealed { block: block(1).id, size_bytes: 9, checksum: 7 });
    committer.push(&id("cam"), IndexChange::BlockOpened(block(2)));
    until(|| committer.queue().entries.len() <= 3).await;
    sink.set_down(false);
    assert!(committer.flush(LONG).await);
    let indexed: Vec<BlockInfo> =
        sink.all().into_iter().filter_map(|c| if let IndexChange::BlockIndexed(b) = c { Some(b) } else { None }).collect();
    assert_eq!(indexed[0].table.len(), FOLD_AT + 1, "with the segment that was committed before the outage");
    let sealed_later = sink.all().iter().any(|c| matches!(c, IndexChange::BlockSealed { checksum: 7, .. }));
    assert!(sealed_later || (indexed[0].state, indexed[0].checksum) == (BlockState::Sealed, Some(7)));
}

#[tokio::test]
async fn after_a_very_long_outage_recovery_is_asked_for() {
    let sink = Arc::new(Fickle::default());
    let (committer, mut news) = start(&sink);
    sink.set_down(true);
    committer.push(&id("cam"), gap_closed("cam"));
    assert!(matches!(news.recv().await, Some(CommitNews::Health(Some(_)))));
    for i in 0..QUEUE_MAX + FOLD_AT {
        committer.push(&id("cam"), IndexChange::GapClosed { stream: id("cam"), end: Timestamp(i as i64) });
    }
    until(|| committer.queue().let_go).await;
    sink.set_down(false);
    committer.push(&id("cam"), gap_closed("cam"));
    assert!(committer.flush(LONG).await);
    let mut told = Vec::new();
    while let Ok(n) = news.try_recv() {
        told.push(n);
    }
    assert!(matches!(told[..], [CommitNews::Health(None), CommitNews::LetGo]), "{told:?}");
}

#[tokio::test]
async fn a_stream_that_is_refused_does_not_hold_up_the_others() {
    let sink = Arc::new(Fickle::default());
    *sink.refused.lock().unwrap() = Some(id("bad"));
    let (committer, mut news) = start(&sink);
    for name in ["good", "bad", "good", "fine"] {
        committer.push(&id(name), gap_closed(name));
    }
    committer.push(
        &id("fine"),
        IndexChange::GapOpened { stream: id("fine"), start: Timestamp(9), cause: GapCause::Paused, detail: String::new() },
    );
    assert!(committer.flush(LONG).await);
    assert_eq!(sink.all().len(), 4);
    assert!(matches!(news.recv().await, Some(CommitNews::Refused { stream, .. }) if stream == id("bad")));
}
