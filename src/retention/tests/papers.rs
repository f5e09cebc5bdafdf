//! Receipts, attestations, and the check of the promise, over real files and rows.

use super::*;
use crate::audit::Document;
use crate::db::ReceiptKind;
use crate::index::{Finding, FindingKind};
use crate::retention::attest::attest;
use crate::retention::check::check_retention;
use crate::retention::receipts::{make_receipts, signing_key};

impl Scene {
    async fn broken_promises(&self, now: Timestamp) -> Vec<FindingKind> {
        let mut found: Vec<Finding> = Vec::new();
        let db = &self.archive.db;
        check_retention(db, &*self.plans, &settings(), &[], now, &mut |f| found.push(f)).await.unwrap();
        found.iter().map(|f| f.kind).collect()
    }
}

#[tokio::test]
async fn each_sweep_has_one_receipt_of_what_went_and_why() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    s.run(month_after(6)).await;
    let swept_at = month_after(6) + HOUR;
    s.run(swept_at).await;
    s.run(swept_at).await;
    let kept = s.archive.db.receipts(None, None, 10).await.unwrap();
    assert_eq!(kept.iter().map(|r| (r.receipt.kind, r.receipt.number)).collect::<Vec<_>>(), [(ReceiptKind::Sweep, 1)]);
    let text = s.archive.db.receipt(kept[0].id).await.unwrap().unwrap().receipt.document;
    let key = signing_key(&s.archive.db).await.unwrap().public();
    let receipt = Document::read(&text, Some(&key)).unwrap();
    let m = receipt.members();
    let (a, first) = (&s.archive.blocks[&'a'], &m["blocks"][0]);
    assert_eq!(first["block"], a.id.to_string());
    assert_eq!(first["checksum"], format!("{:016x}", a.checksum.unwrap()));
    assert_eq!((first["start_us"].as_i64(), first["marked_us"].as_i64()), (Some(a.start.0), Some(month_after(6).0)));
    assert_eq!((first["due_us"].as_i64(), m["finished_us"].as_i64()), (Some(swept_at.0), Some(swept_at.0)));
    assert_eq!((&first["rule"]["plan"], &first["rule"]["plan_version"]), (&serde_json::json!("plan"), &serde_json::json!(1)));
    assert_eq!((m["totals"]["blocks"].as_u64(), m["totals"]["segments"].as_u64()), (Some(2), Some(6)));
    assert_eq!(make_receipts(&s.archive.db, swept_at).await.unwrap(), 0, "not twice");
    let records =
        s.archive.db.audit_records(&AuditQuery { act: Some("receipt.signed".into()), ..AuditQuery::default() }, 0, 9).await.unwrap();
    assert_eq!(records[0].event.details["sha256"][0], receipt.hash());
}

#[tokio::test]
async fn every_sweep_has_a_receipt_not_only_the_first() {
    let s = Scene::drawn("aaabbbcccddd").await;
    for run in 0..4 {
        s.run(month_after(6) + run * HOUR).await;
    }
    s.run(month_after(6) + 5 * HOUR).await;
    let sweeps = s.archive.db.sweeps(None, 100).await.unwrap();
    let receipts = s.archive.db.receipts(None, None, 100).await.unwrap();
    assert!(sweeps.len() > 1, "{sweeps:?}");
    let numbers = |list: Vec<i64>| list.into_iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(numbers(receipts.iter().map(|r| r.receipt.number).collect()), numbers(sweeps.iter().map(|s| s.id).collect()));
}

#[tokio::test]
async fn an_attestation_accounts_for_the_window_and_one_is_made_each_day() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let rules = s.plans.rules(&AccountId::main()).await.unwrap();
    let made = attest(&s.archive.index, &cam(), &rules, at(11), ("test", at(1000))).await.unwrap().unwrap();
    let m = made.members();
    let step = 4_000_000;
    assert_eq!((m["present_us"].as_i64(), m["unexplained_us"].as_i64()), (Some(9 * step), Some(0)));
    assert_eq!(m["gaps_us"]["source_ended"].as_i64(), Some(2 * step));
    assert_eq!((m["window_start_us"].as_i64(), m["window_end_us"].as_i64()), (Some(at(0).0), Some(at(11).0)));

    let day = Duration::from_secs(86_400);
    for hours in [0, 6, 30] {
        s.run(at(0) + day + hours * HOUR).await;
    }
    let query = AuditQuery { act: Some("attestation.made".into()), ..AuditQuery::default() };
    let days: Vec<_> =
        s.archive.db.audit_records(&query, 0, 9).await.unwrap().into_iter().map(|r| r.event.details["day"].clone()).collect();
    assert_eq!(days, ["2026-05-03", "2026-05-03", "2026-05-04"], "one by hand, and one for each day that passed");
}

#[tokio::test]
async fn a_promise_that_was_kept_gives_nothing_to_say() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    assert_eq!(s.broken_promises(at(100)).await, []);
    s.run(month_after(6)).await;
    assert_eq!(s.broken_promises(month_after(6)).await, [], "marked, and waiting");
    s.run(month_after(6) + HOUR).await;
    assert_eq!(s.broken_promises(month_after(6) + HOUR).await, []);
}

#[tokio::test]
async fn footage_that_should_have_gone_long_ago_is_named_unless_something_keeps_it() {
    let s = Scene::drawn("aaabbb..cccddd").await;
    let late = month_after(6) + Duration::from_secs(4 * 86_400);
    assert_eq!(s.broken_promises(late).await, [FindingKind::BeyondWindow; 4]);
    s.archive.db.place_hold(&hold_over(steps(0, 1)), at(20), event("hold.placed")).await.unwrap();
    assert_eq!(s.broken_promises(late).await, [FindingKind::BeyondWindow; 3], "what is held stays");
    s.plans.change(late, Window::Months(2));
    assert_eq!(s.broken_promises(late).await, [], "what an upgrade rescues is not late");
}

#[tokio::test]
async fn time_inside_the_window_that_is_lost_without_a_cause_is_named() {
    let s = Scene::drawn("aaabbbccc").await;
    let middle = s.archive.blocks[&'b'].id;
    s.archive.index.commit(vec![crate::db::IndexChange::BlockForgotten { block: middle }]).await.unwrap();
    assert_eq!(s.broken_promises(at(100)).await, [FindingKind::MissingInWindow]);
}

#[tokio::test]
async fn what_left_under_the_plan_of_its_day_is_not_missing_when_a_longer_one_is_bought() {
    let s = Scene::drawn("aaabbbccc").await;
    s.archive.db.place_hold(&hold_over(steps(0, 1)), at(20), event("hold.placed")).await.unwrap();
    s.run(month_after(6)).await;
    s.run(month_after(6) + HOUR).await;
    assert_eq!(s.picture().await, "A.c", "swept between what is held and what is only given up");
    s.plans.change(month_after(6) + 2 * HOUR, Window::Unlimited);
    assert_eq!(s.broken_promises(month_after(6) + 3 * HOUR).await, []);
    // A row that says it was given up while the plan still kept it explains nothing.
    s.plans.change(Timestamp::MIN, Window::Unlimited);
    assert_eq!(s.broken_promises(month_after(6) + 3 * HOUR).await, [FindingKind::MissingInWindow]);
}

#[tokio::test]
async fn deletions_that_nobody_wrote_down_and_work_that_got_stuck_are_named() {
    let s = Scene::drawn("aaabbb..ccc").await;
    s.run(month_after(6)).await;
    s.archive.db.begin_sweep(month_after(6) + HOUR, 10).await.unwrap().unwrap();
    let much_later = month_after(6) + 30 * HOUR;
    assert_eq!(s.broken_promises(much_later).await, [FindingKind::Unfinished]);
    s.enforcer.eraser().ask(&erasures::request(steps(8, 9)), month_after(7)).await.unwrap();
    assert_eq!(s.broken_promises(much_later).await, [FindingKind::Unfinished; 2]);
    // The hold's own record is of another act: nobody finds it.
    s.archive.db.place_hold(&hold_over(steps(9, 10)), at(20), event("hold.forgotten")).await.unwrap();
    assert_eq!(s.broken_promises(month_after(7)).await, [FindingKind::Unrecorded]);
}
