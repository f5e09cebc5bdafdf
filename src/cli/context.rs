//! What every command starts from: the configuration, and answers in the form that was asked for.

use std::path::PathBuf;

use clap::Args;

use crate::app::{self, Announcement, StartError};
use crate::config::{Config, ConfigError, Inputs, Log, Origin};
use crate::db::{self, Db};
use crate::telemetry;

use super::failure::{Exit, Failure};

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// The TOML file to read [default: /etc/retroview/retroview.toml where it exists]
    #[arg(long, global = true, env = "RETROVIEW_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where database, lock and sockets live
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Set any setting; `retroview config show` lists them
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// text for people, json for machines
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected, such as server.listen=127.0.0.1:8080".into()),
    }
}

/// An open database, and the configuration that names it.
pub(super) struct Database {
    pub config: Config,
    pub db: Db,
}

impl Database {
    /// What addresses of the service begin with: what the operator says, or where it answers at this moment, which may be by a
    /// flag.
    pub fn base_url(&self) -> String {
        let configured = || self.config.server.base_url();
        match &self.config.server.public_url {
            Some(_) => configured(),
            None => Announcement::read(&self.config).map_or_else(configured, |service| service.url),
        }
    }
}

/// A command's surroundings.
pub(super) struct Context {
    inputs: Inputs,
    /// By flag or variable, as opposed to the system's file that is read where it exists.
    file_was_named: bool,
}

impl Context {
    pub fn new(global: GlobalArgs) -> Self {
        let mut flags = global.set;
        let short = [("log.level", global.log_level), ("log.format", global.log_format)];
        flags.extend(short.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        flags.extend(global.data_dir.map(|dir| ("data_dir".to_owned(), dir.display().to_string())));
        let file_was_named = global.config.is_some();
        Context { inputs: Inputs::from_process(global.config, flags), file_was_named }
    }

    /// The file that is read, if any.
    pub fn config_file(&self) -> Option<&PathBuf> {
        self.inputs.file.as_ref()
    }

    /// The configuration of all layers, `more` flags of the command itself on top.
    pub fn config(&self, more: &[(&str, Option<String>)]) -> Result<Config, Failure> {
        Ok(self.load(more)?)
    }

    /// Like [`Context::config`], with the problems one by one.
    pub fn load(&self, more: &[(&str, Option<String>)]) -> Result<Config, ConfigError> {
        let mut inputs = self.inputs.clone();
        let given = more.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
        inputs.flags.extend(given);
        Config::load(&inputs)
    }

    /// Like [`Context::config`] for the demo: a folder of its own, and not the file of a real installation.
    pub fn demo_config(&self, more: &[(&str, Option<String>)]) -> Result<Config, Failure> {
        let mut inputs = self.inputs.clone();
        inputs.file = inputs.file.filter(|_| self.file_was_named);
        let own = [("data_dir", ".demo"), ("media.min_free", "200MiB"), ("log.level", "warn")];
        inputs.defaults = own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let given = more.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
        inputs.flags.extend(given);
        Ok(Config::load(&inputs)?)
    }

    /// Opens the database, which must be there, and runs `work` to its end.
    pub fn with_database(&self, work: impl AsyncFnOnce(Database) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
        let path = self.config(&[])?.database_path();
        if !path.exists() {
            let folder = path.parent().unwrap_or(&path).display();
            let failure = Failure::new(Exit::NotFound, format!("there is no Retroview data in {folder}"));
            let hint = "--data-dir with the folder of the service, or retroview serve, which begins one; retroview index rebuild when only the database was lost";
            return Err(failure.hint(hint).into());
        }
        self.with_new_database(work)
    }

    /// The same, making the database when it is not there yet: a stream or a token may be added before the first start.
    pub fn with_new_database(&self, work: impl AsyncFnOnce(Database) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
        let config = self.config(&[])?;
        start_quiet_logging(&config);
        self.runtime()?.block_on(async {
            app::prepare_data_dir(&config).map_err(start_failure)?;
            let db = db::sqlite::open(&config.database_path()).await.map_err(|e| start_failure(e.into()))?;
            work(Database { config, db }).await
        })
    }

    /// A runtime for one command.
    pub fn runtime(&self) -> Result<tokio::runtime::Runtime, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|e| Failure::new(Exit::Failed, format!("start threads: {e}")).hint("ulimit -u"))
    }
}

/// A command that answers and ends says only what went wrong, unless its log was asked for.
pub(super) fn start_quiet_logging(config: &Config) {
    let asked = config.settings.iter().any(|s| s.key == "log.level" && s.origin != Origin::Default);
    let level = if asked { config.log.level.clone() } else { "error".into() };
    telemetry::start_logging(&Log { level, ..config.log.clone() });
}

/// What a start that failed means for the exit code.
pub(super) fn start_failure(error: StartError) -> Failure {
    let exit = if error.is_conflict() { Exit::Conflict } else { Exit::Failed };
    // The chain in one line; causes that the text repeats already are left out by `from_error`.
    let hint = error.hint();
    Failure::from_error(error.into()).with(exit).hint(hint)
}
