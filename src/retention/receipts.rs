//! Receipts: what went, under which rule, when it was marked, due and deleted; signed.
//!
//! A sweep or an erasure that has come to its end gets one by the next run, from the rows it left: [`make_receipts`]. It is kept as it was
//! signed and never made anew. What is in it is in the module doc of [`crate::audit`] as far as its form goes; the members are:
//!
//! `of` (`sweep`, `erasure`), `number`, `account`, `part` of `parts` (of [`BLOCKS_MAX`] blocks each), `begun_us`, `finished_us`,
//! `made_us`; of an erasure `reason`, `asked_by`, `actor`, `start_us`, `end_us`; `blocks`, each with its stream, range, bytes, segments and
//! checksum, and `marked_us`, `due_us` and `rule`, or `hidden_us`, `gone_us` and `whole`; `totals` over the blocks of this part.

use serde_json::{Map, Value, json};

use super::{RetentionError, RetentionResult};
use crate::audit::{Act, CheckpointKey, Document, Event, KEY_BYTES};
use crate::db::{Db, ErasedBlock, NewReceipt, ReceiptKind, SweptRow};
use crate::media::{AccountId, BlockId, TimeRange, Timestamp};

/// Kind of the document.
pub const RECEIPT: &str = "receipt";
/// Blocks in one part: 300 KB of JSON, a hundred printed pages.
pub const BLOCKS_MAX: usize = 1000;
/// Receipts made in one run, and rows read at a time.
const BATCH: u32 = 100;

/// What a receipt is about.
struct Subject {
    account: AccountId,
    kind: ReceiptKind,
    number: i64,
    /// Members that are the same in every part.
    members: Map<String, Value>,
}

/// Makes the receipts that are missing; how many.
///
/// # Errors
/// [`RetentionError`]; those that were made stay.
pub async fn make_receipts(db: &Db, now: Timestamp) -> RetentionResult<u64> {
    let missing = db.without_receipt(BATCH).await?;
    if missing.is_empty() {
        return Ok(0);
    }
    let key = signing_key(db).await?;
    let mut made = 0;
    for (kind, number) in missing {
        let Some((subject, blocks)) = gather(db, kind, number).await? else { continue };
        let parts = parts(&subject, &blocks, &key, now);
        let event = Event::system(now, Act("receipt.signed")).of_account(&subject.account).with(kind.as_str(), number);
        let hashes: Vec<String> = parts.iter().filter_map(|p| Document::kept(&p.document).ok()).map(|d| d.hash()).collect();
        made += u64::from(db.add_receipts(&parts, event.with("sha256", hashes)).await?);
    }
    Ok(made)
}

/// The key that signs checkpoints signs receipts and attestations too: an auditor writes down one.
///
/// # Errors
/// [`RetentionError`].
pub async fn signing_key(db: &Db) -> RetentionResult<CheckpointKey> {
    let mut fresh = [0; KEY_BYTES];
    getrandom::fill(&mut fresh).map_err(|e| RetentionError::Interrupted(format!("no randomness: {e}")))?;
    Ok(crate::db::checkpoint_key(db, &fresh).await?)
}

async fn gather(db: &Db, kind: ReceiptKind, number: i64) -> RetentionResult<Option<(Subject, Vec<Value>)>> {
    match kind {
        ReceiptKind::Sweep => {
            let Some(sweep) = db.sweep(number).await? else { return Ok(None) };
            let members = object(json!({ "begun_us": sweep.begun_at, "finished_us": sweep.finished_at }));
            let blocks = db.swept_by(number).await?.iter().map(swept).collect();
            Ok(Some((Subject { account: sweep.account, kind, number, members }, blocks)))
        }
        ReceiptKind::Erasure => {
            let Some(row) = db.erasure(number).await? else { return Ok(None) };
            let asked = row.erasure;
            let members = object(json!({
                "begun_us": row.asked_at, "finished_us": row.finished_at, "reason": asked.reason, "asked_by": asked.asked_by,
                "actor": asked.actor, "stream": asked.stream, "start_us": asked.range.start(), "end_us": asked.range.end(),
            }));
            Ok(Some((Subject { account: asked.account, kind, number, members }, erased_blocks(db, number).await?)))
        }
    }
}

async fn erased_blocks(db: &Db, erasure: i64) -> RetentionResult<Vec<Value>> {
    let (mut blocks, mut after) = (Vec::new(), None);
    loop {
        let page = db.erased_by(erasure, after, BATCH).await?;
        let Some(last) = page.last() else { return Ok(blocks) };
        after = Some(last.block);
        blocks.extend(page.iter().map(erased));
    }
}

fn parts(subject: &Subject, blocks: &[Value], key: &CheckpointKey, now: Timestamp) -> Vec<NewReceipt> {
    let nothing: &[Value] = &[];
    let mut chunks: Vec<&[Value]> = blocks.chunks(BLOCKS_MAX).collect();
    if chunks.is_empty() {
        chunks.push(nothing);
    }
    let count = chunks.len();
    let part = |(chunk, part): (&[Value], u32)| {
        let mut members = subject.members.clone();
        members.extend(object(json!({
            "of": subject.kind.as_str(), "number": subject.number, "account": subject.account, "part": part, "parts": count,
            "made_us": now, "blocks": chunk, "totals": totals(chunk),
        })));
        let document = Document::sign(key, RECEIPT, members).to_text();
        NewReceipt { account: subject.account.clone(), kind: subject.kind, number: subject.number, part, made_at: now, document }
    };
    chunks.into_iter().zip(1..).map(part).collect()
}

/// Sums over the blocks of a receipt: also what its reader adds up.
pub fn totals(blocks: &[Value]) -> Value {
    let sum = |name: &str| blocks.iter().filter_map(|b| b.get(name)?.as_u64()).sum::<u64>();
    json!({ "blocks": blocks.len(), "segments": sum("segments"), "bytes": sum("bytes") })
}

fn swept(row: &SweptRow) -> Value {
    let b = &row.block;
    let mut value = block(b.id, b.stream.as_str(), b.range, (b.segments, b.size_bytes), b.checksum);
    value.extend(object(json!({ "marked_us": row.marked_at, "due_us": row.due_at, "rule": row.rule })));
    Value::Object(value)
}

fn erased(row: &ErasedBlock) -> Value {
    let mut value = block(row.block, row.stream.as_str(), row.range, (row.segments, row.bytes), row.checksum);
    value.extend(object(json!({ "hidden_us": row.hidden_at, "gone_us": row.gone_at, "whole": row.whole })));
    Value::Object(value)
}

fn block(id: BlockId, stream: &str, range: TimeRange, (segments, bytes): (u64, u64), checksum: Option<u64>) -> Map<String, Value> {
    object(json!({
        "block": id, "stream": stream, "start_us": range.start(), "end_us": range.end(), "segments": segments, "bytes": bytes,
        "checksum": checksum.map(|sum| format!("{sum:016x}")),
    }))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
