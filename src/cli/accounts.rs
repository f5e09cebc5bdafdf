//! `retroview accounts list|show|add|change`: customers.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::accounts::{Accounts, By, NewAccount};
use crate::clock::{Clock, SystemClock};
use crate::db::AccountRow;
use crate::media::AccountId;

use super::context::{Context, Database};
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
pub(super) struct AccountsArgs {
    #[command(subcommand)]
    command: AccountsCommand,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// All accounts.
    #[command(after_help = "Examples:
  retroview accounts list
  retroview accounts list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One account, and what it is entitled to, as JSON.
    #[command(after_help = "Examples:
  retroview accounts show acme")]
    Show { account: AccountId },
    /// Add an account. Its first term begins now.
    #[command(after_help = "Examples:
  retroview accounts add acme --name 'Acme Ltd' --zone Europe/Paris --plan basic
  retroview accounts add acme --zone America/Halifax --plan premium --term-months 24 --language fr")]
    Add {
        account: AccountId,
        /// For people [default: the id]
        #[arg(long)]
        name: Option<String>,
        /// IANA time zone: months are counted in it
        #[arg(long, default_value = "UTC")]
        zone: String,
        /// en or fr
        #[arg(long, default_value = "en")]
        language: String,
        /// In the version sold today
        #[arg(long)]
        plan: String,
        #[arg(long, default_value_t = 12)]
        term_months: u32,
        /// End with the first term
        #[arg(long)]
        no_renewal: bool,
        /// A hold is released by someone other than who asks for it
        #[arg(long)]
        release_needs_second: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Change an account. What is not named stays.
    #[command(after_help = "Examples:
  retroview accounts change acme --name 'Acme Holding'
  retroview accounts change acme --zone Europe/Paris --language fr --release-needs-second true")]
    Change {
        account: AccountId,
        /// For people
        #[arg(long)]
        name: Option<String>,
        /// IANA time zone: months are counted in it
        #[arg(long)]
        zone: Option<String>,
        /// en or fr
        #[arg(long)]
        language: Option<String>,
        /// Whether a hold is released by someone other than who asks for it
        #[arg(long, value_name = "true|false")]
        release_needs_second: Option<bool>,
    },
}

pub(super) fn run(args: AccountsArgs, context: &Context) -> anyhow::Result<Exit> {
    let begins = matches!(args.command, AccountsCommand::Add { .. });
    let work = async |database: Database| {
        let accounts = Accounts::new(database.db.clone());
        let now = SystemClock.now();
        match args.command {
            AccountsCommand::List { json } => list(&accounts.list().await.map_err(Failure::from)?, json),
            AccountsCommand::Show { account } => {
                let row = accounts.account(&account).await.map_err(Failure::from)?;
                let granted = accounts.entitlements(&account, now).await.map_err(Failure::from)?;
                let mut shown = view(&row);
                shown["entitlements"] = json!(granted);
                output::print_json(&shown)?;
                Ok(Exit::Ok)
            }
            AccountsCommand::Add { account, name, zone, language, plan, term_months, no_renewal, release_needs_second, json } => {
                let name = name.unwrap_or_else(|| account.to_string());
                let new = NewAccount { id: account, name, zone, language, release_needs_second, plan, term_months, renews: !no_renewal };
                let row = accounts.add(&By { actor: "command line".into(), now }, new).await.map_err(Failure::from)?;
                if json {
                    output::print_json(&view(&row))?;
                }
                Ok(Exit::Ok)
            }
            AccountsCommand::Change { account, name, zone, language, release_needs_second } => {
                let row = accounts.account(&account).await.map_err(Failure::from)?;
                let changed = AccountRow {
                    name: name.unwrap_or(row.name),
                    zone: zone.unwrap_or(row.zone),
                    language: language.unwrap_or(row.language),
                    release_needs_second: release_needs_second.unwrap_or(row.release_needs_second),
                    ..row
                };
                accounts.change(&By { actor: "command line".into(), now }, changed).await.map_err(Failure::from)?;
                Ok(Exit::Ok)
            }
        }
    };
    if begins { context.with_new_database(work) } else { context.with_database(work) }
}

fn list(rows: &[AccountRow], json: bool) -> anyhow::Result<Exit> {
    if json {
        output::print_json(&rows.iter().map(view).collect::<Vec<_>>())?;
        return Ok(Exit::Ok);
    }
    let lines: Vec<Vec<String>> = rows.iter().map(|a| vec![a.id.to_string(), a.name.clone(), a.zone.clone(), a.language.clone()]).collect();
    output::print(&output::table(&["ID", "NAME", "ZONE", "LANGUAGE"], &lines));
    Ok(Exit::Ok)
}

fn view(row: &AccountRow) -> serde_json::Value {
    json!({
        "id": row.id, "name": row.name, "zone": row.zone, "language": row.language,
        "created_at_us": row.created_at.as_micros(), "release_needs_second": row.release_needs_second,
    })
}
