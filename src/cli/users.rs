//! `retroview users reset-password`: for the administrator who lost it.

use clap::{Args, Subcommand};

use crate::clock::{Clock, SystemClock};
use crate::entitlement::{readable_password, set_password};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview users reset-password admin")]
pub(super) struct UsersArgs {
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// Give a user a new password: one made up and printed once, or one read from stdin.
    #[command(after_help = "Examples:
  retroview users reset-password admin
  pass show retroview | retroview users reset-password admin --stdin")]
    ResetPassword {
        #[arg(default_value = "admin")]
        name: String,
        /// Read the password from the first line of stdin
        #[arg(long)]
        stdin: bool,
    },
}

pub(super) fn run(args: UsersArgs, context: &Context) -> anyhow::Result<Exit> {
    let UsersCommand::ResetPassword { name, stdin } = args.command;
    context.with_database(async |database| {
        let db = &database.db;
        if db.user(&name).await?.is_none() {
            let failure = Failure::new(Exit::NotFound, format!("there is no user `{name}`"));
            return Err(failure.hint("admin, whom the first start of `retroview serve` adds").into());
        }
        let password = if stdin {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line.trim_end_matches(['\n', '\r']).to_owned()
        } else {
            readable_password()?
        };
        set_password(db, SystemClock.now(), &name, &password).await?;
        if !stdin {
            output::print_line(&password);
        }
        Ok(Exit::Ok)
    })
}
