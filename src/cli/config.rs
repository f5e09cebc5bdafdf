//! `retroview config check|show`.

use clap::{Args, Subcommand};

use super::context::Context;
use super::failure::Exit;
use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  retroview config show
  retroview config check")]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can be used; every problem on a line of its own.
    #[command(after_help = "Examples:
  retroview config check --config /etc/retroview/retroview.toml
  retroview config check --set media.segment_target=2s")]
    Check,
    /// Every setting with its effective value and where it came from. Secrets are hidden.
    #[command(after_help = "Examples:
  retroview config show
  retroview config show --json | jq -r '.[] | select(.origin != \"default\") | .key'")]
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: ConfigArgs, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        ConfigCommand::Check => Ok(check(context)),
        ConfigCommand::Show { json } => show(context, json),
    }
}

fn check(context: &Context) -> Exit {
    let read = context.config_file().map_or("no file; defaults, environment and flags".into(), |p| p.display().to_string());
    match context.load(&[]) {
        Ok(_) => {
            output::print_line(&format!("The configuration is good ({read})."));
            Exit::Ok
        }
        Err(error) => {
            for problem in error.problems() {
                eprintln!("retroview: {problem}");
            }
            Exit::Usage
        }
    }
}

fn show(context: &Context, json: bool) -> anyhow::Result<Exit> {
    let config = context.config(&[])?;
    if json {
        output::print_json(&config.settings)?;
        return Ok(Exit::Ok);
    }
    let value = |v: &serde_json::Value| match v {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> =
        config.settings.iter().map(|s| vec![s.key.to_owned(), value(&s.value), s.origin.to_string(), s.help.to_owned()]).collect();
    output::print(&output::table(&["SETTING", "VALUE", "FROM", "WHAT IT IS FOR"], &rows));
    Ok(Exit::Ok)
}
