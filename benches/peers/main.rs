//! Retroview beside its peers, in one run on one machine: `script/bench` builds and runs this.
//!
//! Every figure is CPU seconds (user + system) of the process doing the work, and every comparison runs both
//! sides in turn, several times, and takes the median of the pairwise ratios: shared machines drift by half
//! between runs, ratios of neighbours do not.
//!
//! Arguments: the names of the sections to run (`ingest`, `thumbnails`, `serve`, `live`, `sweep`); none means all.

mod cpu;
mod ingest;
mod live;
mod load;
mod push;
mod serve;
mod service;
mod sweep;
mod thumbnails;

use std::path::PathBuf;
use std::process::ExitCode;

/// One line of the closing table.
pub struct Figure {
    pub what: String,
    pub ours: String,
    pub peer: String,
    /// `None`: reported, not bounded.
    pub within: Option<bool>,
}

/// What the sections share: a scratch folder that goes away with it, and the binary under test.
pub struct Bench {
    pub dir: PathBuf,
    pub retroview: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|a| a == "--quick") {
        println!("peers: left out, there is no quick way to run them");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let dir = std::env::temp_dir().join(format!("retroview-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("the temporary folder is writable");
    let bench = Bench { dir, retroview: PathBuf::from(env!("CARGO_BIN_EXE_retroview")) };

    let mut figures = Vec::new();
    let sections = [
        ("ingest", ingest::run as fn(&Bench) -> Vec<Figure>),
        ("thumbnails", thumbnails::run),
        ("serve", serve::run),
        ("live", live::run),
        ("sweep", sweep::run),
    ];
    for (name, section) in sections {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            eprintln!("… {name}");
            figures.extend(section(&bench));
        }
    }

    println!("{:<58} {:>22} {:>34}", "", "retroview", "peer");
    for f in &figures {
        let verdict = match f.within {
            Some(true) => "  within",
            Some(false) => "  OVER",
            None => "",
        };
        println!("{:<58} {:>22} {:>34}{verdict}", f.what, f.ours, f.peer);
    }
    if figures.iter().any(|f| f.within == Some(false)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The middle one; the mean of the two middle ones.
pub fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    }
}
