//! The other end of a share: somebody without an account opens it, and watches.
//!
//! Whoever has the link is who it is for. Opening it gives a cookie that is made from its secret, so that there is a row for the share
//! and none for each who opens it; from the cookie the link cannot be made again. What the share opens is looked at anew with
//! every request, as far as [`super::recent`] lets: it ends with its time, with a word of its maker, and with the rights of its maker.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::access::Caller;
use super::maker::on_behalf_of;
use super::principal::Proof;
use super::{Access, EntitlementError, Principal, Scope, Verb, Verbs, secret};
use crate::audit::{Event, acts};
use crate::db::{Db, ShareRow};
use crate::media::{StreamId, Timestamp};

/// The last use of a share is written at most this often.
const TOUCH_INTERVAL_US: i64 = 60_000_000;
/// A share that is opened again and again is recorded this often: whoever has a link must not be able to fill the log. Each opening is
/// counted.
const NOTED_EVERY_US: i64 = 3_600_000_000;

/// A share that was opened.
#[derive(Clone)]
pub struct OpenShare {
    pub row: ShareRow,
    /// What of it can be seen at this moment.
    pub streams: Vec<StreamId>,
    /// Shown to the browser once and not kept.
    pub cookie: String,
}

/// Without the cookie.
impl std::fmt::Debug for OpenShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenShare").field("share", &self.row.id).finish_non_exhaustive()
    }
}

impl Access {
    /// Opens the link with this secret.
    ///
    /// # Errors
    /// [`EntitlementError::UnknownShare`], [`EntitlementError::ShareRevoked`], [`EntitlementError::ShareExpired`],
    /// [`EntitlementError::ShareEnded`], [`EntitlementError::TooManyAttempts`].
    pub async fn open_share(&self, secret: &str, caller: Caller<'_>) -> Result<OpenShare, EntitlementError> {
        let s = self.inner();
        let keys = [caller.key()];
        self.wait_for(&keys)?;
        let row = match secret::hash(secret) {
            Some(hash) => s.db.share_by_hash(&hash).await?,
            None => None,
        };
        // Only what was never a link can be a guess.
        let Some(row) = row else {
            self.failed(&keys, None).await?;
            return Err(EntitlementError::UnknownShare);
        };
        let now = s.clock.now();
        let streams = opens(&s.db, &row, now).await?;
        let quiet = row.opens > 0 && row.last_used_at.is_some_and(|t| now.micros_since(t) < NOTED_EVERY_US);
        let opened = Event::system(now, acts::SHARE_OPENED)
            .by(format!("share {}", row.id))
            .of_account(&row.account)
            .over(row.range)
            .with("share", row.id.as_str())
            .with("address", caller.address);
        let db = if quiet { s.db.clone() } else { s.db.recording(opened) };
        db.count_share_opening(&row.id, now).await?;
        Ok(OpenShare { row, streams, cookie: cookie_of(secret) })
    }

    /// Who sends this cookie of a share.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`] also when the share is over.
    pub async fn by_share(&self, cookie: &str) -> Result<Principal, EntitlementError> {
        let s = self.inner();
        let hash = secret::hash(cookie).ok_or(EntitlementError::BadCredentials)?;
        let (now, monotonic) = (s.clock.now(), s.clock.monotonic());
        if let Some(known) = s.recent.get(&hash, monotonic, now) {
            return Ok(known);
        }
        let looked_up = s.recent.generation();
        let row = s.db.share_by_cookie(&hash).await?.ok_or(EntitlementError::BadCredentials)?;
        let streams = match opens(&s.db, &row, now).await {
            Err(EntitlementError::Db(error)) => return Err(error.into()),
            Err(_) => return Err(EntitlementError::BadCredentials),
            Ok(streams) => streams,
        };
        if row.last_used_at.is_none_or(|t| now.micros_since(t) >= TOUCH_INTERVAL_US)
            && let Err(error) = s.db.touch_share(&row.id, now).await
        {
            tracing::warn!(share = row.id, error = &error as &dyn std::error::Error, "note the last use of a share");
        }
        let principal = holder(&row, streams);
        s.recent.put(hash, principal.clone(), monotonic, row.expires_at, looked_up);
        Ok(principal)
    }
}

/// The streams that the share shows at `now`: those that its maker may watch.
async fn opens(db: &Db, row: &ShareRow, now: Timestamp) -> Result<Vec<StreamId>, EntitlementError> {
    if row.revoked.is_some() {
        return Err(EntitlementError::ShareRevoked);
    }
    if row.expires_at <= now {
        return Err(EntitlementError::ShareExpired);
    }
    let maker = on_behalf_of(db, &row.made_by, row.created_at, now).await?.ok_or(EntitlementError::ShareEnded)?;
    let watches = |stream: &&StreamId| maker.covers_account(&row.account) && maker.require_on(Scope::View, stream).is_ok();
    let streams: Vec<StreamId> = row.streams.iter().filter(watches).cloned().collect();
    if streams.is_empty() { Err(EntitlementError::ShareEnded) } else { Ok(streams) }
}

/// Whoever has opened it.
pub(super) fn holder(row: &ShareRow, streams: Vec<StreamId>) -> Principal {
    Principal {
        account: row.account.clone(),
        proof: Proof::Shared { id: row.id.as_str().into() },
        scopes: [Scope::View].into_iter().collect(),
        streams: Some(streams.into()),
        window: Some(row.range),
        verbs: verbs(row),
    }
}

pub(super) fn verbs(row: &ShareRow) -> Verbs {
    let watched = [Verb::View, Verb::Thumbnail];
    watched.into_iter().chain(row.download.then_some(Verb::Export)).collect()
}

/// The cookie that the link with this secret gives.
pub(super) fn cookie_of(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("retroview share cookie\n{secret}").as_bytes()))
}
