//! Erasures, step by step and through everything that can happen between two steps.

use std::collections::BTreeMap;

use super::*;
use crate::db::{DbError, ErasureRow, IndexChange, NewErasure};
use crate::index::{CheckEvent, CheckOptions, Finding, FindingKind, check, rebuild};
use crate::store::{is_wiped, scan};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn request(range: TimeRange) -> NewErasure {
    let (reason, asked_by, actor) = ("they asked".into(), "Mrs Miller".into(), "user admin".into());
    NewErasure { account: AccountId::main(), stream: Some(cam()), range, reason, asked_by, actor }
}

/// Long after all drawn footage.
fn late() -> Timestamp {
    at(1000)
}

/// A time inside steps, so that the range has to widen.
fn inside(from: usize, to: usize) -> TimeRange {
    TimeRange::new(at(from) + SECOND, at(to - 1) + SECOND).unwrap()
}

struct Desk {
    archive: Archive,
    eraser: Eraser,
}

impl Desk {
    async fn drawn(drawing: &str) -> Desk {
        Self::with(drawing, EraseSettings::alone()).await
    }
    async fn with(drawing: &str, settings: EraseSettings) -> Desk {
        let archive = Archive::drawn(drawing).await;
        let eraser = Eraser::new(archive.index.clone(), archive.root.clone(), settings);
        Desk { archive, eraser }
    }
    async fn ask(&self, range: TimeRange) -> ErasureRow {
        self.eraser.ask(&request(range), late()).await.unwrap()
    }
    async fn erase(&self, range: TimeRange) -> ErasureRow {
        let asked = self.ask(range).await;
        assert_eq!(self.eraser.advance(late()).await.unwrap().finished, [asked.id]);
        self.archive.db.erasure(asked.id).await.unwrap().unwrap()
    }
    async fn picture(&self, n: usize) -> String {
        self.archive.coverage("cam", n).await
    }
    async fn findings(&self, repair: bool) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut report = |event| {
            if let CheckEvent::Finding(finding) = event {
                found.push(finding);
            }
        };
        let options = CheckOptions { repair, ..CheckOptions::default() };
        check(&self.archive.index, &self.archive.root, late(), &options, &mut report).await.unwrap();
        found
    }
    async fn assert_clean(&self) {
        let found = self.findings(false).await;
        assert!(found.is_empty(), "{found:?}");
    }
    /// The bytes of every block file that is there.
    fn all_bytes(&self) -> Vec<u8> {
        let files = self.archive.files();
        files.iter().filter(|f| f.ends_with(".mp4")).flat_map(|f| std::fs::read(self.archive.root.file(f)).unwrap()).collect()
    }
}

/// Whether these bytes are in those.
fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|w| w == part)
}

#[tokio::test]
async fn a_range_goes_with_its_bytes_and_the_rest_stays_as_it_was() {
    let d = Desk::drawn("aaabbbccc..ddd").await;
    let before = d.archive.media("cam").await;
    let preview = d.eraser.preview(&request(inside(2, 7)), late()).await.unwrap();
    let row = d.erase(inside(2, 7)).await;
    assert_eq!(d.picture(14).await, "##xxxxx##..###");
    assert_eq!((row.blocks, row.segments), (3, 5));
    let going = &preview[&cam()];
    assert_eq!((going.range, going.segments, going.bytes), (Some(steps(2, 7)), 5, row.bytes), "what was foretold");
    assert_eq!((going.whole_blocks, going.part_blocks), (1, 2));

    let after = d.archive.media("cam").await;
    let kept: BTreeMap<_, _> = before.iter().filter(|(t, _)| !steps(2, 7).contains(**t)).map(|(t, m)| (*t, m.clone())).collect();
    assert_eq!(after, kept, "same times, numbers and bytes");
    let bytes = d.all_bytes();
    for (start, (_, media)) in &before {
        assert_eq!(holds(&bytes, &media[20..60]), !steps(2, 7).contains(*start), "{start}");
    }
    assert!(!d.archive.path('b').exists(), "nothing was left of it");
    let totals = d.archive.db.totals(&cam()).await.unwrap();
    assert_eq!((totals.blocks, totals.segments), (3, 7));
    d.assert_clean().await;
    assert!(d.archive.db.recount(false).await.unwrap().is_empty());
    let acts: Vec<String> =
        d.archive.db.audit_records(&AuditQuery::default(), 0, 100).await.unwrap().into_iter().map(|r| r.event.act).collect();
    assert_eq!(acts, ["erasure.asked", "erasure.hidden", "erasure.erased", "erasure.finished", "receipt.signed"]);
}

#[tokio::test]
async fn lookups_pass_over_what_is_erased() {
    let d = Desk::drawn("aaabbbccc").await;
    // Kept in memory before.
    assert_eq!(d.archive.index.segments(&cam(), steps(0, 9), 100).await.unwrap().len(), 9);
    d.erase(inside(2, 7)).await;
    let starts = async |limit| {
        let found = d.archive.index.segments(&cam(), steps(2, 9), limit).await.unwrap();
        found.iter().map(|l| (l.segment.start, l.block.first_sequence + u64::from(l.segment.position))).collect::<Vec<_>>()
    };
    assert_eq!(starts(100).await, [(at(7), 7), (at(8), 8)]);
    assert_eq!(starts(1).await, [(at(7), 7)], "the first that is there, not the first that was");
    assert!(d.archive.index.segment_at(&cam(), at(3)).await.unwrap().is_none());
    assert!(d.archive.index.segment_covering(&cam(), at(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn from_the_moment_it_is_asked_for_the_range_is_pending_and_after_it_is_not() {
    let d = Desk::drawn("aaabbb").await;
    let range = inside(1, 4);
    assert!(d.archive.db.pending_erasures(&cam()).await.unwrap().is_empty());
    d.ask(range).await;
    assert_eq!(d.archive.db.pending_erasures(&cam()).await.unwrap(), [range]);
    d.eraser.advance(late()).await.unwrap();
    assert!(d.archive.db.pending_erasures(&cam()).await.unwrap().is_empty());
    assert_eq!(d.archive.db.erased_in(&cam(), steps(1, 2)).await.unwrap().unwrap().range, steps(1, 3));
}

#[tokio::test]
async fn what_is_held_is_not_erased_and_nothing_is_lost_by_the_refusal() {
    let d = Desk::drawn("aaabbb").await;
    let before = d.all_bytes();
    // It touches the end of the last segment that would go, though not the range that was asked for.
    let hold = hold_over(TimeRange::new(at(4) - SECOND, at(5)).unwrap());
    let id = d.archive.db.place_hold(&hold, late(), event("hold.placed")).await.unwrap().row.id;
    let asked = d.eraser.ask(&request(inside(1, 4)), late()).await;
    assert!(matches!(&asked, Err(RetentionError::Db(DbError::Held { holds })) if *holds == [id]), "{asked:?}");
    assert!(d.archive.db.erasures(None, None, 10).await.unwrap().is_empty());
    d.eraser.advance(late()).await.unwrap();
    assert_eq!((d.picture(6).await.as_str(), d.all_bytes() == before), ("######", true));
    d.archive.db.release_hold(id, "user admin", false, late(), event("hold.released")).await.unwrap();
    d.erase(inside(1, 4)).await;
    assert_eq!(d.picture(6).await, "#xxx##");
}

#[tokio::test]
async fn a_hold_over_a_pending_erasure_comes_too_late() {
    let d = Desk::drawn("aaabbb").await;
    let asked = d.ask(inside(1, 4)).await;
    let placed = d.archive.db.place_hold(&hold_over(steps(2, 6)), late(), event("hold.placed")).await;
    assert!(matches!(placed, Err(DbError::Erasing { erasure }) if erasure == asked.id), "{placed:?}");
    assert!(d.archive.db.holds(None, 0, 10).await.unwrap().is_empty());
    assert!(d.archive.db.place_hold(&hold_over(steps(4, 6)), late(), event("hold.placed")).await.is_ok(), "beside it");
}

#[tokio::test]
async fn a_hold_that_was_placed_at_the_edge_meanwhile_keeps_the_segment_and_the_rest_goes() {
    let d = Desk::drawn("aaabbb").await;
    // Both end inside the fifth segment; the hold begins behind the range that was asked for.
    d.ask(TimeRange::new(at(1), at(4) + SECOND).unwrap()).await;
    let edge = hold_over(TimeRange::new(at(4) + 2 * SECOND, at(6)).unwrap());
    let id = d.archive.db.place_hold(&edge, late(), event("hold.placed")).await.unwrap().row.id;
    assert!(d.eraser.advance(late()).await.unwrap().finished.is_empty());
    assert_eq!(d.picture(6).await, "#xx###", "its block waits, and nothing of the range is served");
    d.archive.db.release_hold(id, "user admin", false, late(), event("hold.released")).await.unwrap();
    assert_eq!(d.eraser.advance(late()).await.unwrap().finished.len(), 1);
    assert_eq!(d.picture(6).await, "#xxxx#");
    d.assert_clean().await;
}

#[tokio::test]
async fn a_request_ahead_of_time_or_without_words_is_refused() {
    let d = Desk::drawn("aaa").await;
    let ahead = request(TimeRange::new(at(0), late() + SECOND).unwrap());
    assert!(matches!(d.eraser.ask(&ahead, late()).await, Err(RetentionError::ErasureAhead { .. })));
    let silent = NewErasure { reason: " ".into(), ..request(steps(0, 1)) };
    assert!(matches!(d.eraser.ask(&silent, late()).await, Err(RetentionError::ErasureWords)));
    let foreign = NewErasure { account: "other".parse().unwrap(), ..request(steps(0, 1)) };
    assert!(matches!(d.eraser.ask(&foreign, late()).await, Err(RetentionError::Db(DbError::Missing { .. }))));
    assert_eq!(d.picture(3).await, "###");
}

#[tokio::test]
async fn readers_have_their_time_before_bytes_are_overwritten() {
    let settings = EraseSettings { drain: 60 * SECOND, ..EraseSettings::alone() };
    let d = Desk::with("aaabbb", settings).await;
    let row = d.archive.blocks[&'a'].clone();
    d.ask(inside(1, 5)).await;
    assert_eq!(d.eraser.advance(late()).await.unwrap().wiped, 0);
    assert_eq!(d.picture(6).await, "#xxxx#", "no row leads there any more");
    assert!(scan(&d.archive.path('a'), 0).unwrap().segments.len() == 3 && d.archive.path('b').exists());
    d.assert_clean().await;
    assert_eq!(d.eraser.advance(late() + 59 * SECOND).await.unwrap().wiped, 0);
    let done = d.eraser.advance(late() + 60 * SECOND).await.unwrap();
    assert_eq!((done.wiped, done.finished.len()), (2, 1));
    assert!(is_wiped(&d.archive.root, &d.archive.db.block(row.id).await.unwrap().unwrap()).unwrap());
}

#[tokio::test]
async fn a_block_that_is_being_written_waits_until_it_is_sealed() {
    let mut d = Desk::drawn("aaabbb~").await;
    let asked = d.ask(inside(1, 5)).await;
    assert_eq!(d.eraser.advance(late()).await.unwrap().waiting, [asked.id]);
    assert_eq!(d.picture(6).await, "#xx###");
    assert_eq!(d.archive.db.pending_erasures(&cam()).await.unwrap(), [inside(1, 5)], "hidden all the same");
    let open = d.archive.blocks[&'b'].id;
    let sealed = d.archive.writers.pop().unwrap().seal(None).unwrap();
    let change = IndexChange::BlockSealed { block: open, size_bytes: sealed.size_bytes, checksum: sealed.checksum };
    d.archive.index.commit(vec![change]).await.unwrap();
    assert_eq!(d.eraser.advance(late()).await.unwrap().finished, [asked.id]);
    assert_eq!(d.picture(6).await, "#xxxx#");
}

#[tokio::test]
async fn footage_that_may_still_come_is_waited_for() {
    let settings = EraseSettings { settle: 60 * SECOND, ..EraseSettings::alone() };
    let d = Desk::with("aaa", settings).await;
    let asked = d.eraser.ask(&request(TimeRange::new(at(1), at(5)).unwrap()), at(5)).await.unwrap();
    assert_eq!(d.eraser.advance(at(5)).await.unwrap().waiting, [asked.id]);
    assert_eq!(d.picture(3).await, "#xx", "what is there goes at once");
    assert_eq!(d.eraser.advance(at(5) + 60 * SECOND).await.unwrap().finished, [asked.id]);
}

#[tokio::test]
async fn a_stream_and_an_account_go_whole_and_others_stay() {
    let mut d = Desk::drawn("aaabbb").await;
    d.archive.record("door", "ddd").await;
    let all = TimeRange::new(Timestamp::MIN, late()).unwrap();
    d.erase(all).await;
    assert_eq!((d.picture(6).await.as_str(), d.archive.coverage("door", 3).await.as_str()), ("xxxxxx", "###"));
    let account = NewErasure { stream: None, ..request(all) };
    d.eraser.ask(&account, late()).await.unwrap();
    assert_eq!(d.archive.db.pending_erasures(&"door".parse().unwrap()).await.unwrap(), [all]);
    d.eraser.advance(late()).await.unwrap();
    assert_eq!(d.archive.coverage("door", 3).await, "xxx");
    assert!(!d.archive.files().iter().any(|f| f.ends_with(".mp4")));
    d.assert_clean().await;
}

#[tokio::test]
async fn an_erasure_that_was_cut_short_anywhere_is_finished_by_the_next_run() {
    for cut in ["asked", "hidden", "wiped", "whole file gone", "rows gone"] {
        let d = Desk::drawn("aaabbbccc").await;
        let asked = d.ask(inside(2, 7)).await;
        let careful =
            Eraser::new(d.archive.index.clone(), d.archive.root.clone(), EraseSettings { drain: 60 * SECOND, ..EraseSettings::alone() });
        if cut != "asked" {
            careful.advance(late()).await.unwrap();
        }
        if ["wiped", "rows gone"].contains(&cut) {
            for letter in ['a', 'c'] {
                let row = d.archive.db.block(d.archive.blocks[&letter].id).await.unwrap().unwrap();
                crate::store::wipe_segments(&d.archive.root, &row).unwrap();
            }
        }
        if cut == "whole file gone" {
            std::fs::remove_file(d.archive.path('b')).unwrap();
        }
        if cut == "rows gone" {
            d.archive.index.commit(vec![IndexChange::BlockForgotten { block: d.archive.blocks[&'b'].id }]).await.unwrap();
        }
        // The process that comes after remembers nothing.
        let again = crate::index::Index::new(d.archive.db.clone(), d.archive.root.clone());
        let done = Eraser::new(again, d.archive.root.clone(), EraseSettings::alone()).advance(late()).await.unwrap();
        assert_eq!((done.finished, done.failed), (vec![asked.id], Vec::new()), "{cut}");
        assert_eq!(d.picture(9).await, "##xxxxx##", "{cut}");
        d.archive.index.refresh().await.unwrap();
        if cut != "rows gone" {
            d.assert_clean().await;
        }
    }
}

#[tokio::test]
async fn a_new_index_from_the_files_does_not_bring_it_back() {
    let mut d = Desk::drawn("aaabbbccc..ddd").await;
    d.erase(inside(2, 7)).await;
    let media = d.archive.media("cam").await;
    d.archive.forget_database().await;
    rebuild(&d.archive.index, &d.archive.root, late(), &mut |_| {}).await.unwrap();
    assert_eq!(d.archive.media("cam").await, media);
    assert_eq!(d.picture(14).await, "##xxxxx##..###", "and why is still known");
    let d = Desk { eraser: Eraser::new(d.archive.index.clone(), d.archive.root.clone(), EraseSettings::alone()), ..d };
    d.assert_clean().await;
}

#[tokio::test]
async fn bytes_that_came_back_are_found_and_erased_again() {
    let d = Desk::drawn("aaabbbccc").await;
    let old: Vec<(char, Vec<u8>)> = ['a', 'b'].map(|l| (l, std::fs::read(d.archive.path(l)).unwrap())).to_vec();
    d.erase(inside(2, 7)).await;
    for (letter, bytes) in &old {
        std::fs::write(d.archive.path(*letter), bytes).unwrap();
    }
    // Of the third only the media, as a disk that lost a write might.
    let third = d.archive.db.block(d.archive.blocks[&'c'].id).await.unwrap().unwrap();
    let media = third.places().next().unwrap().media_offset() as usize;
    d.archive.edit('c', |bytes| bytes[media + 40] = 7);
    let kinds = |found: &[Finding]| found.iter().map(|f| f.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&d.findings(false).await), [FindingKind::ErasedFootage; 3]);
    let repaired = d.findings(true).await;
    assert!(repaired.iter().all(|f| f.repaired), "{repaired:?}");
    d.assert_clean().await;
    assert_eq!(d.picture(9).await, "##xxxxx##");
    assert!(!d.archive.path('b').exists());
}

#[tokio::test]
async fn what_is_left_of_a_block_is_judged_and_swept_like_any_other() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let eraser = s.enforcer.eraser();
    eraser.ask(&request(inside(1, 3)), late()).await.unwrap();
    eraser.advance(late()).await.unwrap();
    let first = s.run(month_after(6)).await;
    assert_eq!(first.marked[&cam()].segments, 4);
    let swept = s.run(month_after(6) + HOUR).await;
    let amount = swept.swept[&cam()];
    assert_eq!((amount.blocks, amount.segments), (2, 4), "what was erased before is not counted again");
    assert_eq!(s.picture().await, "..c");
}

#[tokio::test]
async fn the_enforcer_finishes_what_was_asked_for() {
    let s = Scene::drawn("aaabbb..ccc").await;
    let asked = s.enforcer.eraser().ask(&request(inside(1, 5)), late()).await.unwrap();
    let report = s.run(late()).await;
    assert_eq!(report.erasures.finished, [asked.id]);
    assert_eq!(s.archive.coverage("cam", 6).await, "#xxxx#");
}
