//! What of a range is recorded: runs and gaps.

use super::{Gap, RunId, TimeRange};

/// The recorded part of one run inside the range asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoverageRun {
    pub run: RunId,
    pub range: TimeRange,
}

/// Runs and gaps of one stream over a range, in time order. Runs that follow one another without a gap
/// stay apart: a discontinuity lies between them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    pub runs: Vec<CoverageRun>,
    pub gaps: Vec<Gap>,
}
