//! `retroview check`: do rows and bytes agree, and was kept what was promised?

use clap::Args;

use crate::accounts::Accounts;
use crate::app::{self, DataDirLock, StartError};
use crate::clock::{Clock, SystemClock};
use crate::db::DbError;
use crate::index::{self, CheckEvent, CheckOptions, CheckSummary, Depth, Finding, Index};
use crate::media::{AccountId, StreamId};
use crate::retention::AccountPlans;
use crate::retention::check::check_retention;

use super::context::{Context, Database, start_failure};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads every byte of every block once; with --quick only both ends of each. Exit code 0: rows and files agree, or everything
was mended; 3: something was found that is not mended. Works beside a running service.

Repair deletes nothing that plays. What is in the way, and what is no file of Retroview's, is moved to lost-and-found in the
media folder.

Examples:
  retroview check
  retroview check --quick --stream door
  retroview check --repair
  retroview check --json | jq -r 'select(.kind == \"checksum\") | .path'"
)]
pub(super) struct CheckArgs {
    /// Mend what can be mended; nothing that plays is deleted
    #[arg(long)]
    repair: bool,
    /// Only what both ends of each file tell: missing, cut off, not what its row says
    #[arg(long)]
    quick: bool,
    /// Only this stream; may be given more than once
    #[arg(long, value_name = "STREAM")]
    stream: Vec<StreamId>,
    /// One JSON object a line: findings, then the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: CheckArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |Database { config, db }| {
        let (db, root) = {
            drop(db);
            app::open_index(&config).await.map_err(start_failure)?
        };
        for stream in &args.stream {
            let is_there = db.stream(stream).await?.is_some() || root.stream_folder(&AccountId::main(), stream).exists();
            if !is_there {
                return Err(DbError::Missing { what: "stream", id: stream.to_string() }.into());
            }
        }
        let beside_service = match DataDirLock::take(&config.lock_path()) {
            // Given back at once: a service may start while files are read, and takes its open blocks' locks then.
            Ok(_lock) => false,
            Err(StartError::InUse { .. }) => true,
            Err(e) => return Err(start_failure(e).into()),
        };
        let index = Index::for_command(db, root.clone());
        let depth = if args.quick { Depth::Quick } else { Depth::Full };
        let options = CheckOptions { streams: args.stream, depth, repair: args.repair, beside_service };
        let mut line = output::ProgressLine::new(!args.json);
        let mut report = |event: CheckEvent| match event {
            CheckEvent::Finding(finding) => {
                line.clear();
                let text = if args.json { serde_json::to_string(&finding).expect("strings and numbers") } else { shown(&finding) };
                output::print_line(&text);
            }
            CheckEvent::Progress(p) => {
                line.show(&format!("{} of {} streams, {} files, {}", p.streams, p.streams_total, p.files, output::size(p.bytes)))
            }
        };
        let now = SystemClock.now();
        let mut summary = index::check(&index, &root, now, &options, &mut report).await?;
        let plans = AccountPlans(Accounts::new(index.db().clone()));
        let settings = app::retention_settings(&config);
        let mut promise = |finding: Finding| {
            summary.count(&finding);
            report(CheckEvent::Finding(finding));
        };
        check_retention(index.db(), &plans, &settings, &options.streams, now, &mut promise).await?;
        line.clear();
        if args.json {
            output::print_line(&serde_json::to_string(&serde_json::json!({ "summary": summary }))?);
        } else {
            output::print_line(&closing(&summary));
        }
        Ok(if summary.is_clean() { Exit::Ok } else { Exit::Findings })
    })
}

/// `checksum           main/door/…mp4  segment 3 of …: media does not match … (mended: …)`
fn shown(finding: &Finding) -> String {
    let stream = finding.stream.as_ref().map(ToString::to_string);
    let place = finding.path.clone().or(stream).unwrap_or_default();
    let outcome = match &finding.action {
        None => String::new(),
        Some(what) if finding.repaired => format!(" (mended: {what})"),
        Some(why) => format!(" (not mended: {why})"),
    };
    format!("{:<18} {place}  {}{outcome}", finding.kind.as_str(), finding.detail)
}

fn closing(s: &CheckSummary) -> String {
    let looked = format!("{} streams, {} files, {}", s.streams, s.files, output::size(s.bytes));
    match (s.total(), s.repaired) {
        (0, _) => format!("Rows and files agree, and what was promised is there: {looked}."),
        (found, 0) => format!("{found} found in {looked}."),
        (found, repaired) => format!("{found} found, {repaired} mended, in {looked}."),
    }
}
