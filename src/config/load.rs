//! From file, variables and flags to one reader.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::problem::ConfigError;
use super::reader::{ENV_PREFIX, Origin, Raw, Reader};

/// Read when no file is named and this one exists.
pub const DEFAULT_FILE: &str = "/etc/retroview/retroview.toml";

/// Variables of ours that are not settings.
const NOT_SETTINGS: [&str; 1] = ["RETROVIEW_CONFIG"];

/// What the layers are read from; values, so that tests need no environment of their own.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// A file the operator named (it must exist), or `None` for no file.
    pub file: Option<PathBuf>,
    /// Key and value of what stands in for built-in defaults.
    pub defaults: Vec<(String, String)>,
    /// All variables; those that do not begin with `RETROVIEW_` are passed over.
    pub env: Vec<(String, String)>,
    /// Key and value, in the order given.
    pub flags: Vec<(String, String)>,
}

impl Inputs {
    /// The real environment; `file` as named on the command line or by `RETROVIEW_CONFIG`.
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|p| p.exists());
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        Inputs { file: file.or_else(default), defaults: Vec::new(), env, flags }
    }
}

pub(super) fn reader(inputs: &Inputs) -> Result<Reader, ConfigError> {
    let mut reader = Reader::default();
    for (key, value) in &inputs.defaults {
        reader.write(key.clone(), Raw::Text(value.clone()), Origin::Default);
    }
    if let Some(path) = &inputs.file {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let origin = Origin::File { path: path.clone(), line: 0 };
            ConfigError::one(origin, format!("cannot be read: {e}; give another file with --config"))
        })?;
        read_file(&mut reader, path, &text)?;
    }
    for (name, value) in &inputs.env {
        if let Some(rest) = name.strip_prefix(ENV_PREFIX)
            && !NOT_SETTINGS.contains(&name.as_str())
        {
            reader.write(env_key(rest), Raw::Text(value.clone()), Origin::Env(name.clone()));
        }
    }
    for (key, value) in &inputs.flags {
        reader.write(key.clone(), Raw::Text(value.clone()), Origin::Flag(key.clone()));
    }
    Ok(reader)
}

/// `SERVER_LISTEN` names `server.listen`: topics are one word, so the first underscore ends them. `DATA_DIR`
/// has no topic.
fn env_key(rest: &str) -> String {
    let lower = rest.to_lowercase();
    if lower == "data_dir" { lower } else { lower.replacen('_', ".", 1) }
}

fn read_file(reader: &mut Reader, path: &Path, text: &str) -> Result<(), ConfigError> {
    let origin = |span: Range<usize>| Origin::File { path: path.into(), line: line_of(text, span.start) };
    let table = DeTable::parse(text).map_err(|e| {
        let message = format!("not TOML: {}", e.message().lines().collect::<Vec<_>>().join(", "));
        ConfigError::one(origin(e.span().unwrap_or(0..0)), message)
    })?;
    read_table(reader, "", table.get_ref(), &origin);
    Ok(())
}

fn read_table(reader: &mut Reader, prefix: &str, table: &DeTable<'_>, origin: &impl Fn(Range<usize>) -> Origin) {
    const TOPICS: [&str; 5] = ["server", "media", "ingest", "access", "log"];
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        let at = origin(name.span());
        match value.get_ref() {
            DeValue::Table(inner) => read_table(reader, &format!("{key}."), inner, origin),
            _ if TOPICS.contains(&key.as_str()) => {
                reader.problem(at, format!("`{key}` is a table of settings: write `[{key}]` on a line of its own"));
            }
            DeValue::Array(items) => {
                let texts: Option<Vec<String>> = items.iter().map(|i| scalar(i.get_ref())).collect();
                match texts {
                    Some(texts) => reader.write(key, Raw::List(texts), at),
                    None => reader.problem(at, format!("`{key}` is a list of lists or tables; a plain list is allowed")),
                }
            }
            other => {
                if let Some(text) = scalar(other) {
                    reader.write(key, Raw::Text(text), at);
                }
            }
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(s) => Some(s.to_string()),
        DeValue::Integer(i) => Some(i.as_str().to_owned()),
        DeValue::Float(f) => Some(f.as_str().to_owned()),
        DeValue::Boolean(b) => Some(b.to_string()),
        DeValue::Datetime(d) => Some(d.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    // TOML reports the end of the text for a value that is missing; that is still the line before the break.
    let before = &text.as_bytes()[..offset.min(text.trim_end().len())];
    1 + before.iter().filter(|b| **b == b'\n').count()
}
