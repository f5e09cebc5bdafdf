//! A history as a picture: a line for each stream, a character for each block.

use std::fmt::Write;

use crate::calendar::show;
use crate::history::History;
use crate::model::{Block, Fate};

impl History {
    fn letter(&self, block: &Block, starts: &[Option<retroview::media::Timestamp>]) -> char {
        let standing = self.model.standing(block, starts, self.now);
        match block.fate {
            Fate::Gone => '.',
            Fate::Erased => 'e',
            Fate::Taken => 't',
            Fate::Kept if standing.protected => 'h',
            Fate::Kept if block.surely_marked.is_some() => 'm',
            Fate::Kept if block.maybe_marked.is_some() => '?',
            Fate::Kept if standing.outside => 'o',
            Fate::Kept => '#',
        }
    }

    /// What the model says there is, and how it came to that.
    pub fn draw(&self) -> String {
        let starts = self.model.window_starts(self.now);
        let mut out = String::from("inside # held h outside o marked m maybe marked ? being swept t gone . erased e\n");
        for (i, stream) in self.model.streams.iter().enumerate() {
            let line: String = self.model.blocks.iter().filter(|b| b.stream == i).map(|b| self.letter(b, &starts)).collect();
            let start = starts[i].map_or("the beginning".into(), show);
            // Writing to a string does not fail.
            let _ = writeln!(out, "{:>8} {line}  (window from {start})", stream.id.as_str());
        }
        self.log.iter().for_each(|line| out.extend([line.as_str(), "\n"]));
        out
    }
}
