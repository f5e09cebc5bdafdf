//! What is in an archive, and what is not: `manifest.json`.
//!
//! Signed like a receipt with the key of the audit log's checkpoints; `retroview audit verify-receipt` proves it, and the checksums in it
//! prove the files.

use serde_json::{Map, Value, json};

use crate::audit::{Chain, CheckpointKey, Document};
use crate::db::NewExport;
use crate::index::CoverageAnswer;
use crate::media::{StreamId, TimeRange, Timestamp};

/// One file of the archive.
pub(super) struct Entry {
    pub name: String,
    pub stream: StreamId,
    pub title: String,
    pub size_bytes: u64,
    pub sha256: String,
    /// From the first segment to the end of the last.
    pub range: TimeRange,
    /// How long it plays: gaps are skipped.
    pub media_us: i64,
    pub coverage: CoverageAnswer,
}

/// What the archive holds, signed.
pub(super) fn manifest(
    job: &NewExport,
    entries: &[Entry],
    without: &[(StreamId, String)],
    made_at: Timestamp,
    head: Chain,
    key: &CheckpointKey,
) -> String {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("export", job.id.as_str().into());
    put("account", job.account.as_str().into());
    put("exported_by", job.made_by.as_str().into());
    put("reason", job.note.as_str().into());
    put("asked_at_us", job.created_at.as_micros().into());
    put("made_at_us", made_at.as_micros().into());
    put("range_us", span(job.range));
    put("audit_head", json!({ "n": head.n, "sha256": hex(&head.hash) }));
    put("files", entries.iter().map(file).collect::<Vec<_>>().into());
    let without = without.iter().map(|(stream, why)| json!({ "stream": stream, "why": why })).collect::<Vec<_>>();
    put("streams_without_footage", without.into());
    Document::sign(key, "export", members).to_text()
}

fn file(entry: &Entry) -> Value {
    let gaps = entry.coverage.gaps.iter().map(|gap| {
        let (start_us, end_us) = (gap.range.start().as_micros(), gap.range.end().as_micros());
        json!({ "start_us": start_us, "end_us": end_us, "cause": gap.cause, "detail": gap.detail })
    });
    json!({
        "name": entry.name,
        "stream": entry.stream,
        "title": entry.title,
        "size_bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "range_us": span(entry.range),
        "duration_us": entry.media_us,
        "ranges_us": TimeRange::merged(entry.coverage.runs.iter().map(|run| run.range).collect()).into_iter().map(span).collect::<Vec<_>>(),
        "gaps": gaps.collect::<Vec<_>>(),
        // Beyond two thousand ranges and gaps, what is shorter is merged.
        "resolution_us": entry.coverage.resolution_us,
    })
}

fn span(range: TimeRange) -> Value {
    json!([range.start().as_micros(), range.end().as_micros()])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
