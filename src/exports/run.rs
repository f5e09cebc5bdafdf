//! The task that writes what was asked for.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, pin_mut};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::archive::{Writer, hex};
use super::desk::event;
use super::manifest::{self, Entry};
use super::pace::Pace;
use super::{ExportError, ExportResult, Exports, io};
use crate::audit::{Event, KEY_BYTES, acts};
use crate::db::{ExportEnd, ExportFile, ExportFormat, ExportRow, NewExport, checkpoint_key};
use crate::entitlement::{Principal, on_behalf_of};
use crate::media::{StreamId, TimeRange, Timestamp};
use crate::playback::PlaybackError;
use crate::playback::clip::{Clip, check_clip, clip_bytes};

/// Written at a time: one is long enough for somebody to wait for, and more than two would take the disk from recording.
const AT_ONCE: usize = 2;
/// How often is looked for what another process asked for, and for what is over.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How far an export has come is written down this often: each time costs recording a commit.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Bytes handed to the disk in one go, and then rested for.
const STEP_BYTES: usize = 1024 * 1024;
/// Footage that leaves while it is being exported has the export begin anew, so many times.
const ATTEMPTS: usize = 3;

/// Why a job stops.
enum Stop {
    Cancelled,
    /// Footage of it has left meanwhile.
    Changed,
    Failed(ExportError),
}

impl<E: Into<ExportError>> From<E> for Stop {
    fn from(error: E) -> Self {
        match error.into() {
            // What was planned is not there any more.
            ExportError::Playback(PlaybackError::UnknownBlock(_)) => Stop::Changed,
            other => Stop::Failed(other),
        }
    }
}

/// One file to be written.
struct Part {
    stream: StreamId,
    title: String,
    clip: Arc<Clip>,
}

/// What is to be written, and the streams that have nothing.
struct Plan {
    parts: Vec<Part>,
    without: Vec<(StreamId, String)>,
}

impl Plan {
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.clip.len()).sum()
    }
}

/// How far a job has come.
struct Progress {
    done: u64,
    total: u64,
    noted: Instant,
    pace: Pace,
}

impl Exports {
    /// Writes exports until the service ends. Dropped at any moment, it leaves half-written files that the next start removes.
    pub async fn run(self) {
        if let Err(error) = self.take_up().await {
            tracing::error!(error = &error as &dyn std::error::Error, "exports of before could not be taken up again");
        }
        let workers = (0..AT_ONCE).map(|_| self.clone().work());
        tokio::join!(futures_util::future::join_all(workers), self.clone().keep_tidy());
    }

    async fn take_up(&self) -> ExportResult<()> {
        let again = self.db.restart_exports().await?;
        if again > 0 {
            tracing::info!(exports = again, "exports that were cut short begin anew");
        }
        self.tidy().await
    }

    async fn keep_tidy(self) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            if let Err(error) = self.sweep().await {
                tracing::error!(error = &error as &dyn std::error::Error, "exports that are over could not be removed; it is tried again");
            }
        }
    }

    async fn work(self) {
        loop {
            match self.db.begin_export(self.clock.now()).await {
                Ok(Some(row)) => self.make(row).await,
                Ok(None) => drop(tokio::time::timeout(LOOK_EVERY, self.asked.notified()).await),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "exports cannot be looked for; trying again");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn make(&self, row: ExportRow) {
        let job = &row.export;
        let mut outcome = Err(Stop::Changed);
        for _ in 0..ATTEMPTS {
            outcome = self.write(job).await;
            if !matches!(outcome, Err(Stop::Changed)) {
                break;
            }
        }
        let now = self.clock.now();
        let (end, events) = match outcome {
            Ok((file, events)) => (ExportEnd::Done(file), events),
            Err(Stop::Cancelled) => (ExportEnd::Cancelled, Vec::new()),
            Err(Stop::Changed) => failed(job, now, &"Its footage leaves while it is being exported; choose a later range."),
            Err(Stop::Failed(error)) => {
                tracing::warn!(export = job.id, error = &error as &dyn std::error::Error, "an export could not be made");
                failed(job, now, &sentence(&error))
            }
        };
        let done = matches!(end, ExportEnd::Done(_));
        let ended = self.db.end_export(&job.id, &end, now + self.settings.keep, events).await;
        match &ended {
            Ok(true) if done => tracing::info!(export = job.id, by = job.made_by, "exported"),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(export = job.id, error = error as &dyn std::error::Error, "the end of an export is not written down")
            }
        }
        // Cancelled in the last moment, or not written down: there is no row that leads to it.
        if !(done && matches!(ended, Ok(true)))
            && let Err(error) = self.unlink(&job.id).await
        {
            tracing::warn!(
                export = job.id,
                error = &error as &dyn std::error::Error,
                "what was written of an export stays until the next start"
            );
        }
    }

    /// The whole job, once.
    async fn write(&self, job: &NewExport) -> Result<(ExportFile, Vec<Event>), Stop> {
        let who = self.maker(job).await?;
        let plan = self.plan(&who, job).await?;
        self.check_room(&job.id, plan.bytes()).await?;
        let mut progress = Progress { done: 0, total: plan.bytes(), noted: Instant::now(), pace: Pace::new() };
        self.note(job, &mut progress).await?;
        let mut writer = self.create(job).await?;
        let mut sums = Vec::new();
        for part in &plan.parts {
            let sum;
            (writer, sum) = self.write_part(job, part, writer, &mut progress).await?;
            sums.push(sum);
        }
        self.check_unchanged(&who, job, &plan).await?;
        if job.format == ExportFormat::Archive {
            let text = self.manifest(&who, job, &plan, &sums).await?;
            writer = blocking(move || {
                writer.begin("manifest.json", text.len() as u64)?;
                writer.write(text.as_bytes())?;
                Ok(writer)
            })
            .await?;
        }
        blocking(move || writer.finish()).await?;
        let file = self.give_name(job, &plan, &sums, &mut progress).await?;
        let now = self.clock.now();
        let events = plan.parts.iter().map(|part| exported(job, part, &file, now)).collect();
        Ok((file, events))
    }

    /// The one who asked, as they are now.
    async fn maker(&self, job: &NewExport) -> Result<Principal, ExportError> {
        let gone = || ExportError::Value("whoever asked for this may not sign in any more".into());
        on_behalf_of(&self.db, &job.made_by, job.created_at, self.clock.now()).await?.ok_or_else(gone)
    }

    async fn plan(&self, who: &Principal, job: &NewExport) -> ExportResult<Plan> {
        let mut plan = Plan { parts: Vec::new(), without: Vec::new() };
        let mut nothing = None;
        for stream in &job.streams {
            match self.playback.clip(who, stream, job.range).await {
                Ok(clip) => {
                    check_clip(&clip, self.playback.reader()).await?;
                    let title = self.db.stream(stream).await?.map(|row| row.title).unwrap_or_default();
                    plan.parts.push(Part { stream: stream.clone(), title, clip: Arc::new(clip) });
                }
                Err(error @ (PlaybackError::NoFootage { .. } | PlaybackError::Gone { .. })) => {
                    plan.without.push((stream.clone(), error.to_string()));
                    nothing = Some(error);
                }
                Err(other) => return Err(other.into()),
            }
        }
        match nothing {
            Some(error) if plan.parts.is_empty() => Err(error.into()),
            _ => Ok(plan),
        }
    }

    async fn create(&self, job: &NewExport) -> ExportResult<Writer> {
        let (folder, path, format) = (self.settings.folder.clone(), self.half_path(&job.id), job.format);
        blocking(move || {
            std::fs::create_dir_all(folder)?;
            let file = File::create(path)?;
            match format {
                ExportFormat::Mp4 => Writer::plain(file),
                ExportFormat::Archive => Writer::zip(file),
            }
        })
        .await
    }

    /// Gives the writer back, and the checksum of what was written.
    async fn write_part(
        &self,
        job: &NewExport,
        part: &Part,
        mut writer: Writer,
        progress: &mut Progress,
    ) -> Result<(Writer, String), Stop> {
        writer.begin(&entry_name(part), part.clip.len()).map_err(io("begin a file of an export"))?;
        let pieces = clip_bytes(Arc::clone(&part.clip), self.playback.reader().clone(), 0..part.clip.len());
        pin_mut!(pieces);
        let (mut step, mut step_bytes) = (Vec::new(), 0);
        loop {
            let piece = pieces.next().await.transpose()?;
            let last = piece.is_none();
            step_bytes += piece.as_ref().map_or(0, Bytes::len);
            step.extend(piece);
            if step_bytes >= STEP_BYTES || (last && step_bytes > 0) {
                let pieces = std::mem::take(&mut step);
                writer = blocking(move || {
                    pieces.iter().try_for_each(|piece| writer.write(piece))?;
                    Ok(writer)
                })
                .await?;
                progress.done += step_bytes as u64;
                self.note(job, progress).await?;
                progress.pace.rest(std::mem::take(&mut step_bytes)).await;
            }
            if last {
                let sum = writer.end();
                return Ok((writer, sum));
            }
        }
    }

    /// Writes down how far it has come, from time to time, and sees to it that there is still room.
    async fn note(&self, job: &NewExport, progress: &mut Progress) -> Result<(), Stop> {
        if progress.done > 0 && progress.noted.elapsed() < NOTE_EVERY {
            return Ok(());
        }
        progress.noted = Instant::now();
        self.check_room(&job.id, progress.total - progress.done.min(progress.total)).await?;
        if self.db.note_export(&job.id, progress.done, progress.total).await? { Ok(()) } else { Err(Stop::Cancelled) }
    }

    /// What has left meanwhile, or is being erased, must not be in the file.
    async fn check_unchanged(&self, who: &Principal, job: &NewExport, plan: &Plan) -> Result<(), Stop> {
        for part in &plan.parts {
            let now = match self.playback.clip(who, &part.stream, job.range).await {
                Err(PlaybackError::NoFootage { .. } | PlaybackError::Gone { .. }) => return Err(Stop::Changed),
                clip => clip?,
            };
            // The end may have grown: what was being recorded when it was planned.
            if now.start() != part.clip.start() || now.len() < part.clip.len() {
                return Err(Stop::Changed);
            }
        }
        Ok(())
    }

    async fn manifest(&self, who: &Principal, job: &NewExport, plan: &Plan, sums: &[String]) -> ExportResult<String> {
        let mut entries = Vec::new();
        for (part, sha256) in plan.parts.iter().zip(sums) {
            let clip = &part.clip;
            let range = TimeRange::new(clip.start(), clip.end()).unwrap_or(job.range);
            // All that was asked for: a gap at its beginning is one, too. As fine as an answer may be.
            let (coverage, _) = self.playback.coverage(who, &part.stream, job.range, Some(1)).await?;
            entries.push(Entry {
                name: entry_name(part),
                stream: part.stream.clone(),
                title: part.title.clone(),
                size_bytes: clip.len(),
                sha256: sha256.clone(),
                range,
                media_us: clip.media_us(),
                coverage,
            });
        }
        let mut fresh = [0; KEY_BYTES];
        getrandom::fill(&mut fresh).map_err(|e| ExportError::Value(format!("the system gives no random numbers: {e}")))?;
        let key = checkpoint_key(&self.db, &fresh).await?;
        let head = self.db.audit_head().await?;
        Ok(manifest::manifest(job, &entries, &plan.without, self.clock.now(), head, &key))
    }

    /// Puts the finished file in its place.
    async fn give_name(&self, job: &NewExport, plan: &Plan, sums: &[String], progress: &mut Progress) -> Result<ExportFile, Stop> {
        let (half, path) = (self.half_path(&job.id), self.path(&job.id));
        let sha256 = match (job.format, sums) {
            (ExportFormat::Mp4, [sum]) => sum.clone(),
            // Lengths were written in front of entries afterwards: it has to be read once more.
            _ => self.sum_of(job, progress).await?,
        };
        let size_bytes = blocking(move || {
            std::fs::rename(&half, &path)?;
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok(path.metadata()?.len())
        })
        .await?;
        let start: String = job.range.start().to_rfc3339(0).chars().filter(|c| *c != '-' && *c != ':').collect();
        let name = match (job.format, plan.parts.as_slice()) {
            (ExportFormat::Mp4, [part]) => format!("{}-{start}.mp4", part.stream),
            _ => format!("{}-{start}.zip", job.account),
        };
        Ok(ExportFile { name, size_bytes, sha256 })
    }

    async fn sum_of(&self, job: &NewExport, progress: &mut Progress) -> Result<String, Stop> {
        let path = self.half_path(&job.id);
        let mut file = blocking(move || File::open(path)).await?;
        let mut sum = Sha256::new();
        loop {
            let read;
            (file, sum, read) = blocking(move || {
                let mut step = vec![0; STEP_BYTES];
                let read = std::io::Read::read(&mut file, &mut step)?;
                sum.update(&step[..read]);
                Ok((file, sum, read))
            })
            .await?;
            if read == 0 {
                return Ok(hex(&sum));
            }
            self.note(job, progress).await?;
            progress.pace.rest(read).await;
        }
    }
}

fn entry_name(part: &Part) -> String {
    format!("{}.mp4", part.stream)
}

/// One record a stream, as when somebody downloads a clip.
fn exported(job: &NewExport, part: &Part, file: &ExportFile, now: Timestamp) -> Event {
    let event = Event::system(now, acts::FOOTAGE_EXPORTED)
        .by(job.made_by.as_str())
        .of_account(&job.account)
        .on_stream(&part.stream)
        .with("export", job.id.as_str())
        .with("format", job.format.as_str())
        .with("note", job.note.as_str())
        .with("sha256", file.sha256.as_str());
    match TimeRange::new(part.clip.start(), part.clip.end()) {
        Ok(range) => event.over(range),
        Err(_) => event,
    }
}

fn failed(job: &NewExport, now: Timestamp, why: &dyn std::fmt::Display) -> (ExportEnd, Vec<Event>) {
    let why = why.to_string();
    let event = event(job, acts::EXPORT_FAILED, now).with("why", why.as_str());
    (ExportEnd::Failed(why), vec![event])
}

/// What the one who asked is told. What only the operator may know is in the log.
fn sentence(error: &ExportError) -> String {
    let text = match error {
        ExportError::Io { .. } => "the file could not be written; the operator finds why in the service's log".into(),
        ExportError::Db(_) => "the database did not answer; try again".into(),
        ExportError::Playback(PlaybackError::Db(_)) => "the database did not answer; try again".into(),
        ExportError::Playback(PlaybackError::Store(_) | PlaybackError::Damaged { .. }) => "this footage cannot be read back".into(),
        other => other.to_string(),
    };
    format!("{}{}.", text[..1].to_uppercase(), &text[1..])
}

/// Runs what waits for a disk on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> ExportResult<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
    done.and_then(|outcome| outcome).map_err(io("write an export"))
}
