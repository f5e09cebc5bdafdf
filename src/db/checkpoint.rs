//! Signing how far the audit log reaches.

use super::{Db, DbError, DbResult};
use crate::audit::{Chain, Checkpoint, CheckpointKey, Event, KEY_BYTES, KEY_NAME, acts};
use crate::media::Timestamp;

/// The installation's key. `fresh` becomes it on first use.
///
/// # Errors
/// The database does not answer; [`DbError::Damaged`].
pub async fn checkpoint_key(db: &Db, fresh: &[u8; KEY_BYTES]) -> DbResult<CheckpointKey> {
    let kept = db.secret(KEY_NAME, fresh).await?;
    let kept =
        kept.as_slice().try_into().map_err(|_| DbError::Damaged { what: "the key of the audit log", detail: "its length".into() })?;
    Ok(CheckpointKey::new(kept))
}

/// Signs the log as it is at `now`. The log says that it was signed, and what is signed includes that record.
///
/// # Errors
/// The database does not take it.
pub async fn sign_checkpoint(db: &Db, fresh: &[u8; KEY_BYTES], by: &str, now: Timestamp) -> DbResult<Checkpoint> {
    let key = checkpoint_key(db, fresh).await?;
    let record = db.audit(Event::system(now, acts::CHECKPOINT_SIGNED).by(by).with("key", key.public())).await?;
    Ok(key.sign(Chain { n: record.n, hash: record.hash }, now))
}
