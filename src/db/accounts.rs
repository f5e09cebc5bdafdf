//! Rows of accounts, plans and subscriptions. What they mean is `accounts`' and `plans`'.

use async_trait::async_trait;

use super::DbResult;
use crate::media::{AccountId, Timestamp};

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub id: AccountId,
    pub name: String,
    /// IANA name.
    pub zone: String,
    /// `en`, `fr`.
    pub language: String,
    pub created_at: Timestamp,
    /// Whether a hold is released by someone other than who asks for it.
    pub release_needs_second: bool,
}

/// A plan by name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRef {
    pub name: String,
    pub version: u32,
}

/// A version of a plan that an operator added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    pub plan: PlanRef,
    /// JSON of `plans::Plan`.
    pub definition: String,
    pub created_at: Timestamp,
}

/// From `from` on this plan holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSince {
    pub from: Timestamp,
    pub plan: PlanRef,
}

/// What an account has bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    pub account: AccountId,
    pub plan: PlanRef,
    /// Of the first term.
    pub start: Timestamp,
    pub term_months: u32,
    pub renews: bool,
    /// So many terms have begun and are in the ledger.
    pub settled_terms: u32,
    /// The downgrade that is decided.
    pub scheduled: Option<PlanSince>,
    /// Grows by one with every change.
    pub version: u64,
}

/// An amount, and what for.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerLine {
    pub at: Timestamp,
    /// What the account owes more; negative: less. Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// `term`, `upgrade`.
    pub kind: String,
    /// What the amount was computed from.
    pub details: serde_json::Value,
}

/// A request to change something, in the words it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRequest {
    pub at: Timestamp,
    pub actor: String,
    /// As in the audit log.
    pub act: String,
    pub words: String,
}

/// One step in the life of a subscription: all of it or nothing.
#[derive(Clone, Debug)]
pub struct SubscriptionChange {
    /// As it shall be, with the version that was seen; the row that is stored has the next.
    pub row: SubscriptionRow,
    /// What begins to hold, in order of time.
    pub history: Vec<PlanSince>,
    pub ledger: Vec<LedgerLine>,
    pub request: Option<WrittenRequest>,
}

/// Accounts, and what they bought.
#[async_trait]
pub trait AccountRows: Send + Sync {
    /// An account with its first subscription, whose `version` is stored as 1.
    ///
    /// # Errors
    /// [`DbError::Exists`](super::DbError::Exists).
    async fn add_account(&self, account: &AccountRow, first: &SubscriptionChange) -> DbResult<()>;
    /// Replaces name, zone, language and the rule for releases.
    ///
    /// # Errors
    /// [`DbError::Missing`](super::DbError::Missing).
    async fn change_account(&self, account: &AccountRow) -> DbResult<()>;
    async fn account(&self, id: &AccountId) -> DbResult<Option<AccountRow>>;
    /// By id.
    async fn accounts(&self) -> DbResult<Vec<AccountRow>>;

    /// # Errors
    /// [`DbError::Exists`](super::DbError::Exists): a version never changes.
    async fn add_plan(&self, plan: &PlanRow) -> DbResult<()>;
    /// By name and version.
    async fn added_plans(&self) -> DbResult<Vec<PlanRow>>;

    async fn subscription(&self, account: &AccountId) -> DbResult<Option<SubscriptionRow>>;
    /// # Errors
    /// [`DbError::Changed`](super::DbError::Changed) when the stored version is not the one that was seen, or when
    /// something in `history` begins before what is there; [`DbError::Missing`](super::DbError::Missing).
    async fn change_subscription(&self, change: &SubscriptionChange) -> DbResult<SubscriptionRow>;
    /// In order of time; of two that begin at once the later holds. Without what is only scheduled.
    async fn plan_history(&self, account: &AccountId) -> DbResult<Vec<PlanSince>>;
    /// Oldest first.
    async fn ledger(&self, account: &AccountId) -> DbResult<Vec<LedgerLine>>;
    /// Oldest first.
    async fn written_requests(&self, account: &AccountId) -> DbResult<Vec<WrittenRequest>>;

    /// How much of a metered grant is used in the period that begins at `period`.
    async fn used(&self, account: &AccountId, grant: &str, period: Timestamp) -> DbResult<u64>;
    /// Counts one more, unless that would be more than `limit`: then nothing changes and the answer is `None`. Otherwise
    /// what is used now.
    async fn count_use(&self, account: &AccountId, grant: &str, period: Timestamp, limit: Option<u64>) -> DbResult<Option<u64>>;
}
