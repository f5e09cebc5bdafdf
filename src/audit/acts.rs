//! The acts there are. A name is never given another meaning: old records keep theirs.

use super::Act;

/// With the settings that are not as they come.
pub const SERVICE_STARTED: Act = Act("service.started");
/// Nobody is led through the first steps any more.
pub const SETUP_DONE: Act = Act("setup.done");
pub const STREAM_ADDED: Act = Act("stream.added");
pub const STREAM_CHANGED: Act = Act("stream.changed");
pub const STREAM_PAUSED: Act = Act("stream.paused");
pub const STREAM_RESUMED: Act = Act("stream.resumed");
pub const STREAM_REMOVED: Act = Act("stream.removed");
/// It had been removed.
pub const STREAM_RESTORED: Act = Act("stream.restored");
/// Somebody without credentials of their own may see this range from now on.
pub const RANGE_SHARED: Act = Act("range.shared");
/// The first time, and then once an hour at most.
pub const SHARE_OPENED: Act = Act("share.opened");
pub const SHARE_REVOKED: Act = Act("share.revoked");
pub const EXPORT_ASKED: Act = Act("export.asked");
pub const EXPORT_CANCELLED: Act = Act("export.cancelled");
pub const EXPORT_FAILED: Act = Act("export.failed");
/// Its file went, because somebody said so.
pub const EXPORT_REMOVED: Act = Act("export.removed");
/// Its file went, because its time was up.
pub const EXPORT_EXPIRED: Act = Act("export.expired");
/// Its file went, because footage in it was erased.
pub const EXPORT_WITHDRAWN: Act = Act("export.withdrawn");
pub const BOOKMARK_ADDED: Act = Act("bookmark.added");
pub const BOOKMARK_CHANGED: Act = Act("bookmark.changed");
pub const BOOKMARK_REMOVED: Act = Act("bookmark.removed");
pub const FOOTAGE_WATCHED: Act = Act("footage.watched");
pub const FOOTAGE_EXPORTED: Act = Act("footage.exported");
pub const FOOTAGE_PICTURED: Act = Act("footage.pictured");
pub const CHECKPOINT_SIGNED: Act = Act("checkpoint.signed");
pub const USER_ADDED: Act = Act("user.added");
pub const USER_CHANGED: Act = Act("user.changed");
pub const USER_REMOVED: Act = Act("user.removed");
/// Somebody without a password was given a link to choose one.
pub const USER_INVITED: Act = Act("user.invited");
/// Somebody with a password was given a link to choose another.
pub const USER_RESET_OFFERED: Act = Act("user.reset_offered");
/// Other than with a link.
pub const USER_PASSWORD_SET: Act = Act("user.password_set");
/// A password was chosen with a link.
pub const LINK_USED: Act = Act("link.used");
/// Somebody signed in.
pub const SESSION_STARTED: Act = Act("session.started");
/// So many attempts failed that the next has to wait: by a user's name, or from an address. Not each attempt, so that nobody
/// fills the log from outside.
pub const SESSION_REFUSED: Act = Act("session.refused");
/// Somebody signed out.
pub const SESSION_ENDED: Act = Act("session.ended");
pub const SESSION_REVOKED: Act = Act("session.revoked");
pub const TOKEN_CREATED: Act = Act("token.created");
pub const TOKEN_REVOKED: Act = Act("token.revoked");
pub const SIGNING_KEY_ADDED: Act = Act("signing_key.added");
pub const SIGNING_KEY_REMOVED: Act = Act("signing_key.removed");
pub const HOLD_PLACED: Act = Act("hold.placed");
/// Or asked for, where a second person has to agree: `released` says which.
pub const HOLD_RELEASED: Act = Act("hold.released");
pub const CAP_SET: Act = Act("cap.set");
pub const RETENTION_MARKED: Act = Act("retention.marked");
pub const RETENTION_RESCUED: Act = Act("retention.rescued");
pub const RETENTION_SWEPT: Act = Act("retention.swept");
pub const RETENTION_STOPPED: Act = Act("retention.stopped");
pub const RETENTION_CONFIRMED: Act = Act("retention.confirmed");
