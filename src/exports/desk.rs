//! Who may ask for what, and what has become of it.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{ExportError, ExportResult, io};
use crate::audit::{Act, Event, acts};
use crate::clock::SharedClock;
use crate::db::{Db, ExportEnd, ExportFile, ExportFormat, ExportRow, ExportState, NewExport, StreamRow};
use crate::entitlement::{Principal, Scope, public_id};
use crate::media::{AccountId, TimeRange, Timestamp};
use crate::playback::{Playback, PlaybackError};

/// Exports in one answer.
const LIST_MAX: u32 = 200;
/// Streams in one archive.
const STREAMS_MAX: usize = 100;
const NOTE_CHARS_MAX: usize = 2000;
/// Exports of one account that wait or run: who asks for more waits for these first.
const ACCOUNT_MAX: u32 = 20;

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// Where the files lie.
    pub folder: PathBuf,
    /// How long a file is kept.
    pub keep: Duration,
    /// What all files may take together.
    pub max_bytes: u64,
    /// What has to stay free on the disk.
    pub min_free_bytes: u64,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// At least one, all of one account, and found visible to the one who asks.
    pub streams: Vec<StreamRow>,
    pub range: TimeRange,
    pub format: ExportFormat,
    pub note: String,
}

/// Everything there is to do with exports. Cheap to clone.
#[derive(Clone)]
pub struct Exports {
    pub(super) db: Db,
    pub(super) clock: SharedClock,
    pub(super) playback: Playback,
    pub(super) settings: Arc<ExportSettings>,
    /// Something waits, or was cancelled.
    pub(super) asked: Arc<Notify>,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Exports {
    pub fn new(db: Db, clock: SharedClock, playback: Playback, settings: ExportSettings) -> Exports {
        Exports { db, clock, playback, settings: Arc::new(settings), asked: Arc::new(Notify::new()) }
    }

    /// Takes an export on. What there is of it now is looked at; what is exported is what there is when its turn comes.
    ///
    /// # Errors
    /// [`ExportError::Value`], [`ExportError::NoRoom`]; nothing of it may be seen; [`crate::db::DbError::TooMany`].
    pub async fn ask(&self, who: &Principal, new: NewJob) -> ExportResult<ExportRow> {
        who.require_own()?;
        let now = self.clock.now();
        check(&new, now)?;
        let total_bytes = self.size_of(who, &new).await?;
        self.check_room("", total_bytes).await?;
        let job = NewExport {
            id: public_id('e')?,
            account: new.streams[0].account.clone(),
            streams: new.streams.into_iter().map(|row| row.id).collect(),
            range: new.range,
            format: new.format,
            note: new.note.trim().to_owned(),
            made_by: who.label(),
            created_at: now,
            total_bytes,
        };
        let event = event(&job, acts::EXPORT_ASKED, now).by(who.label()).with("note", job.note.as_str());
        self.db.add_export(&job, ACCOUNT_MAX, event).await?;
        self.asked.notify_one();
        Ok(ExportRow {
            export: job,
            state: ExportState::Waiting,
            started_at: None,
            done_bytes: 0,
            error: None,
            file: None,
            expires_at: None,
        })
    }

    /// How long the files would be now. A stream that has nothing is left out of an archive, as long as another has something.
    async fn size_of(&self, who: &Principal, new: &NewJob) -> ExportResult<u64> {
        let (mut total, mut nothing) = (0, None);
        for row in &new.streams {
            // Before months of it are planned to the byte.
            let rough = self.db.sum_blocks(&row.id, new.range, Timestamp::MAX).await?.bytes;
            if rough / 2 > self.settings.max_bytes {
                return Err(ExportError::NoRoom { needed: rough, allowed: self.settings.max_bytes });
            }
            match self.playback.clip(who, &row.id, new.range).await {
                Ok(clip) => total += clip.len(),
                Err(error @ (PlaybackError::NoFootage { .. } | PlaybackError::Gone { .. })) => nothing = Some(error),
                Err(other) => return Err(other.into()),
            }
        }
        match nothing {
            Some(error) if total == 0 => Err(error.into()),
            _ => Ok(total),
        }
    }

    /// Whether so many bytes more may be written, beside all exports but this one.
    pub(super) async fn check_room(&self, id: &str, needed: u64) -> ExportResult<()> {
        let taken = self.db.export_bytes(id).await?;
        let folder = self.settings.folder.clone();
        let free = tokio::task::spawn_blocking(move || free_bytes(&folder)).await.expect("looking at a disk does not panic")?;
        let allowed = self.settings.max_bytes.saturating_sub(taken).min(free.saturating_sub(self.settings.min_free_bytes));
        if needed <= allowed { Ok(()) } else { Err(ExportError::NoRoom { needed, allowed }) }
    }

    /// The account's exports, the newest first from behind `before`: for who sees to the account all, for others their own.
    ///
    /// # Errors
    /// No right to view.
    pub async fn list(&self, who: &Principal, account: &AccountId, before: Option<&str>) -> ExportResult<Vec<ExportRow>> {
        who.require_own()?;
        who.require(Scope::View)?;
        let all = who.require_everywhere(Scope::Admin).is_ok();
        let label = who.label();
        Ok(self.db.exports(account, Some(&*label).filter(|_| !all), before, LIST_MAX).await?)
    }

    /// # Errors
    /// [`ExportError::Unknown`] also for what is not theirs to see.
    pub async fn show(&self, who: &Principal, id: &str) -> ExportResult<ExportRow> {
        who.require_own()?;
        who.require(Scope::View)?;
        let may = |row: &ExportRow| {
            let sees_to_it = who.require_everywhere(Scope::Admin).is_ok() && who.covers_account(&row.export.account);
            sees_to_it || row.export.made_by == who.label()
        };
        let row = self.db.export(id).await?.filter(may);
        row.ok_or_else(|| ExportError::Unknown(id.chars().take(32).collect()))
    }

    /// Cancels one that is not over; removes one that is, with its file.
    ///
    /// # Errors
    /// As [`Exports::show`].
    pub async fn remove(&self, who: &Principal, id: &str) -> ExportResult<()> {
        let row = self.show(who, id).await?;
        let now = self.clock.now();
        if !row.state.is_over() {
            let cancelled = event(&row.export, acts::EXPORT_CANCELLED, now).by(who.label());
            let expires_at = now + self.settings.keep;
            if self.db.end_export(id, &ExportEnd::Cancelled, expires_at, vec![cancelled]).await? {
                self.asked.notify_waiters();
                return Ok(());
            }
        }
        self.unlink(id).await?;
        let removed = event(&row.export, acts::EXPORT_REMOVED, now).by(who.label());
        if self.db.remove_export(id, removed).await? { Ok(()) } else { Err(ExportError::Unknown(row.export.id)) }
    }

    /// The file of one that is done, to be read by who may see it and watch all of its streams.
    ///
    /// # Errors
    /// [`ExportError::NoFile`], [`ExportError::Erased`]; as [`Exports::show`].
    pub async fn open(&self, who: &Principal, id: &str) -> ExportResult<(ExportRow, ExportFile, File)> {
        let row = self.show(who, id).await?;
        for stream in &row.export.streams {
            who.require_on(Scope::View, stream)?;
        }
        let Some(file) = row.file.clone() else { return Err(ExportError::NoFile(row.state.as_str())) };
        if self.withdraw_if_erased(&row).await? {
            return Err(ExportError::Erased);
        }
        let path = self.path(id);
        let opened = tokio::task::spawn_blocking(move || File::open(path)).await.expect("opening a file does not panic");
        Ok((row, file, opened.map_err(io("open an export's file"))?))
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.settings.folder.join(id)
    }
    /// While it is being written.
    pub(super) fn half_path(&self, id: &str) -> PathBuf {
        self.settings.folder.join(format!("{id}.half"))
    }
}

/// About all of an export; the streams' own records are made when it is done.
pub(super) fn event(job: &NewExport, act: Act, now: Timestamp) -> Event {
    let streams: Vec<&str> = job.streams.iter().map(|s| s.as_str()).collect();
    let event = Event::system(now, act).of_account(&job.account).over(job.range);
    event.with("export", job.id.as_str()).with("format", job.format.as_str()).with("streams", streams)
}

fn check(new: &NewJob, now: Timestamp) -> ExportResult<()> {
    let wrong = |text: String| Err(ExportError::Value(text));
    let Some(first) = new.streams.first().filter(|_| new.streams.len() <= STREAMS_MAX) else {
        return wrong(format!("an export is of 1 to {STREAMS_MAX} streams"));
    };
    if new.format == ExportFormat::Mp4 && new.streams.len() > 1 {
        return wrong("an MP4 is of one stream; ask for an archive".into());
    }
    if new.streams.iter().any(|row| row.account != first.account) {
        return wrong("the streams of an export are of one account".into());
    }
    let mut names: Vec<&str> = new.streams.iter().map(|row| row.id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < new.streams.len() {
        return wrong("a stream is named twice".into());
    }
    if new.note.chars().count() > NOTE_CHARS_MAX {
        return wrong(format!("a note is at most {NOTE_CHARS_MAX} characters"));
    }
    if new.range.end() > now {
        return wrong("the range ends in the future; export what has been recorded".into());
    }
    Ok(())
}

/// What is free for us where the folder lies, or will.
fn free_bytes(folder: &std::path::Path) -> ExportResult<u64> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    let s = rustix::fs::statvfs(there).map_err(|e| io("ask for the free room for exports")(e.into()))?;
    Ok(s.f_bavail.saturating_mul(s.f_frsize))
}
