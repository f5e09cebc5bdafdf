//! Signed documents that are kept: receipts and attestations.

use async_trait::async_trait;
use serde::Serialize;

use super::DbResult;
use crate::audit::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// What a receipt is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    Sweep,
    Erasure,
}

impl ReceiptKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ReceiptKind::Sweep => "sweep",
            ReceiptKind::Erasure => "erasure",
        }
    }
}

/// A receipt to be kept: one part of what a sweep or an erasure took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    pub account: AccountId,
    pub kind: ReceiptKind,
    /// Of the sweep or the erasure.
    pub number: i64,
    /// From 1.
    pub part: u32,
    pub made_at: Timestamp,
    /// Signed, as it is handed out.
    pub document: String,
}

/// A receipt that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    pub id: i64,
    pub receipt: NewReceipt,
}

/// Receipts and attestations. They are never changed.
#[async_trait]
pub trait PaperRows: Send + Sync {
    /// Finished sweeps and erasures for which there is no receipt, at most `limit`.
    async fn without_receipt(&self, limit: u32) -> DbResult<Vec<(ReceiptKind, i64)>>;
    /// Keeps all parts of a receipt, with its record. False, and nothing changed, when there is one.
    async fn add_receipts(&self, parts: &[NewReceipt], event: Event) -> DbResult<bool>;
    /// Newest first, those before the one with this number, at most `limit`; without their documents.
    async fn receipts(&self, account: Option<&AccountId>, before: Option<i64>, limit: u32) -> DbResult<Vec<ReceiptRow>>;
    async fn receipt(&self, id: i64) -> DbResult<Option<ReceiptRow>>;
    /// Keeps an attestation in place of one of the same stream and day, with its record.
    async fn add_attestation(&self, stream: &StreamId, day: &str, made_at: Timestamp, document: &str, event: Event) -> DbResult<()>;
    /// Of this day, or the newest.
    async fn attestation(&self, stream: &StreamId, day: Option<&str>) -> DbResult<Option<String>>;
    /// Whether a sweep took anything of `range`, as a range: the whole of it.
    async fn swept_span(&self, stream: &StreamId, range: TimeRange) -> DbResult<Option<TimeRange>>;
}
