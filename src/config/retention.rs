//! How carefully footage leaves. How long it stays is nothing to configure: plans say so.

use std::time::Duration;

use super::reader::Reader;
use super::values;

/// How carefully footage leaves.
#[derive(Clone, Debug)]
pub struct Retention {
    pub interval: Duration,
    pub grace: Duration,
    pub share_percent: u64,
}

impl Retention {
    pub(super) fn read(r: &mut Reader) -> Retention {
        Retention {
            // Footage is not served from the moment it leaves the window: this only says how soon its space is free.
            interval: r.get("retention.interval", "1h", "Expired footage is looked for this often.", values::duration("10s", "1d")),
            grace: r.get(
                "retention.grace",
                "7d",
                "Between the decision to delete and the deletion: an upgrade or a hold still rescues.",
                values::duration("0s", "90d"),
            ),
            share_percent: u64::from(r.get(
                "retention.share_percent",
                "20",
                "More of an account's footage than this, beyond what yesterday's forecast said, is deleted only when an operator confirms.",
                values::number(1, 100),
            )),
        }
    }
}
