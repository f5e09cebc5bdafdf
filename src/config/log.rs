//! `[log]`: what is said on stderr, and how.

use super::reader::{Raw, Reader};

#[derive(Clone, Debug)]
pub struct Log {
    /// `error` … `trace`, or a list of `target=level` as tracing's `EnvFilter` takes it.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

impl Log {
    pub(super) fn read(r: &mut Reader) -> Log {
        Log {
            level: r.get("log.level", "info", "error, warn, info, debug or trace; or target=level, separated by commas.", level),
            format: r.get("log.format", "text", "`text` for people, `json` for machines.", format),
        }
    }
}

fn level(raw: &Raw) -> Result<String, String> {
    let text = raw.text();
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let ok = |part: &str| part.split_once('=').map_or(levels.contains(&part), |(_, level)| levels.contains(&level));
    if !text.is_empty() && text.split(',').all(ok) { Ok(text) } else { Err("error, warn, info, debug or trace is allowed".into()) }
}

fn format(raw: &Raw) -> Result<LogFormat, String> {
    match raw.text().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("`text` or `json` is allowed".into()),
    }
}
