//! Attestations: every second of the window is there, or lies in a gap that has a cause.
//!
//! [`tally`] is the statement itself, pure. [`attest`] gathers what it is about and signs it; the enforcer has one made of each stream for
//! each day, as of the end of that day in the account's time zone.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::json;

use super::judge::AccountRules;
use super::receipts::{object, signing_key};
use super::rules::judge_at;
use super::{RetentionError, RetentionResult};
use crate::audit::{Act, Document, Event};
use crate::db::{Db, DbResult};
use crate::index::Index;
use crate::media::{GapCause, StreamId, TimeRange, Timestamp};

/// Kind of the document.
pub const ATTESTATION: &str = "attestation";
/// What has just been recorded is on its way to the index for so long: an attestation ends that much before now. Twice the longest
/// segment with its sync.
const SETTLED_AFTER_US: i64 = 120_000_000;
/// Unexplained stretches named one by one; what is more is only counted.
const STRETCHES_MAX: usize = 100;
const BATCH: u32 = 4096;

/// What a window holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub present_us: i64,
    /// A gap of cause `unknown` explains nothing, and is not here.
    pub gaps_us: BTreeMap<&'static str, i64>,
    /// Given up under the plan or the cap of its day, and back in the window because a longer one was bought since.
    pub pruned_us: i64,
    /// Neither footage nor a gap with a cause: should be 0.
    pub unexplained_us: i64,
    pub unexplained: Vec<TimeRange>,
}

/// What footage (`None`) and gaps, in time order, say of the window.
pub fn tally(window: TimeRange, spans: &[(TimeRange, Option<GapCause>)]) -> Tally {
    let mut tally = Tally::default();
    let mut cursor = window.start();
    for (range, cause) in spans {
        // Where rows overlap, each moment counts once.
        let Ok(rest) = TimeRange::new(cursor.max(range.start()), range.end().min(window.end())) else { continue };
        tally.leave_open(cursor, rest.start());
        match cause {
            None => tally.present_us += rest.micros(),
            Some(GapCause::Unknown) => tally.leave_open(rest.start(), rest.end()),
            Some(cause) => *tally.gaps_us.entry(cause.as_str()).or_default() += rest.micros(),
        }
        cursor = rest.end();
    }
    tally.leave_open(cursor, window.end());
    tally
}

impl Tally {
    fn leave_open(&mut self, from: Timestamp, to: Timestamp) {
        let Ok(range) = TimeRange::new(from, to) else { return };
        self.unexplained_us += range.micros();
        let room = self.unexplained.len() < STRETCHES_MAX;
        match self.unexplained.last_mut() {
            Some(last) if last.end() == range.start() => *last = TimeRange::new(last.start(), range.end()).unwrap_or(*last),
            _ if room => self.unexplained.push(range),
            _ => {}
        }
    }
}

/// The part of the window, as of `at`, that has to be accounted for; `None`: nothing was ever recorded. It ends with the last that is
/// known where that was imported: nobody promised what comes behind an import. Behind what was recorded live, every moment counts.
///
/// # Errors
/// [`crate::db::DbError`].
pub async fn known_window(db: &Db, stream: &StreamId, rules: &AccountRules, at: Timestamp) -> DbResult<Option<TimeRange>> {
    let totals = db.totals(stream).await?;
    let Some(first) = totals.first_start.into_iter().chain(totals.first_gap).min() else { return Ok(None) };
    let start = judge_at(db, stream, rules, at).await?.window_start().map_or(first, |start| start.max(first));
    let end = if ends_live(db, stream, totals.last_end).await? { at } else { known_end(db, stream, totals.last_end, at).await?.min(at) };
    Ok(TimeRange::new(start, end).ok())
}

async fn ends_live(db: &Db, stream: &StreamId, last_end: Option<Timestamp>) -> DbResult<bool> {
    let last = last_end.and_then(|end| TimeRange::new(end.saturating_add_micros(-1), end).ok());
    let Some(last) = last else { return Ok(false) };
    let Some(extent) = db.run_extents(stream, last, 1).await?.pop() else { return Ok(false) };
    Ok(db.run(extent.run).await?.is_some_and(|run| run.import_key.is_none()))
}

/// Where the last footage or gap ends; `at` while a gap lasts.
async fn known_end(db: &Db, stream: &StreamId, last_end: Option<Timestamp>, at: Timestamp) -> DbResult<Timestamp> {
    let mut end = last_end.unwrap_or(Timestamp::MIN);
    while let Ok(behind) = TimeRange::new(end, Timestamp::MAX) {
        let Some(last) = db.gaps_in(stream, behind, BATCH).await?.pop() else { break };
        end = last.end.unwrap_or(at);
        if last.end.is_none() {
            break;
        }
    }
    Ok(end)
}

/// What is known of `window`, counted.
///
/// # Errors
/// [`crate::db::DbError`].
pub async fn tally_of(db: &Db, stream: &StreamId, rules: &AccountRules, window: TimeRange) -> DbResult<Tally> {
    let mut tally = tally(window, &spans_of(db, stream, window).await?);
    explain_swept(db, stream, rules, &mut tally).await?;
    Ok(tally)
}

/// Footage (`None`) and gaps in the window, in time order.
pub(super) async fn spans_of(db: &Db, stream: &StreamId, window: TimeRange) -> DbResult<Vec<(TimeRange, Option<GapCause>)>> {
    let mut spans: Vec<(TimeRange, Option<GapCause>)> = Vec::new();
    let mut rest = Some(window);
    while let Some(range) = rest {
        let page = db.run_extents(stream, range, BATCH).await?;
        rest = page.last().filter(|_| page.len() == BATCH as usize).and_then(|e| TimeRange::new(e.range.end(), window.end()).ok());
        spans.extend(page.into_iter().map(|e| (e.range, None)));
    }
    let mut rest = Some(window);
    while let Some(range) = rest {
        let page = db.gaps_in(stream, range, BATCH).await?;
        let end = page.last().filter(|_| page.len() == BATCH as usize).and_then(|g| g.end);
        rest = end.and_then(|end| TimeRange::new(end, window.end()).ok());
        spans.extend(page.iter().filter_map(|g| Some((g.within(window)?, Some(g.cause)))));
    }
    spans.sort_unstable_by_key(|(range, _)| (range.start(), range.end()));
    Ok(spans)
}

/// Takes out of what is unexplained what sweeps took rightly: when it was given up, nothing that applied then kept it.
async fn explain_swept(db: &Db, stream: &StreamId, rules: &AccountRules, tally: &mut Tally) -> DbResult<()> {
    let mut left = Vec::new();
    for range in std::mem::take(&mut tally.unexplained) {
        // From its end on: that is the order in which what was swept is found.
        let mut rest = Some(range);
        while let Some(range) = rest {
            let swept = db.swept_in(stream, range).await?;
            let found = swept.and_then(|swept| Some((swept.block.range.intersection(range)?, swept)));
            let Some((piece, swept)) = found else {
                left.push(range);
                break;
            };
            left.extend(TimeRange::new(piece.end(), range.end()));
            let judge = judge_at(db, stream, rules, swept.marked_at).await?;
            if judge.judge(swept.block.range).keeps() {
                left.push(piece);
            } else {
                tally.pruned_us += piece.micros();
                tally.unexplained_us -= piece.micros();
            }
            rest = TimeRange::new(range.start(), piece.start()).ok();
        }
    }
    tally.unexplained = TimeRange::merged(left);
    Ok(())
}

/// Makes and keeps the attestation of the stream as of `at`, which is not later than `now`. `None`: nothing was ever recorded.
///
/// # Errors
/// [`RetentionError`].
pub async fn attest(
    index: &Index,
    stream: &StreamId,
    rules: &AccountRules,
    at: Timestamp,
    (actor, now): (&str, Timestamp),
) -> RetentionResult<Option<Document>> {
    let db = index.db();
    let row = db.stream(stream).await?.ok_or_else(|| RetentionError::UnknownStream(stream.clone()))?;
    let at = at.min(now.saturating_add_micros(-SETTLED_AFTER_US));
    let Some(window) = known_window(db, stream, rules, at).await? else { return Ok(None) };
    let tally = tally_of(db, stream, rules, window).await?;
    let holds = db.holds_on(stream).await?.into_iter().filter(|h| h.active_at(at) && h.kept().overlaps(window));
    let holds: Vec<_> = holds.map(|h| json!({ "hold": h.id, "start_us": h.kept().start(), "end_us": h.kept().end() })).collect();
    let pruned = db.swept_span(stream, window).await?.and_then(|span| span.intersection(window));
    let day = day_of(at, &rules.zone);
    let members = object(json!({
        "stream": stream, "account": row.account, "day": day, "at_us": at, "made_us": now,
        "window_start_us": window.start(), "window_end_us": window.end(), "present_us": tally.present_us, "gaps_us": tally.gaps_us,
        "pruned_us": tally.pruned_us, "unexplained_us": tally.unexplained_us, "unexplained": tally.unexplained, "holds": holds,
        "erased_us": tally.gaps_us.get(GapCause::Erased.as_str()).copied().unwrap_or_default(),
        // From the first to the last of it that a sweep ever took.
        "pruned": pruned,
    }));
    let document = Document::sign(&signing_key(db).await?, ATTESTATION, members);
    let event = Event::system(now, Act("attestation.made")).by(actor).of_account(&row.account).on_stream(stream).over(window);
    let event = event.with("day", day.as_str()).with("sha256", document.hash()).with("unexplained_us", tally.unexplained_us);
    db.add_attestation(stream, &day, now, &document.to_text(), event).await?;
    Ok(Some(document))
}

/// The account's day in which `t` lies, as `YYYY-MM-DD`.
fn day_of(t: Timestamp, zone: &TimeZone) -> String {
    let zoned = jiff::Timestamp::from_microsecond(t.as_micros()).map(|t| t.to_zoned(zone.clone()));
    zoned.map_or_else(|_| t.to_rfc3339(0)[..10].to_owned(), |z| z.date().to_string())
}

/// The last moment of the account's day before the one of `now`.
fn end_of_yesterday(now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?.to_zoned(zone.clone());
    let midnight = today.start_of_day().ok()?.timestamp().as_microsecond();
    Some(Timestamp::from_micros(midnight - 1))
}

/// Makes yesterday's attestation of the stream, unless there is one. True when it was made.
///
/// # Errors
/// [`RetentionError`].
pub async fn attest_yesterday(index: &Index, stream: &StreamId, rules: &AccountRules, now: Timestamp) -> RetentionResult<bool> {
    let Some(at) = end_of_yesterday(now, &rules.zone) else { return Ok(false) };
    // Its last moments have not settled: the next run makes it.
    let settled = now.micros_since(at) > SETTLED_AFTER_US;
    if !settled {
        return Ok(false);
    }
    let kept = index.db().attestation(stream, Some(&day_of(at, &rules.zone))).await?.and_then(|text| Document::kept(&text).ok());
    // One that was made by hand in the middle of the day does not speak of its end.
    let whole = kept.is_some_and(|d| d.members().get("at_us").and_then(serde_json::Value::as_i64) == Some(at.as_micros()));
    if whole {
        return Ok(false);
    }
    Ok(attest(index, stream, rules, at, ("system", now)).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use GapCause::{Damaged, Erased, Paused, Unknown};

    fn r(from: i64, to: i64) -> TimeRange {
        TimeRange::new(Timestamp(from), Timestamp(to)).unwrap()
    }

    #[test]
    fn each_moment_of_the_window_is_there_or_has_a_cause_or_is_named() {
        let spans = [(r(0, 20), None), (r(20, 30), Some(Paused)), (r(30, 40), None), (r(40, 45), Some(Erased)), (r(50, 70), None)];
        let found = tally(r(10, 60), &spans);
        assert_eq!((found.present_us, found.unexplained_us, found.unexplained), (30, 5, vec![r(45, 50)]));
        assert_eq!(found.gaps_us, BTreeMap::from([("erased", 5), ("paused", 10)]));
    }

    #[test]
    fn a_gap_of_unknown_cause_explains_nothing_and_what_overlaps_counts_once() {
        let spans = [(r(0, 10), None), (r(5, 12), Some(Damaged)), (r(12, 20), Some(Unknown))];
        let found = tally(r(0, 30), &spans);
        assert_eq!((found.present_us, found.gaps_us["damaged"]), (10, 2));
        assert_eq!((found.unexplained_us, found.unexplained), (18, vec![r(12, 30)]), "one stretch");
        assert_eq!(tally(r(0, 30), &[]).unexplained, [r(0, 30)]);
    }

    #[test]
    fn a_day_ends_at_the_accounts_midnight() {
        let zone = TimeZone::get("America/Halifax").unwrap();
        let now = Timestamp::parse("2026-05-03T02:30:00Z", Timestamp::MIN).unwrap();
        let end = end_of_yesterday(now, &zone).unwrap();
        assert_eq!((day_of(end, &zone).as_str(), end.to_rfc3339(0).as_str()), ("2026-05-01", "2026-05-02T02:59:59Z"));
    }
}
