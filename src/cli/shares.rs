//! `retroview shares create|list|revoke`: ranges that are shown to people without an account, by a link.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::db::ShareRow;
use crate::entitlement::{Directory, EntitlementError, NewShare, Principal};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

use super::context::{Context, Database};
use super::failure::{Exit, Failure};
use super::retention::{moment, open};
use super::{output, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview shares create door --from 2026-05-03T14:00:00Z --to 2026-05-03T14:10:00Z --expires 7d
  retroview shares list")]
pub(super) struct SharesArgs {
    #[command(subcommand)]
    command: SharesCommand,
}

#[derive(Debug, Subcommand)]
enum SharesCommand {
    /// Make a link and print it. It is shown this once and cannot be shown again.
    #[command(after_help = "Times are RFC 3339, Unix seconds, or seconds before now (-3600).

Examples:
  retroview shares create door --from -3600 --to now
  retroview shares create door yard --from -7200 --to -3600 --expires 30d --download --note 'For the insurance'")]
    Create {
        #[arg(required = true)]
        streams: Vec<StreamId>,
        #[arg(long, allow_hyphen_values = true)]
        from: String,
        #[arg(long, allow_hyphen_values = true)]
        to: String,
        /// How long the link is good
        #[arg(long, default_value = "7d", value_parser = values::span)]
        expires: Duration,
        /// Files may be taken away, too
        #[arg(long)]
        download: bool,
        #[arg(long, default_value = "")]
        note: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The newest first, at most 500, those that are over too.
    #[command(after_help = "Examples:
  retroview shares list
  retroview shares list --account acme --before h0123456789ab --json")]
    List {
        #[arg(long, default_value = "main")]
        account: AccountId,
        /// Only those made before this one: the next page
        #[arg(long)]
        before: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The link opens nothing from now on, and who has opened it sees no more.
    #[command(after_help = "Examples:
  retroview shares revoke h0123456789ab")]
    Revoke {
        /// Its id, as `shares list` shows it
        id: String,
    },
}

pub(super) fn run(args: SharesArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let directory = Directory::new(database.db.clone());
        let (now, who) = (SystemClock.now(), Principal::command_line(AccountId::main()));
        match args.command {
            SharesCommand::Create { streams, from, to, expires, download, note, json } => {
                let range = TimeRange::new(moment(&from, now)?, moment(&to, now)?);
                let range = range.map_err(|e| Failure::new(Exit::Usage, e.to_string()).hint("--to later than --from"))?;
                let visible = visible(&database, &streams, now).await?;
                let new = NewShare { range, download, note, expires_at: now + expires };
                let made = directory.make_share(&who, now, &visible, new).await.map_err(failure)?;
                let url = made.url(&database.base_url());
                if json {
                    output::print_json(&ShareLine { url: Some(url), ..view(made.row, now) })?;
                } else {
                    output::print_line(&url);
                }
                Ok(Exit::Ok)
            }
            SharesCommand::List { account, before, json } => {
                let rows = directory.shares(&who, &account, before.as_deref()).await.map_err(failure)?;
                list(rows.into_iter().map(|row| view(row, now)).collect(), json)
            }
            SharesCommand::Revoke { id } => {
                directory.revoke_share(&who, now, &id).await.map_err(failure)?;
                Ok(Exit::Ok)
            }
        }
    })
}

async fn visible(database: &Database, streams: &[StreamId], now: Timestamp) -> anyhow::Result<Vec<Arc<crate::entitlement::Visible>>> {
    let windows = open(database).await?.windows();
    let mut all = Vec::new();
    for stream in streams {
        let missing = || Failure::new(Exit::NotFound, format!("there is no stream `{stream}`")).hint("retroview streams list --removed");
        all.push(windows.visible(stream, now).await?.ok_or_else(missing)?);
    }
    Ok(all)
}

fn failure(error: EntitlementError) -> Failure {
    match error {
        EntitlementError::UnknownShare => Failure::new(Exit::NotFound, "there is no such share").hint("retroview shares list"),
        EntitlementError::ShareRevoked => Failure::new(Exit::Conflict, "the share was revoked before").hint("retroview shares list"),
        EntitlementError::Share(_) | EntitlementError::OutsideWindow => {
            Failure::new(Exit::Usage, error.to_string()).hint("retroview shares create --help")
        }
        other => Failure::from(other),
    }
}

fn list(lines: Vec<ShareLine>, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::print_json(&lines)?;
        return Ok(Exit::Ok);
    }
    let moment = |us: i64| Timestamp::from_micros(us).to_rfc3339(0);
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|l| {
            let used = l.last_used_at_us.map_or_else(|| "never".into(), moment);
            let (from, to, until) = (moment(l.start_us), moment(l.end_us), moment(l.expires_at_us));
            vec![l.id, l.streams.join(","), from, to, l.state.into(), until, l.opens.to_string(), used, l.made_by, l.note]
        })
        .collect();
    output::print(&output::table(&["SHARE", "STREAMS", "FROM", "TO", "STATE", "EXPIRES", "OPENED", "LAST USED", "MADE BY", "NOTE"], &rows));
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct ShareLine {
    id: String,
    account: String,
    streams: Vec<String>,
    start_us: i64,
    end_us: i64,
    download: bool,
    note: String,
    made_by: String,
    created_at_us: i64,
    expires_at_us: i64,
    revoked_by: Option<String>,
    revoked_at_us: Option<i64>,
    opens: u64,
    last_used_at_us: Option<i64>,
    /// `active`, `expired`, `revoked`.
    state: &'static str,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

fn view(row: ShareRow, now: Timestamp) -> ShareLine {
    let state = match &row.revoked {
        Some(_) => "revoked",
        None if row.expires_at <= now => "expired",
        None => "active",
    };
    let (revoked_by, revoked_at) = row.revoked.unzip();
    ShareLine {
        id: row.id,
        account: row.account.to_string(),
        streams: row.streams.iter().map(ToString::to_string).collect(),
        start_us: row.range.start().as_micros(),
        end_us: row.range.end().as_micros(),
        download: row.download,
        note: row.note,
        made_by: row.made_by,
        created_at_us: row.created_at.as_micros(),
        expires_at_us: row.expires_at.as_micros(),
        revoked_by,
        revoked_at_us: revoked_at.map(Timestamp::as_micros),
        opens: row.opens,
        last_used_at_us: row.last_used_at.map(Timestamp::as_micros),
        state,
        url: None,
    }
}
