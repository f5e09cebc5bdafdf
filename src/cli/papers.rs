//! `retroview retention receipts|receipt|attest`: what can be shown to somebody else.

use clap::Subcommand;
use serde_json::json;

use crate::accounts::Accounts;
use crate::app;
use crate::audit::Document;
use crate::clock::{Clock, SystemClock};
use crate::db::{Db, ReceiptRow};
use crate::index::Index;
use crate::media::{AccountId, StreamId};
use crate::retention::attest::attest;
use crate::retention::page::{Language, receipt_page};
use crate::retention::{AccountPlans, Plans};

use super::context::{Context, start_failure};
use super::failure::{Exit, Failure};
use super::output;

/// Receipts listed.
const PAGE: u32 = 200;

#[derive(Debug, Subcommand)]
pub(super) enum PapersCommand {
    /// Receipts of what was deleted, newest first.
    #[command(after_help = "Examples:
  retroview retention receipts
  retroview retention receipts --account acme --json")]
    Receipts {
        /// Only of this account
        #[arg(long)]
        account: Option<AccountId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One receipt, as it was signed, or as a page to print.
    #[command(after_help = "Examples:
  retroview retention receipt 3 > receipt-3.json
  retroview retention receipt 3 --html --lang fr > receipt-3.html")]
    Receipt {
        id: i64,
        /// As a page to print
        #[arg(long)]
        html: bool,
        /// Of the page: en or fr
        #[arg(long, default_value = "en", requires = "html")]
        lang: String,
    },
    /// Say, and sign, how much of a stream's window is there now, and why the rest is not.
    #[command(after_help = "One is made of each stream every day. Exit code 3: something of the window is neither there nor explained.

Examples:
  retroview retention attest door > door.json")]
    Attest { stream: StreamId },
}

pub(super) fn run(command: PapersCommand, context: &Context) -> anyhow::Result<Exit> {
    match command {
        PapersCommand::Receipts { account, json } => {
            context.with_database(async |database| list(&database.db, account.as_ref(), json).await)
        }
        PapersCommand::Receipt { id, html, lang } => {
            context.with_database(async |database| show(&database.db, id, html.then(|| Language::named(&lang))).await)
        }
        PapersCommand::Attest { stream } => context.with_database(async |database| {
            drop(database.db);
            let (db, root) = app::open_index(&database.config).await.map_err(start_failure)?;
            make(&Index::for_command(db, root), &stream).await
        }),
    }
}

async fn list(db: &Db, account: Option<&AccountId>, json: bool) -> anyhow::Result<Exit> {
    let rows = db.receipts(account, None, PAGE).await?;
    if json {
        let shown = |row: &ReceiptRow| {
            let r = &row.receipt;
            json!({ "id": row.id, "account": r.account, "of": r.kind, "number": r.number, "part": r.part, "made_at_us": r.made_at })
        };
        output::print_json(&rows.iter().map(shown).collect::<Vec<_>>())?;
        return Ok(Exit::Ok);
    }
    let line = |row: &ReceiptRow| {
        let r = &row.receipt;
        let of = format!("{} {}", r.kind.as_str(), r.number);
        vec![row.id.to_string(), r.account.to_string(), of, r.part.to_string(), r.made_at.to_rfc3339(0)]
    };
    output::print(&output::table(&["ID", "ACCOUNT", "OF", "PART", "MADE"], &rows.iter().map(line).collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

async fn show(db: &Db, id: i64, page: Option<Language>) -> anyhow::Result<Exit> {
    let row = db.receipt(id).await?;
    let row = row.ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no receipt {id}")).hint("retroview retention receipts"))?;
    match page {
        None => output::print_line(&row.receipt.document),
        Some(language) => output::print(&receipt_page(&Document::kept(&row.receipt.document)?, language)),
    }
    Ok(Exit::Ok)
}

async fn make(index: &Index, stream: &StreamId) -> anyhow::Result<Exit> {
    let unknown = || Failure::new(Exit::NotFound, format!("there is no stream `{stream}`")).hint("retroview streams list");
    let row = index.db().stream(stream).await?.ok_or_else(unknown)?;
    let rules = AccountPlans(Accounts::new(index.db().clone())).rules(&row.account).await?;
    let now = SystemClock.now();
    let nothing =
        || Failure::new(Exit::Failed, format!("nothing of `{stream}` was ever recorded")).hint(format!("retroview streams show {stream}"));
    let document = attest(index, stream, &rules, now, ("command line", now)).await?.ok_or_else(nothing)?;
    output::print_line(&document.to_text());
    let explained = document.members().get("unexplained_us").and_then(serde_json::Value::as_i64) == Some(0);
    Ok(if explained { Exit::Ok } else { Exit::Findings })
}
