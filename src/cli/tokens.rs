//! `retroview tokens create|list|revoke`: bearer tokens for programs.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::db::TokenRow;
use crate::entitlement::{Directory, EntitlementError, NewToken, Principal, Rights, Role, Scope};
use crate::media::{AccountId, StreamId, Timestamp};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::{output, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  TOKEN=$(retroview tokens create me --role viewer)
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
  retroview tokens create prometheus --scopes operate
  retroview tokens create encoder --scopes ingest --streams studio --expires 90d
  TOKEN=$(retroview tokens create wall --role viewer --account acme)")]
    Create {
        /// What it is for
        name: String,
        /// What it may do, as users of this role may: viewer, manager, auditor, operator
        #[arg(long, conflicts_with = "scopes", required_unless_present = "scopes")]
        role: Option<Role>,
        /// What it may do, one by one: view, ingest, admin, audit, operate
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
        #[arg(long, default_value = "main")]
        account: AccountId,
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
  retroview tokens list --account acme --json")]
    List {
        /// Only this account's
        #[arg(long)]
        account: Option<AccountId>,
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
        let (directory, who) = (Directory::new(database.db.clone()), Principal::command_line(AccountId::main()));
        let now = SystemClock.now();
        match args.command {
            TokensCommand::Create { name, role, scopes, account, streams, expires, json } => {
                if database.db.account(&account).await?.is_none() {
                    let failure = Failure::new(Exit::NotFound, format!("there is no account `{account}`"));
                    return Err(failure.hint("retroview accounts list").into());
                }
                let rights = rights(role, &scopes).map_err(Failure::from)?;
                let new = NewToken { account, name, rights, streams, expires_at: expires.map(|d| now + d) };
                let (row, token) = directory.make_token(&who, now, new).await.map_err(Failure::from)?;
                if json {
                    output::print_json(&TokenLine::of(&row, Some(token)))?;
                } else {
                    output::print_line(&token);
                }
            }
            TokensCommand::List { account, json } => {
                list(&directory.tokens(&who, account.as_ref()).await.map_err(Failure::from)?, json)?;
            }
            TokensCommand::Revoke { id } => drop(directory.revoke_token(&who, now, &id).await.map_err(Failure::from)?),
        }
        Ok(Exit::Ok)
    };
    if begins { context.with_new_database(work) } else { context.with_database(work) }
}

fn rights(role: Option<Role>, scopes: &[String]) -> Result<Rights, EntitlementError> {
    match role {
        Some(role) => Ok(Rights::Role(role)),
        None => Ok(Rights::Scopes(scopes.iter().map(|s| s.trim().parse::<Scope>()).collect::<Result<_, _>>()?)),
    }
}

fn list(rows: &[TokenRow], json: bool) -> anyhow::Result<()> {
    let lines: Vec<TokenLine> = rows.iter().map(|row| TokenLine::of(row, None)).collect();
    if json {
        return output::print_json(&lines);
    }
    let moment = |t: Option<i64>| t.map_or_else(|| "never".into(), |us| Timestamp::from_micros(us).to_rfc3339(0));
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|l| {
            let streams = if l.streams.is_empty() { "all".into() } else { l.streams.join(",") };
            let rights = l.role.unwrap_or_else(|| l.scopes.join(","));
            let made_by = l.made_by.unwrap_or_else(|| "not known".into());
            vec![l.id, l.account, l.name, rights, streams, made_by, moment(l.expires_at_us), moment(l.last_used_at_us)]
        })
        .collect();
    output::print(&output::table(&["ID", "ACCOUNT", "NAME", "MAY", "STREAMS", "MADE BY", "EXPIRES", "LAST USED"], &rows));
    Ok(())
}

#[derive(Debug, Serialize)]
struct TokenLine {
    id: String,
    account: String,
    name: String,
    role: Option<String>,
    scopes: Vec<String>,
    /// Empty: all.
    streams: Vec<String>,
    made_by: Option<String>,
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
            account: row.account.to_string(),
            name: row.name.clone(),
            role: row.role.clone(),
            scopes: row.scopes.clone(),
            made_by: row.made_by.clone(),
            streams: row.streams.iter().map(ToString::to_string).collect(),
            created_at_us: row.created_at.as_micros(),
            expires_at_us: row.expires_at.map(Timestamp::as_micros),
            last_used_at_us: row.last_used_at.map(Timestamp::as_micros),
            token,
        }
    }
}
