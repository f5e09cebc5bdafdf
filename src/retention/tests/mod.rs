//! The enforcer over real files and rows.

mod erasures;
mod pages;
mod papers;

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::audit::{Act, Chain, Event};
use crate::clock::ManualClock;
use crate::db::{AuditQuery, DbResult, NewHold};
use crate::index::testing::{Archive, at, steps};
use crate::media::{AccountId, PlanHistory, PlanSpan, StreamId, TimeRange, Timestamp, Window};

const HOUR: Duration = Duration::from_secs(3600);

/// Plans that a test changes.
#[derive(Default)]
struct TestPlans(Mutex<Vec<PlanSpan>>);

#[async_trait]
impl Plans for TestPlans {
    async fn rules(&self, _: &AccountId) -> DbResult<AccountRules> {
        let history = PlanHistory::new(self.0.lock().unwrap().clone());
        Ok(AccountRules { history, ..AccountRules::default() })
    }
}

impl TestPlans {
    fn change(&self, from: Timestamp, window: Window) {
        self.0.lock().unwrap().push(PlanSpan { from, plan: "plan".into(), version: 1, window });
    }
}

/// An archive under a plan of one month, an enforcer with an hour of grace, and a permitted share of all.
struct Scene {
    archive: Archive,
    plans: Arc<TestPlans>,
    enforcer: Enforcer,
}

fn settings() -> Settings {
    Settings { grace: HOUR, share_percent: 100, sweep_max: 2, rest: Duration::ZERO, erase: EraseSettings::alone() }
}

impl Scene {
    async fn drawn(drawing: &str) -> Scene {
        Self::with(drawing, settings()).await
    }
    async fn with(drawing: &str, settings: Settings) -> Scene {
        let archive = Archive::drawn(drawing).await;
        let plans = Arc::new(TestPlans::default());
        plans.change(Timestamp::MIN, Window::Months(1));
        let enforcer = Enforcer::new(archive.index.clone(), archive.root.clone(), plans.clone(), settings);
        Scene { archive, plans, enforcer }
    }
    async fn run(&self, now: Timestamp) -> RunReport {
        self.enforcer.run_once(now, false).await.unwrap()
    }
    /// Letters of the drawn blocks: marked ones small, others capital, gone ones as dots.
    async fn picture(&self) -> String {
        let mut out = String::new();
        for (letter, info) in &self.archive.blocks {
            let row = self.archive.db.block(info.id).await.unwrap().is_some();
            let file = self.archive.path(*letter).exists();
            assert_eq!(row, file, "{letter}: row and bytes go together");
            out.push(match (row, self.archive.db.mark_of(info.id).await.unwrap()) {
                (false, _) => '.',
                (true, Some(_)) => *letter,
                (true, None) => letter.to_ascii_uppercase(),
            });
        }
        out
    }
    async fn acts(&self) -> Vec<String> {
        let records = self.archive.db.audit_records(&AuditQuery::default(), 0, 100_000).await.unwrap();
        let mut chain = Chain::default();
        records.iter().for_each(|r| chain.follow(r).unwrap());
        // Daily papers say nothing that these tests are about.
        let acts = records.into_iter().map(|r| r.event.act);
        acts.filter(|act| !["receipt.signed", "attestation.made"].contains(&act.as_str())).collect()
    }
}

fn cam() -> StreamId {
    "cam".parse().unwrap()
}
/// A month after the drawn step: then the window begins there.
fn month_after(step: usize) -> Timestamp {
    at(step) + Duration::from_secs(31 * 86_400)
}
fn event(act: &'static str) -> Event {
    Event::system(at(0), Act(act))
}
fn hold_over(range: TimeRange) -> NewHold {
    let (case, reason, author) = ("1".into(), "a fall".into(), "user admin".into());
    let (margin_before_us, margin_after_us, expires_at) = (0, 0, None);
    NewHold { account: AccountId::main(), streams: vec![cam()], range, margin_before_us, margin_after_us, case, reason, author, expires_at }
}

#[tokio::test]
async fn footage_is_marked_waits_and_goes_block_by_block() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    let first = s.run(month_after(2)).await;
    assert_eq!((first.marked.len(), s.picture().await.as_str()), (0, "ABCD"), "a straddles the window's start");
    let second = s.run(month_after(6)).await;
    assert_eq!((second.marked[&cam()].blocks, s.picture().await.as_str()), (2, "abCD"));
    s.run(month_after(6) + HOUR - Duration::from_micros(1)).await;
    assert_eq!(s.picture().await, "abcd", "the grace of the first two is not over");
    let third = s.run(month_after(6) + HOUR).await;
    assert_eq!((third.swept[&cam()].segments, s.picture().await.as_str()), (6, "..cd"));
    s.run(month_after(6) + 2 * HOUR).await;
    assert_eq!(s.picture().await, "....");
    assert!(s.archive.files().iter().all(|f| !f.contains("2026")) && !s.archive.root.file("main/cam/2026").exists(), "emptied folders go");

    let receipt = s.archive.db.swept_by(third.sweeps[0]).await.unwrap();
    let a = &s.archive.blocks[&'a'];
    assert_eq!((receipt[0].block.id, receipt[0].block.checksum), (a.id, a.checksum));
    assert_eq!((receipt[0].rule["reason"].as_str(), receipt[0].rule["plan"].as_str()), (Some("plan"), Some("plan")));
    let counts = |act: &str, acts: &[String]| acts.iter().filter(|a| *a == act).count();
    let acts = s.acts().await;
    assert_eq!((counts("retention.marked", &acts), counts("retention.swept", &acts)), (2, 2));
}

#[tokio::test]
async fn what_was_given_up_is_told_until_it_is_deleted() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    s.run(month_after(6)).await;
    let (clock, nowhere) = (ManualClock::at(month_after(6)), std::path::Path::new("/nonexistent"));
    let desk = Retention::new(s.archive.index.clone(), s.archive.root.clone(), settings(), clock, nowhere);
    let marked = async |from, to| desk.marked(&cam(), TimeRange::new(at(from), at(to)).unwrap(), 0).await.unwrap();
    let due_at = month_after(6) + HOUR;
    assert_eq!(marked(0, 14).await, [MarkedSpan { range: TimeRange::new(at(0), at(6)).unwrap(), due_at }], "both blocks as one");
    assert_eq!(marked(2, 4).await, [MarkedSpan { range: TimeRange::new(at(2), at(4)).unwrap(), due_at }]);
    assert!(marked(6, 14).await.is_empty());
    s.run(due_at).await;
    assert_eq!(
        (s.picture().await.as_str(), marked(0, 6).await.len(), marked(6, 14).await.len()),
        ("..cd", 0, 1),
        "the next ones have left by then"
    );
}

#[tokio::test]
async fn an_upgrade_in_the_grace_rescues() {
    let s = Scene::drawn("aaabbb..ccc").await;
    s.run(month_after(6)).await;
    assert_eq!(s.picture().await, "abC");
    s.plans.change(month_after(7), Window::Months(2));
    assert_eq!(s.run(month_after(7)).await.rescued, 2);
    s.run(month_after(6) + 2 * HOUR).await;
    assert_eq!(s.picture().await, "ABC");
    assert_eq!(s.acts().await, ["retention.marked", "retention.rescued"]);
}

#[tokio::test]
async fn a_hold_rescues_and_what_it_touches_stays() {
    let s = Scene::drawn("aaabbb..ccc").await;
    s.run(month_after(11)).await;
    let placed = s.archive.db.place_hold(&hold_over(steps(3, 4)), month_after(12), event("hold.placed")).await.unwrap();
    assert_eq!(placed.rescued, 1);
    s.run(month_after(11) + HOUR).await;
    assert_eq!(s.picture().await, ".B.");
    s.archive.db.release_hold(placed.row.id, "b", false, month_after(11) + HOUR, event("hold.released")).await.unwrap();
    s.run(month_after(12) + HOUR).await;
    s.run(month_after(12) + 2 * HOUR).await;
    assert_eq!(s.picture().await, "...");
}

#[tokio::test]
async fn a_cap_shortens_and_the_receipt_says_so() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let now = at(6) + HOUR;
    s.archive.db.set_cap(&cam(), Some(1), "user admin", now, event("stream.capped")).await.unwrap();
    s.run(now).await;
    assert_eq!(s.picture().await, "abC");
    let rule = s.archive.db.mark_of(s.archive.blocks[&'a'].id).await.unwrap().unwrap().rule;
    assert_eq!((rule["reason"].as_str(), rule["hours"].as_u64()), (Some("cap"), Some(1)));
}

#[tokio::test]
async fn a_crash_at_any_step_is_made_good_by_the_next_run() {
    for crash in 0..4 {
        let s = Scene::drawn("aaabbb..cccddd").await;
        s.run(month_after(6)).await;
        let due = month_after(6) + HOUR;
        let (sweep, taken) = s.archive.db.begin_sweep(due, 10).await.unwrap().unwrap();
        assert_eq!(taken.len(), 2);
        // 0: nothing is deleted yet. 1: half of the bytes. 2: all bytes. 3: half of the rows too.
        for letter in ["", "a", "ab", "ab"][crash].chars() {
            std::fs::remove_file(s.archive.path(letter)).unwrap();
        }
        if crash == 3 {
            let blocks = vec![s.archive.blocks[&'a'].id];
            let swept =
                crate::db::IndexChange::BlocksSwept { sweep: sweep.id, blocks, finished: None, event: Box::new(event("retention.swept")) };
            s.archive.db.commit(&[swept]).await.unwrap();
        }
        let again = Enforcer::new(
            crate::index::Index::new(s.archive.db.clone(), s.archive.root.clone()),
            s.archive.root.clone(),
            s.plans.clone(),
            settings(),
        );
        let report = again.run_once(due, false).await.unwrap();
        assert_eq!((report.sweeps, s.picture().await.as_str()), (vec![sweep.id], "..cd"), "crash {crash}");
        assert_eq!(s.archive.db.swept_by(sweep.id).await.unwrap().len(), 2, "crash {crash}: the receipt is whole");
        assert!(s.archive.db.unfinished_sweeps().await.unwrap().is_empty());
        s.acts().await;
    }
}

#[tokio::test]
async fn what_a_sweep_has_taken_is_spared_while_its_bytes_are_there() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    s.run(month_after(6)).await;
    let due = month_after(6) + HOUR;
    assert_eq!(s.archive.db.begin_sweep(due, 10).await.unwrap().unwrap().1.len(), 2);
    // Killed when one of the two had been deleted. Then somebody upgrades.
    std::fs::remove_file(s.archive.path('a')).unwrap();
    s.plans.change(due, Window::Months(2));
    assert_eq!(s.run(due).await.rescued, 1);
    assert_eq!((s.picture().await.as_str(), s.archive.db.unfinished_sweeps().await.unwrap().len()), (".BCD", 0));
}

#[tokio::test]
async fn what_is_being_read_is_read_to_its_end() {
    let s = Scene::drawn("aaabbb").await;
    let mut file = std::fs::File::open(s.archive.path('a')).unwrap();
    let before = std::fs::read(s.archive.path('a')).unwrap();
    s.run(month_after(6)).await;
    s.run(month_after(6) + HOUR).await;
    assert_eq!(s.picture().await, "..");
    let mut after = Vec::new();
    file.read_to_end(&mut after).unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let before = s.archive.rows().await;
    let told = s.enforcer.run_once(month_after(6), true).await.unwrap();
    assert_eq!(told.marked[&cam()].segments, 6);
    assert_eq!((s.picture().await.as_str(), s.acts().await.len()), ("ABC", 0));
    assert_eq!(s.archive.rows().await, before);
    assert_eq!(s.run(month_after(6)).await.marked, told.marked, "and then it is done");
}

#[tokio::test]
async fn a_clock_that_jumps_stops_it_until_an_operator_confirms() {
    let s = Scene::drawn("aaabbb..ccc").await;
    s.run(month_after(0)).await;
    let later = month_after(0) + 30 * HOUR;
    for now in [later, later + HOUR, month_after(6)] {
        let report = s.run(now).await;
        assert!(matches!(report.stopped, Some(Stop::ClockForward { .. })) && report.marked.is_empty());
    }
    assert_eq!(s.picture().await, "ABC");
    assert_eq!(s.acts().await, ["retention.stopped"], "told once");
    assert!(s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap());
    assert_eq!(s.run(later).await.stopped, None);
    assert_eq!(s.picture().await, "abc");
    assert!(matches!(s.run(later - HOUR).await.stopped, Some(Stop::ClockBackward { .. })));
}

#[tokio::test]
async fn more_than_was_forecast_stops_it() {
    let s = Scene::with("aaabbbcccdddeeefff", Settings { share_percent: 20, ..settings() }).await;
    // One block of six is let through.
    assert_eq!(s.run(month_after(3)).await.stopped, None);
    assert_eq!(s.picture().await, "aBCDEF");
    // The forecast of a day ago knows what time brings, and a cap it did not know.
    let day_later = month_after(3) + 24 * HOUR;
    assert_eq!(s.run(day_later).await.stopped, None, "all of the rest had been forecast");
    let s = Scene::with("aaabbbcccdddeeefff", Settings { share_percent: 20, ..settings() }).await;
    s.run(at(19)).await;
    s.archive.db.set_cap(&cam(), Some(1), "user admin", at(20), event("stream.capped")).await.unwrap();
    let Some(Stop::TooMuch { accounts }) = s.run(at(19) + 2 * HOUR).await.stopped else { panic!("it went on") };
    assert_eq!((accounts[0].forecast_bytes, s.picture().await.as_str()), (0, "ABCDEF"));
    s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap();
    assert_eq!(s.run(at(19) + 3 * HOUR).await.stopped, None);
    assert_eq!(s.picture().await, "abcdef");
}

#[tokio::test]
async fn a_stop_behind_a_stop_is_passed_when_both_are_confirmed() {
    let s = Scene::with("aaabbbcccdddeeefff", Settings { share_percent: 20, ..settings() }).await;
    s.run(at(19)).await;
    // The service was off for months: the clock has jumped, and much is to go.
    let back = month_after(40);
    assert!(matches!(s.run(back).await.stopped, Some(Stop::ClockForward { .. })));
    s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap();
    assert!(matches!(s.run(back).await.stopped, Some(Stop::TooMuch { .. })));
    s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap();
    assert_eq!((s.run(back).await.stopped, s.picture().await.as_str()), (None, "abcdef"));
}

#[tokio::test]
async fn a_foreign_folder_stops_it_whoever_confirms() {
    let s = Scene::drawn("aaabbb").await;
    std::fs::remove_file(s.archive.root.file(crate::store::IDENTITY_FILE)).unwrap();
    for _ in 0..2 {
        assert!(matches!(s.run(month_after(6)).await.stopped, Some(Stop::ForeignFolder { .. })));
        s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap();
    }
    assert_eq!(s.picture().await, "AB");
}

#[tokio::test]
async fn a_hold_keeps_its_range_although_the_clock_has_gone_back_behind_it() {
    let s = Scene::drawn("aaabbb").await;
    let placed = month_after(40);
    let mut hold = hold_over(steps(0, 1));
    hold.expires_at = Some(placed + HOUR);
    s.archive.db.place_hold(&hold, placed, event("hold.placed")).await.unwrap();
    s.run(placed + 2 * HOUR).await;
    assert_eq!(s.picture().await, "ab", "the hold was over");
    assert!(matches!(s.run(month_after(10)).await.stopped, Some(Stop::ClockBackward { .. })));
    s.archive.db.confirm_retention(event("retention.confirmed")).await.unwrap();
    assert_eq!(s.run(month_after(10)).await.stopped, None);
    assert_eq!(s.picture().await, "Ab", "and is there again");
}

#[tokio::test]
async fn a_folder_that_was_put_right_can_be_confirmed() {
    let s = Scene::drawn("aaabbb").await;
    let (clock, lock) = (crate::clock::ManualClock::at(at(0)), s.archive.root.file("retention.lock"));
    let desk = Retention::new(s.archive.index.clone(), s.archive.root.clone(), settings(), clock, &lock);
    let by = crate::accounts::By { actor: "user olga".into(), now: month_after(6) };
    let identity = s.archive.root.file(crate::store::IDENTITY_FILE);
    let kept = std::fs::read(&identity).unwrap();
    std::fs::remove_file(&identity).unwrap();
    s.run(month_after(6)).await;
    assert!(matches!(desk.confirm(&by).await, Err(RetentionError::Unconfirmable { .. })));
    std::fs::write(&identity, kept).unwrap();
    assert!(matches!(s.run(month_after(6)).await.stopped, Some(Stop::ForeignFolder { .. })), "an operator is to look all the same");
    desk.confirm(&by).await.unwrap();
    assert_eq!((s.run(month_after(6)).await.stopped, s.picture().await.as_str()), (None, "ab"));
}

#[tokio::test]
async fn any_moment_can_be_explained() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let rules = s.plans.rules(&AccountId::main()).await.unwrap();
    let tell = async |step, now| explain(&s.archive.index, &rules, &cam(), at(step), now).await.unwrap();
    let fresh = tell(1, at(20)).await;
    assert_eq!((fresh.segment, fresh.verdict), (Some(steps(1, 2)), Verdict::Keep(Keep::Window)));
    assert_eq!(fresh.leaves_at_us, Some(month_after(2)));
    assert!(!tell(1, month_after(2)).await.verdict.keeps(), "to the segment, though its block is kept");
    assert!(tell(2, month_after(2)).await.verdict.keeps());

    let hold = s.archive.db.place_hold(&hold_over(steps(4, 5)), month_after(5), event("hold.placed")).await.unwrap().row.id;
    s.run(month_after(6)).await;
    s.run(month_after(6) + HOUR).await;
    let gone = tell(1, month_after(6) + HOUR).await;
    assert_eq!((gone.segment, gone.sweep, gone.marked_at_us), (None, Some(1), Some(month_after(6))));
    assert_eq!(gone.rule.unwrap()["months"], 1);
    let held = tell(4, month_after(6) + HOUR).await;
    assert_eq!((held.verdict, held.holds), (Verdict::Keep(Keep::Hold { hold }), vec![hold]));
}

#[tokio::test]
async fn what_a_change_would_remove_is_known_beforehand() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let rules = s.plans.rules(&AccountId::main()).await.unwrap();
    let hold = s.archive.db.place_hold(&hold_over(steps(0, 1)), at(12), event("hold.placed")).await.unwrap().row.id;
    let segments = async |then, what_if| forecast(&s.archive.db, &cam(), &rules, then, what_if).await.unwrap().segments;
    let now = at(11) + HOUR;
    assert_eq!(segments(now, WhatIf::default()).await, 0);
    assert_eq!(segments(month_after(6), WhatIf::default()).await, 3, "a is held");
    assert_eq!(segments(month_after(6), WhatIf { released: Some(hold), ..WhatIf::default() }).await, 6);
    assert_eq!(segments(now, WhatIf { cap: Some(Cap { hours: 1 }), ..WhatIf::default() }).await, 6);
    assert_eq!(segments(month_after(99), WhatIf { window: Some(Window::Unlimited), ..WhatIf::default() }).await, 0);
    assert_eq!(segments(month_after(11), WhatIf { window: Some(Window::Months(2)), ..WhatIf::default() }).await, 0);
}
