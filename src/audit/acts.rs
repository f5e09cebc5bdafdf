//! The acts there are. A name is never given another meaning: old records keep theirs.

use super::Act;

pub const STREAM_ADDED: Act = Act("stream.added");
pub const STREAM_CHANGED: Act = Act("stream.changed");
pub const STREAM_PAUSED: Act = Act("stream.paused");
pub const STREAM_RESUMED: Act = Act("stream.resumed");
pub const STREAM_REMOVED: Act = Act("stream.removed");
/// Somebody without credentials of their own may see this range from now on.
pub const RANGE_SHARED: Act = Act("range.shared");
pub const FOOTAGE_WATCHED: Act = Act("footage.watched");
pub const FOOTAGE_EXPORTED: Act = Act("footage.exported");
pub const FOOTAGE_PICTURED: Act = Act("footage.pictured");
pub const CHECKPOINT_SIGNED: Act = Act("checkpoint.signed");
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
