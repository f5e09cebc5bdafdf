//! `retroview import`: existing recordings become footage like any other.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::index::Index;
use crate::ingest::import::{ImportError, ImportProgress, ImportRequest, ImportedFile, StartFrom};
use crate::media::{StreamId, Timestamp};

use super::context::{Context, start_failure};
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
#[command(
    after_help = "When a recording began comes from --start, from file names by --pattern, or else from the files' metadata. Running the
same import again adds nothing; an interrupted one goes on where it was. Nothing is imported when a file would overlap
another or what is recorded. Works beside a running service.

Examples:
  retroview import door /mnt/old/door.mp4 --start 2026-05-03T14:00:00+02:00
  retroview import door /mnt/old/door/ --pattern %Y%m%d-%H%M%S --zone Europe/Paris
  retroview import door *.mkv --json"
)]
pub(super) struct ImportArgs {
    /// The stream that the footage belongs to
    stream: StreamId,
    /// Files, and folders whose MP4, MKV and TS files are meant
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// When the first file began (RFC 3339, or Unix seconds); later ones follow it
    #[arg(long, value_name = "TIME", conflicts_with = "pattern", allow_hyphen_values = true)]
    start: Option<String>,
    /// How file names tell their start, in strftime's letters
    #[arg(long, value_name = "STRFTIME")]
    pattern: Option<String>,
    /// The time zone of file names that have no offset
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "pattern")]
    zone: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: ImportArgs, context: &Context) -> anyhow::Result<Exit> {
    let start = match (&args.start, args.pattern) {
        (Some(text), _) => {
            let start = Timestamp::parse(text, SystemClock.now());
            StartFrom::Given(start.map_err(|e| Failure::new(Exit::Usage, format!("--start: {e}")).hint("retroview import --help"))?)
        }
        (None, Some(pattern)) => StartFrom::Name { pattern, zone: args.zone },
        (None, None) => StartFrom::Metadata,
    };
    let request = ImportRequest { stream: args.stream, paths: args.paths, start };
    context.with_database(async |database| {
        let (db, root) = app::open_index(&database.config).await.map_err(start_failure)?;
        let index = Index::for_command(db, root.clone());
        let importer = app::importer(&database.config, index, &root, Arc::new(SystemClock)).map_err(start_failure)?;
        let mut bar = Bar::new();
        let done = importer.import(&request, &mut |progress| bar.show(progress)).await;
        bar.clear();
        let files = done.map_err(failure)?;
        if args.json {
            output::print_json(&files.iter().map(FileLine::of).collect::<Vec<_>>())?;
        } else {
            files.iter().for_each(|file| output::print_line(&line(file)));
        }
        Ok(Exit::Ok)
    })
}

/// What is in the way of an import is a conflict; a stream that is not there is not found.
fn failure(error: ImportError) -> anyhow::Error {
    let exit = match &error {
        ImportError::UnknownStream(_) => Exit::NotFound,
        ImportError::FilesOverlap { .. } | ImportError::Overlap { .. } | ImportError::OvertakenBy { .. } => Exit::Conflict,
        ImportError::Start { .. } | ImportError::NoFiles { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    let hint = hint(&error);
    Failure::from_error(error.into()).with(exit).hint(hint).into()
}

fn hint(error: &ImportError) -> String {
    match error {
        ImportError::UnknownStream(stream) => format!("retroview streams add {stream} push:"),
        ImportError::Unreadable { .. } | ImportError::NoFiles { .. } => "looking at the path".into(),
        ImportError::Name { .. } => "renaming it".into(),
        ImportError::Start { .. } => "--start, another --pattern, or naming the files that fit (nothing has been imported)".into(),
        ImportError::Future { .. } => "--start, or --zone with the zone of the camera's clock".into(),
        ImportError::FilesOverlap { .. } | ImportError::Overlap { .. } => {
            "another --start, or a stream of its own for it (nothing has been imported)".into()
        }
        ImportError::OvertakenBy { .. } | ImportError::Lock { .. } => "the same again".into(),
        ImportError::Failed { .. } => "playing it with ffplay; a file that ffmpeg repairs (-c copy) can be imported".into(),
        ImportError::Child { .. } | ImportError::ChildDied { .. } | ImportError::Db(_) => "the same with --log-level debug".into(),
    }
}

/// One file as `--json` shows it.
#[derive(Serialize)]
struct FileLine {
    path: String,
    start_us: Option<i64>,
    end_us: Option<i64>,
    segments: u64,
    bytes: u64,
    /// It was there before.
    known: bool,
}

impl FileLine {
    fn of(file: &ImportedFile) -> FileLine {
        FileLine {
            path: file.path.display().to_string(),
            start_us: file.range.map(|r| r.start().as_micros()),
            end_us: file.range.map(|r| r.end().as_micros()),
            segments: file.segments,
            bytes: file.bytes,
            known: file.known,
        }
    }
}

fn line(file: &ImportedFile) -> String {
    let path = file.path.display();
    match file.range {
        None => format!("{path}: holds nothing that can be recorded"),
        Some(_) if file.known => format!("{path}: already there"),
        Some(r) => {
            let size = output::size(file.bytes);
            format!("{path}: {} to {}, {} segments, {size}", r.start().to_rfc3339(0), r.end().to_rfc3339(0), file.segments)
        }
    }
}

/// One line on stderr that is written over; nothing when stderr is no terminal.
struct Bar {
    shown: bool,
    terminal: bool,
    last_permille: i64,
}

impl Bar {
    fn new() -> Bar {
        Bar { shown: false, terminal: std::io::stderr().is_terminal(), last_permille: -1 }
    }

    fn show(&mut self, p: &ImportProgress) {
        let permille = p.done_us * 1000 / p.total_us.max(1);
        if !self.terminal || permille == self.last_permille {
            return;
        }
        (self.shown, self.last_permille) = (true, permille);
        let (tenths, percent) = (permille % 10, permille / 10);
        let _ = write!(std::io::stderr(), "\r\x1b[K{}/{} {} {percent}.{tenths} %", p.file + 1, p.files, p.path.display());
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
