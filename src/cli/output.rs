//! Answers on stdout: tables for people, JSON for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::clock::{Clock, SystemClock};

/// Writes to stdout. A reader that went away (`| head`) is not an error.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

pub(super) fn print_line(text: &str) {
    print(&format!("{text}\n"));
}

/// One pretty document.
pub(super) fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    print_line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Whether an error means that the reader of our output went away.
pub(super) fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // Libraries in C hand the error number on as text only.
        if error.to_string().contains("Broken pipe") {
            return true;
        }
        next = error.source();
    }
    false
}

/// Columns as wide as their widest cell, two spaces apart; nothing after the last.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>().join("  ");
        format!("{}\n", padded.trim_end())
    };
    let mut text = line(head.to_vec());
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// Lines in a frame that stands out in a terminal.
pub(super) fn boxed(lines: &[String]) -> String {
    let width = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let bar = "─".repeat(width + 2);
    let body: String = lines.iter().map(|l| format!("│ {l:<width$} │\n")).collect();
    format!("┌{bar}┐\n{body}└{bar}┘\n")
}

/// `1.5 GiB`; three digits that matter.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value < 1000.0 || unit == "TiB" {
            let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    unreachable!("the last unit returns")
}

/// One line on stderr that tells how far a long command has come; nothing where nobody watches.
pub(super) struct ProgressLine {
    watched: bool,
    shown: usize,
    last: Duration,
}

impl ProgressLine {
    /// Often enough to look alive, seldom enough to cost nothing.
    const PAUSE: Duration = Duration::from_millis(200);

    pub(super) fn new(wanted: bool) -> Self {
        ProgressLine { watched: wanted && std::io::stderr().is_terminal(), shown: 0, last: Duration::ZERO }
    }
    pub(super) fn show(&mut self, text: &str) {
        let now = SystemClock.monotonic();
        if self.watched && now - self.last >= Self::PAUSE {
            eprint!("\r{text:<width$}", width = self.shown);
            (self.shown, self.last) = (text.chars().count(), now);
        }
    }
    /// Before anything else is printed.
    pub(super) fn clear(&mut self) {
        if self.shown > 0 {
            eprint!("\r{:width$}\r", "", width = self.shown);
            self.shown = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [vec!["a".into(), "long cell".into()], vec!["longer".into(), String::new()]];
        assert_eq!(table(&["ID", "TITLE"], &rows), "ID      TITLE\na       long cell\nlonger\n");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (5 << 50, "5120 TiB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
