//! `retroview tokens create|list|revoke`: bearer tokens for programs.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::db::{Db, TokenRow};
use crate::entitlement::{NewToken, Scope, Scopes, create_token};
use crate::media::{AccountId, StreamId, Timestamp};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{output, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  TOKEN=$(retroview tokens create me --scopes view)
  retroview tokens list")]
pub(super) struct TokensArgs {
    #[command(subcommand)]
    command: TokensCommand,
}

#[derive(Debug, Subcommand)]
enum TokensCommand {
    /// Make a token and print it. It is shown this once and cannot be shown again.
    #[command(after_help = "Send it as `Authorization: Bearer rv_…`.

Examples:
  retroview tokens create grafana --scopes view
  retroview tokens create encoder --scopes ingest --streams studio --expires 90d
  TOKEN=$(retroview tokens create backup --scopes view)")]
    Create {
        /// What it is for
        name: String,
        /// What it may do: view, ingest, admin, audit, operate
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// Only for these streams [default: all]
        #[arg(long, value_delimiter = ',')]
        streams: Vec<StreamId>,
        /// When it ends, such as 90d [default: never]
        #[arg(long, value_parser = values::span)]
        expires: Option<std::time::Duration>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// All tokens; not the secrets themselves, which are not kept.
    #[command(after_help = "Examples:
  retroview tokens list
  retroview tokens list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a token worthless from now on.
    #[command(after_help = "Examples:
  retroview tokens revoke t1f2e3d4c5b6a")]
    Revoke {
        /// Its id, as `tokens list` shows it
        id: String,
    },
}

pub(super) fn run(args: TokensArgs, context: &Context) -> anyhow::Result<Exit> {
    let begins = matches!(args.command, TokensCommand::Create { .. });
    let work = async |database: super::context::Database| {
        let db = &database.db;
        match args.command {
            TokensCommand::Create { name, scopes, streams, expires, json } => {
                let now = SystemClock.now();
                let wrong = |e: String| Failure::new(Exit::Usage, e).hint("retroview tokens create --help");
                let scopes: Scopes =
                    scopes.iter().map(|s| s.trim().parse::<Scope>()).collect::<Result<_, _>>().map_err(|e| wrong(e.to_string()))?;
                let new = NewToken { account: AccountId::main(), name, scopes, streams, expires_at: expires.map(|d| now + d) };
                let (row, token) = create_token(db, now, new).await?;
                if json {
                    output::print_json(&TokenLine::of(&row, Some(token)))?;
                } else {
                    output::print_line(&token);
                }
                Ok(Exit::Ok)
            }
            TokensCommand::List { json } => list(db, json).await,
            TokensCommand::Revoke { id } => {
                if db.remove_token(&id).await? {
                    return Ok(Exit::Ok);
                }
                Err(Failure::new(Exit::NotFound, format!("there is no token `{id}`")).hint("retroview tokens list").into())
            }
        }
    };
    if begins { context.with_new_database(work) } else { context.with_database(work) }
}

async fn list(db: &Db, json: bool) -> anyhow::Result<Exit> {
    let lines: Vec<TokenLine> = db.tokens().await?.iter().map(|row| TokenLine::of(row, None)).collect();
    if json {
        output::print_json(&lines)?;
        return Ok(Exit::Ok);
    }
    let moment = |t: Option<i64>| t.map_or_else(|| "never".into(), |us| Timestamp::from_micros(us).to_rfc3339(0));
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|l| {
            let streams = if l.streams.is_empty() { "all".into() } else { l.streams.join(",") };
            vec![l.id, l.name, l.scopes.join(","), streams, moment(l.expires_at_us), moment(l.last_used_at_us)]
        })
        .collect();
    output::print(&output::table(&["ID", "NAME", "SCOPES", "STREAMS", "EXPIRES", "LAST USED"], &rows));
    Ok(Exit::Ok)
}

#[derive(Debug, Serialize)]
struct TokenLine {
    id: String,
    name: String,
    scopes: Vec<String>,
    /// Empty: all.
    streams: Vec<String>,
    created_at_us: i64,
    expires_at_us: Option<i64>,
    last_used_at_us: Option<i64>,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenLine {
    fn of(row: &TokenRow, token: Option<String>) -> Self {
        TokenLine {
            id: row.id.clone(),
            name: row.name.clone(),
            scopes: row.scopes.clone(),
            streams: row.streams.iter().map(ToString::to_string).collect(),
            created_at_us: row.created_at.as_micros(),
            expires_at_us: row.expires_at.map(Timestamp::as_micros),
            last_used_at_us: row.last_used_at.map(Timestamp::as_micros),
            token,
        }
    }
}
