//! `retroview index rebuild`: the index is lost, the files are not.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::app::{self, DataDirLock};
use crate::clock::{Clock, SystemClock};
use crate::db;
use crate::index::{self, Index};
use crate::store::MediaRoot;

use super::context::{Context, start_failure, start_quiet_logging};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(subcommand)]
    command: IndexCommand,
}

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Make the index anew from the files in the media folder. The service must not run.
    #[command(after_help = "Streams, users and tokens in the database stay. Streams that only the files know are made anew; passwords of
their sources must be set again.

Examples:
  retroview index rebuild
  retroview index rebuild --media-root /mnt/other-disk --json")]
    Rebuild {
        /// Where footage lies [default: media in the data directory]
        #[arg(long, value_name = "DIR")]
        media_root: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Rebuilt {
    streams: usize,
    blocks: usize,
    segments: usize,
    streams_made: Vec<String>,
    without_source: Vec<String>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    path: String,
    detail: String,
}

pub(super) fn run(args: IndexArgs, context: &Context) -> anyhow::Result<Exit> {
    let IndexCommand::Rebuild { media_root, json } = args.command;
    let config = context.config(&[("media.root", media_root)])?;
    start_quiet_logging(&config);
    context.runtime()?.block_on(async {
        app::prepare_data_dir(&config).map_err(start_failure)?;
        let _lock = DataDirLock::take(&config.lock_path()).map_err(start_failure)?;
        // Any media folder will do: the rebuild is what marries it to this database.
        let root = MediaRoot::open(&config.media.root, None).map_err(|e| start_failure(e.into()))?;
        let db = db::sqlite::open(&config.database_path()).await.map_err(|e| start_failure(e.into()))?;
        let index = Index::new(db, root.clone());
        let report = index::rebuild(&index, &root, SystemClock.now()).await?;
        let names = |ids: Vec<crate::media::StreamId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rebuilt = Rebuilt {
            streams: report.streams,
            blocks: report.blocks,
            segments: report.segments,
            streams_made: names(report.streams_made),
            without_source: names(report.without_source),
            problems: report.problems.into_iter().map(|(path, detail)| Problem { path, detail }).collect(),
        };
        if json {
            output::print_json(&rebuilt)?;
        } else {
            tell(&rebuilt);
        }
        Ok(if rebuilt.problems.is_empty() { Exit::Ok } else { Exit::Findings })
    })
}

fn tell(r: &Rebuilt) {
    output::print_line(&format!("{} streams, {} blocks, {} segments are in the new index.", r.streams, r.blocks, r.segments));
    if !r.streams_made.is_empty() {
        output::print_line(&format!("Made anew: {}. Passwords of their sources must be set again.", r.streams_made.join(", ")));
    }
    if !r.without_source.is_empty() {
        output::print_line(&format!("Paused, because no file says what they record: {}.", r.without_source.join(", ")));
    }
    for problem in &r.problems {
        output::print_line(&format!("{}  {}", problem.path, problem.detail));
    }
}
