//! Rows of exports.

use async_trait::async_trait;
use serde::Serialize;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// What an export is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// One stream as one MP4.
    Mp4,
    /// An MP4 of each stream with a manifest, as a zip.
    Archive,
}

impl ExportFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            ExportFormat::Mp4 => "mp4",
            ExportFormat::Archive => "archive",
        }
    }
}

/// Where an export stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    Waiting,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl ExportState {
    pub const ALL: [ExportState; 5] =
        [ExportState::Waiting, ExportState::Running, ExportState::Done, ExportState::Failed, ExportState::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            ExportState::Waiting => "waiting",
            ExportState::Running => "running",
            ExportState::Done => "done",
            ExportState::Failed => "failed",
            ExportState::Cancelled => "cancelled",
        }
    }
    /// Nothing happens any more.
    pub fn is_over(self) -> bool {
        !matches!(self, ExportState::Waiting | ExportState::Running)
    }
}

/// An export that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExport {
    /// Its public name, and the name of its file.
    pub id: String,
    pub account: AccountId,
    pub streams: Vec<StreamId>,
    pub range: TimeRange,
    pub format: ExportFormat,
    pub note: String,
    /// As in the audit log.
    pub made_by: String,
    pub created_at: Timestamp,
    pub total_bytes: u64,
}

/// The file of an export that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// What it is saved as.
    pub name: String,
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// An export, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    pub export: NewExport,
    pub state: ExportState,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    pub done_bytes: u64,
    pub error: Option<String>,
    pub file: Option<ExportFile>,
    /// When row and file go.
    pub expires_at: Option<Timestamp>,
}

/// How an export ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportEnd {
    Done(ExportFile),
    /// With a sentence for the one who asked.
    Failed(String),
    Cancelled,
}

/// Exports.
#[async_trait]
pub trait ExportRows: Send + Sync {
    /// # Errors
    /// [`super::DbError::TooMany`] when `account_max` of the account wait or run already.
    async fn add_export(&self, new: &NewExport, account_max: u32, event: Event) -> DbResult<()>;
    async fn export(&self, id: &str) -> DbResult<Option<ExportRow>>;
    /// Of an account, perhaps only those that one asked for, the newest first from behind the export `before`, at most `limit`.
    async fn exports(&self, account: &AccountId, made_by: Option<&str>, before: Option<&str>, limit: u32) -> DbResult<Vec<ExportRow>>;
    /// The one that has waited longest; from here on it runs.
    async fn begin_export(&self, now: Timestamp) -> DbResult<Option<ExportRow>>;
    /// What ran when the service ended waits again. How many.
    async fn restart_exports(&self) -> DbResult<u64>;
    /// How far a running one has come. False when it does not run any more.
    async fn note_export(&self, id: &str, done_bytes: u64, total_bytes: u64) -> DbResult<bool>;
    /// Ends one that waits or runs. Its row goes at `expires_at`. False, and nothing is recorded,
    /// when it was over already.
    async fn end_export(&self, id: &str, end: &ExportEnd, expires_at: Timestamp, events: Vec<Event>) -> DbResult<bool>;
    /// Takes the file of a done one back, saying why. False when it has none.
    async fn withdraw_export(&self, id: &str, why: &str, event: Event) -> DbResult<bool>;
    /// False, and nothing is recorded, when it is not there or not over.
    async fn remove_export(&self, id: &str, event: Event) -> DbResult<bool>;
    /// Those whose time is up, at most `limit`.
    async fn exports_due(&self, now: Timestamp, limit: u32) -> DbResult<Vec<ExportRow>>;
    /// Those with a file, from behind this id in the order of ids, at most `limit`.
    async fn exports_with_file(&self, after: &str, limit: u32) -> DbResult<Vec<ExportRow>>;
    /// What files there are take, and what those that run will, without this one.
    async fn export_bytes(&self, without: &str) -> DbResult<u64>;
    /// Those that wait or run.
    async fn exports_to_do(&self) -> DbResult<u64>;
    /// Whether somebody has asked at `since` or later for an erasure that touches the range.
    async fn erasure_since(&self, stream: &StreamId, range: TimeRange, since: Timestamp) -> DbResult<bool>;
}
