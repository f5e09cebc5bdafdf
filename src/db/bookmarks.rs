//! Rows of bookmarks.

use async_trait::async_trait;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// A bookmark to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBookmark {
    pub account: AccountId,
    pub stream: StreamId,
    pub at: Timestamp,
    /// `None`: it is about a moment.
    pub end: Option<Timestamp>,
    pub title: String,
    pub note: String,
    /// As in the audit log.
    pub author: String,
}

/// A bookmark that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookmarkRow {
    pub id: i64,
    pub bookmark: NewBookmark,
    pub created_at: Timestamp,
}

/// Which bookmarks of an account are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookmarkQuery {
    pub account: AccountId,
    /// `None`: of all its streams.
    pub streams: Option<Vec<StreamId>>,
    /// Each is part of title or note, in small letters.
    pub words: Vec<String>,
    /// Only those with a number below.
    pub before: Option<i64>,
}

/// Bookmarks. Each change takes the event that records it, which gets the number as `bookmark`.
#[async_trait]
pub trait BookmarkRows: Send + Sync {
    /// # Errors
    /// [`super::DbError::TooMany`] when the stream has `stream_max` already; [`super::DbError::Missing`].
    async fn add_bookmark(&self, new: &NewBookmark, stream_max: u32, now: Timestamp, event: Event) -> DbResult<BookmarkRow>;
    /// Replaces time, title and note.
    ///
    /// # Errors
    /// [`super::DbError::Missing`].
    async fn change_bookmark(&self, id: i64, to: &NewBookmark, event: Event) -> DbResult<()>;
    /// False, and nothing is recorded, when there was none.
    async fn remove_bookmark(&self, id: i64, event: Event) -> DbResult<bool>;
    async fn bookmark(&self, id: i64) -> DbResult<Option<BookmarkRow>>;
    /// Those that touch `range`, by time, at most `limit`.
    async fn bookmarks_in(&self, stream: &StreamId, range: TimeRange, limit: u32) -> DbResult<Vec<BookmarkRow>>;
    /// The newest first, at most `limit`.
    async fn bookmarks(&self, query: &BookmarkQuery, limit: u32) -> DbResult<Vec<BookmarkRow>>;
}
