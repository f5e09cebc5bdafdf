//! The layers while they are being read, and what becomes known of each setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::problem::{ConfigError, Problem};

/// Prefix of the variables that set something.
pub(super) const ENV_PREFIX: &str = "RETROVIEW_";

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Env(String),
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line: 0 } => write!(f, "{}", path.display()),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Env(name) => f.write_str(name),
            Origin::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A value as written, before anyone looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    List(Vec<String>),
}

impl Raw {
    pub fn text(&self) -> String {
        match self {
            Raw::Text(t) => t.clone(),
            Raw::List(items) => items.join(","),
        }
    }
    /// A list; text is split at commas, as variables and flags have no other way to write one.
    pub fn list(&self) -> Vec<String> {
        match self {
            Raw::List(items) => items.clone(),
            Raw::Text(t) => t.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect(),
        }
    }
    fn json(&self) -> serde_json::Value {
        match self {
            Raw::Text(t) => t.clone().into(),
            Raw::List(items) => items.clone().into(),
        }
    }
}

/// One setting with its effective value.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    pub key: &'static str,
    /// As written; `(hidden)` for a secret that is set.
    pub value: serde_json::Value,
    pub origin: Origin,
    pub help: &'static str,
    /// The variable that sets it.
    pub env: String,
}

/// Parses a raw value or says in words what is allowed.
pub(super) type Parse<T> = fn(&Raw) -> Result<T, String>;

/// All layers merged by key; settings are taken out by reading them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    written: BTreeMap<String, (Raw, Origin)>,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl Reader {
    /// A later layer replaces what an earlier one wrote.
    pub fn write(&mut self, key: String, raw: Raw, origin: Origin) {
        self.written.insert(key, (raw, origin));
    }
    pub fn problem(&mut self, origin: Origin, message: String) {
        self.problems.push(Problem { origin, message });
    }

    /// Takes the setting `key`. When it is wrong the problem is kept for [`Reader::finish`] and the default
    /// stands in, so that reading goes on and finds the other problems.
    pub fn get<T>(&mut self, key: &'static str, default: &str, help: &'static str, parse: impl Fn(&Raw) -> Result<T, String>) -> T {
        let fallback = Raw::Text(default.into());
        let (raw, origin) = self.written.remove(key).unwrap_or((fallback.clone(), Origin::Default));
        let value = match parse(&raw) {
            Ok(value) => value,
            Err(allowed) => {
                self.problem(origin.clone(), format!("`{key}` is `{}`; {allowed}", raw.text()));
                parse(&fallback).expect("a default is allowed")
            }
        };
        self.settings.push(Setting { key, value: raw.json(), origin, help, env: env_name(key) });
        value
    }

    /// Like [`Reader::get`] for text that must not be shown, not even in an error; unset by default.
    pub fn get_secret(&mut self, key: &'static str, help: &'static str, parse: Parse<String>) -> Option<String> {
        let taken = self.written.remove(key);
        let shown = if taken.is_some() { "(hidden)" } else { "" };
        let origin = taken.as_ref().map_or(Origin::Default, |(_, origin)| origin.clone());
        self.settings.push(Setting { key, value: shown.into(), origin: origin.clone(), help, env: env_name(key) });
        match parse(&taken?.0) {
            Ok(value) => Some(value),
            Err(allowed) => {
                self.problem(origin, format!("`{key}` cannot be used; {allowed}"));
                None
            }
        }
    }

    /// What was written and never read is unknown.
    pub fn finish(mut self) -> Result<Vec<Setting>, ConfigError> {
        for (key, (_, origin)) in std::mem::take(&mut self.written) {
            let message = match &origin {
                Origin::Env(name) => {
                    let nearest = self.nearest(&key).map_or_else(list_hint, |k| format!("the nearest is `{}`", env_name(k)));
                    debug_assert!(name.starts_with(ENV_PREFIX));
                    format!("this variable sets nothing; {nearest}")
                }
                _ => {
                    let nearest = self.nearest(&key).map_or_else(list_hint, |k| format!("the nearest is `{k}`"));
                    format!("`{key}` is not a setting; {nearest}")
                }
            };
            self.problem(origin, message);
        }
        if self.problems.is_empty() { Ok(self.settings) } else { Err(ConfigError(self.problems)) }
    }

    /// The known key most like `key`, when it is like it at all.
    fn nearest(&self, key: &str) -> Option<&'static str> {
        let score = |known: &str| strsim::jaro_winkler(known, key);
        let best = self.settings.iter().map(|s| s.key).max_by(|a, b| score(a).total_cmp(&score(b)))?;
        // 0.8 keeps one or two slips of the finger and refuses different words.
        (score(best) >= 0.8).then_some(best)
    }
}

fn list_hint() -> String {
    "`retroview config show` lists them all".into()
}

/// `server.listen` is set by `RETROVIEW_SERVER_LISTEN`.
pub(super) fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "_").to_uppercase())
}
