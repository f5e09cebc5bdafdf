//! `retroview holds list|place|show|release`: ranges that nothing may prune.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::accounts::By;
use crate::clock::{Clock, SystemClock};
use crate::db::{HoldRow, NewHold, Release};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};
use crate::retention::{HoldState, HoldView, Retention};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::retention::{failure, moment, open};
use super::{output, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview holds place door --from 2026-05-03T14:00:00Z --to 2026-05-03T15:00:00Z --case 4711 --reason 'Burglary'
  retroview holds list")]
pub(super) struct HoldsArgs {
    #[command(subcommand)]
    command: HoldsCommand,
}

#[derive(Debug, Subcommand)]
enum HoldsCommand {
    /// All holds, those that are over too.
    #[command(after_help = "Examples:
  retroview holds list --account acme
  retroview holds list --json")]
    List {
        /// Only this account
        #[arg(long)]
        account: Option<AccountId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a range of one or more streams of an account, whatever the plan says.
    #[command(after_help = "Times are RFC 3339, Unix seconds, or seconds before now (-3600).

Examples:
  retroview holds place door --from -7200 --to -3600 --case 4711 --reason 'Burglary'
  retroview holds place door yard --from 2026-05-03T14:00:00Z --to 2026-05-03T15:00:00Z --case 4711 --reason 'Police request' --expires 90d")]
    Place {
        #[arg(required = true)]
        streams: Vec<StreamId>,
        #[arg(long, allow_hyphen_values = true)]
        from: String,
        #[arg(long, allow_hyphen_values = true)]
        to: String,
        /// What it belongs to
        #[arg(long)]
        case: String,
        #[arg(long)]
        reason: String,
        /// Kept before and after the range
        #[arg(long, value_parser = values::span)]
        margin: Option<Duration>,
        /// It ends by itself after so long
        #[arg(long, value_parser = values::span)]
        expires: Option<Duration>,
        /// Who places it [default: command line]
        #[arg(long)]
        by: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One hold, as JSON.
    #[command(after_help = "Examples:
  retroview holds show 3")]
    Show { hold: i64 },
    /// Let a hold go. Where the account says so, a second person has to ask for it too.
    #[command(after_help = "Examples:
  retroview holds release 3
  retroview holds release 3 --by 'Bob Stone'")]
    Release {
        hold: i64,
        /// Who asks for it [default: command line]
        #[arg(long)]
        by: Option<String>,
    },
}

/// Holds read at a time.
const PAGE: u32 = 500;

pub(super) fn run(args: HoldsArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let desk = open(&database).await?;
        let now = SystemClock.now();
        match args.command {
            HoldsCommand::List { account, json } => list(&desk, account, now, json).await,
            HoldsCommand::Place { streams, from, to, case, reason, margin, expires, by, json } => {
                let range = TimeRange::new(moment(&from, now)?, moment(&to, now)?);
                let range = range.map_err(|e| Failure::new(Exit::Usage, e.to_string()).hint("--to later than --from"))?;
                let margin_us = margin.map_or(0, |m| i64::try_from(m.as_micros()).unwrap_or(i64::MAX));
                let by = person(by, now);
                let new = NewHold {
                    account: account_of(&database.db, &streams).await?,
                    streams,
                    range,
                    margin_before_us: margin_us,
                    margin_after_us: margin_us,
                    case,
                    reason,
                    author: by.actor.clone(),
                    expires_at: expires.map(|e| now + e),
                };
                let placed = desk.place_hold(&by, new).await.map_err(failure)?;
                if json {
                    output::print_json(&HoldView::of(placed.row, now))?;
                    return Ok(Exit::Ok);
                }
                output::print_line(&format!("hold {}, {} blocks rescued", placed.row.id, placed.rescued));
                if placed.too_late > 0 {
                    eprintln!("retroview: {} blocks inside it were being deleted already.", placed.too_late);
                }
                Ok(Exit::Ok)
            }
            HoldsCommand::Show { hold } => {
                output::print_json(&HoldView::of(find(&database.db, hold).await?, now))?;
                Ok(Exit::Ok)
            }
            HoldsCommand::Release { hold, by } => {
                let account = find(&database.db, hold).await?.hold.account;
                let said = match desk.release_hold(&person(by, now), &account, hold).await.map_err(failure)? {
                    Release::Released => "released",
                    Release::Asked => "asked for: somebody else has to ask for it too",
                    Release::NeedsAnother => "asked for by the same person before: somebody else has to ask for it",
                    Release::WasReleased => "released before",
                };
                output::print_line(&format!("hold {hold} {said}"));
                Ok(Exit::Ok)
            }
        }
    })
}

fn person(name: Option<String>, now: Timestamp) -> By {
    By { actor: name.map_or_else(|| "command line".into(), |name| format!("command line, {}", name.trim())), now }
}

/// Whose the first stream is; the others must be of the same account.
async fn account_of(db: &crate::db::Db, streams: &[StreamId]) -> anyhow::Result<AccountId> {
    let first = &streams[0];
    let missing = || Failure::new(Exit::NotFound, format!("there is no stream `{first}`")).hint("retroview streams list --removed");
    Ok(db.stream(first).await?.ok_or_else(missing)?.account)
}

async fn find(db: &crate::db::Db, hold: i64) -> anyhow::Result<HoldRow> {
    let missing = || Failure::new(Exit::NotFound, format!("there is no hold {hold}")).hint("retroview holds list");
    Ok(db.hold(hold).await?.ok_or_else(missing)?)
}

async fn list(desk: &Retention, account: Option<AccountId>, now: Timestamp, json: bool) -> anyhow::Result<Exit> {
    let mut holds: Vec<HoldView> = Vec::new();
    loop {
        let after = holds.last().map_or(0, |h| h.id);
        let page = desk.holds(account.as_ref(), after, PAGE).await.map_err(failure)?;
        let full = page.len() == PAGE as usize;
        holds.extend(page.into_iter().map(|row| HoldView::of(row, now)));
        if !full {
            break;
        }
    }
    if json {
        output::print_json(&holds)?;
        return Ok(Exit::Ok);
    }
    let moment = |us: i64| Timestamp::from_micros(us).to_rfc3339(0);
    let row = |h: &HoldView| {
        // What is kept: with the margins.
        let (from, to) = (moment(h.start_us - h.margin_before_us), moment(h.end_us + h.margin_after_us));
        let state = match h.state {
            HoldState::Active => "active",
            HoldState::ReleaseAsked => "release asked",
            HoldState::Released => "released",
            HoldState::Expired => "expired",
        };
        let until = h.expires_at_us.map_or_else(|| "released".into(), moment);
        vec![h.id.to_string(), h.account.clone(), h.streams.join(","), from, to, until, state.into(), h.case.clone(), h.reason.clone()]
    };
    let head = ["HOLD", "ACCOUNT", "STREAMS", "KEEPS FROM", "TO", "UNTIL", "STATE", "CASE", "REASON"];
    output::print(&output::table(&head, &holds.iter().map(row).collect::<Vec<_>>()));
    Ok(Exit::Ok)
}
