//! `retroview subscription show|quote|upgrade|downgrade|cancel-downgrade|renewal|ledger|requests`, and `retroview plans list|add`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::accounts::{Accounts, Agreement, By, Quote};
use crate::clock::{Clock, SystemClock};
use crate::db::{LedgerLine, WrittenRequest};
use crate::media::{AccountId, Timestamp, Window};
use crate::plans::Plan;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
pub(super) struct SubscriptionArgs {
    #[command(subcommand)]
    command: SubscriptionCommand,
}

#[derive(Debug, Subcommand)]
enum SubscriptionCommand {
    /// What an account has bought, as JSON.
    #[command(after_help = "Examples:
  retroview subscription show acme")]
    Show { account: AccountId },
    /// What an upgrade would cost now, as JSON. Nothing changes.
    #[command(after_help = "Examples:
  retroview subscription quote acme extended")]
    Quote { account: AccountId, plan: String },
    /// Upgrade at once, for what was quoted.
    #[command(after_help = "Examples:
  retroview subscription upgrade acme extended --charge-minor 0 --words 'By mail of 3 May: please upgrade.'")]
    Upgrade {
        account: AccountId,
        plan: String,
        /// The highest charge that is agreed to, in minor units: what `quote` said
        #[arg(long, allow_negative_numbers = true)]
        charge_minor: i64,
        /// The request in its own words, which are kept
        #[arg(long)]
        words: String,
    },
    /// Downgrade at the end of the term.
    #[command(after_help = "Examples:
  retroview subscription downgrade acme basic --words 'By mail of 3 May: basic is enough.'")]
    Downgrade {
        account: AccountId,
        plan: String,
        /// The request in its own words, which are kept
        #[arg(long)]
        words: String,
    },
    /// Cancel the downgrade that is scheduled.
    #[command(after_help = "Examples:
  retroview subscription cancel-downgrade acme --words 'By phone: they stay.'")]
    CancelDowngrade {
        account: AccountId,
        /// The request in its own words, which are kept
        #[arg(long)]
        words: String,
    },
    /// Let a subscription renew when its term ends, or not. One that has lapsed begins again.
    #[command(after_help = "Examples:
  retroview subscription renewal acme off --words 'By mail of 3 May: they leave at the end of the year.'
  retroview subscription renewal acme on --words 'By phone: they stay.'")]
    Renewal {
        account: AccountId,
        renews: OnOff,
        /// The request in its own words, which are kept
        #[arg(long)]
        words: String,
    },
    /// What an account was charged.
    #[command(after_help = "Examples:
  retroview subscription ledger acme
  retroview subscription ledger acme --json")]
    Ledger {
        account: AccountId,
        /// As JSON, with what the amounts were computed from
        #[arg(long)]
        json: bool,
    },
    /// What was asked for in writing.
    #[command(after_help = "Examples:
  retroview subscription requests acme
  retroview subscription requests acme --json")]
    Requests {
        account: AccountId,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(super) struct PlansArgs {
    #[command(subcommand)]
    command: PlansCommand,
}

#[derive(Debug, Subcommand)]
enum PlansCommand {
    /// Every version of every plan.
    #[command(after_help = "Examples:
  retroview plans list
  retroview plans list --json")]
    List {
        /// As JSON, with the grants
        #[arg(long)]
        json: bool,
    },
    /// Add a plan, or the next version of one, from a JSON file.
    #[command(after_help = "The file has the form in which `plans list --json` shows a plan.

Examples:
  retroview plans add bronze.json")]
    Add { file: PathBuf },
}

pub(super) fn run(args: SubscriptionArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let accounts = Accounts::new(database.db.clone());
        let by = By { actor: "command line".into(), now: SystemClock.now() };
        change(&accounts, &by, args.command).await
    })
}

async fn change(accounts: &Accounts, by: &By, command: SubscriptionCommand) -> anyhow::Result<Exit> {
    match command {
        SubscriptionCommand::Show { account } => return show(accounts, &account, by.now).await,
        SubscriptionCommand::Quote { account, plan } => {
            output::print_json(&quoted(&accounts.quote(&account, &plan, None, by.now).await.map_err(Failure::from)?))?;
        }
        SubscriptionCommand::Upgrade { account, plan, charge_minor, words } => {
            let quote = accounts.quote(&account, &plan, None, by.now).await.map_err(Failure::from)?;
            if quote.charge_minor > charge_minor {
                let message = format!("the upgrade costs {} {} (minor units), more than was agreed to", quote.charge_minor, quote.currency);
                return Err(Failure::new(Exit::Conflict, message).hint(format!("retroview subscription quote {account} {plan}")).into());
            }
            let agreement = Agreement { version: quote.version, words };
            accounts.upgrade(by, &account, &plan, None, by.now, &agreement).await.map_err(Failure::from)?;
        }
        SubscriptionCommand::Downgrade { account, plan, words } => {
            let agreement = seen(accounts, &account, by.now, words).await?;
            let scheduled = accounts.schedule_downgrade(by, &account, &plan, None, &agreement).await.map_err(Failure::from)?;
            output::print_line(&scheduled.from.to_rfc3339(0));
        }
        SubscriptionCommand::CancelDowngrade { account, words } => {
            let agreement = seen(accounts, &account, by.now, words).await?;
            accounts.cancel_downgrade(by, &account, &agreement).await.map_err(Failure::from)?;
        }
        SubscriptionCommand::Renewal { account, renews, words } => {
            let agreement = seen(accounts, &account, by.now, words).await?;
            accounts.set_renewal(by, &account, renews == OnOff::On, &agreement).await.map_err(Failure::from)?;
        }
        SubscriptionCommand::Ledger { account, json } => ledger(&accounts.ledger(&account).await.map_err(Failure::from)?, json)?,
        SubscriptionCommand::Requests { account, json } => {
            requests(&accounts.written_requests(&account).await.map_err(Failure::from)?, json)?;
        }
    }
    Ok(Exit::Ok)
}

fn ledger(lines: &[LedgerLine], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let view = |l: &LedgerLine| json!({ "at_us": l.at, "amount_minor": l.amount_minor, "currency": l.currency, "kind": l.kind, "details": l.details });
        return output::print_json(&lines.iter().map(view).collect::<Vec<_>>());
    }
    let row = |l: &LedgerLine| vec![l.at.to_rfc3339(0), l.kind.clone(), l.amount_minor.to_string(), l.currency.clone()];
    output::print(&output::table(&["WHEN", "FOR", "MINOR UNITS", "CURRENCY"], &lines.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

fn requests(all: &[WrittenRequest], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let view = |r: &WrittenRequest| json!({ "at_us": r.at, "actor": r.actor, "act": r.act, "words": r.words });
        return output::print_json(&all.iter().map(view).collect::<Vec<_>>());
    }
    // One line each, whatever was written.
    let words = |r: &WrittenRequest| r.words.split_whitespace().collect::<Vec<_>>().join(" ");
    let row = |r: &WrittenRequest| vec![r.at.to_rfc3339(0), r.actor.clone(), r.act.clone(), words(r)];
    output::print(&output::table(&["WHEN", "WHO", "WHAT", "WORDS"], &all.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

/// The subscription as it is at this moment is what the person at the machine agrees to.
async fn seen(accounts: &Accounts, account: &AccountId, now: Timestamp, words: String) -> anyhow::Result<Agreement> {
    let version = accounts.subscription(account, now).await.map_err(Failure::from)?.row.version;
    Ok(Agreement { version, words })
}

async fn show(accounts: &Accounts, account: &AccountId, now: Timestamp) -> anyhow::Result<Exit> {
    let seen = accounts.subscription(account, now).await.map_err(Failure::from)?;
    let scheduled = seen.row.scheduled.map(|s| json!({ "plan": s.plan.name, "plan_version": s.plan.version, "takes_effect_us": s.from }));
    output::print_json(&json!({
        "plan": seen.row.plan.name, "plan_version": seen.row.plan.version, "term_months": seen.row.term_months,
        "term_start_us": seen.term.range.start(), "term_end_us": seen.term.range.end(),
        "renews": seen.row.renews, "lapsed": seen.lapsed, "scheduled": scheduled, "version": seen.row.version,
    }))?;
    Ok(Exit::Ok)
}

fn quoted(quote: &Quote) -> serde_json::Value {
    json!({
        "from": quote.from.name, "to": quote.to.name, "old_fee_minor": quote.old_fee_minor, "new_fee_minor": quote.new_fee_minor,
        "charge_minor": quote.charge_minor, "currency": quote.currency, "term_end_us": quote.term.range.end(),
    })
}

pub(super) fn run_plans(args: PlansArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let accounts = Accounts::new(database.db.clone());
        match args.command {
            PlansCommand::List { json } => {
                let catalogue = accounts.catalogue().await.map_err(Failure::from)?;
                if json {
                    output::print_json(&catalogue.plans())?;
                } else {
                    let lines: Vec<Vec<String>> = catalogue.plans().into_iter().map(line).collect();
                    output::print(&output::table(&["PLAN", "VERSION", "TITLE", "WINDOW", "FEE A MONTH"], &lines));
                }
            }
            PlansCommand::Add { file } => {
                let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
                let plan: Plan = serde_json::from_str(&text).with_context(|| format!("read the plan in {}", file.display()))?;
                let by = By { actor: "command line".into(), now: SystemClock.now() };
                accounts.add_plan(&by, &plan).await.map_err(Failure::from)?;
            }
        }
        Ok(Exit::Ok)
    })
}

fn line(plan: &Plan) -> Vec<String> {
    let window = match plan.window() {
        Window::Months(n) => format!("{n} months"),
        Window::Unlimited => "unlimited".into(),
    };
    let fee = format!("{} {} (minor units)", plan.fee_minor, plan.currency);
    vec![plan.name.clone(), plan.version.to_string(), plan.title.en.clone(), window, fee]
}
