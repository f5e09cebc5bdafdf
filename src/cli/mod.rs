//! The command line: one file per command.
//!
//! Commands work on the database directly, so they work whether or not the service runs; a running service
//! notices what they change within a second. Only `index rebuild` needs the data directory to itself.
//!
//! Fit for scripts: answers go to stdout, everything else to stderr; an error is one line that ends with what
//! to try; exit codes are stable ([`Exit`]); whatever lists takes `--json`; progress is drawn only on a terminal.

mod accounts;
mod audit;
mod bookmarks;
mod camera;
mod check;
mod children;
mod config;
mod context;
mod demo;
mod erase;
mod failure;
mod holds;
mod import;
mod index;
mod keys;
mod output;
mod papers;
mod probe;
mod retention;
mod serve;
mod shares;
mod streams;
mod subscription;
mod tokens;
mod url;
mod users;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub use failure::{Exit, Failure};

use context::{Context, GlobalArgs};

/// Records streams, keeps every second as long as the plan says, and plays any of it back.
#[derive(Debug, Parser)]
#[command(name = "retroview", version, propagate_version = false, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  retroview serve --data-dir ./data
  retroview streams add door rtsp://camera.example/stream
  retroview config show

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 check found something, 4 not found, 5 in conflict
with what is there or with another process.")]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: record, and answer on one port.
    Serve(serve::ServeArgs),
    /// Have a look: two synthetic cameras and hours of history.
    Demo(demo::DemoArgs),
    /// What is recorded.
    Streams(streams::StreamsArgs),
    /// Bring existing recordings in.
    Import(import::ImportArgs),
    /// Customers.
    Accounts(accounts::AccountsArgs),
    /// What is sold.
    Plans(subscription::PlansArgs),
    /// What a customer has bought.
    Subscription(subscription::SubscriptionArgs),
    /// Erase footage because somebody asks for it.
    Erase(erase::EraseArgs),
    /// Bearer tokens for programs.
    Tokens(tokens::TokensArgs),
    /// Keys of signed addresses: list, rotate, remove.
    Keys(keys::KeysArgs),
    /// How long footage stays: where retention stands, why something is kept or gone, what a change would do.
    Retention(retention::RetentionArgs),
    /// Ranges that nothing may prune: list, place, release.
    Holds(holds::HoldsArgs),
    /// Moments and ranges to find again: list, add, remove.
    Bookmarks(bookmarks::BookmarksArgs),
    /// Ranges shown to people without an account, by a link: create, list, revoke.
    Shares(shares::SharesArgs),
    /// Who can sign in.
    Users(users::UsersArgs),
    /// A signed address for a player that cannot send headers.
    Url(url::UrlArgs),
    /// Compare rows with files, and mend.
    Check(check::CheckArgs),
    /// The index itself.
    Index(index::IndexArgs),
    /// Reads sources for `serve`.
    #[command(hide = true)]
    Worker,
    /// Makes pictures for `serve`.
    #[command(hide = true)]
    Decoder,
    /// A synthetic camera: moving picture, burned-in clock, tone.
    #[command(hide = true)]
    Camera(camera::CameraArgs),
    /// Who did what: look, export, sign, verify.
    Audit(audit::AuditArgs),
    /// Look at the configuration.
    Config(config::ConfigArgs),
}

/// The whole program. Never returns an error: what went wrong has been told by then.
pub fn main() -> ExitCode {
    run(std::env::args_os().collect()).into()
}

fn run(args: Vec<OsString>) -> Exit {
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            output::print_line(e.render().to_string().trim_end());
            return Exit::Ok;
        }
        Err(e) => return usage(&e, &args).tell(),
    };
    let context = Context::new(cli.global);
    let result = match cli.command {
        Command::Streams(args) => streams::run(args, &context),
        Command::Accounts(args) => accounts::run(args, &context),
        Command::Plans(args) => subscription::run_plans(args, &context),
        Command::Subscription(args) => subscription::run(args, &context),
        Command::Erase(args) => erase::run(args, &context),
        Command::Tokens(args) => tokens::run(args, &context),
        Command::Keys(args) => keys::run(args, &context),
        Command::Retention(args) => retention::run(args, &context),
        Command::Holds(args) => holds::run(args, &context),
        Command::Shares(args) => shares::run(args, &context),
        Command::Bookmarks(args) => bookmarks::run(args, &context),
        Command::Users(args) => users::run(args, &context),
        Command::Url(args) => url::run(args, &context),
        Command::Serve(args) => serve::run(args, &context),
        Command::Demo(args) => demo::run(args, &context),
        Command::Import(args) => import::run(args, &context),
        Command::Check(args) => check::run(args, &context),
        Command::Index(args) => index::run(args, &context),
        Command::Worker => children::run_worker(),
        Command::Decoder => children::run_decoder(),
        Command::Camera(args) => camera::run(args, &context),
        Command::Audit(args) => audit::run(args, &context),
        Command::Config(args) => config::run(args, &context),
    };
    result.unwrap_or_else(|error| Failure::from_error(error).tell())
}

/// Clap's many lines become one.
fn usage(error: &clap::Error, args: &[OsString]) -> Failure {
    let text = error.render().to_string();
    let said = text.split("\nUsage:").next().unwrap_or(&text);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("For more information")).collect();
    let line = lines.join(" ").trim_start_matches("error: ").to_owned();
    let message =
        if line.is_empty() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand { "which command?".into() } else { line };
    // The deepest command that was named, so that its help is what is suggested.
    let mut command = Cli::command();
    let mut path = vec!["retroview".to_owned()];
    for word in args.iter().skip(1).filter_map(|a| a.to_str()) {
        if let Some(sub) = command.find_subcommand(word).cloned() {
            path.push(word.to_owned());
            command = sub;
        }
    }
    Failure::new(Exit::Usage, message).hint(format!("{} --help", path.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        let subs: Vec<_> = command.get_subcommands().collect();
        if subs.is_empty() {
            found.push((path.to_owned(), command.clone()));
        }
        for sub in subs {
            leaves(sub, &format!("{path} {}", sub.get_name()), found);
        }
    }

    /// Splits an example the way a shell would, as far as our examples go: quotes and pipes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '|' | '>' | '&' | ')' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().expect("never empty").push(c),
            }
        }
        words.retain(|w| !w.is_empty());
        words
    }

    #[test]
    fn every_command_shows_an_example_of_itself_that_parses() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "retroview", &mut found);
        assert!(!found.is_empty());
        for (path, command) in found.iter().filter(|(_, c)| !c.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().map(str::trim).filter(|l| l.contains("retroview ")).collect();
            assert!(examples.iter().any(|e| e.contains(path.as_str())), "`{path} --help` has no example of itself");
            for example in examples {
                let from = example.find(path.as_str()).or_else(|| example.find("retroview ")).expect("filtered for it");
                if let Err(e) = Cli::try_parse_from(words(&example[from..])) {
                    panic!("the example `{example}` of `{path}` is refused: {e}");
                }
            }
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_word_is_told_in_one_line_with_what_to_try() {
        let args: Vec<OsString> = ["retroview", "config", "shwo"].map(Into::into).to_vec();
        let failure = usage(&Cli::try_parse_from(&args).unwrap_err(), &args);
        let text = failure.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("shwo") && text.ends_with("Try: retroview config --help"), "{text}");
    }
}
