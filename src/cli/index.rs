//! `retroview index rebuild`: the index is lost, the files are not.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::app::{self, DataDirLock};
use crate::clock::{Clock, SystemClock};
use crate::db;
use crate::index::{self, Finding, Index, RebuildEvent, RebuildSummary};
use crate::media::StreamId;
use crate::store::MediaRoot;

use super::context::{Context, start_failure, start_quiet_logging};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview index rebuild")]
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
    #[serde(flatten)]
    summary: RebuildSummary,
    /// What is not in the index, or not whole.
    problems: Vec<Finding>,
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
        let mut line = output::ProgressLine::new(!json);
        let mut problems = Vec::new();
        let mut report = |event| match event {
            RebuildEvent::Skipped(finding) if json => problems.push(finding),
            RebuildEvent::Skipped(finding) => {
                line.clear();
                output::print_line(&finding.to_string());
            }
            RebuildEvent::Progress(p) => line.show(&format!("{} of {} streams, {} files", p.streams, p.streams_total, p.files)),
        };
        let summary = index::rebuild(&index, &root, SystemClock.now(), &mut report).await?;
        line.clear();
        let exit = if summary.skipped == 0 { Exit::Ok } else { Exit::Findings };
        if json {
            output::print_json(&Rebuilt { summary, problems })?;
        } else {
            tell(&summary);
        }
        Ok(exit)
    })
}

fn tell(r: &RebuildSummary) {
    output::print_line(&format!("{} streams, {} blocks, {} segments are in the new index.", r.streams, r.blocks, r.segments));
    let names = |ids: &[StreamId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !r.restored_streams.is_empty() {
        output::print_line(&format!("Made anew: {}. Passwords of their sources must be set again.", names(&r.restored_streams)));
    }
    if !r.nameless_streams.is_empty() {
        output::print_line(&format!("Paused, because no file says what they record: {}.", names(&r.nameless_streams)));
    }
    if r.skipped > 0 {
        output::print_line(&format!("{} files are not in it, or not whole: `retroview check --repair` looks into them.", r.skipped));
    }
}
