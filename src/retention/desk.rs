//! Everything there is to do with retention, for the service and the command line alike.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::explain::{Explanation, explain};
use super::rules::{AccountPlans, Plans};
use super::{Enforcer, Eraser, RetentionError, RetentionResult, RunReport, Settings, Stop, Visibility};
use crate::accounts::{Accounts, By};
use crate::audit::{Event, acts};
use crate::clock::SharedClock;
use crate::db::{Db, StreamRow};
use crate::entitlement::Windows;
use crate::index::Index;
use crate::media::{AccountId, StreamId, Timestamp};
use crate::store::MediaRoot;

/// A century: beyond it, plans are the limit.
const CAP_HOURS_MAX: u32 = 100 * 366 * 24;

/// How often a command looks whether the service has answered, and the service whether a command has asked.
pub const ASKED_STEP: Duration = Duration::from_millis(500);
/// A run over millions of blocks, with its rests.
const SERVICE_ANSWERS_IN: Duration = Duration::from_secs(3600);

/// Where retention stands.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionStatus)]
pub struct Status {
    /// When the last run came to its end.
    pub last_run_us: Option<i64>,
    /// Since when, and why, nothing is deleted until an operator confirms.
    pub stopped: Option<Stopped>,
    /// An operator has confirmed the stop; the next run goes past it.
    pub confirmed: bool,
    pub grace_s: u64,
    pub share_percent: u64,
}

/// Why the enforcer stands still.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RetentionStopped)]
pub struct Stopped {
    pub since_us: i64,
    /// For people.
    pub why: String,
    /// For programs.
    pub stop: Stop,
}

/// Retention as others see it. Cheap to clone.
#[derive(Clone)]
pub struct Retention {
    pub(super) index: Index,
    pub(super) accounts: Accounts,
    pub(super) settings: Settings,
    clock: SharedClock,
    visibility: Visibility,
    enforcer: Enforcer,
    /// One run at a time, of all processes.
    lock_file: PathBuf,
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retention").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Retention {
    /// `lock_file` is made when it is not there.
    pub fn new(index: Index, root: MediaRoot, settings: Settings, clock: SharedClock, lock_file: &Path) -> Retention {
        let accounts = Accounts::new(Arc::clone(index.db()));
        let plans: Arc<dyn Plans> = Arc::new(AccountPlans(accounts.clone()));
        let visibility = Visibility::new(Arc::clone(index.db()), Arc::clone(&plans), Arc::clone(&clock));
        let enforcer = Enforcer::new(index.clone(), root, plans, settings.clone());
        Retention { index, accounts, settings, clock, visibility, enforcer, lock_file: lock_file.to_path_buf() }
    }

    pub(super) fn db(&self) -> &Db {
        self.index.db()
    }

    /// What of each stream is there to be seen.
    pub fn windows(&self) -> Arc<dyn Windows> {
        Arc::new(self.visibility.clone())
    }

    /// What people ask to be erased.
    pub fn eraser(&self) -> Eraser {
        self.enforcer.eraser()
    }

    /// Something that applies to footage has changed: plans, caps, holds, erasures.
    pub fn changed(&self) {
        self.visibility.forget();
    }

    /// One run, or what it would do.
    ///
    /// # Errors
    /// [`RetentionError::Running`] while another process makes one; what [`Enforcer::run_once`] says.
    pub async fn run(&self, now: Timestamp, dry_run: bool) -> RetentionResult<RunReport> {
        let lock = if dry_run { None } else { Some(self.lock().await?) };
        let report = self.enforcer.run_once(now, dry_run).await;
        drop(lock);
        report
    }

    /// Has the running service make a run, and waits for what it says.
    ///
    /// # Errors
    /// [`RetentionError::Running`] when it does not answer; the database does not answer.
    pub async fn ask_service(&self, now: Timestamp) -> RetentionResult<RunReport> {
        self.db().ask_run(now).await?;
        let began = self.clock.monotonic();
        while self.clock.monotonic() - began < SERVICE_ANSWERS_IN {
            tokio::time::sleep(ASKED_STEP).await;
            if let Some(answer) = self.db().answered_run(now).await? {
                let answer: Result<RunReport, String> =
                    serde_json::from_value(answer).map_err(|e| RetentionError::Interrupted(e.to_string()))?;
                return answer.map_err(RetentionError::Interrupted);
            }
        }
        Err(RetentionError::Running)
    }

    /// Makes the run that a command asked for, if one did.
    ///
    /// # Errors
    /// As [`Retention::run`].
    pub async fn answer_command(&self, now: Timestamp) -> RetentionResult<Option<RunReport>> {
        let Some(asked) = self.db().run_asked().await? else { return Ok(None) };
        let report = self.run(now, false).await;
        let answer = report.as_ref().map_err(ToString::to_string);
        self.db().answer_run(asked, &json!(answer)).await?;
        report.map(Some)
    }

    /// All accounts, by id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_ids(&self) -> RetentionResult<Vec<AccountId>> {
        Ok(self.accounts.list().await?.into_iter().map(|a| a.id).collect())
    }

    async fn lock(&self) -> RetentionResult<File> {
        let path = self.lock_file.clone();
        let take = move || {
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|e| RetentionError::Lock { path: path.clone(), source: e })?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => Err(RetentionError::Running),
                Err(std::fs::TryLockError::Error(source)) => Err(RetentionError::Lock { path, source }),
            }
        };
        tokio::task::spawn_blocking(take).await.map_err(|e| RetentionError::Interrupted(e.to_string()))?
    }

    /// # Errors
    /// The database does not answer.
    pub async fn status(&self) -> RetentionResult<Status> {
        let state = self.db().retention_state().await?;
        let stopped = state.stopped.map(|(since, why)| {
            let stop = Stop::read(why);
            Stopped { since_us: since.as_micros(), why: stop.to_string(), stop }
        });
        Ok(Status {
            last_run_us: state.last_run.map(Timestamp::as_micros),
            stopped,
            confirmed: !state.confirmed.is_empty(),
            grace_s: self.settings.grace.as_secs(),
            share_percent: self.settings.share_percent,
        })
    }

    /// Somebody has looked at why retention stands still, and says it may go on: past this stop, not past another.
    ///
    /// # Errors
    /// [`RetentionError::NotStopped`]; [`RetentionError::Unconfirmable`] while the media folder is not ours.
    pub async fn confirm(&self, by: &By) -> RetentionResult<Stopped> {
        let stopped = self.status().await?.stopped.ok_or(RetentionError::NotStopped)?;
        if matches!(stopped.stop, Stop::ForeignFolder { .. }) {
            let detail = self.enforcer.foreign_folder().await?;
            detail.map_or(Ok(()), |detail| Err(RetentionError::Unconfirmable { detail }))?;
        }
        let event = Event::system(by.now, acts::RETENTION_CONFIRMED).by(by.actor.as_str()).with("why", json!(stopped.stop));
        self.db().confirm_retention(event).await?;
        Ok(stopped)
    }

    /// What applies to `at` of the stream, seen from `now`, and why.
    ///
    /// # Errors
    /// [`RetentionError::UnknownStream`].
    pub async fn explain(&self, stream: &StreamId, at: Timestamp, now: Timestamp) -> RetentionResult<Explanation> {
        let row = self.stream(stream).await?;
        let rules = AccountPlans(self.accounts.clone()).rules(&row.account).await?;
        Ok(explain(&self.index, &rules, stream, at, now).await?)
    }

    /// Shortens a stream's window to so many hours, or takes the cap off. A plan's window is never lengthened by it. Footage that
    /// comes back into the window is served again, as long as it has not been swept.
    ///
    /// # Errors
    /// [`RetentionError::UnknownStream`], [`RetentionError::CapHours`].
    pub async fn set_cap(&self, by: &By, stream: &StreamId, hours: Option<u32>) -> RetentionResult<()> {
        if hours.is_some_and(|h| !(1..=CAP_HOURS_MAX).contains(&h)) {
            return Err(RetentionError::CapHours);
        }
        let row = self.stream(stream).await?;
        let event = Event::system(by.now, acts::CAP_SET).by(by.actor.as_str()).of_account(&row.account).on_stream(stream);
        self.db().set_cap(stream, hours, &by.actor, by.now, event.with("hours", json!(hours))).await?;
        self.changed();
        Ok(())
    }

    pub(super) async fn stream(&self, stream: &StreamId) -> RetentionResult<StreamRow> {
        self.db().stream(stream).await?.ok_or_else(|| RetentionError::UnknownStream(stream.clone()))
    }

    /// The account's streams, removed ones too: their footage is there.
    pub(super) async fn streams_of(&self, account: &AccountId) -> RetentionResult<Vec<StreamRow>> {
        let rows = self.db().streams(true).await?;
        Ok(rows.into_iter().filter(|row| row.account == *account).collect())
    }
}
