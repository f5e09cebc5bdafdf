//! The steps that a history is made of.

use std::sync::{Arc, Mutex};

use anyhow::ensure;
use retroview::accounts::{Agreement, By};
use retroview::db::{DbError, IndexChange, NewErasure, NewHold, Release};
use retroview::index::rebuild;
use retroview::media::{BlockId, GapCause, TimeRange, Timestamp};
use retroview::retention::RetentionError;

use crate::Outcome;
use crate::calendar::{DAY_US, HOUR_US, show};
use crate::camera::{self, Script};
use crate::history::{History, PLANS};
use crate::model::{Block, Erasure, Fate, Hold};

/// Days that pass with a run on each; more are spent with the service off, and an operator who confirms.
const DAILY_MAX: i64 = 4;
const PEOPLE: [&str; 2] = ["user ann", "user bob"];

pub async fn take(h: &mut History) -> Outcome {
    const WEIGHTS: [usize; 15] = [24, 8, 30, 8, 6, 3, 6, 11, 8, 4, 4, 3, 2, 3, 7];
    match h.dice.weighted(&WEIGHTS) {
        0 => record(h).await,
        1 => wait(h).await,
        2 => wait_for_something(h).await,
        3 => upgrade(h).await,
        4 => downgrade(h).await,
        5 => cancel_downgrade(h).await,
        6 => cap(h).await,
        7 => hold(h).await,
        8 => release(h).await,
        9 => clock_jumps(h).await,
        10 => crash_between(h).await,
        11 => meanwhile_hold(h).await,
        12 => rebuild_index(h).await,
        13 => meanwhile_upgrade(h).await,
        _ => erase(h).await,
    }
}

async fn record(h: &mut History) -> Outcome {
    let s = h.dice.below(h.model.streams.len());
    // What the clock says lies behind what is recorded: a recorder waits.
    if h.model.streams[s].end > h.now {
        return Ok(());
    }
    let stream = &h.model.streams[s];
    let id = stream.id.clone();
    let account = h.model.customers[stream.customer].id.clone();
    let run = camera::run(&id, h.now, stream.next_run, h.dice.number());
    h.model.streams[s].next_run += 1;
    let blocks = h.dice.between(1, 4);
    let torn = h.dice.percent(8);
    h.say(format!("{id} records {blocks} blocks{}", if torn { ", the last of them torn" } else { "" }));
    for i in 0..blocks {
        let last = i + 1 == blocks;
        let script = Script {
            account: &account,
            id: BlockId::new(h.now, h.dice.number()),
            start: h.now,
            first_sequence: h.model.streams[s].next_sequence,
            segments: h.dice.between(1, 4).unsigned_abs(),
            segment_us: u32::try_from(h.dice.between(60, 3000))? * 1_000_000,
        };
        let shot = camera::shoot(&h.world().root, &run, &script, torn && last)?;
        let (first, end) = (shot.segments[0].start, shot.segments[shot.segments.len() - 1].end);
        let mut changes = vec![IndexChange::GapClosed { stream: id.clone(), end: h.now }, IndexChange::RunStarted(run.clone())];
        let (size_bytes, checksum) = (shot.info.size_bytes, shot.info.checksum);
        changes.push(IndexChange::BlockOpened(retroview::media::BlockInfo {
            state: retroview::media::BlockState::Open,
            checksum: None,
            ..shot.info.clone()
        }));
        // Of a torn block not all that is in the file was reported.
        let reported = if torn && last { h.dice.below(shot.entries.len() + 1) } else { shot.entries.len() };
        changes.extend(shot.entries[..reported].iter().map(|entry| IndexChange::SegmentAppended { block: shot.info.id, entry: *entry }));
        changes.extend(checksum.map(|checksum| IndexChange::BlockSealed { block: shot.info.id, size_bytes, checksum }));
        if last && !torn {
            let (cause, detail) = (GapCause::SourceEnded, String::new());
            changes.push(IndexChange::GapOpened { stream: id.clone(), start: end, cause, detail });
        }
        h.model.streams[s].next_sequence += shot.entries.len() as u64;
        (h.now, h.model.streams[s].end) = (end, end);
        h.model.blocks.push(Block {
            id: shot.info.id,
            stream: s,
            path: h.world().root.file(&shot.info.path()),
            range: TimeRange::new(first, end)?,
            segments: shot.segments,
            fate: Fate::Kept,
            whole: true,
            unreceipted: false,
            maybe_marked: None,
            judged_before: None,
            surely_marked: None,
        });
        h.tally.count("block recorded");
        let committed = h.world().index.commit(changes).await;
        if h.survive("record", committed).await?.is_none() {
            return Ok(());
        }
    }
    if torn {
        h.tally.count("crash at writing a segment");
        h.crash().await?;
    }
    Ok(())
}

/// Time passes: for some days with a run on each, for longer with the service off.
async fn pass(h: &mut History, until: Timestamp) -> Outcome {
    if until.micros_since(h.now) <= DAILY_MAX * DAY_US {
        while h.now < until {
            h.now = until.min(h.now.saturating_add_micros(23 * HOUR_US));
            settle(h).await?;
            h.enforce().await?;
        }
        return Ok(());
    }
    h.now = until;
    settle(h).await?;
    h.enforce().await
}

/// Terms roll over by themselves.
async fn settle(h: &mut History) -> Outcome {
    let settled = h.world().accounts.settle_all(h.now).await;
    if let Some(n) = h.survive("settle", settled).await?.filter(|n| *n > 0) {
        h.tally.add("terms rolled over", n as u64);
    }
    let now = h.now;
    h.model.customers.iter_mut().for_each(|c| c.settled = c.settled.max(now));
    let came = h.model.customers.iter().filter(|c| c.scheduled.is_some_and(|(at, _)| at <= now)).count();
    if came > 0 {
        h.tally.add("downgrade came", came as u64);
        h.model.customers.iter_mut().for_each(|c| c.settle(now));
    }
    Ok(())
}

async fn wait(h: &mut History) -> Outcome {
    let hours = h.dice.between(1, 60);
    h.say(format!("{hours} hours pass"));
    pass(h, h.now.saturating_add_micros(hours * HOUR_US)).await
}

/// To the very moment at which something changes, a microsecond before it or one after.
async fn wait_for_something(h: &mut History) -> Outcome {
    let (what, moment) = match h.dice.below(10) {
        0..4 => ("footage leaves", next_leave(h)),
        4..8 => ("a grace ends", next_due(h)),
        8 => ("a hold expires", h.model.holds.iter().filter(|o| o.released.is_none()).filter_map(|o| o.expires).find(|t| *t > h.now)),
        _ => ("a downgrade comes", h.model.customers.iter().filter_map(|c| c.scheduled).map(|(at, _)| at).find(|t| *t > h.now)),
    };
    let Some(moment) = moment else { return wait(h).await };
    let until = moment.saturating_add_micros(h.dice.between(-1, 1));
    h.say(format!("until {what}, {}", show(until)));
    h.tally.count(format!("waited until {what}"));
    pass(h, until).await
}

fn next_leave(h: &mut History) -> Option<Timestamp> {
    let kept: Vec<usize> = (0..h.model.blocks.len()).filter(|i| h.model.blocks[*i].fate == Fate::Kept).collect();
    let block = &h.model.blocks[h.dice.pick(&kept)?];
    h.model.leaves(block, h.now)
}

fn next_due(h: &mut History) -> Option<Timestamp> {
    let marked = h.model.blocks.iter().filter(|b| b.fate == Fate::Kept).filter_map(|b| b.surely_marked);
    let due: Vec<Timestamp> = marked.map(|t| t.saturating_add_micros(h.model.grace_us)).filter(|t| *t > h.now).collect();
    h.dice.pick(&due)
}

/// Index in [`PLANS`] of what the customer has now.
fn plan_of(h: &History, c: usize) -> usize {
    let months = h.model.customers[c].months_at(h.now);
    PLANS.iter().position(|(_, m)| *m == months).expect("nothing else is sold")
}

/// A customer for whom something can be decided now.
fn decider(h: &mut History) -> Option<usize> {
    let c = h.dice.below(h.model.customers.len());
    let now = h.now;
    h.model.customers[c].settle(now);
    (h.model.customers[c].decided_until() <= now && h.model.customers[c].start <= now).then_some(c)
}

async fn agreement(h: &History, c: usize) -> Outcome<Agreement> {
    let view = h.world().accounts.subscription(&h.model.customers[c].id, h.now).await?;
    Ok(Agreement { version: view.row.version, words: "We would like that.".into() })
}

async fn upgrade(h: &mut History) -> Outcome {
    let Some(c) = decider(h) else { return Ok(()) };
    let from = plan_of(h, c);
    if from + 1 == PLANS.len() {
        return Ok(());
    }
    let (plan, months) = PLANS[from + 1 + h.dice.below(PLANS.len() - from - 1)];
    let (agreement, id) = (agreement(h, c).await?, h.model.customers[c].id.clone());
    let done = h.world().accounts.upgrade(&h.by(), &id, plan, None, h.now, &agreement).await;
    if h.survive("upgrade", done).await?.is_some() {
        h.say(format!("{id} upgrades to {plan}"));
        h.tally.count("upgrade");
        upgraded(h, c, months);
    }
    Ok(())
}

fn upgraded(h: &mut History, c: usize, months: Option<u32>) {
    let now = h.now;
    h.model.customers[c].scheduled = None;
    h.model.customers[c].plans.push((now, months));
}

async fn downgrade(h: &mut History) -> Outcome {
    let Some(c) = decider(h) else { return Ok(()) };
    let from = plan_of(h, c);
    if from == 0 || h.model.customers[c].scheduled.is_some() {
        return Ok(());
    }
    let (plan, months) = PLANS[h.dice.below(from)];
    let (agreement, id) = (agreement(h, c).await?, h.model.customers[c].id.clone());
    let done = h.world().accounts.schedule_downgrade(&h.by(), &id, plan, None, &agreement).await;
    if let Some(since) = h.survive("downgrade", done).await? {
        h.say(format!("{id} will be on {plan} from {}", show(since.from)));
        h.tally.count("downgrade scheduled");
        // Where the clock went back, terms that have begun by then have begun.
        let latest = h.model.customers[c].settled.max(h.now);
        let right = [h.now, latest].iter().any(|t| since.from == h.model.customers[c].term_end(*t));
        ensure!(right, "the term ends at another moment");
        h.model.customers[c].scheduled = Some((since.from, months));
    }
    Ok(())
}

async fn cancel_downgrade(h: &mut History) -> Outcome {
    let Some(c) = decider(h) else { return Ok(()) };
    if h.model.customers[c].scheduled.is_none() {
        return Ok(());
    }
    let (agreement, id) = (agreement(h, c).await?, h.model.customers[c].id.clone());
    let done = h.world().accounts.cancel_downgrade(&h.by(), &id, &agreement).await;
    if h.survive("cancel", done).await?.is_some() {
        h.say(format!("{id} cancels the downgrade"));
        h.tally.count("downgrade cancelled");
        h.model.customers[c].scheduled = None;
    }
    Ok(())
}

async fn cap(h: &mut History) -> Outcome {
    let s = h.dice.below(h.model.streams.len());
    let lift = h.model.streams[s].caps.last().is_some_and(|(_, hours)| hours.is_some()) && h.dice.percent(60);
    let hours = if lift { None } else { Some(u32::try_from(h.dice.between(24, 2400))?) };
    let (id, event) = (h.model.streams[s].id.clone(), h.event("stream.capped"));
    let done = h.world().db.set_cap(&id, hours, "user op", h.now, event).await;
    if h.survive("cap", done).await?.is_some() {
        h.say(format!("{id} is capped: {hours:?} hours"));
        h.tally.count(if lift { "cap lifted" } else { "cap set" });
        let now = h.now;
        let caps = &mut h.model.streams[s].caps;
        caps.retain(|(from, _)| *from != now);
        caps.push((now, hours));
    }
    Ok(())
}

/// A hold somebody might place: on footage that is there, more often than not.
fn new_hold(h: &mut History, c: usize) -> Outcome<(NewHold, Vec<usize>)> {
    let streams: Vec<usize> = (0..h.model.streams.len()).filter(|s| h.model.streams[*s].customer == c).collect();
    let mut chosen: Vec<usize> = streams.iter().copied().filter(|_| h.dice.percent(70)).collect();
    if chosen.is_empty() {
        chosen.push(streams[0]);
    }
    let kept: Vec<usize> = (0..h.model.blocks.len())
        .filter(|b| h.model.blocks[*b].fate == Fate::Kept && chosen.contains(&h.model.blocks[*b].stream))
        .collect();
    let around = h.dice.pick(&kept).map_or(h.now, |b| h.model.blocks[b].range.start());
    let start = around.saturating_add_micros(h.dice.between(-2, 2) * HOUR_US / 2);
    let end = start.saturating_add_micros(h.dice.between(1, 40) * HOUR_US / 2);
    let expires_at = if h.dice.percent(50) { Some(h.now.saturating_add_micros(h.dice.between(1, 80) * DAY_US / 2)) } else { None };
    let mut margin = || if h.dice.percent(50) { h.dice.between(1, 3600) * 1_000_000 } else { 0 };
    let (margin_before_us, margin_after_us) = (margin(), margin());
    let new = NewHold {
        account: h.model.customers[c].id.clone(),
        streams: chosen.iter().map(|s| h.model.streams[*s].id.clone()).collect(),
        range: TimeRange::new(start, end)?,
        margin_before_us,
        margin_after_us,
        case: "1".into(),
        reason: "a fall".into(),
        author: PEOPLE[0].into(),
        expires_at,
    };
    Ok((new, chosen))
}

fn held(h: &mut History, id: i64, c: usize, new: &NewHold, streams: Vec<usize>) {
    let (start, end) =
        (new.range.start().saturating_add_micros(-new.margin_before_us), new.range.end().saturating_add_micros(new.margin_after_us));
    h.say(format!("hold {id} on {streams:?}, {} to {}, until {}", show(start), show(end), new.expires_at.map_or("released".into(), show)));
    let (placed, expires, asked_by, released) = (h.now, new.expires_at, None, None);
    h.model.hold_placed(Hold { id, customer: c, streams, start, end, placed, expires, asked_by, released });
}

async fn hold(h: &mut History) -> Outcome {
    let c = h.dice.below(h.model.customers.len());
    let (new, streams) = new_hold(h, c)?;
    place(h, c, new, streams).await
}

/// A sweep was cut short, and before it is taken up again somebody places a hold over what it had begun to take.
pub async fn hold_too_late(h: &mut History) -> Outcome {
    let taken: Vec<usize> = (0..h.model.blocks.len()).filter(|b| h.model.blocks[*b].fate == Fate::Taken).collect();
    let Some(b) = h.dice.pick(&taken) else { return Ok(()) };
    let c = h.model.streams[h.model.blocks[b].stream].customer;
    let (mut new, _) = new_hold(h, c)?;
    let streams = over_block(h, b, &mut new);
    place(h, c, new, streams).await
}

/// Moves the hold over this block.
fn over_block(h: &History, b: usize, new: &mut NewHold) -> Vec<usize> {
    let block = &h.model.blocks[b];
    (new.range, new.streams) = (block.range, vec![h.model.streams[block.stream].id.clone()]);
    vec![block.stream]
}

async fn place(h: &mut History, c: usize, new: NewHold, streams: Vec<usize>) -> Outcome {
    let done = h.world().db.place_hold(&new, h.now, h.event("hold.placed")).await;
    if matches!(done, Err(DbError::Erasing { .. })) {
        ensure!(h.model.erasures.iter().any(|e| !e.finished), "a hold was refused for an erasure that is over");
        h.tally.count("hold refused for an erasure");
        return Ok(());
    }
    if let Some(placed) = h.survive("hold", done).await? {
        h.tally.count("hold placed");
        if placed.rescued > 0 {
            h.tally.add("mark taken off by a hold", placed.rescued);
        }
        if placed.too_late > 0 {
            h.tally.add("hold came too late for a block", placed.too_late);
        }
        held(h, placed.row.id, c, &new, streams);
    }
    Ok(())
}

async fn release(h: &mut History) -> Outcome {
    let open: Vec<usize> = (0..h.model.holds.len()).filter(|i| h.model.holds[*i].released.is_none()).collect();
    let Some(i) = h.dice.pick(&open) else { return Ok(()) };
    let person = h.dice.below(PEOPLE.len());
    let (id, asked_by) = (h.model.holds[i].id, h.model.holds[i].asked_by);
    let two_people = h.model.customers[h.model.holds[i].customer].two_people;
    let expected = match asked_by {
        None if two_people => Release::Asked,
        Some(first) if first == person => Release::NeedsAnother,
        _ => Release::Released,
    };
    let done = h.world().db.release_hold(id, PEOPLE[person], two_people, h.now, h.event("hold.released")).await;
    let Some(release) = h.survive("release", done).await? else { return Ok(()) };
    ensure!(release == expected, "{} asks to release hold {id}: {release:?}, not {expected:?}", PEOPLE[person]);
    h.say(format!("{} asks to release hold {id}: {release:?}", PEOPLE[person]));
    h.tally.count(format!("hold: {release:?}"));
    let now = h.now;
    match release {
        Release::Asked => h.model.holds[i].asked_by = Some(person),
        Release::Released => h.model.holds[i].released = Some(now),
        Release::NeedsAnother | Release::WasReleased => {}
    }
    Ok(())
}

/// Somebody sets the clock. It is set right again, or believed.
async fn clock_jumps(h: &mut History) -> Outcome {
    // So that it is the jump that is seen, and nothing else.
    h.enforce().await?;
    let right = h.now;
    let days = if h.dice.percent(50) { -h.dice.between(1, 90) } else { h.dice.between(2, 400) };
    h.now = h.now.saturating_add_micros(days * DAY_US + h.dice.between(0, HOUR_US));
    h.say(format!("the clock jumps by {days} days"));
    h.tally.count(if days < 0 { "clock jumped backward" } else { "clock jumped forward" });
    for _ in 0..2 {
        if let Some(report) = h.run().await? {
            ensure!(report.stopped.is_some(), "the clock jumped, and it went on");
        }
    }
    if h.dice.percent(60) {
        h.now = right;
        h.say("the clock is set right");
        if let Some(report) = h.run().await? {
            ensure!(report.stopped.is_some(), "nobody has confirmed, and it went on");
        }
        h.confirm().await?;
    } else {
        h.tally.count("clock believed");
    }
    h.enforce().await
}

/// The process is killed while nothing is under way.
async fn crash_between(h: &mut History) -> Outcome {
    h.say("killed");
    h.tally.count("crash between steps");
    h.crash().await?;
    h.enforce().await
}

/// Somebody asks that footage be erased: a part of a stream, or all that an account has.
async fn erase(h: &mut History) -> Outcome {
    let c = h.dice.below(h.model.customers.len());
    let all: Vec<usize> = (0..h.model.streams.len()).filter(|s| h.model.streams[*s].customer == c).collect();
    let there: Vec<usize> =
        (0..h.model.blocks.len()).filter(|b| h.model.blocks[*b].is_there() && all.contains(&h.model.blocks[*b].stream)).collect();
    let Some(around) = h.dice.pick(&there) else { return Ok(()) };
    let block = &h.model.blocks[around];
    let (streams, mut start, mut end) = (vec![block.stream], block.range.start(), block.range.end());
    let whole_account = h.dice.percent(10);
    let streams = if whole_account { all } else { streams };
    if whole_account {
        (start, end) = (Timestamp::MIN, h.now);
    } else {
        // Mostly a part of a block, often one that touches its neighbour.
        start = start.saturating_add_micros(h.dice.between(-1, 3) * HOUR_US / 4);
        end = start.saturating_add_micros(h.dice.between(1, 6) * HOUR_US / 4).min(end.saturating_add_micros(HOUR_US));
    }
    let end = end.min(h.now);
    let Ok(range) = TimeRange::new(start, end) else { return Ok(()) };
    let asked = Erasure { id: 0, streams, start, end, latest: h.now, finished: false };
    let new = NewErasure {
        account: h.model.customers[c].id.clone(),
        stream: (!whole_account).then(|| h.model.streams[asked.streams[0]].id.clone()),
        range,
        reason: "a letter".into(),
        asked_by: "a neighbour".into(),
        actor: PEOPLE[0].into(),
    };
    let held = h.model.is_held(&asked, h.now);
    let done = h.world().enforcer.eraser().ask(&new, h.now).await;
    let what = format!("erase {} to {} of streams {:?}", show(start), show(end), asked.streams);
    if let Err(RetentionError::Db(DbError::Held { .. })) = &done {
        h.say(format!("{what}: held"));
        h.tally.count("erasure refused for a hold");
        ensure!(held != Some(false), "nothing is held there");
        return Ok(());
    }
    if let Some(row) = h.survive("erase", done).await? {
        h.say(format!("{what}: erasure {}", row.id));
        h.tally.count("erasure asked for");
        ensure!(held != Some(true), "it is held");
        h.model.erasure_asked(Erasure { id: row.id, ..asked });
    }
    Ok(())
}

/// A hold is placed while a run is under way: it has been judged without it, and must not be marked all the same.
async fn meanwhile_hold(h: &mut History) -> Outcome {
    // A hold over what is being erased is refused: that is another matter.
    if h.model.customers.len() < 2 || h.model.clock_jumped(h.now) || h.model.erasures.iter().any(|e| !e.finished) {
        return hold(h).await;
    }
    h.disarm().await?;
    let leaving = if h.second_course && h.dice.percent(50) { before_a_mark(h).await? } else { None };
    if leaving.is_none() {
        before_a_sweep(h).await?;
    }
    let (mut new, mut streams) = new_hold(h, 0)?;
    if let Some(b) = leaving {
        streams = over_block(h, b, &mut new);
        h.tally.count("hold placed over what a run was about to mark");
    }
    let (now, event, wanted) = (h.now, h.event("hold.placed"), new.clone());
    let placed = Arc::new(Mutex::new(None));
    let answer = Arc::clone(&placed);
    let act = move |db: retroview::db::Db, _| -> crate::world::Task {
        Box::pin(async move {
            let row = db.place_hold(&wanted, now, event).await?.row;
            *answer.lock().expect("nobody panics with it") = Some(row.id);
            Ok(())
        })
    };
    h.world().bought.meanwhile(h.model.customers[1].id.clone(), Box::new(act));
    // The model has no moments within a run: what is placed during it counts as placed before. Its number is known after.
    held(h, 0, 0, &new, streams);
    // Not the last one when the run is over: where it is cut short, another may come too late.
    let number = h.model.holds.len() - 1;
    h.enforce().await?;
    ensure!(h.world().bought.was_done(), "the run did not ask for plans");
    let id = placed.lock().expect("nobody panics with it").take();
    h.model.holds[number].id = id.expect("it was done");
    h.tally.count("hold placed during a run");
    Ok(())
}

/// To the moment at which a block of the first account has just left, and no run yet: which block.
async fn before_a_mark(h: &mut History) -> Outcome<Option<usize>> {
    let kept = |b: &Block| b.fate == Fate::Kept && h.model.streams[b.stream].customer == 0;
    let kept: Vec<usize> = (0..h.model.blocks.len()).filter(|b| kept(&h.model.blocks[*b])).collect();
    let Some(b) = h.dice.pick(&kept) else { return Ok(None) };
    let Some(leaves) = h.model.leaves(&h.model.blocks[b], h.now) else { return Ok(None) };
    pass(h, leaves.saturating_add_micros(-HOUR_US)).await?;
    if h.now >= leaves || h.model.last_run != Some(h.now) {
        return Ok(None);
    }
    h.now = leaves;
    settle(h).await?;
    let waits = h.model.blocks[b].maybe_marked.is_none() && !h.model.clock_jumped(h.now);
    Ok(waits.then_some(b))
}

/// To the moment at which a run will sweep something, and no run yet.
async fn before_a_sweep(h: &mut History) -> Outcome {
    let Some(due) = next_due(h) else { return Ok(()) };
    pass(h, due.saturating_add_micros(-HOUR_US)).await?;
    // A run that was stopped may be behind: then there is nothing to be early for.
    if h.now < due && h.model.last_run == Some(h.now) {
        h.now = due;
        settle(h).await?;
    }
    Ok(())
}

/// An account upgrades while a run is under way that has judged it already.
async fn meanwhile_upgrade(h: &mut History) -> Outcome {
    if h.model.customers.len() < 2 || h.model.clock_jumped(h.now) {
        return upgrade(h).await;
    }
    h.disarm().await?;
    before_a_sweep(h).await?;
    let now = h.now;
    h.model.customers[0].settle(now);
    let from = plan_of(h, 0);
    if from + 1 == PLANS.len() || h.model.customers[0].decided_until() > now || h.model.customers[0].start > now {
        return Ok(());
    }
    let (plan, months) = PLANS[PLANS.len() - 1];
    let (agreement, id) = (agreement(h, 0).await?, h.model.customers[0].id.clone());
    let act = move |_, accounts: retroview::accounts::Accounts| -> crate::world::Task {
        Box::pin(async move {
            let by = By { actor: "user op".into(), now };
            accounts.upgrade(&by, &id, plan, None, now, &agreement).await?;
            Ok(())
        })
    };
    h.world().bought.meanwhile(h.model.customers[1].id.clone(), Box::new(act));
    h.say(format!("{} upgrades to {plan} during the run", h.model.customers[0].id));
    h.model.judged(now);
    upgraded(h, 0, months);
    h.enforce().await?;
    ensure!(h.world().bought.was_done(), "the run did not ask for plans");
    h.tally.count("upgrade during a run");
    Ok(())
}

/// The index is lost, and made anew from the files.
async fn rebuild_index(h: &mut History) -> Outcome {
    h.disarm().await?;
    // What a sweep has begun to take is half there: let it finish first, now and then.
    if h.dice.percent(50) {
        h.enforce().await?;
    }
    h.say("the index is made anew");
    let mut skipped = Vec::new();
    let world = h.world();
    let mut note = |event| {
        if let rebuild::RebuildEvent::Skipped(finding) = event {
            skipped.push(finding);
        }
    };
    rebuild::rebuild(&world.index, &world.root, h.now, &mut note).await?;
    // A block that is half erased is no block.
    let erasing = h.model.erasures.iter().any(|e| !e.finished);
    ensure!(skipped.is_empty() || erasing, "a rebuild passed over {skipped:?}");
    h.tally.count("index rebuilt");
    h.model.marks_lost();
    h.look().await?;
    h.enforce().await
}
