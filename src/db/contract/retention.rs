//! Holds, marks and sweeps.

use serde_json::json;

use super::*;
use crate::audit::{Act, Chain, Event};

pub(super) fn event(act: &'static str) -> Event {
    Event::system(T0, Act(act)).of_account(&AccountId::main())
}

pub(crate) fn hold(from: i64, to: i64) -> NewHold {
    NewHold {
        account: AccountId::main(),
        streams: vec![cam()],
        range: range(from, to),
        margin_before_us: 0,
        margin_after_us: 0,
        case: "2026-17".into(),
        reason: "a fall at the door".into(),
        author: "user admin".into(),
        expires_at: None,
    }
}

pub(super) fn marks(blocks: &[&BlockInfo], due: i64) -> Vec<NewMark> {
    blocks.iter().map(|b| NewMark { block: b.id, due_at: at(due), rule: json!({"reason": "plan", "months": 3}) }).collect()
}

/// Acts recorded so far.
async fn acts(db: &Db) -> Vec<String> {
    let records = db.audit_records(&AuditQuery::default(), 0, 1000).await.unwrap();
    let mut chain = Chain::default();
    records.iter().for_each(|r| chain.follow(r).unwrap());
    records.into_iter().map(|r| r.event.act).collect()
}

/// Three blocks of three seconds, and what is marked of them.
pub(super) async fn three(db: &Db) -> [BlockInfo; 3] {
    add_cam(db).await;
    [index(db, 0, 0, 3).await.unwrap(), index(db, 0, 3, 6).await.unwrap(), index(db, 0, 6, 9).await.unwrap()]
}

async fn marked(db: &Db) -> Vec<BlockId> {
    let mut found = db.marks(None, 100).await.unwrap();
    found.sort_by_key(|m| m.block.range.start());
    found.into_iter().map(|m| m.block.id).collect()
}

pub(crate) async fn what_a_hold_touches_is_not_marked(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    let placed = db.place_hold(&hold(4, 5), at(10), event("hold.placed")).await.unwrap();
    let marked = db.mark(&marks(&[&a, &b, &c], 20), at(10), event("retention.marked")).await.unwrap();
    assert_eq!(marked, [a.id, c.id]);
    assert_eq!(acts(db).await, ["hold.placed", "retention.marked"]);
    // Again: nothing is marked twice, and nothing recorded.
    assert!(db.mark(&self::marks(&[&a, &b, &c], 30), at(11), event("retention.marked")).await.unwrap().is_empty());
    assert_eq!(db.mark_of(a.id).await.unwrap().unwrap().due_at, at(20));
    assert_eq!(acts(db).await.len(), 2);

    assert_eq!(db.release_hold(placed.row.id, "b", false, at(12), event("hold.released")).await.unwrap(), Release::Released);
    assert_eq!(db.mark(&self::marks(&[&b], 30), at(12), event("retention.marked")).await.unwrap(), [b.id]);
}

pub(crate) async fn an_open_block_is_not_marked(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let open = BlockInfo { state: BlockState::Open, checksum: None, ..block(&run(0), 0, 3, 0) };
    db.commit(&[IndexChange::RunStarted(run(0)), IndexChange::BlockIndexed(open.clone())]).await.unwrap();
    assert!(db.unmarked_until(&cam(), at(90), Timestamp::MIN, 10).await.unwrap().is_empty());
    assert!(db.mark(&marks(&[&open], 20), at(10), event("retention.marked")).await.unwrap().is_empty());
}

pub(crate) async fn placing_a_hold_rescues_what_is_marked(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    db.mark(&marks(&[&a, &b, &c], 20), at(10), event("retention.marked")).await.unwrap();
    // The margins reach one second into the first and the last.
    let wide = NewHold { margin_before_us: 1_000_000, margin_after_us: 1_000_000, ..hold(3, 6) };
    let placed = db.place_hold(&wide, at(11), event("hold.placed")).await.unwrap();
    assert_eq!((placed.rescued, placed.too_late), (3, 0));
    assert!(marked(db).await.is_empty());
    let record = db.audit_records(&AuditQuery { act: Some("hold.placed".into()), ..AuditQuery::default() }, 0, 9).await.unwrap();
    assert_eq!(record[0].event.details["rescued"], 3);
    assert_eq!(db.hold(placed.row.id).await.unwrap().unwrap(), placed.row);
    assert_eq!(db.holds_on(&cam()).await.unwrap(), std::slice::from_ref(&placed.row));
    assert_eq!(db.holds(Some(&AccountId::main()), 0, 9).await.unwrap(), [placed.row]);
}

pub(crate) async fn a_hold_ends_when_it_expires(f: &impl Fixture) {
    let db = f.db();
    let [a, ..] = three(db).await;
    let short = NewHold { expires_at: Some(at(15)), ..hold(0, 3) };
    let row = db.place_hold(&short, at(10), event("hold.placed")).await.unwrap().row;
    assert!(!row.active_at(at(9)) && row.active_at(at(10)) && row.active_at(at(14)) && !row.active_at(at(15)));
    assert!(db.mark(&marks(&[&a], 20), at(14), event("retention.marked")).await.unwrap().is_empty());
    assert_eq!(db.mark(&marks(&[&a], 20), at(15), event("retention.marked")).await.unwrap(), [a.id]);
}

pub(crate) async fn where_two_people_release_one_is_not_enough(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let id = db.place_hold(&hold(0, 3), at(10), event("hold.placed")).await.unwrap().row.id;
    let release = async |by: &str| db.release_hold(id, by, true, at(11), event("hold.release")).await.unwrap();
    assert_eq!(release("user a").await, Release::Asked);
    assert_eq!(release("user a").await, Release::NeedsAnother);
    assert!(db.hold(id).await.unwrap().unwrap().active_at(at(12)));
    assert_eq!(release("user b").await, Release::Released);
    assert_eq!(release("user c").await, Release::WasReleased);
    let row = db.hold(id).await.unwrap().unwrap();
    assert_eq!((row.release_asked.unwrap().0, row.released.unwrap().0), ("user a".into(), "user b".into()));
    assert_eq!(acts(db).await, ["hold.placed", "hold.release", "hold.release"]);
    assert!(matches!(db.release_hold(99, "a", false, at(1), event("hold.release")).await, Err(DbError::Missing { .. })));
}

pub(crate) async fn a_hold_stays_inside_its_account(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let foreign = NewHold { account: "other".parse().unwrap(), ..hold(0, 3) };
    assert!(matches!(db.place_hold(&foreign, at(1), event("hold.placed")).await, Err(DbError::Missing { what: "stream", .. })));
    assert!(db.holds(None, 0, 9).await.unwrap().is_empty() && acts(db).await.is_empty());
}

pub(super) fn swept(sweep: i64, blocks: &[&BlockInfo], finished: Option<i64>) -> IndexChange {
    let event = Box::new(event("retention.swept"));
    IndexChange::BlocksSwept { sweep, blocks: blocks.iter().map(|b| b.id).collect(), finished: finished.map(at), event }
}

pub(crate) async fn a_sweep_takes_what_is_due_and_leaves_a_receipt(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    db.mark(&marks(&[&a, &b], 20), at(10), event("retention.marked")).await.unwrap();
    db.mark(&marks(&[&c], 30), at(10), event("retention.marked")).await.unwrap();
    assert!(db.begin_sweep(at(19), 10).await.unwrap().is_none());
    let (sweep, taken) = db.begin_sweep(at(20), 10).await.unwrap().unwrap();
    assert_eq!(taken.iter().map(|m| m.block.id).collect::<Vec<_>>(), [a.id, b.id]);
    assert!(db.begin_sweep(at(20), 10).await.unwrap().is_none(), "it is taken");

    // From here on there is no way back.
    assert_eq!(db.unmark(&[a.id, c.id], event("retention.rescued")).await.unwrap(), 1);
    let placed = db.place_hold(&hold(0, 6), at(21), event("hold.placed")).await.unwrap();
    assert_eq!((placed.rescued, placed.too_late), (0, 2));

    // Cut short in between: what is left is known.
    db.commit(&[swept(sweep.id, &[&a], None)]).await.unwrap();
    assert_eq!(picture(db, 9).await, "...AAAAAA");
    let unfinished = db.unfinished_sweeps().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].1.iter().map(|m| m.block.id).collect::<Vec<_>>(), [b.id]);
    // Again, with the rest.
    db.commit(&[swept(sweep.id, &[&a, &b], Some(22))]).await.unwrap();
    assert!(db.unfinished_sweeps().await.unwrap().is_empty() && marked(db).await.is_empty());
    assert_eq!(picture(db, 9).await, "......AAA");

    let receipt = db.swept_by(sweep.id).await.unwrap();
    assert_eq!(receipt.iter().map(|s| (s.block.id, s.block.checksum)).collect::<Vec<_>>(), [(a.id, a.checksum), (b.id, b.checksum)]);
    assert_eq!((receipt[0].block.range, receipt[0].block.size_bytes, receipt[0].marked_at), (range(0, 3), a.size_bytes, at(10)));
    assert_eq!(db.swept_at(&cam(), at(4)).await.unwrap().unwrap().block.id, b.id);
    assert!(db.swept_at(&cam(), at(6)).await.unwrap().is_none());
    let sweeps = db.sweeps(None, 9).await.unwrap();
    assert_eq!(sweeps, [SweepRow { finished_at: Some(at(22)), ..sweep }]);
    assert!(db.recount(false).await.unwrap().is_empty());
    assert!(acts(db).await.ends_with(&["retention.swept".into(), "retention.swept".into()]));
}

pub(crate) async fn a_sweep_is_bounded(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    db.mark(&marks(&[&a, &b, &c], 20), at(10), event("retention.marked")).await.unwrap();
    let (_, first) = db.begin_sweep(at(20), 2).await.unwrap().unwrap();
    let (_, second) = db.begin_sweep(at(20), 2).await.unwrap().unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
}

pub(crate) async fn a_sweep_leaves_what_a_hold_touches_after_all(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    // Over when they are marked; then the clock is set back.
    let over = NewHold { expires_at: Some(at(15)), ..hold(0, 5) };
    db.place_hold(&over, at(10), event("hold.placed")).await.unwrap();
    db.mark(&marks(&[&a, &b], 12), at(15), event("retention.marked")).await.unwrap();
    db.mark(&marks(&[&c], 13), at(15), event("retention.marked")).await.unwrap();
    let (sweep, taken) = db.begin_sweep(at(14), 2).await.unwrap().unwrap();
    assert_eq!(taken.iter().map(|m| m.block.id).collect::<Vec<_>>(), [c.id], "the first two are held, so it goes on to the third");
    assert_eq!(db.sweeps(None, 9).await.unwrap(), [sweep], "nothing is left of the one that was empty");
    assert_eq!(marked(db).await, [c.id]);
    assert_eq!(acts(db).await.iter().filter(|a| *a == "retention.rescued").count(), 1);
}

pub(crate) async fn a_sweep_goes_stream_by_stream_in_one_account(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    let other = NewStream { id: stream("other"), account: "acme".parse().unwrap(), ..new_cam() };
    db.add_stream(&other, T0).await.unwrap();
    let run = run_info(&other.id, at(0), 0);
    let theirs = BlockInfo { account: other.account.clone(), ..block(&run, 0, 3, 7) };
    db.commit(&[IndexChange::RunStarted(run), IndexChange::BlockIndexed(theirs.clone())]).await.unwrap();
    db.mark(&marks(&[&a, &b, &theirs, &c], 20), at(10), event("retention.marked")).await.unwrap();
    let (ours, first) = db.begin_sweep(at(20), 9).await.unwrap().unwrap();
    let (acme, second) = db.begin_sweep(at(20), 9).await.unwrap().unwrap();
    assert_eq!((ours.account, first.len()), (AccountId::main(), 3));
    assert_eq!((acme.account.as_str(), second[0].block.id), ("acme", theirs.id));
}

pub(crate) async fn a_sweep_forgets_many_blocks_at_once(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    let mut blocks = Vec::new();
    // Blocks that follow one another, in two runs, and a hole.
    for (of_run, from, to) in [(0, 0, 3), (0, 3, 6), (1, 6, 9), (1, 10, 13)] {
        blocks.push(index(db, of_run, from, to).await.unwrap());
    }
    let all: Vec<&BlockInfo> = blocks.iter().collect();
    db.mark(&marks(&all, 20), at(15), event("retention.marked")).await.unwrap();
    let (sweep, _) = db.begin_sweep(at(20), 9).await.unwrap().unwrap();
    // Out of the middle, over the border of two runs.
    db.commit(&[swept(sweep.id, &[all[2], all[1]], None)]).await.unwrap();
    assert_eq!(picture(db, 13).await, "AAA.......BBB");
    assert!(db.recount(false).await.unwrap().is_empty(), "extents and sums follow");
    assert_eq!(db.blocks(&[blocks[0].id, blocks[1].id, blocks[3].id]).await.unwrap().len(), 2);
    db.commit(&[swept(sweep.id, &all, Some(21))]).await.unwrap();
    assert_eq!(db.totals(&cam()).await.unwrap().blocks, 0);
    assert!(db.recount(false).await.unwrap().is_empty());
    assert_eq!(db.swept_by(sweep.id).await.unwrap().len(), 4);
}

pub(crate) async fn a_sweep_spares_what_it_has_taken(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    db.mark(&marks(&[&a, &b, &c], 20), at(10), event("retention.marked")).await.unwrap();
    let (sweep, _) = db.begin_sweep(at(20), 2).await.unwrap().unwrap();
    assert_eq!(db.spare(sweep.id + 1, &[a.id], event("retention.rescued")).await.unwrap(), 0, "it is another's");
    assert_eq!(db.spare(sweep.id, &[a.id, c.id], event("retention.rescued")).await.unwrap(), 1, "c was not taken");
    assert_eq!(db.unmark(&[b.id], event("retention.rescued")).await.unwrap(), 0, "b is taken");
    let marked = db.marks(None, 9).await.unwrap();
    assert_eq!(marked.iter().map(|m| (m.block.id, m.sweep)).collect::<Vec<_>>(), [(b.id, Some(sweep.id)), (c.id, None)]);
    assert_eq!(acts(db).await.iter().filter(|a| *a == "retention.rescued").count(), 1);
}

pub(crate) async fn footage_to_judge_comes_in_order_without_what_is_marked(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    let until =
        async |until, after| db.unmarked_until(&cam(), at(until), after, 2).await.unwrap().into_iter().map(|b| b.id).collect::<Vec<_>>();
    assert_eq!(until(9, Timestamp::MIN).await, [a.id, b.id]);
    assert_eq!(until(9, b.start).await, [c.id]);
    assert_eq!(until(8, Timestamp::MIN).await, [a.id, b.id], "its end decides");
    assert_eq!(until(5, Timestamp::MIN).await, [a.id]);
    db.mark(&marks(&[&a], 20), at(10), event("retention.marked")).await.unwrap();
    assert_eq!(until(9, Timestamp::MIN).await, [b.id, c.id]);
}

pub(crate) async fn caps_are_remembered(f: &impl Fixture) {
    let db = f.db();
    add_cam(db).await;
    db.set_cap(&cam(), Some(72), "user a", at(1), event("stream.capped")).await.unwrap();
    db.set_cap(&cam(), None, "user b", at(5), event("stream.capped")).await.unwrap();
    let caps: Vec<_> = db.caps(&cam()).await.unwrap().into_iter().map(|c| (c.from, c.hours, c.set_by)).collect();
    assert_eq!(caps, [(at(1), Some(72), "user a".into()), (at(5), None, "user b".into())]);
    assert_eq!(acts(db).await.len(), 2);
}

pub(crate) async fn a_stop_lasts_until_it_is_confirmed_and_passed(f: &impl Fixture) {
    let db = f.db();
    let why = json!({"guard": "clock"});
    assert_eq!(db.retention_state().await.unwrap(), RetentionState::default());
    assert!(!db.confirm_retention(event("retention.confirmed")).await.unwrap());
    assert!(db.stop_retention(&why, at(1), event("retention.stopped")).await.unwrap());
    assert!(!db.stop_retention(&why, at(2), event("retention.stopped")).await.unwrap(), "the same stop is told once");
    assert_eq!(db.retention_state().await.unwrap().stopped, Some((at(1), why.clone())));
    assert!(db.confirm_retention(event("retention.confirmed")).await.unwrap());
    let state = db.retention_state().await.unwrap();
    assert_eq!((state.stopped, state.confirmed), (None, vec![why.clone()]));
    let behind_it = json!({"guard": "share"});
    assert!(db.stop_retention(&behind_it, at(2), event("retention.stopped")).await.unwrap());
    assert!(db.confirm_retention(event("retention.confirmed")).await.unwrap());
    assert_eq!(db.retention_state().await.unwrap().confirmed, [why, behind_it], "until a run has gone past both");
    db.note_run(at(3)).await.unwrap();
    assert_eq!(db.retention_state().await.unwrap(), RetentionState { last_run: Some(at(3)), ..RetentionState::default() });
    assert_eq!(acts(db).await, ["retention.stopped", "retention.confirmed", "retention.stopped", "retention.confirmed"]);
}

pub(crate) async fn forecasts_are_kept_for_a_week(f: &impl Fixture) {
    let db = f.db();
    let main = AccountId::main();
    for (s, bytes) in [(0, 1), (10, 2), (7 * 86_400 + 5, 3)] {
        db.save_forecast(&main, at(s), bytes).await.unwrap();
    }
    assert_eq!(db.forecast_before(&main, at(9)).await.unwrap(), None);
    assert_eq!(db.forecast_before(&main, at(10)).await.unwrap(), Some((at(10), 2)));
    assert_eq!(db.forecast_before(&main, Timestamp::MAX).await.unwrap(), Some((at(7 * 86_400 + 5), 3)));
}

pub(crate) async fn marked_footage_is_found_by_time(f: &impl Fixture) {
    let db = f.db();
    let [a, b, c] = three(db).await;
    db.mark(&marks(&[&a, &c], 20), at(10), event("retention.marked")).await.unwrap();
    let marked = async |from, to, limit| db.marked_in(&cam(), range(from, to), limit).await.unwrap();
    assert_eq!(marked(0, 9, 9).await, [(range(0, 3), at(20)), (range(6, 9), at(20))]);
    assert_eq!(marked(0, 9, 1).await, [(range(0, 3), at(20))]);
    assert!(marked(3, 6, 9).await.is_empty() && marked(9, 10, 9).await.is_empty());
    assert_eq!(marked(b.start.micros_since(at(0)) / 1_000_000 + 2, 7, 9).await, [(range(6, 9), at(20))]);
    db.begin_sweep(at(20), 1).await.unwrap();
    assert_eq!(marked(0, 9, 9).await.len(), 2, "not deleted yet");
}
