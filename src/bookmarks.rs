//! Bookmarks: moments and ranges of streams that people want to find again.
//!
//! Whoever may watch a stream sees all of its bookmarks and makes their own; their own they change and remove, and those who see to
//! the account do so with anyone's. A bookmark keeps nothing: its footage leaves with the plan, and the bookmark stays to say what
//! was there.
//!
//! Leaves to others: rows (`db`), who somebody is (`entitlement`).
//!
//! **Invariants.** Each change commits with its record. An address that was made for somebody else shows no bookmarks: they are
//! people's words, not footage.

use std::fmt;

use crate::audit::{Act, Event, acts};
use crate::db::{BookmarkQuery, BookmarkRow, Db, DbError, NewBookmark, StreamRow};
use crate::entitlement::{EntitlementError, Principal, Scope};
use crate::media::{AccountId, TimeRange, Timestamp};

/// Bookmarks in one answer.
pub const LIST_MAX: u32 = 1000;
/// Bookmarks of one stream: one an hour for a year, and more than a person finds anything in.
const STREAM_MAX: u32 = 10_000;
/// Longest title, as of streams: what fits a list.
const TITLE_CHARS_MAX: usize = 200;
const NOTE_CHARS_MAX: usize = 4000;
/// Words searched for at once; what is more is left out.
const WORDS_MAX: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum BookmarkError {
    #[error("there is no bookmark `{0}`")]
    Unknown(i64),
    #[error("{0}")]
    Value(String),
    #[error(transparent)]
    Entitlement(#[from] EntitlementError),
    #[error(transparent)]
    Db(#[from] DbError),
}

pub type BookmarkResult<T> = Result<T, BookmarkError>;

/// What somebody writes down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    pub at: Timestamp,
    /// `None`: it is about a moment.
    pub end: Option<Timestamp>,
    pub title: String,
    pub note: String,
}

/// What shall be different. `None` stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BookmarkChange {
    pub at: Option<Timestamp>,
    pub end: Option<Option<Timestamp>>,
    pub title: Option<String>,
    pub note: Option<String>,
}

/// Everything there is to do with bookmarks. Streams are given as rows that the caller has found visible to `who`.
#[derive(Clone)]
pub struct Bookmarks {
    db: Db,
}

impl fmt::Debug for Bookmarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bookmarks").finish_non_exhaustive()
    }
}

impl Bookmarks {
    pub fn new(db: Db) -> Bookmarks {
        Bookmarks { db }
    }

    /// # Errors
    /// [`BookmarkError::Value`]; [`DbError::TooMany`].
    pub async fn add(&self, who: &Principal, now: Timestamp, stream: &StreamRow, draft: Draft) -> BookmarkResult<BookmarkRow> {
        who.require_own()?;
        let draft = checked(draft, now)?;
        let new = NewBookmark {
            account: stream.account.clone(),
            stream: stream.id.clone(),
            at: draft.at,
            end: draft.end,
            title: draft.title,
            note: draft.note,
            author: who.label(),
        };
        let event = event(who, now, acts::BOOKMARK_ADDED, &new);
        Ok(self.db.add_bookmark(&new, STREAM_MAX, now, event).await?)
    }

    /// # Errors
    /// [`BookmarkError::Unknown`] also for another stream's; somebody else's, without the right.
    pub async fn change(
        &self,
        who: &Principal,
        now: Timestamp,
        stream: &StreamRow,
        id: i64,
        change: BookmarkChange,
    ) -> BookmarkResult<BookmarkRow> {
        let row = self.find(who, stream, id).await?;
        let old = row.bookmark;
        let draft = Draft {
            at: change.at.unwrap_or(old.at),
            end: change.end.unwrap_or(old.end),
            title: change.title.unwrap_or(old.title),
            note: change.note.unwrap_or(old.note),
        };
        let draft = checked(draft, now)?;
        let bookmark = NewBookmark {
            at: draft.at,
            end: draft.end,
            title: draft.title,
            note: draft.note,
            account: old.account,
            stream: old.stream,
            author: old.author,
        };
        self.db.change_bookmark(id, &bookmark, event(who, now, acts::BOOKMARK_CHANGED, &bookmark)).await?;
        Ok(BookmarkRow { bookmark, ..row })
    }

    /// # Errors
    /// As [`Bookmarks::change`].
    pub async fn remove(&self, who: &Principal, now: Timestamp, stream: &StreamRow, id: i64) -> BookmarkResult<()> {
        let row = self.find(who, stream, id).await?;
        let event = event(who, now, acts::BOOKMARK_REMOVED, &row.bookmark);
        if self.db.remove_bookmark(id, event).await? { Ok(()) } else { Err(BookmarkError::Unknown(id)) }
    }

    /// The stream's bookmarks that touch `range`, by time, at most [`LIST_MAX`].
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn on(&self, who: &Principal, stream: &StreamRow, range: TimeRange) -> BookmarkResult<Vec<BookmarkRow>> {
        who.require_own()?;
        Ok(self.db.bookmarks_in(&stream.id, range, LIST_MAX).await?)
    }

    /// The account's bookmarks on what `who` may watch, the newest first, at most [`LIST_MAX`]. `text`: words that are in title or note.
    ///
    /// # Errors
    /// No right to view.
    pub async fn of(&self, who: &Principal, account: &AccountId, text: &str, before: Option<i64>) -> BookmarkResult<Vec<BookmarkRow>> {
        who.require_own()?;
        who.require(Scope::View)?;
        let words = text.split_whitespace().take(WORDS_MAX).map(str::to_lowercase).collect();
        let streams = who.streams().map(<[_]>::to_vec);
        let query = BookmarkQuery { account: account.clone(), streams, words, before };
        Ok(self.db.bookmarks(&query, LIST_MAX).await?)
    }

    /// One that `who` may change.
    async fn find(&self, who: &Principal, stream: &StreamRow, id: i64) -> BookmarkResult<BookmarkRow> {
        who.require_own()?;
        let row = self.db.bookmark(id).await?.filter(|row| row.bookmark.stream == stream.id);
        let row = row.ok_or(BookmarkError::Unknown(id))?;
        if row.bookmark.author != who.label() {
            who.require_on(Scope::Admin, &stream.id)?;
        }
        Ok(row)
    }
}

fn checked(draft: Draft, now: Timestamp) -> BookmarkResult<Draft> {
    let wrong = |text: String| Err(BookmarkError::Value(text));
    let (title, note) = (draft.title.trim().to_owned(), draft.note.trim().to_owned());
    if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX || title.chars().any(char::is_control) {
        return wrong(format!("a title is 1 to {TITLE_CHARS_MAX} characters on one line"));
    }
    if note.chars().count() > NOTE_CHARS_MAX {
        return wrong(format!("a note is at most {NOTE_CHARS_MAX} characters"));
    }
    if draft.at > now {
        return wrong("this moment lies in the future; mark it when it has come".into());
    }
    if draft.end.is_some_and(|end| end <= draft.at) {
        return wrong("the end is not after the start".into());
    }
    Ok(Draft { title, note, ..draft })
}

fn event(who: &Principal, now: Timestamp, act: Act, bookmark: &NewBookmark) -> Event {
    let event = Event::system(now, act).by(who.label()).of_account(&bookmark.account).on_stream(&bookmark.stream);
    let event = event.with("title", bookmark.title.as_str()).with("author", bookmark.author.as_str());
    match bookmark.end.map(|end| TimeRange::new(bookmark.at, end)) {
        Some(Ok(range)) => event.over(range),
        _ => event.with("at_us", bookmark.at.as_micros()),
    }
}
