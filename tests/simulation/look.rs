//! What must hold after every step.

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use retroview::db::{AuditQuery, MarkRow};
use retroview::media::{BlockId, BlockInfo, TimeRange};
use retroview::retention::explain;
use retroview::store::BlockFile;

use crate::Outcome;
use crate::calendar::show;
use crate::history::History;
use crate::model::{Block, Erased, Fate};

/// More than any history has.
const ALL: u32 = 10_000;

/// Rows as they are.
pub struct Rows {
    blocks: HashMap<BlockId, BlockInfo>,
    marks: HashMap<BlockId, MarkRow>,
}

impl History {
    async fn rows(&self) -> Outcome<Rows> {
        let db = &self.world().db;
        let blocks = db.blocks_after(None, ALL).await?.into_iter().map(|b| (b.id, b)).collect();
        let marks = db.marks(None, ALL).await?.into_iter().map(|m| (m.block.id, m)).collect();
        Ok(Rows { blocks, marks })
    }

    /// What a run that was cut short may or may not have done is looked up, and it must have had the right to.
    pub async fn observe(&mut self) -> Outcome<Rows> {
        let rows = self.rows().await?;
        let starts = self.model.window_starts(self.now);
        let mut fates = Vec::new();
        for (i, block) in self.model.blocks.iter().enumerate().filter(|(_, b)| b.is_there()) {
            let row = rows.blocks.contains_key(&block.id);
            let swept = rows.marks.get(&block.id).is_some_and(|m| m.sweep.is_some());
            let fate = match (row, block.path.exists()) {
                (false, true) => bail!("{}: the row is gone, the bytes are not", name(block)),
                (false, false) if block.all_asked_for() => Fate::Erased,
                (true, false) if block.all_asked_for() => block.fate,
                (false, false) => Fate::Gone,
                (true, false) => Fate::Taken,
                (true, true) if swept => Fate::Taken,
                (true, true) => Fate::Kept,
            };
            let entitled = block.fate == Fate::Taken || self.model.may_be_swept(block, &starts, self.now);
            ensure!(
                matches!(fate, Fate::Kept | Fate::Erased) || entitled,
                "{}: lost ({fate:?}), and nothing had the right to take it",
                name(block)
            );
            fates.push((i, fate, block.path.exists()));
        }
        for (i, fate, whole) in fates {
            (self.model.blocks[i].fate, self.model.blocks[i].whole) = (fate, whole);
        }
        Ok(rows)
    }

    /// All of it.
    pub async fn look(&mut self) -> Outcome {
        let rows = self.rows().await?;
        self.look_through(&rows).await
    }

    /// All of it, where nothing has happened since these rows were read.
    pub async fn look_through(&mut self, rows: &Rows) -> Outcome {
        for block in &self.model.blocks {
            self.look_at(block, rows).await.with_context(|| name(block))?;
        }
        let known = self.model.blocks.iter().filter(|b| rows.blocks.contains_key(&b.id)).count();
        ensure!(known == rows.blocks.len(), "there are rows of blocks that nobody recorded");
        self.look_at_marks(rows)?;
        self.follow_the_chain().await?;
        self.changed = false;
        // What is wrong with sums stays wrong until the end of the history, where it is looked for in any case.
        if self.dice.percent(25) {
            self.recount().await?;
            self.ask_why().await?;
        }
        Ok(())
    }

    async fn recount(&self) -> Outcome {
        let wrong = self.world().db.recount(false).await?;
        ensure!(wrong.is_empty(), "extents or sums of {wrong:?} are not what their blocks add up to");
        Ok(())
    }

    async fn look_at(&self, block: &Block, rows: &Rows) -> Outcome {
        let stream = &self.model.streams[block.stream].id;
        let found = self.world().index.segments(stream, block.range, 100).await?;
        match block.fate {
            // Under way: see what becomes of it when it is over.
            Fate::Kept if block.all_asked_for() => {}
            Fate::Kept => {
                let row = rows.blocks.get(&block.id).context("its row is lost")?;
                let file = BlockFile::open(&self.world().root, row).context("its file is lost")?;
                let asked = |start| block.segments.iter().any(|s| s.start == start && s.erased == Erased::Maybe);
                let found: Vec<_> = found.into_iter().filter(|f| !asked(f.segment.start)).collect();
                let kept = || block.segments.iter().filter(|s| s.erased == Erased::No);
                ensure!(found.len() == kept().count(), "{} of its {} segments can be found", found.len(), kept().count());
                for (segment, found) in kept().zip(&found) {
                    ensure!((segment.start, segment.end) == (found.segment.start, found.segment.end()), "its segments lie elsewhere");
                    let from = found.segment.media_offset();
                    let body = file.slice(from..from + u64::from(found.segment.entry.media_bytes()))?;
                    ensure!(body == segment.body, "another segment is played in its place");
                }
                look_for_erased(block)?;
            }
            // In a state between, until the sweep is taken up again.
            Fate::Taken => {}
            Fate::Gone | Fate::Erased => {
                ensure!(!rows.blocks.contains_key(&block.id), "it should be gone, and its row is there");
                ensure!(!block.path.exists(), "it should be gone, and its bytes are there");
                ensure!(found.is_empty(), "it should be gone, and is found in the index");
            }
        }
        Ok(())
    }

    fn look_at_marks(&self, rows: &Rows) -> Outcome {
        let starts = self.model.window_starts(self.now);
        for block in &self.model.blocks {
            let Some(mark) = rows.marks.get(&block.id) else { continue };
            let held = self.model.standing(block, &starts, self.now).protected;
            // Where the clock has gone back, the hold was not there yet or is there again.
            let comparable = mark.sweep.is_none() && mark.marked_at <= self.now;
            ensure!(!(comparable && held), "{}: marked, and held", name(block));
            ensure!(block.maybe_marked.is_some() || mark.sweep.is_some(), "{}: marked, and no run had the right to", name(block));
        }
        Ok(())
    }

    async fn follow_the_chain(&mut self) -> Outcome {
        let records = self.world().db.audit_records(&AuditQuery::default(), self.chain.n, ALL).await?;
        for record in &records {
            self.chain.follow(record)?;
        }
        Ok(())
    }

    /// Somebody asks about a random segment.
    async fn ask_why(&mut self) -> Outcome {
        let kept: Vec<usize> = (0..self.model.blocks.len()).filter(|i| self.model.blocks[*i].fate == Fate::Kept).collect();
        let Some(i) = self.dice.pick(&kept) else { return Ok(()) };
        let block = &self.model.blocks[i];
        let left: Vec<usize> = (0..block.segments.len()).filter(|s| block.segments[*s].erased == Erased::No).collect();
        let Some(which) = self.dice.pick(&left) else { return Ok(()) };
        let block = &self.model.blocks[i];
        let stream = &self.model.streams[block.stream];
        let segment = &block.segments[which];
        let world = self.world();
        let rules = retroview::retention::Plans::rules(&*world.bought, &self.model.customers[stream.customer].id).await?;
        let told = explain(&world.index, &rules, &stream.id, segment.start, self.now).await?;
        let range = TimeRange::new(segment.start, segment.end)?;
        let alone = Block { range, segments: Vec::new(), path: block.path.clone(), ..*block };
        let out = self.model.standing(&alone, &self.model.window_starts(self.now), self.now).judged_out;
        ensure!(told.verdict.keeps() != out, "asked about {}: {:?}", show(segment.start), told.verdict);
        Ok(())
    }

    /// At the end of a history: every sweep has its receipt, and its records.
    pub async fn end(&mut self) -> Outcome {
        self.enforce().await?;
        self.recount().await?;
        let db = self.world().db.clone();
        ensure!(db.unfinished_sweeps().await?.is_empty(), "a sweep was never finished");
        let mut told = std::collections::HashMap::<i64, u64>::new();
        let query = AuditQuery { act: Some("retention.swept".into()), ..AuditQuery::default() };
        for record in db.audit_records(&query, 0, ALL).await? {
            let number = |key: &str| record.event.details.get(key).and_then(serde_json::Value::as_i64).unwrap_or(0);
            *told.entry(number("sweep")).or_default() += number("blocks").unsigned_abs();
        }
        let mut receipts = std::collections::HashSet::new();
        for sweep in db.sweeps(None, ALL).await? {
            let rows = db.swept_by(sweep.id).await?;
            ensure!(told.get(&sweep.id).copied() == Some(rows.len() as u64), "sweep {} and its records differ", sweep.id);
            for row in rows {
                let block = self.model.blocks.iter().find(|b| b.id == row.block.id).context("a receipt for a block that never was")?;
                ensure!(!block.is_there() && block.range == row.block.range, "{}: its receipt is wrong", name(block));
                receipts.insert(block.id);
            }
        }
        let mut gone = self.model.blocks.iter().filter(|b| b.fate == Fate::Gone && !b.unreceipted);
        match gone.find(|b| !receipts.contains(&b.id)) {
            Some(block) => bail!("{}: a sweep took it, and left no receipt", name(block)),
            None => Ok(()),
        }
    }
}

/// Nothing of what was erased is in the file.
fn look_for_erased(block: &Block) -> Outcome {
    if block.segments.iter().all(|s| s.erased != Erased::Yes) {
        return Ok(());
    }
    let bytes = std::fs::read(&block.path)?;
    for segment in block.segments.iter().filter(|s| s.erased == Erased::Yes) {
        ensure!(
            !bytes.windows(segment.body.len()).any(|w| w == segment.body),
            "bytes of {} are there, and were erased",
            show(segment.start)
        );
    }
    Ok(())
}

fn name(block: &Block) -> String {
    format!("block {} to {} of stream {}", show(block.range.start()), show(block.range.end()), block.stream)
}
