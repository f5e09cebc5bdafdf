//! Which footage has been given up and is not deleted yet, in a bounded answer.

use super::{Retention, RetentionResult};
use crate::media::{StreamId, TimeRange, Timestamp};

/// More than a time bar can show.
const SPANS_MAX: usize = 1000;
/// Rows read at a time.
const BATCH: u32 = 4096;

/// Marked footage, and when the first of it may be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarkedSpan {
    pub range: TimeRange,
    pub due_at: Timestamp,
}

impl Retention {
    /// What of `range` is marked, in time order, at most 1,000 spans. What is shorter than the resolution is one with what it touches;
    /// so is what is due at the same moment.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn marked(&self, stream: &StreamId, range: TimeRange, resolution_us: i64) -> RetentionResult<Vec<MarkedSpan>> {
        let mut merger = Merger { resolution_us, spans: Vec::new() };
        let mut from = range.start();
        while let Ok(rest) = TimeRange::new(from, range.end()) {
            let marks = self.db().marked_in(stream, rest, BATCH).await?;
            let full = marks.len() == BATCH as usize;
            from = marks.last().map_or(range.end(), |(block, _)| block.end());
            for (block, due_at) in marks {
                if let Some(cut) = block.intersection(range) {
                    merger.push(MarkedSpan { range: cut, due_at }, range);
                }
            }
            if !full {
                break;
            }
        }
        Ok(merger.spans)
    }
}

struct Merger {
    resolution_us: i64,
    spans: Vec<MarkedSpan>,
}

impl Merger {
    fn push(&mut self, span: MarkedSpan, whole: TimeRange) {
        self.join(span);
        if self.spans.len() > SPANS_MAX {
            // At twice this many stretches of the whole, neighbours of two stretches become one.
            self.resolution_us = (self.resolution_us * 2).max(whole.micros() * 4 / SPANS_MAX as i64);
            std::mem::take(&mut self.spans).into_iter().for_each(|span| self.join(span));
        }
    }

    fn join(&mut self, span: MarkedSpan) {
        let resolution_us = self.resolution_us;
        if let Some(last) = self.spans.last_mut()
            && span.range.start().micros_since(last.range.end()) <= resolution_us
            && (last.due_at == span.due_at || last.range.micros().min(span.range.micros()) < resolution_us)
            && let Ok(range) = TimeRange::new(last.range.start(), span.range.end())
        {
            *last = MarkedSpan { range, due_at: last.due_at.min(span.due_at) };
            return;
        }
        self.spans.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws marks: a digit is a second that is due then, `.` is not marked.
    fn merged(drawing: &str, resolution_s: i64) -> String {
        let t = |s: usize| Timestamp::from_secs(s as i64);
        let whole = TimeRange::new(t(0), t(drawing.len())).unwrap();
        let mut merger = Merger { resolution_us: resolution_s * 1_000_000, spans: Vec::new() };
        for (i, c) in drawing.chars().enumerate().filter(|(_, c)| *c != '.') {
            let due_at = Timestamp::from_secs(i64::from(c.to_digit(10).unwrap()));
            merger.push(MarkedSpan { range: TimeRange::new(t(i), t(i + 1)).unwrap(), due_at }, whole);
        }
        let mut out = vec!['.'; drawing.len()];
        for span in merger.spans {
            let at = |t: Timestamp| (t.as_micros() / 1_000_000) as usize;
            let due = char::from_digit(at(span.due_at) as u32, 10).unwrap();
            out[at(span.range.start())..at(span.range.end())].fill(due);
        }
        out.into_iter().collect()
    }

    #[test]
    fn what_is_finer_than_the_resolution_is_one_with_its_neighbours() {
        assert_eq!(merged("1122..33.4", 0), "1122..33.4");
        assert_eq!(merged("1122..33.4", 2), "1111111111", "short ones, and the holes between them");
        assert_eq!(merged("9999....11", 2), "9999....11");
    }

    #[test]
    fn an_answer_stays_bounded() {
        let whole = TimeRange::new(Timestamp::MIN, Timestamp::from_secs(200_000)).unwrap();
        let mut merger = Merger { resolution_us: 0, spans: Vec::new() };
        for i in 0..100_000 {
            let range = TimeRange::new(Timestamp::from_secs(2 * i), Timestamp::from_secs(2 * i + 1)).unwrap();
            merger.push(MarkedSpan { range, due_at: Timestamp::from_secs(i) }, whole);
            assert!(merger.spans.len() <= SPANS_MAX);
        }
        assert_eq!(merger.spans[0].due_at, Timestamp::from_secs(0));
    }
}
