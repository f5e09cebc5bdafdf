//! Mark, rescue, sweep: one run after the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attest::attest_yesterday;
use super::erase::{Advance, EraseSettings, Eraser};
use super::forecast::{Amount, PAGE, expired_page, leaving_by};
use super::guard::{Stop, Unforeseen, check_amount, check_clock};
use super::judge::{AccountRules, Judge, Verdict};
use super::receipts::make_receipts;
use super::rules::{Decided, Plans, rule_json};
use super::window_start::DAY_US;
use super::{RetentionError, RetentionResult};
use crate::audit::{Event, acts};
use crate::db::{Db, DbResult, IndexChange, MarkRow, NewMark, StreamRow, SweepRow};
use crate::index::Index;
use crate::media::{AccountId, BlockId, StreamId, TimeRange, Timestamp, block_path};
use crate::store::{GoneBlock, GoneKind, GoneNote, MediaRoot, forget_gone_before, note_gone, remove_blocks};

/// The forecast that a run is measured by is at least this old: yesterday's, with some hours' play for when runs happen.
const FORECAST_AGE_US: i64 = 20 * 3_600_000_000;
/// It looks this far ahead, so that it still speaks of the day after it was made.
const FORECAST_AHEAD_US: i64 = 2 * DAY_US;
/// Nobody restores a database that is older: notes of what was deleted until then go.
const GONE_NOTES_US: i64 = 400 * DAY_US;
/// Folders of younger days stay, empty or not: a recorder may be about to write there.
pub(super) const FOLDERS_STAY_US: i64 = 2 * DAY_US;

/// Blocks of one stream that go at once. Their rows are one transaction, for which recorders wait. Half as many, and the syncs of
/// note, folder and transaction, and the rest after them, would be most of the work.
const CHUNK_MAX: usize = 64;

/// How careful to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Between the mark and the sweep.
    pub grace: Duration,
    /// So much of an account may go beyond the forecast without anyone looking.
    pub share_percent: u64,
    /// Blocks in one sweep.
    pub sweep_max: u32,
    /// Rest after each chunk of deleted files, so that recording and playback have the disk.
    pub rest: Duration,
    pub erase: EraseSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            grace: Duration::from_secs(7 * 86_400),
            share_percent: 20,
            sweep_max: 1000,
            rest: Duration::from_millis(20),
            erase: EraseSettings::default(),
        }
    }
}

/// What a run did, or with `dry_run` would have done.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RetentionRun)]
pub struct RunReport {
    pub dry_run: bool,
    /// By stream.
    #[schema(value_type = BTreeMap<String, Amount>)]
    pub marked: BTreeMap<StreamId, Amount>,
    /// Blocks whose mark was taken off again.
    pub rescued: u64,
    #[schema(value_type = BTreeMap<String, Amount>)]
    pub swept: BTreeMap<StreamId, Amount>,
    pub sweeps: Vec<i64>,
    /// Erasures that people asked for.
    pub erasures: Advance,
    /// Why nothing more happened.
    pub stopped: Option<Stop>,
}

/// Makes what is stored what was promised.
#[derive(Clone)]
pub struct Enforcer {
    index: Index,
    root: MediaRoot,
    plans: Arc<dyn Plans>,
    settings: Settings,
}

/// A stream with what applies to it.
struct Ruled {
    row: StreamRow,
    rules: AccountRules,
    decided: Decided,
    judge: Judge,
}

impl Enforcer {
    pub fn new(index: Index, root: MediaRoot, plans: Arc<dyn Plans>, settings: Settings) -> Enforcer {
        Enforcer { index, root, plans, settings }
    }

    fn db(&self) -> &Db {
        self.index.db()
    }

    /// Carries out what people ask to be erased.
    pub fn eraser(&self) -> Eraser {
        Eraser::new(self.index.clone(), self.root.clone(), self.settings.erase)
    }

    /// One run: goes on with erasures, finishes what was cut short, takes marks off what is to stay, marks what has left, sweeps what is due.
    ///
    /// # Errors
    /// [`RetentionError`]. What was done stays done; the next run goes on from there.
    pub async fn run_once(&self, now: Timestamp, dry_run: bool) -> RetentionResult<RunReport> {
        let mut report = RunReport { dry_run, ..RunReport::default() };
        let stop = self.look_around(now, dry_run).await?;
        // Somebody has asked for these by name: what makes the judge doubtful does not concern them. A folder that is not ours does.
        if !dry_run && !matches!(stop, Some(Stop::ForeignFolder { .. })) {
            report.erasures = self.eraser().advance(now).await?;
        }
        if let Some(stop) = stop {
            report.stopped = Some(stop);
            return Ok(report);
        }
        if !dry_run {
            for (sweep, left) in self.db().unfinished_sweeps().await? {
                self.sweep(&sweep, left, now, &mut report).await?;
            }
        }
        let accounts = self.ruled_streams(now).await?;
        report.rescued += self.rescue(&accounts, now, dry_run).await?;
        let (leaving, unforeseen) = self.leaving(&accounts, now).await?;
        if !unforeseen.is_empty() {
            report.stopped = self.stop_unless_confirmed(Stop::TooMuch { accounts: unforeseen }, now, dry_run).await?;
        }
        if dry_run {
            report.marked = leaving;
            return Ok(report);
        }
        if report.stopped.is_some() {
            return Ok(report);
        }
        for (account, streams) in &accounts {
            self.mark_account(account, streams, &leaving, now, &mut report).await?;
        }
        while let Some((sweep, taken)) = self.db().begin_sweep(now, self.settings.sweep_max).await? {
            self.sweep(&sweep, taken, now, &mut report).await?;
        }
        self.write_papers(&accounts, now).await?;
        self.db().note_run(now).await?;
        Ok(report)
    }

    /// What was deleted is written down and signed, and what of yesterday is there.
    async fn write_papers(&self, accounts: &BTreeMap<AccountId, Vec<Ruled>>, now: Timestamp) -> RetentionResult<()> {
        while make_receipts(self.db(), now).await? > 0 {}
        for stream in accounts.values().flatten() {
            attest_yesterday(&self.index, &stream.row.id, &stream.rules, now).await?;
        }
        let (root, then) = (self.root.clone(), now.saturating_add_micros(-GONE_NOTES_US));
        let forget = tokio::task::spawn_blocking(move || forget_gone_before(&root, then));
        forget.await.map_err(|e| RetentionError::Interrupted(e.to_string()))?.map_err(RetentionError::from)
    }

    /// The signs that something is wrong with us rather than with the footage.
    async fn look_around(&self, now: Timestamp, dry_run: bool) -> RetentionResult<Option<Stop>> {
        let state = self.db().retention_state().await?;
        if let Some((_, why)) = state.stopped {
            return Ok(Some(Stop::read(why)));
        }
        let foreign = self.foreign_folder().await?.map(|detail| Stop::ForeignFolder { detail });
        let Some(stop) = foreign.or(check_clock(state.last_run, now)) else { return Ok(None) };
        self.stop_unless_confirmed(stop, now, dry_run).await
    }

    /// What is wrong with the media folder; `None`: it is the one that these rows belong to.
    pub(super) async fn foreign_folder(&self) -> RetentionResult<Option<String>> {
        let root = self.root.clone();
        let there = tokio::task::spawn_blocking(move || root.still_there()).await;
        Ok(there.map_err(|e| RetentionError::Interrupted(e.to_string()))?.err().map(|e| e.to_string()))
    }

    async fn stop_unless_confirmed(&self, stop: Stop, now: Timestamp, dry_run: bool) -> RetentionResult<Option<Stop>> {
        // All that was confirmed since the last whole run: the run that goes past one stop may meet another.
        let confirmed: Vec<Stop> = self.db().retention_state().await?.confirmed.into_iter().map(Stop::read).collect();
        let Some(stop) = stop.unseen(&confirmed) else { return Ok(None) };
        if !dry_run {
            let why = serde_json::json!(stop);
            let event = Event::system(now, acts::RETENTION_STOPPED).with("why", why.clone());
            if self.db().stop_retention(&why, now, event).await? {
                tracing::error!(reason = %stop, "retention has stopped and deletes nothing until an operator confirms");
            }
        }
        Ok(Some(stop))
    }

    async fn ruled_streams(&self, now: Timestamp) -> DbResult<BTreeMap<AccountId, Vec<Ruled>>> {
        let mut known: HashMap<AccountId, AccountRules> = HashMap::new();
        let mut accounts: BTreeMap<AccountId, Vec<Ruled>> = BTreeMap::new();
        // Removed streams too: their footage leaves like any other.
        for row in self.db().streams(true).await? {
            let rules = match known.get(&row.account) {
                Some(rules) => rules.clone(),
                None => self.plans.rules(&row.account).await?,
            };
            known.insert(row.account.clone(), rules.clone());
            let decided = Decided::of(self.db(), &row.id).await?;
            let judge = decided.judge_now(&rules, now);
            accounts.entry(row.account.clone()).or_default().push(Ruled { row, rules, decided, judge });
        }
        Ok(accounts)
    }

    /// Takes marks off what the judge keeps now: an upgrade, or a cap taken back.
    async fn rescue(&self, accounts: &BTreeMap<AccountId, Vec<Ruled>>, now: Timestamp, dry_run: bool) -> DbResult<u64> {
        let judges: HashMap<&StreamId, &Judge> = accounts.values().flatten().map(|r| (&r.row.id, &r.judge)).collect();
        let (mut after, mut rescued) = (None, 0);
        loop {
            let page = self.db().marks(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(rescued) };
            after = Some(last.block.id);
            let stays = |m: &&MarkRow| m.sweep.is_none() && judges.get(&m.block.stream).is_none_or(|j| j.judge(m.block.range).keeps());
            let blocks: Vec<BlockId> = page.iter().filter(stays).map(|m| m.block.id).collect();
            if dry_run {
                rescued += blocks.len() as u64;
            } else if !blocks.is_empty() {
                let event = Event::system(now, acts::RETENTION_RESCUED).with("by", "window");
                rescued += self.db().unmark(&blocks, event).await?;
            }
        }
    }

    /// What has left the windows and is not marked, by stream; and of which accounts it is more than could be expected.
    async fn leaving(
        &self,
        accounts: &BTreeMap<AccountId, Vec<Ruled>>,
        now: Timestamp,
    ) -> RetentionResult<(BTreeMap<StreamId, Amount>, Vec<Unforeseen>)> {
        let (mut leaving, mut unforeseen) = (BTreeMap::new(), Vec::new());
        let yesterday = now.saturating_add_micros(-FORECAST_AGE_US);
        for (account, streams) in accounts {
            let (mut bytes, mut total_bytes) = (0, 0);
            for stream in streams {
                total_bytes += self.db().totals(&stream.row.id).await?.bytes;
                let amount = leaving_by(self.db(), &stream.row.id, &stream.judge).await?;
                bytes += amount.bytes;
                if amount.blocks > 0 {
                    leaving.insert(stream.row.id.clone(), amount);
                }
            }
            let expected = self.db().forecast_before(account, yesterday).await?.map_or(0, |(_, bytes)| bytes);
            unforeseen.extend(check_amount(account, bytes, expected, total_bytes, self.settings.share_percent));
        }
        Ok((leaving, unforeseen))
    }

    async fn mark_account(
        &self,
        account: &AccountId,
        streams: &[Ruled],
        leaving: &BTreeMap<StreamId, Amount>,
        now: Timestamp,
        report: &mut RunReport,
    ) -> RetentionResult<()> {
        let mut ahead = 0;
        for stream in streams {
            if leaving.contains_key(&stream.row.id) {
                let amount = self.mark_stream(stream, now).await?;
                report.marked.insert(stream.row.id.clone(), amount);
            }
            let then = now.saturating_add_micros(FORECAST_AHEAD_US);
            ahead += leaving_by(self.db(), &stream.row.id, &stream.decided.judge_at(&stream.rules, then)).await?.bytes;
        }
        Ok(self.db().save_forecast(account, now, ahead).await?)
    }

    async fn mark_stream(&self, stream: &Ruled, now: Timestamp) -> RetentionResult<Amount> {
        let mut amount = Amount::default();
        let mut after = Timestamp::MIN.saturating_add_micros(-1);
        let due_at = now + self.settings.grace;
        while let Some(page) = expired_page(self.db(), &stream.row.id, &stream.judge, &mut after).await? {
            let mut marks = Vec::new();
            for block in &page {
                if let Verdict::Prune(prune) = stream.judge.judge(block.range) {
                    marks.push(NewMark { block: block.id, due_at, rule: rule_json(prune, &stream.rules, &stream.judge, now) });
                }
            }
            let Some(range) = span(page.iter().map(|b| b.range)) else { continue };
            let event = Event::system(now, acts::RETENTION_MARKED).of_account(&stream.row.account).on_stream(&stream.row.id).over(range);
            let rule = marks.first().map(|m| m.rule.clone());
            let marked = self.db().mark(&marks, now, event.with("due_us", due_at.as_micros()).with("rule", rule)).await?;
            page.iter().filter(|b| marked.contains(&b.id)).for_each(|b| amount.add(b));
        }
        Ok(amount)
    }

    /// Deletes bytes, then rows, stream by stream.
    async fn sweep(&self, sweep: &SweepRow, blocks: Vec<MarkRow>, now: Timestamp, report: &mut RunReport) -> RetentionResult<()> {
        let blocks = self.spare(sweep, blocks, now, report).await?;
        // Whoever began to read these may end: the next run takes the sweep up again.
        let (read, free): (Vec<MarkRow>, Vec<MarkRow>) = blocks.into_iter().partition(|m| self.root.is_read(m.block.id));
        let streams = free.chunk_by(|a, b| a.block.stream == b.block.stream);
        let chunks: Vec<&[MarkRow]> = streams.flat_map(|of_one| of_one.chunks(CHUNK_MAX)).collect();
        for (i, chunk) in chunks.iter().enumerate() {
            self.delete_bytes(sweep, chunk, now).await?;
            let finished = (read.is_empty() && i + 1 == chunks.len()).then_some(now);
            self.delete_rows(sweep, chunk, finished, now).await?;
            let amount = report.swept.entry(chunk[0].block.stream.clone()).or_default();
            chunk.iter().for_each(|m| amount.add(&m.block));
            if !self.settings.rest.is_zero() {
                tokio::time::sleep(self.settings.rest).await;
            }
        }
        if chunks.is_empty() && read.is_empty() {
            // Cut short after its last rows went, or all of it was taken by a repair.
            let event = Event::system(now, acts::RETENTION_SWEPT).of_account(&sweep.account).with("sweep", sweep.id);
            let done = IndexChange::BlocksSwept { sweep: sweep.id, blocks: Vec::new(), finished: Some(now), event: Box::new(event) };
            self.index.commit(vec![done]).await?;
        }
        report.sweeps.push(sweep.id);
        Ok(())
    }

    /// Lets go again of what is to stay after all: an upgrade or a hold came between the judgement, which is as old as this
    /// run, and the sweep, or a crash came in between and one of them since. What is left are the blocks to delete.
    async fn spare(&self, sweep: &SweepRow, blocks: Vec<MarkRow>, now: Timestamp, report: &mut RunReport) -> RetentionResult<Vec<MarkRow>> {
        let rules = self.plans.rules(&sweep.account).await?;
        let mut judges: HashMap<StreamId, Judge> = HashMap::new();
        for mark in &blocks {
            let stream = &mark.block.stream;
            if !judges.contains_key(stream) {
                judges.insert(stream.clone(), Decided::of(self.db(), stream).await?.judge_now(&rules, now));
            }
        }
        let (kept, mut goes): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|m| judges[&m.block.stream].judge(m.block.range).keeps());
        if kept.is_empty() {
            return Ok(goes);
        }
        let (whole, begun) = self.still_there(kept).await?;
        let ids: Vec<BlockId> = whole.iter().map(|m| m.block.id).collect();
        let event = Event::system(now, acts::RETENTION_RESCUED).of_account(&sweep.account).with("sweep", sweep.id);
        report.rescued += self.db().spare(sweep.id, &ids, event).await?;
        goes.extend(begun);
        goes.sort_by(|a, b| (&a.block.stream, a.block.range.start()).cmp(&(&b.block.stream, b.block.range.start())));
        Ok(goes)
    }

    /// Those whose files are there, and the others.
    async fn still_there(&self, marks: Vec<MarkRow>) -> RetentionResult<(Vec<MarkRow>, Vec<MarkRow>)> {
        let root = self.root.clone();
        let look = move || marks.into_iter().partition(|m| root.file(&path_of(m)).exists());
        tokio::task::spawn_blocking(look).await.map_err(|e| RetentionError::Interrupted(e.to_string()))
    }

    async fn delete_bytes(&self, sweep: &SweepRow, chunk: &[MarkRow], now: Timestamp) -> RetentionResult<()> {
        let block = |m: &MarkRow| GoneBlock { block: m.block.id, stream: m.block.stream.clone(), range: m.block.range };
        let note = GoneNote { kind: GoneKind::Sweep, number: sweep.id, at: now, blocks: chunk.iter().map(block).collect() };
        let files: Vec<(String, bool)> =
            chunk.iter().map(|m| (path_of(m), now.micros_since(m.block.range.start()) > FOLDERS_STAY_US)).collect();
        let root = self.root.clone();
        let work = tokio::task::spawn_blocking(move || {
            note_gone(&root, &note)?;
            remove_blocks(&root, files.iter().map(|(path, old)| (path.as_str(), *old)))
        });
        work.await.map_err(|e| RetentionError::Interrupted(e.to_string()))?.map_err(RetentionError::from)
    }

    async fn delete_rows(&self, sweep: &SweepRow, chunk: &[MarkRow], finished: Option<Timestamp>, now: Timestamp) -> DbResult<()> {
        let mut amount = Amount::default();
        chunk.iter().for_each(|m| amount.add(&m.block));
        let mut event = Event::system(now, acts::RETENTION_SWEPT).of_account(&sweep.account).on_stream(&chunk[0].block.stream);
        event.range = span(chunk.iter().map(|m| m.block.range));
        let event = event.with("sweep", sweep.id).with("blocks", amount.blocks).with("bytes", amount.bytes);
        let blocks = chunk.iter().map(|m| m.block.id).collect();
        let rows = IndexChange::BlocksSwept { sweep: sweep.id, blocks, finished, event: Box::new(event) };
        self.index.commit(vec![rows]).await
    }
}

/// Below the media root.
fn path_of(mark: &MarkRow) -> String {
    let b = &mark.block;
    block_path(&b.account, &b.stream, b.range.start(), b.id)
}

/// From the first start to the last end.
fn span(ranges: impl Iterator<Item = TimeRange>) -> Option<TimeRange> {
    let (mut start, mut end) = (Timestamp::MAX, Timestamp::MIN);
    for range in ranges {
        (start, end) = (start.min(range.start()), end.max(range.end()));
    }
    TimeRange::new(start, end).ok()
}

impl std::fmt::Debug for Enforcer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enforcer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
