//! What every database must do. Each implementation runs this suite: see [`contract_suite`].
//!
//! Footage is drawn: one character is one second; a letter is a run, a small letter a gap's cause (`p` paused,
//! `s` source ended, `k` killed, `d` damaged), `.` neither.

mod access;
mod accounts;
mod audit;
mod bookmarks;
mod erasures;
mod model;
mod retention;
mod shares;
mod storage;

use std::collections::HashMap;

pub(crate) use access::*;
pub(crate) use accounts::*;
pub(crate) use audit::*;
pub(crate) use bookmarks::*;
pub(crate) use erasures::*;
pub(crate) use model::random_histories_agree_with_a_simple_model;
pub(crate) use retention::*;
pub(crate) use shares::*;
pub(crate) use storage::*;

use super::*;
use crate::media::{BlockState, SegmentTable, VideoTrack};

const T0: Timestamp = Timestamp(1_777_816_800_000_000);

fn stream(name: &str) -> StreamId {
    name.parse().unwrap()
}

fn run_info(stream: &StreamId, start: Timestamp, ordinal: u64) -> RunInfo {
    let salt = stream.as_str().bytes().fold(u128::from(ordinal), |h, b| h * 31 + u128::from(b));
    RunInfo {
        id: RunId::new(start, salt),
        stream: stream.clone(),
        start,
        ordinal,
        video: Some(VideoTrack { codec: "avc1.64001f".into(), width: 1920, height: 1080, fps_num: 25, fps_den: 1 }),
        audio: None,
        init: bytes::Bytes::from_static(b"ftyp moov"),
        gaps_before: Vec::new(),
        import_key: None,
    }
}

/// A fresh, empty database, and whatever must outlive it.
pub(crate) trait Fixture: Sized {
    async fn fresh() -> Self;
    fn db(&self) -> &Db;
}

/// Makes a test of each claim for the fixture.
macro_rules! contract_suite {
    ($fixture:ty) => {
        crate::db::contract::contract_suite!($fixture:
            streams_are_added_changed_removed_and_brought_back,
            a_stream_is_added_once,
            every_change_of_a_stream_is_noticed_by_other_processes,
            credentials_are_kept_apart,
            a_recording_is_visible_as_it_grows,
            an_empty_block_is_seen_by_recovery_only,
            a_commit_is_all_or_nothing,
            footage_never_overlaps,
            lookup_finds_what_touches_the_range_and_no_more,
            neighbours_are_the_nearest_footage,
            a_run_is_stored_once_and_reads_back_whole,
            blocks_of_a_run_make_one_extent,
            gaps_end_where_footage_begins,
            a_gap_is_not_added_over_what_is_known,
            a_row_replaces_the_row_of_its_id,
            numbers_are_never_given_out_twice,
            an_import_is_known_by_its_key,
            an_emptied_index_is_empty,
            a_commit_dropped_halfway_leaves_all_or_nothing,
            overlapping_and_miscounted_rows_are_not_there,
            announcements_are_noticed,
            users_are_added_once_changed_and_removed,
            the_last_operator_who_can_sign_in_stays,
            sessions_come_and_go,
            another_password_ends_sessions_and_link,
            a_link_opens_once,
            tokens_come_and_go,
            a_secret_stays_what_it_was_first,
            the_media_folder_is_remembered,
            a_change_and_its_record_happen_together_or_not_at_all,
            the_audit_log_is_a_chain_that_can_be_searched,
            records_are_appended_one_after_the_other,
            the_audit_log_is_searched_from_its_end,
            the_audit_log_is_verified_whole_and_cut_off,
            facts_are_remembered,
            days_of_storage_are_kept_and_added_up,
            what_came_and_went_is_told_by_day,
            who_was_there_before_plans_keeps_everything,
            an_account_is_added_once_and_changed,
            of_two_who_change_a_subscription_at_once_one_is_refused,
            a_version_of_a_plan_never_changes,
            uses_are_counted_up_to_the_limit_and_per_period,
            what_a_hold_touches_is_not_marked,
            an_open_block_is_not_marked,
            placing_a_hold_rescues_what_is_marked,
            a_hold_ends_when_it_expires,
            where_two_people_release_one_is_not_enough,
            a_hold_stays_inside_its_account,
            a_sweep_takes_what_is_due_and_leaves_a_receipt,
            a_sweep_is_bounded,
            a_sweep_leaves_what_a_hold_touches_after_all,
            a_sweep_goes_stream_by_stream_in_one_account,
            a_sweep_forgets_many_blocks_at_once,
            footage_to_judge_comes_in_order_without_what_is_marked,
            caps_are_remembered,
            a_stop_lasts_until_it_is_confirmed_and_passed,
            a_sweep_spares_what_it_has_taken,
            forecasts_are_kept_for_a_week,
            an_erasure_of_what_is_held_is_refused_and_changes_nothing,
            an_erasure_hides_first_and_is_over_when_its_bytes_are_gone,
            a_block_of_which_nothing_is_left_goes_and_is_known,
            a_receipt_is_made_once_and_never_changed,
            an_attestation_is_kept_for_each_stream_and_day,
            marked_footage_is_found_by_time,
            bookmarks_are_found_by_time_and_by_words,
            a_bookmark_changes_and_goes_with_its_record,
            shares_are_found_by_secret_and_by_cookie_until_they_are_revoked,
            exports_run_one_after_the_other_and_end_once,
            erasures_are_found_by_what_they_touch_and_when_they_were_asked_for,
            random_histories_agree_with_a_simple_model,
        );
    };
    ($fixture:ty: $($claim:ident,)*) => {
        $(#[tokio::test]
        async fn $claim() {
            let fixture = <$fixture as crate::db::contract::Fixture>::fresh().await;
            crate::db::contract::$claim(&fixture).await;
        })*
    };
}
pub(crate) use contract_suite;

pub(crate) fn at(s: i64) -> Timestamp {
    T0.saturating_add_micros(s * 1_000_000)
}
fn range(a: i64, b: i64) -> TimeRange {
    TimeRange::new(at(a), at(b)).unwrap()
}
fn cam() -> StreamId {
    stream("cam")
}

fn new_cam() -> NewStream {
    NewStream {
        id: cam(),
        account: AccountId::main(),
        title: "Camera".into(),
        source: "rtsp://10.0.0.7/".into(),
        credentials: Some("user:password".into()),
    }
}

pub(crate) async fn add_cam(db: &Db) {
    db.add_stream(&new_cam(), T0).await.unwrap();
}

pub(crate) fn entry(seconds: i64) -> SegmentEntry {
    SegmentEntry {
        wall_us: (seconds * 1_000_000) as u32,
        media_us: (seconds * 1_000_000 + 11) as u32,
        video_bytes: 1000,
        audio_bytes: 100,
        keyframe_bytes: 300,
        independent: true,
        erased: false,
    }
}

/// A block of one-second segments over `[from, to)` of the run with this ordinal.
pub(crate) fn block(run: &RunInfo, from: i64, to: i64, first_sequence: u64) -> BlockInfo {
    let table = SegmentTable::from_entries((from..to).map(|_| entry(1)).collect());
    let mut info = BlockInfo {
        id: BlockId::new(at(from), u128::from(first_sequence) << 32 | u128::from(run.ordinal) << 8 | (to - from) as u128),
        account: AccountId::main(),
        stream: run.stream.clone(),
        run: run.id,
        start: at(from),
        state: BlockState::Sealed,
        first_offset: 2000,
        first_sequence,
        size_bytes: 0,
        checksum: Some(u64::MAX - first_sequence),
        table,
    };
    info.size_bytes = info.media_end_offset() + 100;
    info
}

fn run(ordinal: u64) -> RunInfo {
    run_info(&cam(), at(0), ordinal)
}

async fn index(db: &Db, ordinal: u64, from: i64, to: i64) -> DbResult<BlockInfo> {
    let run = run(ordinal);
    let info = block(&run, from, to, from.unsigned_abs());
    db.commit(&[IndexChange::RunStarted(run), IndexChange::BlockIndexed(info.clone())]).await?;
    Ok(info)
}

/// Draws seconds 0 to `n`.
pub(crate) async fn picture(db: &Db, n: i64) -> String {
    let mut out = vec!['.'; n as usize];
    let whole = range(0, n);
    let mut fill = |r: TimeRange, c: char| {
        let r = r.intersection(whole).unwrap();
        let second = |t: Timestamp| (t.micros_since(at(0)) / 1_000_000) as usize;
        for place in &mut out[second(r.start())..second(r.end())] {
            assert_eq!(*place, '.', "{r:?} is told twice");
            *place = c;
        }
    };
    let runs: HashMap<RunId, char> = (0u8..26).map(|i| (run(u64::from(i)).id, (b'A' + i) as char)).collect();
    for e in db.run_extents(&cam(), whole, 1000).await.unwrap() {
        fill(e.range, runs[&e.run]);
    }
    for g in db.gaps_in(&cam(), whole, 1000).await.unwrap() {
        let c = match g.cause {
            GapCause::Paused => 'p',
            GapCause::SourceEnded => 's',
            GapCause::ServiceKilled => 'k',
            GapCause::Damaged => 'd',
            other => panic!("{other:?}"),
        };
        fill(g.within(whole).unwrap(), c);
    }
    out.into_iter().collect()
}

fn gap_opened(s: i64, cause: GapCause) -> IndexChange {
    IndexChange::GapOpened { stream: cam(), start: at(s), cause, detail: String::new() }
}
fn gap_closed(s: i64) -> IndexChange {
    IndexChange::GapClosed { stream: cam(), end: at(s) }
}
fn gap_added(a: i64, b: i64, cause: GapCause) -> IndexChange {
    IndexChange::GapAdded { stream: cam(), gap: Gap { start: at(a), end: Some(at(b)), cause, detail: String::new() } }
}

pub(crate) async fn streams_are_added_changed_removed_and_brought_back(f: &impl Fixture) {
    let db = f.db();
    assert!(db.stream(&cam()).await.unwrap().is_none());
    add_cam(db).await;
    let row = db.stream(&cam()).await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.source.as_str(), row.paused), ("Camera", "rtsp://10.0.0.7/", false));
    assert_eq!((row.created_at, row.removed_at, row.next_sequence), (T0, None, 0));
    db.set_stream_paused(&cam(), true).await.unwrap();
    db.set_stream_title(&cam(), "Door").await.unwrap();
    db.set_stream_source(&cam(), "srt://10.0.0.8:9000", None).await.unwrap();
    let row = db.stream(&cam()).await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.source.as_str(), row.paused), ("Door", "srt://10.0.0.8:9000", true));
    assert_eq!(db.stream_credentials(&cam()).await.unwrap(), None);
    db.set_stream_removed(&cam(), Some(at(9))).await.unwrap();
    assert!(db.streams(false).await.unwrap().is_empty());
    assert_eq!(db.streams(true).await.unwrap()[0].removed_at, Some(at(9)));
    db.set_stream_removed(&cam(), None).await.unwrap();
    assert_eq!(db.streams(false).await.unwrap().len(), 1);
    let nobody = stream("nobody");
    assert!(matches!(db.set_stream_paused(&nobody, true).await, Err(DbError::Missing { .. })));
}

pub(crate) async fn a_stream_is_added_once(f: &impl Fixture) {
    add_cam(f.db()).await;
    f.db().set_stream_removed(&cam(), Some(at(9))).await.unwrap();
    let again = NewStream { id: cam(), account: AccountId::main(), title: String::new(), source: String::new(), credentials: None };
    assert!(matches!(f.db().add_stream(&again, T0).await, Err(DbError::Exists { .. })));
}

pub(crate) async fn every_change_of_a_stream_is_noticed_by_other_processes(f: &impl Fixture) {
    let db = f.db();
    let mut last = db.streams_generation().await.unwrap();
    add_cam(db).await;
    for step in 0..5 {
        match step {
            0 => {}
            1 => db.set_stream_paused(&cam(), true).await.unwrap(),
            2 => db.set_stream_removed(&cam(), Some(T0)).await.unwrap(),
            3 => db.set_stream_title(&cam(), "x").await.unwrap(),
            _ => db.set_stream_source(&cam(), "push:", None).await.unwrap(),
        }
        let now = db.streams_generation().await.unwrap();
        assert!(now > last, "step {step}");
        last = now;
    }
    index(db, 0, 0, 3).await.unwrap();
    assert_eq!(db.streams_generation().await.unwrap(), last, "our own footage is no news");
}

pub(crate) async fn credentials_are_kept_apart(f: &impl Fixture) {
    add_cam(f.db()).await;
    assert_eq!(f.db().stream_credentials(&cam()).await.unwrap().as_deref(), Some("user:password"));
    let shown = format!("{:?}{:?}", f.db().streams(true).await.unwrap(), f.db().stream(&cam()).await.unwrap());
    assert!(!shown.contains("password"));
}

pub(crate) async fn a_recording_is_visible_as_it_grows(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let run = run(0);
    let whole = block(&run, 0, 5, 40);
    let mut open = BlockInfo { state: BlockState::Open, checksum: None, size_bytes: 2000, table: SegmentTable::default(), ..whole.clone() };
    db.commit(&[IndexChange::RunStarted(run.clone()), IndexChange::BlockOpened(open.clone())]).await.unwrap();
    for _ in 0..5 {
        db.commit(&[IndexChange::SegmentAppended { block: open.id, entry: entry(1) }]).await.unwrap();
        open.table.push(entry(1));
        open.size_bytes += u64::from(entry(1).stored_bytes());
        assert_eq!(db.blocks_in(&cam(), TimeRange::ALL, 10).await.unwrap(), std::slice::from_ref(&open));
        assert_eq!(db.block(open.id).await.unwrap(), Some(open.clone()));
        let totals = db.totals(&cam()).await.unwrap();
        assert_eq!((totals.blocks, totals.segments, totals.bytes), (1, open.table.len() as u64, open.size_bytes));
        assert_eq!((totals.first_start, totals.last_end), (Some(at(0)), Some(open.end())));
    }
    let (size_bytes, checksum) = (whole.size_bytes, whole.checksum.unwrap());
    db.commit(&[IndexChange::BlockSealed { block: open.id, size_bytes, checksum }]).await.unwrap();
    assert_eq!(db.block(open.id).await.unwrap(), Some(whole.clone()));
    assert_eq!(db.totals(&cam()).await.unwrap().bytes, whole.size_bytes);
    let late = db.commit(&[IndexChange::SegmentAppended { block: open.id, entry: entry(1) }]).await;
    assert!(matches!(late, Err(DbError::Missing { .. })), "a sealed block does not grow");
}

pub(crate) async fn an_empty_block_is_seen_by_recovery_only(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let open = BlockInfo { state: BlockState::Open, checksum: None, ..block(&run(0), 3, 3, 0) };
    db.commit(&[IndexChange::RunStarted(run(0)), IndexChange::BlockOpened(open.clone())]).await.unwrap();
    assert!(db.blocks_in(&cam(), TimeRange::ALL, 10).await.unwrap().is_empty());
    assert_eq!(db.totals(&cam()).await.unwrap(), StreamTotals::default());
    assert_eq!(db.open_blocks().await.unwrap(), std::slice::from_ref(&open));
    assert_eq!(db.blocks_after(None, 10).await.unwrap(), std::slice::from_ref(&open));
    assert!(db.blocks_after(Some(open.id), 10).await.unwrap().is_empty());
    db.commit(&[IndexChange::BlockForgotten { block: open.id }]).await.unwrap();
    assert!(db.open_blocks().await.unwrap().is_empty());
}

pub(crate) async fn a_commit_is_all_or_nothing(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let first = index(db, 0, 0, 5).await.unwrap();
    let changes = [
        gap_opened(5, GapCause::Paused),
        IndexChange::BlockForgotten { block: first.id },
        IndexChange::RunStarted(run(1)),
        IndexChange::SegmentAppended { block: BlockId::new(at(0), 99), entry: entry(1) },
    ];
    assert!(matches!(db.commit(&changes).await, Err(DbError::Missing { .. })));
    assert_eq!(picture(db, 8).await, "AAAAA...");
    assert!(db.run(run(1).id).await.unwrap().is_none());
    assert_eq!(db.stream(&cam()).await.unwrap().unwrap().next_run_ordinal, 1);
    let stranger = block(&run_info(&stream("nobody"), at(0), 0), 0, 1, 0);
    assert!(matches!(db.commit(&[IndexChange::BlockIndexed(stranger)]).await, Err(DbError::Missing { .. })));
    let runless = block(&run(7), 10, 11, 0);
    assert!(matches!(db.commit(&[IndexChange::BlockIndexed(runless)]).await, Err(DbError::Missing { what: "run", .. })));
}

pub(crate) async fn footage_never_overlaps(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    index(db, 0, 4, 8).await.unwrap();
    for (a, b) in [(3, 5), (7, 9), (4, 8), (5, 6), (0, 20), (4, 5), (7, 8)] {
        match index(db, 1, a, b).await {
            Err(DbError::Overlap { new, existing, .. }) => assert_eq!((new, existing), (range(a, b), range(4, 8))),
            other => panic!("[{a}, {b}): {other:?}"),
        }
    }
    index(db, 1, 2, 4).await.unwrap();
    index(db, 2, 8, 9).await.unwrap();
    assert_eq!(picture(db, 10).await, "..BBAAAAC.");

    // A growing block runs into what is there.
    let open = BlockInfo { state: BlockState::Open, checksum: None, ..block(&run(3), 0, 0, 0) };
    db.commit(&[IndexChange::RunStarted(run(3)), IndexChange::BlockOpened(open.clone())]).await.unwrap();
    let append = [IndexChange::SegmentAppended { block: open.id, entry: entry(1) }];
    db.commit(&append).await.unwrap();
    db.commit(&append).await.unwrap();
    assert!(matches!(db.commit(&append).await, Err(DbError::Overlap { .. })));
    assert_eq!(picture(db, 10).await, "DDBBAAAAC.");
    // The same moment of another stream is free.
    let other =
        NewStream { id: stream("other"), account: AccountId::main(), title: String::new(), source: String::new(), credentials: None };
    db.add_stream(&other, T0).await.unwrap();
    let run = run_info(&stream("other"), at(0), 0);
    db.commit(&[IndexChange::RunStarted(run.clone()), IndexChange::BlockIndexed(block(&run, 0, 9, 0))]).await.unwrap();
}

pub(crate) async fn lookup_finds_what_touches_the_range_and_no_more(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    for (a, b) in [(0, 4), (4, 8), (10, 12)] {
        index(db, 0, a, b).await.unwrap();
    }
    let starts = async |a, b, limit| -> Vec<i64> {
        let blocks = db.blocks_in(&cam(), range(a, b), limit).await.unwrap();
        blocks.iter().map(|b| b.start.micros_since(at(0)) / 1_000_000).collect()
    };
    assert_eq!(starts(0, 20, 9).await, [0, 4, 10]);
    assert_eq!(starts(0, 20, 2).await, [0, 4]);
    assert_eq!(starts(3, 4, 9).await, [0]);
    assert_eq!(starts(4, 5, 9).await, [4]);
    assert_eq!(starts(5, 11, 9).await, [4, 10]);
    assert!(starts(8, 10, 9).await.is_empty());
    assert!(starts(12, 13, 9).await.is_empty());
    assert!(db.blocks_in(&stream("nobody"), TimeRange::ALL, 9).await.unwrap().is_empty());
}

pub(crate) async fn neighbours_are_the_nearest_footage(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    index(db, 0, 2, 4).await.unwrap();
    index(db, 0, 7, 9).await.unwrap();
    let near = async |t| db.neighbours(&cam(), at(t)).await.unwrap();
    assert_eq!(near(0).await, (None, Some(at(2))));
    assert_eq!(near(5).await, (Some(at(4)), Some(at(7))));
    assert_eq!(near(20).await, (Some(at(9)), None));
    assert_eq!(near(3).await, (Some(at(3)), Some(at(7))));
}

pub(crate) async fn a_run_is_stored_once_and_reads_back_whole(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let gap = Gap { start: at(-9), end: Some(at(0)), cause: GapCause::ClockJump, detail: "set by hand".into() };
    let full = RunInfo {
        audio: Some(crate::media::AudioTrack { codec: "mp4a.40.2".into(), sample_rate: 48_000, channels: 2 }),
        gaps_before: vec![gap],
        import_key: Some("disk1/a.mp4".into()),
        ..run(4)
    };
    let bare = RunInfo { video: None, ..run(5) };
    db.commit(&[IndexChange::RunStarted(full.clone()), IndexChange::RunStarted(bare.clone())]).await.unwrap();
    db.commit(&[IndexChange::RunStarted(RunInfo { ordinal: 9, ..full.clone() })]).await.unwrap();
    assert_eq!(db.run(full.id).await.unwrap(), Some(full));
    assert_eq!(db.run(bare.id).await.unwrap(), Some(bare));
    assert_eq!(db.run(run(6).id).await.unwrap(), None);
}

pub(crate) async fn blocks_of_a_run_make_one_extent(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let extents = async || db.run_extents(&cam(), TimeRange::ALL, 99).await.unwrap().len();
    index(db, 0, 0, 3).await.unwrap();
    index(db, 0, 6, 9).await.unwrap();
    assert_eq!(extents().await, 2);
    let middle = index(db, 0, 3, 6).await.unwrap();
    assert_eq!(extents().await, 1);
    db.commit(&[IndexChange::BlockForgotten { block: middle.id }]).await.unwrap();
    assert_eq!(picture(db, 10).await, "AAA...AAA.");
    index(db, 1, 3, 6).await.unwrap();
    assert_eq!((extents().await, picture(db, 10).await.as_str()), (3, "AAABBBAAA."));
    db.commit(&[IndexChange::BlockForgotten { block: middle.id }]).await.unwrap();
}

pub(crate) async fn gaps_end_where_footage_begins(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let commit = async |changes: &[IndexChange]| db.commit(changes).await.unwrap();
    index(db, 0, 0, 3).await.unwrap();
    commit(&[gap_opened(3, GapCause::SourceEnded)]).await;
    assert_eq!(picture(db, 12).await, "AAAsssssssss");
    commit(&[gap_opened(3, GapCause::ServiceKilled)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkkkkkkkk", "the same gap, better explained");
    commit(&[gap_opened(5, GapCause::Paused)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkppppppp", "another cause from here on");
    commit(&[gap_opened(7, GapCause::Paused)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkppppppp");
    commit(&[gap_closed(8)]).await;
    commit(&[gap_closed(9)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkppp....");
    index(db, 1, 8, 10).await.unwrap();
    commit(&[gap_opened(4, GapCause::SourceEnded)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkpppBBss", "a gap opens behind the newest footage, never inside what is known");
    commit(&[gap_closed(10)]).await;
    assert_eq!(picture(db, 12).await, "AAAkkpppBB..", "a gap without length is none");
    commit(&[gap_opened(10, GapCause::Paused)]).await;
    index(db, 2, 4, 7).await.unwrap();
    assert_eq!(picture(db, 12).await, "AAAkCCCpBBpp", "footage imported into gaps takes their place");
    index(db, 3, 11, 12).await.unwrap();
    assert_eq!(picture(db, 14).await, "AAAkCCCpBBpDpp");
}

pub(crate) async fn a_gap_is_not_added_over_what_is_known(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    index(db, 0, 2, 4).await.unwrap();
    index(db, 0, 8, 9).await.unwrap();
    db.commit(&[gap_added(5, 6, GapCause::Paused), gap_added(0, 12, GapCause::Damaged)]).await.unwrap();
    assert_eq!(picture(db, 14).await, "ddAAdpddAddd..");
    db.commit(&[gap_added(3, 7, GapCause::SourceEnded)]).await.unwrap();
    assert_eq!(picture(db, 14).await, "ddAAdpddAddd..");
}

pub(crate) async fn a_row_replaces_the_row_of_its_id(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let long = index(db, 0, 2, 8).await.unwrap();
    let mut short = long.clone();
    short.table = SegmentTable::from_entries(vec![entry(1); 3]);
    short.size_bytes = 5555;
    db.commit(&[IndexChange::BlockIndexed(short.clone())]).await.unwrap();
    assert_eq!(picture(db, 10).await, "..AAA.....");
    assert_eq!(db.block(long.id).await.unwrap(), Some(short));
    let totals = db.totals(&cam()).await.unwrap();
    assert_eq!((totals.blocks, totals.segments, totals.bytes), (1, 3, 5555));
}

pub(crate) async fn numbers_are_never_given_out_twice(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let next = async || {
        let row = db.stream(&cam()).await.unwrap().unwrap();
        (row.next_run_ordinal, row.next_sequence)
    };
    let info = index(db, 6, 10, 14).await.unwrap();
    assert_eq!(next().await, (7, 14));
    index(db, 2, 0, 3).await.unwrap();
    assert_eq!(next().await, (7, 14));
    db.commit(&[IndexChange::BlockForgotten { block: info.id }]).await.unwrap();
    db.replace_footage(&[]).await.unwrap();
    assert_eq!(next().await, (7, 14));
    db.raise_stream_counters(&cam(), 3, 100).await.unwrap();
    assert_eq!(next().await, (7, 100));
}

pub(crate) async fn an_import_is_known_by_its_key(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let import = RunInfo { import_key: Some("k".into()), start: at(3), ..run(0) };
    db.commit(&[IndexChange::RunStarted(import.clone())]).await.unwrap();
    assert!(!db.import_known(&cam(), "k").await.unwrap(), "begun, but nothing came of it");
    db.commit(&[IndexChange::BlockIndexed(block(&import, 3, 6, 0))]).await.unwrap();
    assert!(db.import_known(&cam(), "k").await.unwrap() && !db.import_known(&cam(), "l").await.unwrap());
    assert_eq!(db.import_extents(&cam(), "k").await.unwrap(), [RunExtent { run: import.id, range: range(3, 6) }]);
}

pub(crate) async fn an_emptied_index_is_empty(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    index(db, 0, 0, 3).await.unwrap();
    db.commit(&[gap_opened(3, GapCause::Paused)]).await.unwrap();
    let new = block(&run(1), 5, 6, 9);
    db.replace_footage(&[IndexChange::RunStarted(run(1)), IndexChange::BlockIndexed(new)]).await.unwrap();
    assert_eq!(picture(db, 8).await, ".....B..");
    assert_eq!(db.totals(&cam()).await.unwrap().segments, 1);
    assert!(db.run(run(0).id).await.unwrap().is_none());
    assert!(db.stream(&cam()).await.unwrap().is_some());
}

pub(crate) async fn a_commit_dropped_halfway_leaves_all_or_nothing(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    for polls in 0..12 {
        let changes: Vec<_> = [IndexChange::RunStarted(run(0)), gap_opened(9, GapCause::Paused)]
            .into_iter()
            .chain((0..3).map(|i| IndexChange::BlockIndexed(block(&run(0), i, i + 1, i.unsigned_abs()))))
            .collect();
        let mut commit = Box::pin(db.commit(&changes));
        for _ in 0..polls {
            let done = futures_util::poll!(&mut commit).is_ready();
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        let segments = db.totals(&cam()).await.unwrap().segments;
        assert!(segments == 0 || segments == 3, "{segments} of 3 after {polls} polls");
        // The next one is not in its way.
        db.replace_footage(&[]).await.unwrap();
        assert!(db.recount(false).await.unwrap().is_empty());
    }
}

pub(crate) async fn overlapping_and_miscounted_rows_are_not_there(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    for i in 0..5 {
        index(db, i, i.cast_signed() * 3, i.cast_signed() * 3 + 3).await.unwrap();
    }
    assert!(db.overlapping_blocks(10).await.unwrap().is_empty());
    assert!(db.recount(false).await.unwrap().is_empty());
    assert!(db.recount(true).await.unwrap().is_empty());
}

pub(crate) async fn announcements_are_noticed(f: &impl Fixture) {
    let before = f.db().streams_generation().await.unwrap();
    f.db().commit(&[IndexChange::Announced]).await.unwrap();
    assert!(f.db().streams_generation().await.unwrap() > before);
}
