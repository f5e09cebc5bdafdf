//! Whoever made something that works without them: shares, exports. It may do no more than they may at that moment.

use super::{EntitlementError, Principal};
use crate::db::Db;
use crate::media::{AccountId, Timestamp};

/// The one who stood behind `label` when something was made at `since`, as they are now. `None`: they may not come in any more, or
/// are somebody else of the same name.
///
/// # Errors
/// The database does not answer.
pub async fn on_behalf_of(db: &Db, label: &str, since: Timestamp, now: Timestamp) -> Result<Option<Principal>, EntitlementError> {
    match label.split_once(' ') {
        Some(("user", name)) => {
            let user = db.user(name).await?.filter(|u| u.disabled_at.is_none() && u.created_at <= since);
            Ok(user.map(|user| Principal::of_user(user, "")))
        }
        Some(("token", id)) => {
            let token = db.token(id).await?.filter(|t| t.expires_at.is_none_or(|at| now < at));
            Ok(token.map(Principal::of_token))
        }
        Some(("command", _)) => Ok(Some(Principal::command_line(AccountId::main()))),
        _ => Ok(None),
    }
}
