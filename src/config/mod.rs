//! What the operator wrote becomes values that are already checked.
//!
//! Four layers, later ones win: built-in defaults, one TOML file, `RETROVIEW_…` variables, flags. Each
//! setting is declared once, in the file of its topic, by reading it from a reader: key, default, what it
//! is for and what is allowed. Whatever was written and never read is unknown, so a setting cannot be known
//! to one layer and not to another, and there is no second list to keep up to date.
//!
//! Leaves to others: opening anything. A value that parses may still name a folder that cannot be written;
//! `app` says so when it tries.
//!
//! **Invariants.** A [`Config`] exists only when every layer was free of problems. All problems are reported
//! at once, each with the place it was written at. A secret is never shown.

mod access;
mod audit;
mod exports;
mod ingest;
mod load;
mod log;
mod media;
mod problem;
mod reader;
mod retention;
mod server;
mod values;

use std::path::PathBuf;

pub use access::Access;
pub use audit::Audit;
pub use exports::Exports;
pub use ingest::Ingest;
pub use load::{DEFAULT_FILE, Inputs};
pub use log::{Log, LogFormat};
pub use media::Media;
pub use problem::{ConfigError, Problem};
pub use reader::{Origin, Setting};
pub use retention::Retention;
pub use server::Server;

/// Everything the operator decides, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Database, lock and sockets live here.
    pub data_dir: PathBuf,
    pub server: Server,
    pub media: Media,
    pub ingest: Ingest,
    pub retention: Retention,
    pub exports: Exports,
    pub audit: Audit,
    pub access: Access,
    pub log: Log,
    /// Every setting with its effective value and where it came from, in the order of the topics.
    pub settings: Vec<Setting>,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// Every problem of every layer at once.
    pub fn load(inputs: &Inputs) -> Result<Config, ConfigError> {
        let mut reader = load::reader(inputs)?;
        let data_dir = reader.get("data_dir", "/var/lib/retroview", "Where database, lock and sockets live.", values::path);
        let server = Server::read(&mut reader);
        let media = Media::read(&mut reader, &data_dir);
        let ingest = Ingest::read(&mut reader);
        let retention = Retention::read(&mut reader);
        let exports = Exports::read(&mut reader);
        let audit = Audit::read(&mut reader, &data_dir);
        let access = Access::read(&mut reader);
        let log = Log::read(&mut reader);
        let settings = reader.finish()?;
        Ok(Config { data_dir, server, media, ingest, retention, exports, audit, access, log, settings })
    }

    pub fn database_path(&self) -> PathBuf {
        self.data_dir.join("retroview.db")
    }
    /// Held (flock) by the one `serve` that uses this data directory.
    pub fn lock_path(&self) -> PathBuf {
        self.data_dir.join("lock")
    }
    /// Held (flock) by the one run of retention, of the service or of a command.
    pub fn retention_lock_path(&self) -> PathBuf {
        self.data_dir.join("retention.lock")
    }
    /// Files of exports.
    pub fn exports_dir(&self) -> PathBuf {
        self.data_dir.join("exports")
    }
    /// Sockets between the processes of one service.
    pub fn run_dir(&self) -> PathBuf {
        self.data_dir.join("run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("retroview.toml");
        std::fs::write(&path, file).unwrap();
        Config::load(&Inputs {
            file: Some(path),
            defaults: Vec::new(),
            env: env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            flags: flags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        })
    }

    fn problem(file: &str) -> String {
        let text = load(file, &[], &[]).expect_err(file).to_string();
        text.split_once("retroview.toml:").map_or(text.clone(), |(_, rest)| rest.to_owned())
    }

    #[test]
    fn nothing_written_is_a_whole_configuration() {
        let config = load("", &[], &[]).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.media.root, config.data_dir.join("media"));
        assert!(config.settings.iter().all(|s| s.origin == Origin::Default));
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = "[server]\nlisten = '127.0.0.1:1'";
        let env = [("RETROVIEW_SERVER_LISTEN", "127.0.0.1:2")];
        let flag = [("server.listen", "127.0.0.1:3")];
        let port = |c: Result<Config, ConfigError>| c.unwrap().server.listen.port();
        assert_eq!(port(load("", &[], &[])), 8080);
        assert_eq!(port(load(file, &[], &[])), 1);
        assert_eq!(port(load(file, &env, &[])), 2);
        assert_eq!(port(load(file, &env, &flag)), 3);
    }

    #[test]
    fn where_a_value_came_from_is_known() {
        let config = load("data_dir = '/srv/rv'\n[media]\n\nsegment_target = '6s'", &[("RETROVIEW_LOG_LEVEL", "debug")], &[]).unwrap();
        let origin = |key: &str| config.settings.iter().find(|s| s.key == key).unwrap().origin.to_string();
        assert!(origin("media.segment_target").ends_with("retroview.toml:4"), "{}", origin("media.segment_target"));
        assert_eq!(origin("log.level"), "RETROVIEW_LOG_LEVEL");
        assert_eq!(origin("server.listen"), "default");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        assert_eq!(problem("[server]\nlissten = '[::]:80'"), "2: `server.lissten` is not a setting; the nearest is `server.listen`");
        assert_eq!(problem("data_directory = '/x'"), "1: `data_directory` is not a setting; the nearest is `data_dir`");
        assert_eq!(problem("[medai]\nroot = '/x'"), "2: `medai.root` is not a setting; the nearest is `media.root`");
        let text = load("", &[("RETROVIEW_SERVER_LISTN", "x")], &[]).unwrap_err().to_string();
        assert_eq!(text, "RETROVIEW_SERVER_LISTN: this variable sets nothing; the nearest is `RETROVIEW_SERVER_LISTEN`");
        let text = load("", &[], &[("xyzzy.plugh", "1")]).unwrap_err().to_string();
        assert_eq!(text, "--set xyzzy.plugh: `xyzzy.plugh` is not a setting; `retroview config show` lists them all");
    }

    #[test]
    fn a_wrong_value_says_what_is_allowed() {
        for (file, expected) in [
            (
                "[server]\nlisten = 'here'",
                "2: `server.listen` is `here`; an address and a port is allowed, such as 127.0.0.1:8080 or [::]:8080",
            ),
            (
                "[media]\nsegment_target = 4",
                "2: `media.segment_target` is `4`; a number with a unit is allowed (us, ms, s, m, h, d), such as 4s",
            ),
            ("[media]\nsegment_target = '1ms'", "2: `media.segment_target` is `1ms`; 500ms to 1m is allowed"),
            (
                "[media]\nblock_max_size = '12 parsecs'",
                "2: `media.block_max_size` is `12 parsecs`; a size is allowed, such as 512MiB or 2GB",
            ),
            ("[log]\nformat = 'xml'", "2: `log.format` is `xml`; `text` or `json` is allowed"),
            ("[ingest]\nworkers = 0", "2: `ingest.workers` is `0`; a number from 1 to 256 is allowed"),
            (
                "[ingest]\nforbidden_networks = ['10.0.0.0/33']",
                "2: `ingest.forbidden_networks` is `10.0.0.0/33`; networks are allowed, such as 10.0.0.0/8 or fd00::/8",
            ),
            ("server = 5", "1: `server` is a table of settings: write `[server]` on a line of its own"),
        ] {
            assert_eq!(problem(file), expected);
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let error = load("[server]\nlisten = 'x'\nnope = 1\n[log]\nformat = 'x'", &[], &[]).unwrap_err();
        assert_eq!(error.problems().len(), 3, "{error}");
    }

    #[test]
    fn broken_toml_names_the_line() {
        let text = problem("[server]\nlisten = \n");
        assert!(text.starts_with("2: "), "{text}");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_only_when_it_was_named() {
        let inputs = Inputs { file: Some("/nonexistent/rv.toml".into()), ..Inputs::default() };
        let text = Config::load(&inputs).unwrap_err().to_string();
        assert!(text.starts_with("/nonexistent/rv.toml: cannot be read"), "{text}");
    }

    #[test]
    fn secrets_are_hidden() {
        let config = load("[access]\nadmin_password = 'hunter2hunter2'", &[], &[]).unwrap();
        assert_eq!(config.access.admin_password.as_deref(), Some("hunter2hunter2"));
        let shown = config.settings.iter().find(|s| s.key == "access.admin_password").unwrap();
        assert_eq!(shown.value, serde_json::json!("(hidden)"));
        assert!(!format!("{config:?}").contains("hunter2"));
        let text = load("[access]\nadmin_password = 'short'", &[], &[]).unwrap_err().to_string();
        assert!(!text.contains("short"), "{text}");
    }
}
