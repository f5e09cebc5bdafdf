//! Ranges that are shown to people without an account, by a link.

use std::sync::Arc;
use std::time::Duration;

use super::Directory;
use crate::audit::{Event, acts};
use crate::db::ShareRow;
use crate::entitlement::{EntitlementError, Principal, Scope, Verb, Visible, secret, shares};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// The longest a share is good: a year. What is to be seen for longer is for somebody who signs in.
const GOOD_FOR_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Streams in one share: a site's cameras, and a short enough list to read before it is given away.
const STREAMS_MAX: usize = 100;
const NOTE_CHARS_MAX: usize = 2000;
/// Shares of one account that are good at once: more than anybody keeps an eye on.
const ACCOUNT_MAX: u32 = 1000;
/// Shares in one answer.
const LIST_MAX: u32 = 500;

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct NewShare {
    pub range: TimeRange,
    /// Files may be taken away, too.
    pub download: bool,
    pub note: String,
    pub expires_at: Timestamp,
}

/// A share that was just made. `secret` is shown once and not kept.
#[derive(Clone)]
pub struct FreshShare {
    pub secret: String,
    pub row: ShareRow,
}

impl FreshShare {
    /// The link. Behind `#`, so that it is sent to no server and stands in no log.
    pub fn url(&self, base: &str) -> String {
        format!("{base}/#/share/{}", self.secret)
    }
}

/// Without the secret: links may not get into logs.
impl std::fmt::Debug for FreshShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshShare").field("share", &self.row.id).finish_non_exhaustive()
    }
}

impl Directory {
    /// Makes a link that shows `streams`, all of one account, to whoever has it. It shows nothing that `who` could not see, and nothing
    /// that only a hold keeps.
    ///
    /// # Errors
    /// As [`Principal::permit`]; [`EntitlementError::NotOwn`], [`EntitlementError::Share`], [`EntitlementError::AlreadyExpired`],
    /// [`EntitlementError::OutlivesMaker`].
    pub async fn make_share(
        &self,
        who: &Principal,
        now: Timestamp,
        streams: &[Arc<Visible>],
        new: NewShare,
    ) -> Result<FreshShare, EntitlementError> {
        who.require_own()?;
        self.check_share(who, now, streams, &new).await?;
        let secret = secret::fresh()?;
        let cookie = shares::cookie_of(&secret);
        let unknown = || EntitlementError::UnknownShare;
        let row = ShareRow {
            id: secret::public_id('h')?,
            account: streams[0].account.clone(),
            hash: secret::hash(&secret).ok_or_else(unknown)?,
            cookie_hash: secret::hash(&cookie).ok_or_else(unknown)?,
            streams: streams.iter().map(|visible| visible.stream.clone()).collect(),
            range: new.range,
            download: new.download,
            note: new.note.trim().to_owned(),
            made_by: who.label(),
            created_at: now,
            expires_at: new.expires_at,
            revoked: None,
            opens: 0,
            last_used_at: None,
        };
        // Whatever the rights of its maker are: what its holder would be is what it has to open.
        let holder = shares::holder(&row, row.streams.clone());
        for visible in streams {
            for verb in Verb::ALL.into_iter().filter(|verb| shares::verbs(&row).has(*verb)) {
                who.permit(verb, new.range, visible)?;
                holder.permit(verb, new.range, visible)?;
            }
        }
        let events = row.streams.iter().map(|stream| shared(who, now, &row, stream)).collect();
        self.db.add_share(&row, ACCOUNT_MAX, events).await?;
        Ok(FreshShare { secret, row })
    }

    async fn check_share(&self, who: &Principal, now: Timestamp, streams: &[Arc<Visible>], new: &NewShare) -> Result<(), EntitlementError> {
        let wrong = |text: String| Err(EntitlementError::Share(text));
        let Some(first) = streams.first().filter(|_| streams.len() <= STREAMS_MAX) else {
            return wrong(format!("a share shows 1 to {STREAMS_MAX} streams"));
        };
        if streams.iter().any(|visible| visible.account != first.account) {
            return wrong("the streams of a share are of one account".into());
        }
        let mut names: Vec<&StreamId> = streams.iter().map(|visible| &visible.stream).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < streams.len() {
            return wrong("a stream is named twice".into());
        }
        if new.note.chars().count() > NOTE_CHARS_MAX {
            return wrong(format!("a note is at most {NOTE_CHARS_MAX} characters"));
        }
        if new.expires_at <= now {
            return Err(EntitlementError::AlreadyExpired);
        }
        if new.expires_at > now + GOOD_FOR_MAX {
            return wrong("a share is good for 366 days at most".into());
        }
        let own_end = match who.token_id() {
            Some(id) => self.db.token(id).await?.and_then(|token| token.expires_at),
            None => None,
        };
        match own_end {
            Some(end) if end < new.expires_at => Err(EntitlementError::OutlivesMaker(end)),
            _ => Ok(()),
        }
    }

    /// The account's shares, those that are over too, the newest first from behind `before`: for those who see to the account, or have its
    /// records before them, all; for others their own.
    ///
    /// # Errors
    /// Neither watching nor reading records is theirs.
    pub async fn shares(&self, who: &Principal, account: &AccountId, before: Option<&str>) -> Result<Vec<ShareRow>, EntitlementError> {
        who.require_own()?;
        let all = who.require_everywhere(Scope::Audit).is_ok();
        if !all {
            who.require(Scope::View)?;
        }
        let label = who.label();
        Ok(self.db.shares(account, Some(&*label).filter(|_| !all), before, LIST_MAX).await?)
    }

    /// From now on the link opens nothing, and who has opened it sees no more: one's own; who sees to the account, anyone's.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownShare`] also for what is not theirs to revoke; [`EntitlementError::ShareRevoked`].
    pub async fn revoke_share(&self, who: &Principal, now: Timestamp, id: &str) -> Result<ShareRow, EntitlementError> {
        who.require_own()?;
        who.require(Scope::View)?;
        let may = |row: &ShareRow| {
            let sees_to_it = who.require_everywhere(Scope::Admin).is_ok() && who.covers_account(&row.account);
            sees_to_it || row.made_by == who.label()
        };
        let row = self.db.share(id).await?.filter(may).ok_or(EntitlementError::UnknownShare)?;
        let event = Event::system(now, acts::SHARE_REVOKED)
            .by(who.label())
            .of_account(&row.account)
            .over(row.range)
            .with("share", row.id.as_str())
            .with("made_by", row.made_by.as_str());
        let revoked = self.db.revoke_share(id, &who.label(), now, event).await?;
        self.changed();
        if revoked { Ok(ShareRow { revoked: Some((who.label(), now)), ..row }) } else { Err(EntitlementError::ShareRevoked) }
    }
}

/// One record a stream, so that each stream's history has it.
fn shared(who: &Principal, now: Timestamp, row: &ShareRow, stream: &StreamId) -> Event {
    Event::system(now, acts::RANGE_SHARED)
        .by(who.label())
        .of_account(&row.account)
        .on_stream(stream)
        .over(row.range)
        .with("share", row.id.as_str())
        .with("expires_at_us", row.expires_at.as_micros())
        .with("download", row.download)
        .with("note", row.note.as_str())
}
