//! One thing that a plan gives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Grants that this program itself asks for.
pub mod key {
    /// How long footage stays: a static [`Window`](crate::media::Window).
    pub const WINDOW: &str = "retroview.window";
    pub const SUPPORT_REQUESTS: &str = "support.requests";
    pub const SUPPORT_CHAT: &str = "support.chat";
    pub const SUPPORT_PROACTIVE: &str = "support.proactive";
    /// By severity (`critical`, `high`, `medium`, `low`): `{"hours": 4}` or `{"business_days": 1}`. A severity that is missing
    /// is not promised anything.
    pub const FIRST_RESPONSE: &str = "sla.first_response";
    pub const WEEKLY_REPORTS: &str = "reports.weekly";
    pub const GRAPHICAL_EMAIL: &str = "monitoring.graphical_email";
    pub const BACKUP_RESTORE: &str = "backup.restore";
}

/// What a plan gives under one key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grant {
    Boolean {
        granted: bool,
    },
    /// A value of any shape; the key says which.
    Static {
        value: Value,
    },
    /// `limit: None` is as many as wanted, still counted.
    Metered {
        limit: Option<u64>,
        per: Period,
    },
}

/// After which a metered grant is full again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A calendar month in the account's zone, whatever day the term began.
    Month,
}
