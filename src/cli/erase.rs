//! `retroview erase`: footage that somebody wants gone.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::{self, DataDirLock, StartError};
use crate::clock::{SharedClock, SystemClock};
use crate::db::{Db, DbError, ErasureRow, NewErasure};
use crate::index::Index;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};
use crate::retention::{EraseSettings, Eraser, Going, RetentionError};

use super::context::{Context, Database, start_failure};
use super::failure::{Exit, Failure};
use super::output;

/// Erasures shown at a time, and blocks of one read at a time.
const PAGE: u32 = 200;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Every segment that the range touches goes: its bytes are overwritten, its time becomes a gap, and what is left of a block
still plays. From the moment it is written down nothing of it is served. There is no way back, so --dry-run first. What a hold keeps
is refused. A footage block that is still being written is erased when it is sealed, by the service.

Exit code 0: erased, or under way; 5: a hold keeps some of it.

Examples:
  retroview erase door --from 2026-05-03T14:00:00Z --to 2026-05-03T15:00:00Z --reason 'Article 17 GDPR' --asked-by 'Mrs Miller' --dry-run
  retroview erase door --all --reason 'the camera was moved' --asked-by 'the tenant'
  retroview erase --account acme --all --reason 'contract ended' --asked-by 'Acme, letter of 2 May'"
)]
pub(super) struct EraseArgs {
    #[command(subcommand)]
    command: Option<EraseCommand>,
    /// Of which stream
    #[arg(required_unless_present = "account")]
    stream: Option<StreamId>,
    /// Of every stream of this account, instead
    #[arg(long, conflicts_with = "stream")]
    account: Option<AccountId>,
    /// From then on [default: the first footage]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until then [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// All footage up to now
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
    /// Why; it is kept
    #[arg(long)]
    reason: Option<String>,
    /// Whose wish it is; it is kept
    #[arg(long)]
    asked_by: Option<String>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum EraseCommand {
    /// Erasures, newest first.
    #[command(after_help = "Examples:
  retroview erase list
  retroview erase list --account acme --json")]
    List {
        /// Only of this account
        #[arg(long)]
        account: Option<AccountId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One erasure, with what it took of which block, as JSON.
    #[command(after_help = "Examples:
  retroview erase show 3")]
    Show { id: i64 },
}

pub(super) fn run(args: EraseArgs, context: &Context) -> anyhow::Result<Exit> {
    match &args.command {
        Some(EraseCommand::List { account, json }) => {
            context.with_database(async |database| list(&database.db, account.as_ref(), *json).await)
        }
        Some(EraseCommand::Show { id }) => context.with_database(async |database| show(&database.db, *id).await),
        None => context.with_database(async |database| erase(&args, database).await),
    }
}

async fn erase(args: &EraseArgs, Database { config, db }: Database) -> anyhow::Result<Exit> {
    drop(db);
    let (db, root) = app::open_index(&config).await.map_err(start_failure)?;
    let clock: SharedClock = std::sync::Arc::new(SystemClock);
    let new = requested(args, &db, clock.now()).await?;
    // Held to the end: no service that starts meanwhile reads what is being overwritten.
    let (settings, _lock) = match DataDirLock::take(&config.lock_path()) {
        Ok(lock) => (EraseSettings::alone(), Some(lock)),
        Err(StartError::InUse { .. }) => (EraseSettings::default(), None),
        Err(e) => return Err(start_failure(e).into()),
    };
    let eraser = Eraser::new(Index::for_command(db.clone(), root.clone()), root, settings);
    let going = eraser.preview(&new, clock.now()).await.map_err(failure)?;
    if args.dry_run {
        return told(args, None, &going);
    }
    let asked = eraser.ask(&new, clock.now()).await.map_err(failure)?;
    eraser.advance(clock.now()).await.map_err(failure)?;
    if _lock.is_none() && !args.json {
        let seconds = settings.drain.as_secs();
        eprintln!(
            "Nothing of it is served any more. Its bytes go in {seconds} s, when what is being sent has been; if this is cut short, the service does it."
        );
    }
    eraser.carry_out(asked.id, &clock).await.map_err(failure)?;
    let row = db.erasure(asked.id).await?.unwrap_or(asked);
    told(args, Some(&row), &going)
}

async fn requested(args: &EraseArgs, db: &Db, now: Timestamp) -> anyhow::Result<NewErasure> {
    let usage = |text: &str| Failure::new(Exit::Usage, text).hint("retroview erase --help");
    if args.from.is_none() && args.to.is_none() && !args.all {
        return Err(usage("give --from and --to, or --all for all footage up to now").into());
    }
    let moment =
        |text: &Option<String>, or| text.as_deref().map_or(Ok(or), |t| Timestamp::parse(t, now)).map_err(|e| usage(&e.to_string()));
    let range = TimeRange::new(moment(&args.from, Timestamp::MIN)?, moment(&args.to, now)?).map_err(|e| usage(&e.to_string()))?;
    let (Some(reason), Some(asked_by)) = (args.reason.clone(), args.asked_by.clone()) else {
        return Err(usage("give --reason and --asked-by: an erasure is written down with both").into());
    };
    let account = match (&args.stream, &args.account) {
        (Some(stream), _) => {
            let row = db.stream(stream).await?;
            row.ok_or_else(|| DbError::Missing { what: "stream", id: stream.to_string() })?.account
        }
        (None, Some(account)) => {
            let row = db.account(account).await?;
            row.ok_or_else(|| DbError::Missing { what: "account", id: account.to_string() })?.id
        }
        (None, None) => return Err(usage("name a stream, or --account").into()),
    };
    Ok(NewErasure { account, stream: args.stream.clone(), range, reason, asked_by, actor: "command line".into() })
}

fn failure(error: RetentionError) -> Failure {
    match error {
        RetentionError::ErasureAhead { .. } | RetentionError::ErasureWords => {
            Failure::new(Exit::Usage, error.to_string()).hint("retroview erase --help")
        }
        RetentionError::Db(error) => Failure::from_error(error.into()),
        other => Failure::from_error(other.into()),
    }
}

fn told(args: &EraseArgs, row: Option<&ErasureRow>, going: &BTreeMap<StreamId, Going>) -> anyhow::Result<Exit> {
    if args.json {
        output::print_json(&json!({ "erasure": row.map(shown), "going": going }))?;
        return Ok(Exit::Ok);
    }
    let lines: Vec<Vec<String>> = going.iter().map(|(stream, going)| line(stream, going)).collect();
    output::print(&output::table(&["STREAM", "FROM", "TO", "SEGMENTS", "BYTES", "BLOCKS"], &lines));
    output::print_line(&match row {
        None => "Nothing was erased: --dry-run.".into(),
        Some(row) if row.finished_at.is_some() => format!("Erasure {}: {} segments are gone.", row.id, row.segments),
        Some(row) => format!(
            "Erasure {} is under way: {} segments so far. What is being written goes when it is complete; `retroview erase show {}` tells.",
            row.id, row.segments, row.id
        ),
    });
    Ok(Exit::Ok)
}

fn line(stream: &StreamId, going: &Going) -> Vec<String> {
    let time = |t: Option<Timestamp>| t.map_or_else(|| "-".into(), |t| t.to_rfc3339(3));
    let blocks = format!("{} whole, {} in part", going.whole_blocks, going.part_blocks);
    let (from, to) = (time(going.range.map(TimeRange::start)), time(going.range.map(TimeRange::end)));
    vec![stream.to_string(), from, to, going.segments.to_string(), output::size(going.bytes), blocks]
}

fn shown(row: &ErasureRow) -> Value {
    json!({
        "id": row.id, "account": row.erasure.account, "stream": row.erasure.stream,
        "start_us": row.erasure.range.start(), "end_us": row.erasure.range.end(),
        "reason": row.erasure.reason, "asked_by": row.erasure.asked_by, "actor": row.erasure.actor,
        "asked_at_us": row.asked_at, "finished_at_us": row.finished_at,
        "blocks": row.blocks, "segments": row.segments, "bytes": row.bytes,
    })
}

async fn list(db: &Db, account: Option<&AccountId>, json: bool) -> anyhow::Result<Exit> {
    let rows = db.erasures(account, None, PAGE).await?;
    if json {
        output::print_json(&rows.iter().map(shown).collect::<Vec<_>>())?;
        return Ok(Exit::Ok);
    }
    let line = |row: &ErasureRow| {
        let what = row.erasure.stream.as_ref().map_or_else(|| format!("account {}", row.erasure.account), ToString::to_string);
        let state = row.finished_at.map_or_else(|| "under way".into(), |t| t.to_rfc3339(0));
        let (from, to) = (row.erasure.range.start().to_rfc3339(0), row.erasure.range.end().to_rfc3339(0));
        vec![row.id.to_string(), what, from, to, row.segments.to_string(), state, row.erasure.asked_by.clone(), row.erasure.reason.clone()]
    };
    let lines: Vec<Vec<String>> = rows.iter().map(line).collect();
    output::print(&output::table(&["ID", "OF", "FROM", "TO", "SEGMENTS", "FINISHED", "ASKED BY", "REASON"], &lines));
    Ok(Exit::Ok)
}

async fn show(db: &Db, id: i64) -> anyhow::Result<Exit> {
    let row = db.erasure(id).await?;
    let row = row.ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no erasure {id}")).hint("retroview erase list"))?;
    let (mut taken, mut after) = (Vec::new(), None);
    loop {
        let page = db.erased_by(id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.block);
        taken.extend(page.iter().map(|b| {
            json!({
                "block": b.block, "stream": b.stream, "start_us": b.range.start(), "end_us": b.range.end(), "whole": b.whole,
                "segments": b.segments, "bytes": b.bytes, "checksum": b.checksum.map(|sum| format!("{sum:016x}")),
                "hidden_at_us": b.hidden_at, "gone_at_us": b.gone_at,
            })
        }));
    }
    output::print_json(&json!({ "erasure": shown(&row), "taken": taken }))?;
    Ok(Exit::Ok)
}
