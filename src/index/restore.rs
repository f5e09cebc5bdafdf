//! Streams whose rows are gone come back from what their folders say.

use crate::db::{Db, NewStream, StreamRow};
use crate::media::{StreamId, Timestamp};
use crate::store::{MediaRoot, StreamFolder};

use super::IndexResult;

/// Source of a stream whose folder does not say it: takes what is pushed, fetches nothing.
pub const SOURCE_PLACEHOLDER: &str = "push:";

/// What became of a stream's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Restored {
    /// It was there.
    Known(StreamRow),
    /// It is back as its folder says. Credentials of its source are nowhere in the media folder.
    FromFolder(StreamRow),
    /// Only its id is known. It is paused until an operator has set its source.
    Placeholder(StreamRow),
    /// There is a stream of this id in another account: ids are unique in the installation.
    OtherAccount(StreamRow),
}

/// Makes sure that the stream of this folder has a row.
///
/// # Errors
/// [`super::IndexError::Db`].
pub(super) async fn restore_stream(db: &Db, root: &MediaRoot, folder: &StreamFolder, now: Timestamp) -> IndexResult<Restored> {
    if let Some(row) = db.stream(&folder.stream).await? {
        return Ok(if row.account == folder.account { Restored::Known(row) } else { Restored::OtherAccount(row) });
    }
    let card = root.stream_card(&folder.account, &folder.stream).filter(|c| c.stream == folder.stream && c.account == folder.account);
    let new = |title: &str, source: &str| NewStream {
        id: folder.stream.clone(),
        account: folder.account.clone(),
        title: title.to_string(),
        source: source.to_string(),
        credentials: None,
    };
    if let Some(card) = card {
        return Ok(Restored::FromFolder(db.add_stream(&new(&card.title, &card.source), now).await?));
    }
    let row = db.add_stream(&new(folder.stream.as_str(), SOURCE_PLACEHOLDER), now).await?;
    db.set_stream_paused(&folder.stream, true).await?;
    Ok(Restored::Placeholder(StreamRow { paused: true, ..row }))
}

impl Restored {
    /// The stream, when it was not known before.
    pub(super) fn new_stream(&self) -> Option<&StreamId> {
        match self {
            Restored::FromFolder(row) | Restored::Placeholder(row) => Some(&row.id),
            Restored::Known(_) | Restored::OtherAccount(_) => None,
        }
    }
}
