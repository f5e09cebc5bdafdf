//! Placing and releasing holds.

use serde::Serialize;

use super::{Retention, RetentionError, RetentionResult};
use crate::accounts::By;
use crate::audit::{Event, acts};
use crate::db::{DbError, HoldRow, NewHold, PlacedHold, Release};
use crate::media::{AccountId, Timestamp};

/// Longest case or reason, in characters.
const WORDS_CHARS_MAX: usize = 2000;
/// Longest margin: a year.
const MARGIN_US_MAX: i64 = 366 * 86_400_000_000;
/// Streams in one hold.
const STREAMS_MAX: usize = 1000;

/// A hold, with what became of it, as lists and the API show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Hold)]
pub struct HoldView {
    pub id: i64,
    pub account: String,
    pub streams: Vec<String>,
    /// Without the margins.
    pub start_us: i64,
    pub end_us: i64,
    pub margin_before_us: i64,
    pub margin_after_us: i64,
    pub case: String,
    pub reason: String,
    pub author: String,
    pub placed_at_us: i64,
    /// Null: until it is released.
    pub expires_at_us: Option<i64>,
    /// Who asked for its release, where a second person has to agree.
    pub release_asked_by: Option<String>,
    pub released_by: Option<String>,
    pub released_at_us: Option<i64>,
    pub state: HoldState,
}

/// What a hold does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// It keeps what it touches.
    Active,
    /// The same, and one of two people has asked for its release.
    ReleaseAsked,
    Released,
    Expired,
}

impl HoldView {
    /// `row`, seen at `now`.
    pub fn of(row: HoldRow, now: Timestamp) -> HoldView {
        let state = match (&row.released, row.active_at(now), &row.release_asked) {
            (Some(_), ..) => HoldState::Released,
            (None, false, _) => HoldState::Expired,
            (None, true, Some(_)) => HoldState::ReleaseAsked,
            (None, true, None) => HoldState::Active,
        };
        let (released_by, released_at) = row.released.unzip();
        let hold = row.hold;
        HoldView {
            id: row.id,
            account: hold.account.to_string(),
            streams: hold.streams.iter().map(ToString::to_string).collect(),
            start_us: hold.range.start().as_micros(),
            end_us: hold.range.end().as_micros(),
            margin_before_us: hold.margin_before_us,
            margin_after_us: hold.margin_after_us,
            case: hold.case,
            reason: hold.reason,
            author: hold.author,
            placed_at_us: row.placed_at.as_micros(),
            expires_at_us: hold.expires_at.map(Timestamp::as_micros),
            release_asked_by: row.release_asked.map(|(by, _)| by),
            released_by,
            released_at_us: released_at.map(Timestamp::as_micros),
            state,
        }
    }
}

impl Retention {
    /// Places a hold. What is marked and not being deleted yet is rescued in the same transaction.
    ///
    /// # Errors
    /// [`RetentionError::Hold`] with what is wrong; [`RetentionError::UnknownStream`] also for another account's.
    pub async fn place_hold(&self, by: &By, new: NewHold) -> RetentionResult<PlacedHold> {
        check(&new, by.now)?;
        self.accounts.account(&new.account).await.map_err(|_| RetentionError::Hold(format!("there is no account `{}`", new.account)))?;
        let mut event = Event::system(by.now, acts::HOLD_PLACED)
            .by(by.actor.as_str())
            .of_account(&new.account)
            .over(new.range)
            .with("streams", new.streams.iter().map(|s| s.as_str()).collect::<Vec<_>>())
            .with("case", new.case.as_str())
            .with("reason", new.reason.as_str())
            .with("margin_before_us", new.margin_before_us)
            .with("margin_after_us", new.margin_after_us);
        if let Some(t) = new.expires_at {
            event = event.with("expires_at_us", t.as_micros());
        }
        let placed = self.db().place_hold(&new, by.now, event).await.map_err(|error| match error {
            DbError::Missing { what: "stream", id } => match id.parse() {
                Ok(stream) => RetentionError::UnknownStream(stream),
                Err(_) => RetentionError::Hold(format!("there is no stream `{id}`")),
            },
            other => other.into(),
        })?;
        self.changed();
        Ok(placed)
    }

    /// Releases a hold. Where the account says so, somebody else has to ask for it too. Footage that only this hold kept is no
    /// longer shown, and leaves with the next run.
    ///
    /// # Errors
    /// [`RetentionError::UnknownHold`] also for another account's.
    pub async fn release_hold(&self, by: &By, account: &AccountId, id: i64) -> RetentionResult<Release> {
        let row = self.hold(account, id).await?;
        let two = self.accounts.account(account).await.is_ok_and(|a| a.release_needs_second);
        let event = Event::system(by.now, acts::HOLD_RELEASED).by(by.actor.as_str()).of_account(account).over(row.hold.range);
        let done = self.db().release_hold(id, &by.actor, two, by.now, event).await?;
        self.changed();
        Ok(done)
    }

    /// # Errors
    /// [`RetentionError::UnknownHold`] also for another account's.
    pub async fn hold(&self, account: &AccountId, id: i64) -> RetentionResult<HoldRow> {
        let row = self.db().hold(id).await?.filter(|row| row.hold.account == *account);
        row.ok_or(RetentionError::UnknownHold(id))
    }

    /// By number, those after `after`, at most `limit`; those that are over too.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn holds(&self, account: Option<&AccountId>, after: i64, limit: u32) -> RetentionResult<Vec<HoldRow>> {
        Ok(self.db().holds(account, after, limit).await?)
    }
}

fn check(new: &NewHold, now: Timestamp) -> RetentionResult<()> {
    let words = |text: &str| !text.trim().is_empty() && text.chars().count() <= WORDS_CHARS_MAX;
    let margin = |us: i64| (0..=MARGIN_US_MAX).contains(&us);
    let wrong = if new.streams.is_empty() || new.streams.len() > STREAMS_MAX {
        format!("a hold is on 1 to {STREAMS_MAX} streams")
    } else if !words(&new.case) || !words(&new.reason) {
        format!("say the case and the reason, each in 1 to {WORDS_CHARS_MAX} characters")
    } else if !margin(new.margin_before_us) || !margin(new.margin_after_us) {
        "a margin is 0 to 366 days".to_owned()
    } else if new.range.start() >= now {
        "the range lies in the future; hold it once it has begun".to_owned()
    } else if new.expires_at.is_some_and(|t| t <= now) {
        "the hold would have expired already".to_owned()
    } else {
        return Ok(());
    };
    Err(RetentionError::Hold(wrong))
}
