//! `retroview keys list|rotate|remove`: keys of signed addresses.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::audit::{Act, Event, acts};
use crate::clock::{Clock, SystemClock};
use crate::db::DbError;
use crate::entitlement::{Access, AccessSettings, EntitlementError};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// All keys; the newest signs.
    #[command(after_help = "Examples:
  retroview keys list")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Sign with a new key. What is signed already stays good, so live players do not notice.
    #[command(after_help = "Examples:
  retroview keys rotate")]
    Rotate,
    /// Remove an old key: what it signed opens nothing any more.
    #[command(after_help = "Examples:
  retroview keys remove 1")]
    Remove { key: u16 },
}

pub(super) fn run(args: KeysArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let access = Access::open(database.db.clone(), Arc::new(SystemClock), AccessSettings::default()).await?;
        let event = |act: Act| Event::system(SystemClock.now(), act).by("command line");
        match args.command {
            KeysCommand::List { json } => list(&access, json).await?,
            KeysCommand::Rotate => {
                let id = access.rotate_signing_key(event(acts::SIGNING_KEY_ADDED)).await?;
                output::print_line(&format!("key {id} signs from now on"));
            }
            KeysCommand::Remove { key } => {
                let removed = access.remove_signing_key(key, event(acts::SIGNING_KEY_REMOVED).with("key", key)).await;
                removed.map_err(|error| match error {
                    EntitlementError::Db(DbError::Missing { .. }) => {
                        Failure::new(Exit::NotFound, format!("there is no key {key}")).hint("retroview keys list")
                    }
                    EntitlementError::Db(DbError::Exists { .. }) => {
                        Failure::new(Exit::Conflict, format!("key {key} signs new addresses")).hint("retroview keys rotate first")
                    }
                    other => Failure::from_error(other.into()),
                })?;
            }
        }
        Ok(Exit::Ok)
    })
}

async fn list(access: &Access, json: bool) -> anyhow::Result<()> {
    let keys = access.signing_keys().await?;
    let newest = keys.last().map(|(id, _)| *id);
    if json {
        let view =
            |(id, t): &(u16, crate::media::Timestamp)| json!({ "id": id, "created_at_us": t.as_micros(), "signs": Some(*id) == newest });
        return output::print_json(&keys.iter().map(view).collect::<Vec<_>>());
    }
    let words = |id: u16| if Some(id) == newest { "signs" } else { "opens only" };
    let rows: Vec<Vec<String>> = keys.iter().map(|(id, t)| vec![id.to_string(), t.to_rfc3339(0), words(*id).into()]).collect();
    output::print(&output::table(&["KEY", "SINCE", "STATE"], &rows));
    Ok(())
}
