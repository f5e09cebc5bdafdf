//! Was the promise kept? What `retroview check` says of retention, from the rows alone.
//!
//! Footage that should have gone and has not, footage that should be there and is not, deletions that nobody wrote down, and work that
//! does not come to its end. Changes nothing.

use std::collections::BTreeSet;

use super::attest::{known_window, tally_of};
use super::judge::AccountRules;
use super::rules::{Decided, Plans};
use super::window_start::DAY_US;
use super::{RetentionResult, Settings};
use crate::audit::Event;
use crate::db::{AuditQuery, Db, StreamRow};
use crate::index::{Finding, FindingKind};
use crate::media::{StreamId, TimeRange, Timestamp};

/// Between the end of the grace and the sweep: a day's runs, and one that did not come to its end.
const SLACK_US: i64 = 2 * DAY_US;
/// Work that takes longer has got stuck.
const LONG_US: i64 = DAY_US;
/// What was recorded a moment ago may not be in the index yet.
const SETTLED_AFTER_US: i64 = 120_000_000;
/// Rows read at a time.
const BATCH: u32 = 500;

/// Where the check tells what it finds.
pub type Tell<'a> = &'a mut (dyn FnMut(Finding) + Send);

/// Looks at these streams (none: all), and, when it looks at all, at what is written down of sweeps, erasures and holds.
///
/// # Errors
/// [`super::RetentionError::Db`].
pub async fn check_retention(
    db: &Db,
    plans: &dyn Plans,
    settings: &Settings,
    streams: &[StreamId],
    now: Timestamp,
    tell: Tell<'_>,
) -> RetentionResult<()> {
    let stands_still = db.retention_state().await?.stopped.is_some();
    for row in db.streams(true).await?.iter().filter(|row| streams.is_empty() || streams.contains(&row.id)) {
        let rules = plans.rules(&row.account).await?;
        // While an operator has to look, nothing may go: that is said elsewhere, and is no second fault.
        if !stands_still {
            overdue(db, settings, row, &rules, now, tell).await?;
        }
        missing(db, row, &rules, now, tell).await?;
    }
    if streams.is_empty() {
        unrecorded(db, tell).await?;
        stuck(db, now, tell).await?;
    }
    Ok(())
}

/// Footage beyond its window, the grace and the time a sweep may take, that nothing keeps.
async fn overdue(
    db: &Db,
    settings: &Settings,
    row: &StreamRow,
    rules: &AccountRules,
    now: Timestamp,
    tell: Tell<'_>,
) -> RetentionResult<()> {
    // As it was then: what a downgrade or a cap of yesterday gives up is not late.
    let then = (now - settings.grace).saturating_add_micros(-SLACK_US);
    let decided = Decided::of(db, &row.id).await?;
    let (judge_then, judge_now) = (decided.judge_at(rules, then), decided.judge_now(rules, now));
    let Some(until) = judge_then.window_start().min(judge_now.window_start()) else { return Ok(()) };
    let mut rest = TimeRange::new(Timestamp::MIN, until).ok();
    while let Some(range) = rest {
        let page = db.blocks_in(&row.id, range, BATCH).await?;
        for block in page.iter().filter(|b| b.checksum.is_some() && b.end() <= until) {
            let Some(whole) = block.range() else { continue };
            // A mark that is not due is younger than the grace: a hold was released, or an erasure's neighbour.
            let waits =
                db.mark_of(block.id).await?.is_some_and(|mark| mark.sweep.is_some() || mark.due_at.saturating_add_micros(SLACK_US) > now);
            if !waits && !judge_then.judge(whole).keeps() && !judge_now.judge(whole).keeps() {
                let detail = format!("it left the window before {}, and should have been deleted since", then.to_rfc3339(0));
                let finding = Finding::new(FindingKind::BeyondWindow, detail).of_stream(&row.id).of_block(block.id);
                tell(finding.at_path(block.path()).in_range(Some(whole)));
            }
        }
        rest = page.last().filter(|_| page.len() == BATCH as usize).and_then(|last| TimeRange::new(last.end(), until).ok());
    }
    Ok(())
}

/// Time inside the window that is neither recorded nor in a gap with a cause.
async fn missing(db: &Db, row: &StreamRow, rules: &AccountRules, now: Timestamp, tell: Tell<'_>) -> RetentionResult<()> {
    let at = now.saturating_add_micros(-SETTLED_AFTER_US);
    let Some(window) = known_window(db, &row.id, rules, at).await? else { return Ok(()) };
    for range in tally_of(db, &row.id, rules, window).await?.unexplained {
        let detail = match db.swept_in(&row.id, range).await? {
            Some(swept) => format!("sweep {} took it, and it is inside the window", swept.sweep),
            None => "it is neither recorded nor in a gap with a cause".to_owned(),
        };
        tell(Finding::new(FindingKind::MissingInWindow, detail).of_stream(&row.id).in_range(Some(range)));
    }
    Ok(())
}

/// Rows of deletions and holds that the audit log does not know.
async fn unrecorded(db: &Db, tell: Tell<'_>) -> RetentionResult<()> {
    let swept = numbers(db, "retention.swept", "sweep").await?;
    // A row of some bytes for each thousand blocks that ever went: all of them fit.
    for sweep in db.sweeps(None, u32::MAX).await?.iter().filter(|s| s.finished_at.is_some() && !swept.contains(&s.id)) {
        tell(Finding::new(FindingKind::Unrecorded, format!("sweep {} has no record in the audit log", sweep.id)));
    }
    let asked = numbers(db, "erasure.asked", "erasure").await?;
    let mut before = None;
    loop {
        let page = db.erasures(None, before, BATCH).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        for erasure in page.iter().filter(|e| !asked.contains(&e.id)) {
            tell(Finding::new(FindingKind::Unrecorded, format!("erasure {} has no record in the audit log", erasure.id)));
        }
    }
    let placed = numbers(db, "hold.placed", "hold").await?;
    let mut after = 0;
    loop {
        let page = db.holds(None, after, BATCH).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for hold in page.iter().filter(|h| !placed.contains(&h.id)) {
            tell(Finding::new(FindingKind::Unrecorded, format!("hold {} has no record in the audit log", hold.id)));
        }
    }
}

/// Numbers that records of this act name.
async fn numbers(db: &Db, act: &str, name: &str) -> RetentionResult<BTreeSet<i64>> {
    let query = AuditQuery { act: Some(act.to_owned()), ..AuditQuery::default() };
    let (mut found, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = db.audit_records(&query, after, BATCH).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.n;
        let number = |event: &Event| event.details.get(name).and_then(serde_json::Value::as_i64);
        found.extend(page.iter().filter_map(|record| number(&record.event)));
    }
}

/// Sweeps and erasures that do not come to their end.
async fn stuck(db: &Db, now: Timestamp, tell: Tell<'_>) -> RetentionResult<()> {
    let is_long = |since: Timestamp| now.micros_since(since) > LONG_US;
    for (sweep, left) in db.unfinished_sweeps().await?.iter().filter(|(sweep, _)| is_long(sweep.begun_at)) {
        let detail = format!("sweep {} began on {} and has {} blocks to go", sweep.id, sweep.begun_at.to_rfc3339(0), left.len());
        tell(Finding::new(FindingKind::Unfinished, detail).in_range(left.first().map(|mark| mark.block.range)));
    }
    for erasure in db.unfinished_erasures(BATCH).await?.iter().filter(|e| is_long(e.asked_at)) {
        let detail = format!("erasure {} was asked for on {} and is not finished", erasure.id, erasure.asked_at.to_rfc3339(0));
        let mut finding = Finding::new(FindingKind::Unfinished, detail).in_range(Some(erasure.erasure.range));
        finding.stream.clone_from(&erasure.erasure.stream);
        tell(finding);
    }
    Ok(())
}
