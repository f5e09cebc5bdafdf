//! `retroview check`: do rows and bytes agree?

use clap::Args;

use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::index::{self, CheckSummary, Finding, Index, Repair};

use super::context::{Context, start_failure};
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads every byte of every block once. Exit code 0: they agree, or everything was mended; 3: something was found that is not
mended. Works beside a running service.

Examples:
  retroview check
  retroview check --repair
  retroview check --json | jq -r 'select(.kind == \"checksum\") | .path'"
)]
pub(super) struct CheckArgs {
    /// Mend what can be mended; nothing that plays is deleted
    #[arg(long)]
    repair: bool,
    /// One JSON object a line: findings, then the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: CheckArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let (db, root) = app::open_index(&database.config).await.map_err(start_failure)?;
        let index = Index::for_command(db, root.clone());
        let json = args.json;
        let mut found = move |finding: Finding| {
            if json {
                output::print_line(&serde_json::to_string(&finding).expect("findings are strings and numbers"));
            } else {
                output::print_line(&line(&finding));
            }
        };
        let summary = index::check(&index, &root, args.repair, SystemClock.now(), &mut found).await?;
        if json {
            output::print_line(&serde_json::to_string(&serde_json::json!({ "summary": summary }))?);
        } else {
            output::print_line(&closing(&summary));
        }
        Ok(if summary.findings > summary.repaired { Exit::Findings } else { Exit::Ok })
    })
}

/// `checksum  main/door/…mp4  a byte differs … — mended: …`
fn line(finding: &Finding) -> String {
    let place = finding.path.clone().or_else(|| finding.block.map(|b| b.to_string())).unwrap_or_default();
    let outcome = match &finding.repair {
        Repair::NotAsked => String::new(),
        Repair::Done(what) => format!(" (mended: {what})"),
        Repair::Failed(why) => format!(" (not mended: {why})"),
    };
    format!("{:<18} {place}  {}{outcome}", finding.kind.as_str(), finding.detail)
}

fn closing(s: &CheckSummary) -> String {
    let looked = format!("{} blocks, {} segments, {}", s.blocks, s.segments, output::size(s.bytes));
    match (s.findings, s.repaired) {
        (0, _) => format!("Rows and files agree: {looked}."),
        (found, 0) => format!("{found} found in {looked}."),
        (found, repaired) => format!("{found} found, {repaired} mended, in {looked}."),
    }
}
