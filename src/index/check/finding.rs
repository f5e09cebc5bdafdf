//! What a check says.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::media::{BlockId, StreamId, TimeRange};

/// Kinds of disagreement between rows and bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A row names a file that is not there.
    MissingFile,
    /// A block file that no row names.
    OrphanedFile,
    /// A file ends before its row says it does.
    ShortenedFile,
    /// Bytes are not what was written: init segment, block header, a segment's header or media, trailer.
    Checksum,
    /// The file is whole, but its row names more segments than it holds.
    RowWithoutBytes,
    /// The file is whole, but its row says something else.
    RowDiffers,
    /// Two blocks of a stream hold the same time.
    Overlap,
    /// A block is open and nobody writes it.
    Unsealed,
    /// What lies in the media folder and is no block of the stream it lies with.
    ForeignFile,
    /// The disk does not give the file's bytes.
    Unreadable,
    /// What was erased on request is in a file again.
    ErasedFootage,
    /// A row from before its file was deleted on purpose: the database is older than the media folder.
    DeletedSince,
    /// Footage that left its window so long ago that it should have been deleted.
    BeyondWindow,
    /// Time inside the window that is neither recorded nor in a gap with a cause.
    MissingInWindow,
    /// A deletion or a hold that the audit log does not know.
    Unrecorded,
    /// A sweep or an erasure that does not come to its end.
    Unfinished,
    /// What the index has derived from a stream's rows (recorded ranges, sums) is not what the rows say.
    DerivedRows,
}

impl FindingKind {
    /// The stable name used in JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::MissingFile => "missing_file",
            FindingKind::OrphanedFile => "orphaned_file",
            FindingKind::ShortenedFile => "shortened_file",
            FindingKind::Checksum => "checksum",
            FindingKind::RowWithoutBytes => "row_without_bytes",
            FindingKind::RowDiffers => "row_differs",
            FindingKind::Overlap => "overlap",
            FindingKind::Unsealed => "unsealed",
            FindingKind::ForeignFile => "foreign_file",
            FindingKind::Unreadable => "unreadable",
            FindingKind::ErasedFootage => "erased_footage",
            FindingKind::DeletedSince => "deleted_since",
            FindingKind::BeyondWindow => "beyond_window",
            FindingKind::MissingInWindow => "missing_in_window",
            FindingKind::Unrecorded => "unrecorded",
            FindingKind::Unfinished => "unfinished",
            FindingKind::DerivedRows => "derived_rows",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One disagreement, with the thing it is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    pub stream: Option<StreamId>,
    pub block: Option<BlockId>,
    /// Below the media root.
    pub path: Option<String>,
    /// The footage it is about.
    pub range: Option<TimeRange>,
    /// One sentence for people.
    pub detail: String,
    /// Whether rows and bytes agree again.
    pub repaired: bool,
    /// What repair did, or why it could not.
    pub action: Option<String>,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, detail: impl Into<String>) -> Finding {
        let detail = detail.into();
        Finding { kind, stream: None, block: None, path: None, range: None, detail, repaired: false, action: None }
    }
    pub(crate) fn of_stream(mut self, stream: &StreamId) -> Finding {
        self.stream = Some(stream.clone());
        self
    }
    pub(crate) fn of_block(mut self, block: BlockId) -> Finding {
        self.block = Some(block);
        self
    }
    pub(crate) fn at_path(mut self, path: impl Into<String>) -> Finding {
        self.path = Some(path.into());
        self
    }
    pub(crate) fn in_range(mut self, range: Option<TimeRange>) -> Finding {
        self.range = range;
        self
    }
}

impl fmt::Display for Finding {
    /// `checksum: main/cam/…mp4: segment 3: media does not match its checksum — repaired: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match (&self.path, &self.stream) {
            (Some(path), _) => write!(f, ": {path}")?,
            (None, Some(stream)) => write!(f, ": {stream}")?,
            (None, None) => {}
        }
        if let Some(range) = self.range {
            write!(f, " ({} to {})", range.start().to_rfc3339(3), range.end().to_rfc3339(3))?;
        }
        write!(f, ": {}", self.detail)?;
        match &self.action {
            Some(action) if self.repaired => write!(f, " — repaired: {action}"),
            Some(action) => write!(f, " — not repaired: {action}"),
            None => Ok(()),
        }
    }
}

/// How far a walk over the archive has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Progress {
    pub streams_total: u64,
    /// Streams that are done.
    pub streams: u64,
    /// The one being looked at.
    pub stream: Option<StreamId>,
    pub files: u64,
    /// Sizes of the files looked at.
    pub bytes: u64,
}

/// What a check tells while it goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckEvent {
    Finding(Finding),
    Progress(Progress),
}

/// What a check has found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CheckSummary {
    pub streams: u64,
    /// Block files looked at.
    pub files: u64,
    pub bytes: u64,
    /// Number of findings of each kind; empty when rows and bytes agree.
    pub findings: BTreeMap<FindingKind, u64>,
    /// How many of them are repaired.
    pub repaired: u64,
}

impl CheckSummary {
    /// Something more was found, beside rows and bytes.
    pub fn count(&mut self, finding: &Finding) {
        *self.findings.entry(finding.kind).or_default() += 1;
        self.repaired += u64::from(finding.repaired);
    }
    pub fn total(&self) -> u64 {
        self.findings.values().sum()
    }
    /// Rows and bytes agree (again).
    pub fn is_clean(&self) -> bool {
        self.total() == self.repaired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_same_name_in_json_and_text() {
        use FindingKind::{
            BeyondWindow, DeletedSince, DerivedRows, ErasedFootage, MissingFile, MissingInWindow, RowWithoutBytes, Unsealed,
        };
        for kind in [MissingFile, RowWithoutBytes, DerivedRows, Unsealed, ErasedFootage, DeletedSince, BeyondWindow, MissingInWindow] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn a_finding_reads_as_a_sentence() {
        let mut finding = Finding::new(FindingKind::Checksum, "segment 3: media does not match its checksum").at_path("main/cam/x.mp4");
        assert_eq!(finding.to_string(), "checksum: main/cam/x.mp4: segment 3: media does not match its checksum");
        (finding.repaired, finding.action) = (true, Some("the segment is a gap now".into()));
        assert!(finding.to_string().ends_with(" — repaired: the segment is a gap now"));
    }
}
