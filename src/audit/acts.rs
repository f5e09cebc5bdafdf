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
