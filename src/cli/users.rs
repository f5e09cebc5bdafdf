//! `retroview users …`: who can sign in.
//!
//! Passwords are made up here and printed once, read from stdin, or chosen by the user with a one-time link; none is ever an argument,
//! where other users of the machine could see it.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::db::{SessionRow, UserRow};
use crate::entitlement::{Directory, NewUser, Principal, Role, UserChange, readable_password};
use crate::media::{AccountId, StreamId, Timestamp};

use super::context::{Context, Database};
use super::failure::{Exit, Failure};
use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview users invite ann@example.org --role viewer --streams door,lobby
  retroview users list
  retroview users reset-password admin")]
pub(super) struct UsersArgs {
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// All users.
    #[command(after_help = "Examples:
  retroview users list
  retroview users list --account acme --json")]
    List {
        /// Only this account's
        #[arg(long)]
        account: Option<AccountId>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One user, as JSON.
    #[command(after_help = "Examples:
  retroview users show ann@example.org")]
    Show { name: String },
    /// Add a user who chooses a password with the one-time link that is printed: good for seven days.
    #[command(after_help = "Examples:
  retroview users invite ann@example.org --role viewer --streams door,lobby
  retroview users invite carl --role manager --account acme --language fr")]
    Invite(NewUserArgs),
    /// Add a user with a password: one made up and printed once, or one read from stdin.
    #[command(after_help = "Examples:
  retroview users add ann --role viewer
  pass show ann | retroview users add ann --role manager --account acme --stdin")]
    Add {
        #[command(flatten)]
        new: NewUserArgs,
        /// Read the password from the first line of stdin
        #[arg(long)]
        stdin: bool,
    },
    /// Change what a user may.
    #[command(after_help = "Examples:
  retroview users set-role ann manager
  retroview users set-role ann viewer --streams door,lobby")]
    SetRole {
        name: String,
        /// viewer, manager, auditor, operator
        role: Role,
        /// What a viewer may watch [default: all streams of the account]
        #[arg(long, value_delimiter = ',')]
        streams: Vec<StreamId>,
    },
    /// Change the language a user is spoken to in.
    #[command(after_help = "Examples:
  retroview users set-language ann fr")]
    SetLanguage {
        name: String,
        /// en or fr
        language: String,
    },
    /// Let a user not sign in any more, and sign them out everywhere.
    #[command(after_help = "Examples:
  retroview users disable ann")]
    Disable { name: String },
    /// Let a user sign in again.
    #[command(after_help = "Examples:
  retroview users enable ann")]
    Enable { name: String },
    /// Remove a user. Tokens that they made stay: `tokens list` shows them.
    #[command(after_help = "Examples:
  retroview users remove ann")]
    Remove { name: String },
    /// Print a one-time link with which a user chooses another password: good for an hour.
    #[command(after_help = "Who has no password yet gets another invitation, good for seven days.

Examples:
  retroview users reset ann")]
    Reset { name: String },
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
    /// Where a user is signed in.
    #[command(after_help = "Examples:
  retroview users sessions ann
  retroview users sessions ann --json")]
    Sessions {
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End one session of a user, or all.
    #[command(after_help = "Examples:
  retroview users sign-out ann
  retroview users sign-out ann s0123456789ab")]
    SignOut {
        name: String,
        /// As `users sessions` shows it [default: all]
        session: Option<String>,
    },
}

#[derive(Debug, Args)]
struct NewUserArgs {
    /// What they sign in with; a mail address will do
    name: String,
    /// viewer, manager, auditor, operator
    #[arg(long)]
    role: Role,
    #[arg(long, default_value = "main")]
    account: AccountId,
    /// What a viewer may watch [default: all streams of the account]
    #[arg(long, value_delimiter = ',')]
    streams: Vec<StreamId>,
    /// en or fr [default: what the browser prefers]
    #[arg(long)]
    language: Option<String>,
}

pub(super) fn run(args: UsersArgs, context: &Context) -> anyhow::Result<Exit> {
    context.with_database(async |database| {
        let desk = Desk {
            directory: Directory::new(database.db.clone()),
            who: Principal::command_line(AccountId::main()),
            now: SystemClock.now(),
            database,
        };
        match args.command {
            UsersCommand::List { account, json } => desk.list(account.as_ref(), json).await?,
            UsersCommand::Show { name } => output::print_json(&view(&desk.find(&name).await?))?,
            UsersCommand::Invite(new) => desk.invite(new).await?,
            UsersCommand::Add { new, stdin } => desk.add(new, stdin).await?,
            UsersCommand::SetRole { name, role, streams } => {
                let change = UserChange { role: Some(role), streams: Some(chosen(streams)), ..UserChange::default() };
                desk.change(&name, change).await?;
            }
            UsersCommand::SetLanguage { name, language } => {
                desk.change(&name, UserChange { language: Some(language), ..UserChange::default() }).await?;
            }
            UsersCommand::Disable { name } => desk.change(&name, UserChange { disabled: Some(true), ..UserChange::default() }).await?,
            UsersCommand::Enable { name } => desk.change(&name, UserChange { disabled: Some(false), ..UserChange::default() }).await?,
            UsersCommand::Remove { name } => {
                let account = desk.find(&name).await?.account;
                desk.directory.remove_user(&desk.who, desk.now, &account, &name).await.map_err(Failure::from)?;
            }
            UsersCommand::Reset { name } => desk.reset(&name).await?,
            UsersCommand::ResetPassword { name, stdin } => desk.reset_password(&name, stdin).await?,
            UsersCommand::Sessions { name, json } => desk.sessions(&name, json).await?,
            UsersCommand::SignOut { name, session } => desk.sign_out(&name, session.as_deref()).await?,
        }
        Ok(Exit::Ok)
    })
}

/// The person at the machine, and what they work with.
struct Desk {
    directory: Directory,
    who: Principal,
    now: Timestamp,
    database: Database,
}

impl Desk {
    async fn find(&self, name: &str) -> Result<UserRow, Failure> {
        let account = self.directory.account_of(name).await?;
        Ok(self.directory.user(&self.who, &account, name).await?)
    }

    async fn list(&self, account: Option<&AccountId>, json: bool) -> anyhow::Result<()> {
        let mut rows: Vec<UserRow> = Vec::new();
        loop {
            let after = rows.last().map_or("", |row| row.name.as_str());
            let page = self.directory.users(&self.who, account, after).await.map_err(Failure::from)?;
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        if json {
            return output::print_json(&rows.iter().map(view).collect::<Vec<_>>());
        }
        let lines: Vec<Vec<String>> = rows.iter().map(line).collect();
        output::print(&output::table(&["NAME", "ACCOUNT", "ROLE", "STREAMS", "STATE"], &lines));
        Ok(())
    }

    async fn invite(&self, new: NewUserArgs) -> anyhow::Result<()> {
        let new = self.checked(new).await?;
        let (_, link) = self.directory.invite(&self.who, self.now, new).await.map_err(Failure::from)?;
        output::print_line(&link.url(&self.database.base_url()));
        Ok(())
    }

    async fn add(&self, new: NewUserArgs, stdin: bool) -> anyhow::Result<()> {
        let new = self.checked(new).await?;
        let password = password(stdin)?;
        self.directory.add_user(&self.who, self.now, new, &password).await.map_err(Failure::from)?;
        if !stdin {
            output::print_line(&password);
        }
        Ok(())
    }

    /// Whether there is such an account is told before anything is asked for.
    async fn checked(&self, new: NewUserArgs) -> anyhow::Result<NewUser> {
        let NewUserArgs { name, role, account, streams, language } = new;
        if self.database.db.account(&account).await?.is_none() {
            let failure = Failure::new(Exit::NotFound, format!("there is no account `{account}`"));
            return Err(failure.hint("retroview accounts list").into());
        }
        Ok(NewUser { account, name, role, streams: chosen(streams), language })
    }

    async fn change(&self, name: &str, change: UserChange) -> anyhow::Result<()> {
        let account = self.find(name).await?.account;
        self.directory.change_user(&self.who, self.now, &account, name, change).await.map_err(Failure::from)?;
        Ok(())
    }

    async fn reset(&self, name: &str) -> anyhow::Result<()> {
        let account = self.find(name).await?.account;
        let link = self.directory.make_link(&self.who, self.now, &account, name).await.map_err(Failure::from)?;
        output::print_line(&link.url(&self.database.base_url()));
        Ok(())
    }

    async fn reset_password(&self, name: &str, stdin: bool) -> anyhow::Result<()> {
        let account = self.find(name).await?.account;
        let password = password(stdin)?;
        self.directory.set_password(&self.who, self.now, &account, name, &password).await.map_err(Failure::from)?;
        if !stdin {
            output::print_line(&password);
        }
        Ok(())
    }

    async fn sessions(&self, name: &str, json: bool) -> anyhow::Result<()> {
        let account = self.find(name).await?.account;
        let rows = self.directory.sessions(&self.who, self.now, &account, name).await.map_err(Failure::from)?;
        if json {
            return output::print_json(&rows.iter().map(session_view).collect::<Vec<_>>());
        }
        let lines: Vec<Vec<String>> = rows.iter().map(session_line).collect();
        output::print(&output::table(&["ID", "BEGAN", "LAST SEEN", "ADDRESS", "BROWSER"], &lines));
        Ok(())
    }

    async fn sign_out(&self, name: &str, session: Option<&str>) -> anyhow::Result<()> {
        let account = self.find(name).await?.account;
        let (directory, who, now) = (&self.directory, &self.who, self.now);
        match session {
            Some(id) => directory.revoke_session(who, now, &account, name, id).await.map_err(Failure::from)?,
            None => drop(directory.revoke_sessions(who, now, &account, name).await.map_err(Failure::from)?),
        }
        Ok(())
    }
}

fn chosen(streams: Vec<StreamId>) -> Option<Vec<StreamId>> {
    Some(streams).filter(|streams| !streams.is_empty())
}

fn password(stdin: bool) -> anyhow::Result<String> {
    if !stdin {
        return Ok(readable_password()?);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn state(row: &UserRow) -> &'static str {
    match (row.disabled_at, row.password_hash.is_empty()) {
        (Some(_), _) => "disabled",
        (None, true) => "invited",
        (None, false) => "active",
    }
}

fn line(row: &UserRow) -> Vec<String> {
    let streams = row.streams.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    let streams = if streams.is_empty() { "all".into() } else { streams.join(",") };
    vec![row.name.clone(), row.account.to_string(), row.role.clone(), streams, state(row).into()]
}

fn view(row: &UserRow) -> serde_json::Value {
    json!({
        "name": row.name, "account": row.account, "role": row.role, "streams": row.streams.as_deref().unwrap_or_default(),
        "language": row.language, "created_at_us": row.created_at.as_micros(), "state": state(row),
    })
}

fn session_line(row: &SessionRow) -> Vec<String> {
    let seen = row.seen_at.map_or_else(|| "not known".into(), |t| t.to_rfc3339(0));
    vec![row.id.clone(), row.created_at.to_rfc3339(0), seen, row.address.clone(), row.agent.clone()]
}

fn session_view(row: &SessionRow) -> serde_json::Value {
    json!({
        "id": row.id, "created_at_us": row.created_at.as_micros(), "expires_at_us": row.expires_at.as_micros(),
        "seen_at_us": row.seen_at.map(Timestamp::as_micros), "address": row.address, "agent": row.agent,
    })
}
