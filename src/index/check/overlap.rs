//! Blocks of one stream whose times overlap. Only rows that someone put into the database past its own check
//! can: they are found by walking the rows in time order.

use crate::media::{BlockInfo, StreamId, TimeRange};

use super::Checker;
use super::files::Rows;
use super::finding::{Finding, FindingKind};
use super::mend::Job;
use crate::index::IndexResult;

/// Blocks that one block may overlap with: far more than ten minutes hold. Were there more, the index would
/// refuse the trimmed block, and the finding would say so.
const OTHERS_MAX: u32 = 1000;

impl Checker<'_> {
    pub(super) async fn check_overlaps(&mut self, stream: &StreamId) -> IndexResult<()> {
        let mut rows = Rows::new(&self.db, stream);
        // Of the rows so far, the one that reaches furthest.
        let mut reach: Option<BlockInfo> = None;
        while let Some(row) = rows.next().await? {
            let Some(before) = reach.take() else {
                reach = Some(row);
                continue;
            };
            let common = before.range().zip(row.range()).and_then(|(a, b)| a.intersection(b));
            let Some(common) = common else {
                reach = Some(if row.end() >= before.end() { row } else { before });
                continue;
            };
            reach = Some(self.overlap(before, row, common).await?);
        }
        Ok(())
    }

    /// Answers which of both the walk goes on with.
    async fn overlap(&mut self, a: BlockInfo, b: BlockInfo, common: TimeRange) -> IndexResult<BlockInfo> {
        // Ids begin with the moment of their making.
        let (older, newer) = if a.id < b.id { (a, b) } else { (b, a) };
        let detail = format!("block {} of the same stream holds this time too, and is older", older.id);
        let finding = Finding::new(FindingKind::Overlap, detail).of_stream(&newer.stream).of_block(newer.id);
        let finding = finding.at_path(newer.path()).in_range(Some(common));
        let mut action = None;
        if self.options.repair {
            let run = self.run_of(&newer).await?;
            let behind = self.surroundings(&newer).await?;
            let (run_end, goes_on) = (behind.run_end, behind.goes_on);
            let taken = self.taken_by_others(&newer, &older).await?;
            action = Some(self.mend(Job { run, span: newer.range(), run_end, goes_on, taken, row: newer.clone() }).await?);
        }
        let repaired = matches!(action, Some(Ok(_)));
        self.tell_with(finding, action);
        Ok(if repaired || older.end() >= newer.end() { older } else { newer })
    }

    async fn taken_by_others(&self, block: &BlockInfo, one: &BlockInfo) -> IndexResult<Vec<TimeRange>> {
        let Some(range) = block.range() else { return Ok(Vec::new()) };
        let there = self.db.blocks_in(&block.stream, range, OTHERS_MAX).await?;
        let others = there.iter().filter(|other| other.id != block.id).chain([one]);
        Ok(others.filter_map(BlockInfo::range).collect())
    }
}
