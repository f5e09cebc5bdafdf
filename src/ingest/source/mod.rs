//! What an operator writes as a source, checked and taken apart.
//!
//! A source is a URL. Its credentials (user info, query values whose names sound like secrets) are split off
//! at once: [`SourceSpec`] displays and serialises with `***` in their place, and only
//! [`SourceSpec::open_plan`] puts them back, for the one call that opens the source.
//!
//! Settings of ours stand behind `#`, where no server ever sees them: `rtsp://cam/1#transport=udp`,
//! `file:///films/a.mp4#loop`. The query belongs to the source, except for SRT, UDP and RTP, whose query is
//! made of settings by custom: there only known names pass.
//!
//! | scheme | what |
//! |---|---|
//! | `rtsp` `rtsps` | RTSP; TCP unless `#transport=udp` |
//! | `rtmp` `rtmps` | RTMP |
//! | `srt` | MPEG-TS over SRT; `?mode=listener` waits for the sender |
//! | `http` `https` | endless MPEG-TS; HLS when the path ends in `.m3u8` or with `#format=hls` |
//! | `udp` `rtp` | MPEG-TS, unicast or multicast |
//! | `file` | a file at its own pace, once or `#loop` |
//! | `push:` | bytes come by `POST /v1/streams/{stream}/ingest` |

mod credentials;
mod error;
mod plan;
mod policy;
mod url;

use std::fmt;
use std::path::PathBuf;

pub use credentials::SourceCredentials;
pub use error::SourceError;
pub use plan::OpenPlan;
pub use policy::{PolicyError, SourcePolicy};

use credentials::{HIDDEN, is_secret};
use url::Parts;

/// How bytes come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SourceKind {
    Rtsp,
    Rtmp,
    Srt,
    HttpTs,
    Hls,
    Udp,
    Rtp,
    File,
    Push,
}

impl SourceKind {
    /// `pull`, `push` or `file`: what lists show.
    pub fn family(self) -> &'static str {
        match self {
            SourceKind::Push => "push",
            SourceKind::File => "file",
            _ => "pull",
        }
    }
}

/// How RTSP carries its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// A source that can be opened. Equal specs open the same thing the same way.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceSpec {
    kind: SourceKind,
    /// With `***` where credentials belong; without our own settings.
    parts: Parts,
    transport: Transport,
    repeat: bool,
    credentials: SourceCredentials,
}

const SCHEMES: [&str; 11] = ["rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https", "udp", "rtp", "file", "push"];

impl SourceSpec {
    /// Reads what an operator wrote.
    ///
    /// # Errors
    /// [`SourceError`] says what is wrong and what to write instead. It never repeats credentials.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let spec = Self::read(text, SourceCredentials::default())?;
        if spec.hides_nothing_unknown() { Ok(spec) } else { Err(SourceError::Hidden) }
    }

    /// Puts together what the database keeps apart: the redacted text and the credentials.
    ///
    /// # Errors
    /// The text is no source, or the credentials are not what [`SourceSpec::credentials_text`] wrote.
    pub fn stored(text: &str, credentials: Option<&str>) -> Result<Self, SourceError> {
        let credentials = credentials.map(SourceCredentials::from_text).transpose()?.unwrap_or_default();
        Self::read(text, credentials)
    }

    /// Reads what an operator wrote in place of `before`. Credentials that are hidden in it (`***`) stay what they are, as long as
    /// they are sent to the same place: otherwise whoever may change a stream could have them sent to themselves.
    ///
    /// # Errors
    /// As [`SourceSpec::parse`].
    pub fn changed(text: &str, before: &SourceSpec) -> Result<Self, SourceError> {
        let place = |p: &Parts| (p.scheme.clone(), p.host.clone(), p.port);
        match Self::read(text, before.credentials.clone()) {
            Ok(spec) if place(&spec.parts) == place(&before.parts) && spec.hides_nothing_unknown() => Ok(spec),
            _ => Self::parse(text),
        }
    }

    fn hides_nothing_unknown(&self) -> bool {
        self.credentials.userinfo.as_deref() != Some(HIDDEN) && self.credentials.query.iter().all(|(_, value)| value != HIDDEN)
    }

    fn read(text: &str, known: SourceCredentials) -> Result<Self, SourceError> {
        let text = text.trim();
        if text.bytes().any(|b| b.is_ascii_control()) {
            return Err(SourceError::Control);
        }
        if text.len() > 4096 {
            return Err(SourceError::TooLong);
        }
        if matches!(text, "push" | "push:" | "push://") {
            return Ok(SourceSpec::push());
        }
        let mut parts = url::split(text)?;
        let scheme = parts.scheme.clone();
        let settings = std::mem::take(&mut parts.fragment);
        let mut spec = SourceSpec {
            kind: kind_of(&scheme, &parts)?,
            parts,
            transport: Transport::Tcp,
            repeat: false,
            credentials: SourceCredentials::default(),
        };
        spec.read_settings(&settings)?;
        spec.adopt_query_settings()?;
        spec.check_place()?;
        spec.split_credentials(known);
        Ok(spec)
    }

    /// A stream fed by its sender.
    pub fn push() -> Self {
        SourceSpec {
            kind: SourceKind::Push,
            parts: Parts { scheme: "push".into(), ..Parts::default() },
            transport: Transport::Tcp,
            repeat: false,
            credentials: SourceCredentials::default(),
        }
    }

    pub fn kind(&self) -> SourceKind {
        self.kind
    }
    /// Start again from the beginning when a file ends.
    pub fn repeats(&self) -> bool {
        self.repeat
    }
    pub fn credentials(&self) -> &SourceCredentials {
        &self.credentials
    }
    /// What the database keeps apart; `None` when there is nothing to hide.
    pub fn credentials_text(&self) -> Option<String> {
        self.credentials.to_text()
    }
    /// Whether the two differ in anything that matters to a connection.
    pub fn same_source(&self, other: &SourceSpec) -> bool {
        self == other
    }
    /// The file a `file:` source names, percent-decoded.
    pub fn file_path(&self) -> Option<PathBuf> {
        (self.kind == SourceKind::File).then(|| PathBuf::from(url::decode(&self.parts.path)))
    }
    /// Host as written, without brackets; empty where there is none.
    pub fn host(&self) -> &str {
        self.parts.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn read_settings(&mut self, settings: &str) -> Result<(), SourceError> {
        for item in settings.split('&').filter(|s| !s.is_empty()) {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            self.set(name, value)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        match (self.kind, name) {
            (SourceKind::Rtsp, "transport") => {
                self.transport = match value {
                    "tcp" => Transport::Tcp,
                    "udp" => Transport::Udp,
                    _ => return Err(SourceError::Value { name: "transport", value: value.into(), allowed: "tcp, udp" }),
                };
            }
            (SourceKind::File, "loop") => {
                self.repeat = match value {
                    "" | "1" | "true" | "yes" => true,
                    "0" | "false" | "no" => false,
                    _ => return Err(SourceError::Value { name: "loop", value: value.into(), allowed: "1, 0" }),
                };
            }
            (SourceKind::HttpTs | SourceKind::Hls, "format") => {
                self.kind = match value {
                    "hls" => SourceKind::Hls,
                    "mpegts" => SourceKind::HttpTs,
                    _ => return Err(SourceError::Value { name: "format", value: value.into(), allowed: "hls, mpegts" }),
                };
            }
            _ => return Err(SourceError::Setting { name: name.into(), scheme: self.parts.scheme.clone(), known: self.known_settings() }),
        }
        Ok(())
    }

    fn known_settings(&self) -> &'static str {
        match self.kind {
            SourceKind::Rtsp => "transport=tcp|udp",
            SourceKind::File => "loop",
            SourceKind::HttpTs | SourceKind::Hls => "format=hls|mpegts",
            _ => "none",
        }
    }

    /// `?transport=udp` and `?loop=1` are how many would write it first; they mean nothing to a source.
    fn adopt_query_settings(&mut self) -> Result<(), SourceError> {
        let ours = |kind, name: &str| matches!((kind, name), (SourceKind::Rtsp, "transport") | (SourceKind::File, "loop"));
        let (mine, theirs) = std::mem::take(&mut self.parts.query).into_iter().partition(|(name, _)| ours(self.kind, name));
        self.parts.query = theirs;
        let mine: Vec<(String, Option<String>)> = mine;
        for (name, value) in mine {
            self.set(&name, value.as_deref().unwrap_or(""))?;
        }
        let Some(known) = plan::known_query(self.kind) else { return Ok(()) };
        for (name, value) in &self.parts.query {
            plan::check_query(self.kind, known, name, value.as_deref().unwrap_or(""))?;
        }
        Ok(())
    }

    fn check_place(&self) -> Result<(), SourceError> {
        let p = &self.parts;
        match self.kind {
            SourceKind::File => {
                if !p.host.is_empty() && p.host != "localhost" {
                    return Err(SourceError::RelativeFile { path: format!("{}{}", p.host, p.path) });
                }
                if !p.path.starts_with('/') || p.path.ends_with('/') {
                    return Err(SourceError::NoFile);
                }
            }
            SourceKind::Srt | SourceKind::Udp | SourceKind::Rtp => {
                if p.port.is_none() {
                    return Err(SourceError::NoPort { scheme: p.scheme.clone() });
                }
                let listens = self.kind != SourceKind::Srt || self.query("mode") == Some("listener");
                if p.host.is_empty() && !listens {
                    return Err(SourceError::NoHost { scheme: p.scheme.clone() });
                }
            }
            SourceKind::Push => {}
            _ if p.host.is_empty() => return Err(SourceError::NoHost { scheme: p.scheme.clone() }),
            _ => {}
        }
        Ok(())
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.parts.query.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_deref())
    }

    /// Moves credentials out of `parts`, leaving `***`; where `***` stands already, takes what is known.
    fn split_credentials(&mut self, known: SourceCredentials) {
        if let Some(userinfo) = self.parts.userinfo.take().filter(|u| !u.is_empty()) {
            let kept = if userinfo == HIDDEN { known.userinfo.clone().unwrap_or(userinfo) } else { userinfo };
            self.credentials.userinfo = Some(kept);
            self.parts.userinfo = Some(HIDDEN.into());
        }
        for (name, value) in &mut self.parts.query {
            let Some(text) = value.as_deref().filter(|v| !v.is_empty()) else { continue };
            if text == HIDDEN || is_secret(self.kind, name, text) {
                let kept = if text == HIDDEN { known.get(name).unwrap_or(HIDDEN).to_string() } else { text.to_string() };
                self.credentials.query.push((name.clone(), kept));
                *value = Some(HIDDEN.into());
            }
        }
    }

    fn settings_text(&self) -> String {
        let mut settings = Vec::new();
        if self.transport == Transport::Udp {
            settings.push("transport=udp");
        }
        if self.repeat {
            settings.push("loop");
        }
        let by_path = url::is_playlist(&self.parts.path);
        match self.kind {
            SourceKind::Hls if !by_path => settings.push("format=hls"),
            SourceKind::HttpTs if by_path => settings.push("format=mpegts"),
            _ => {}
        }
        if settings.is_empty() { String::new() } else { format!("#{}", settings.join("&")) }
    }
}

fn kind_of(scheme: &str, parts: &Parts) -> Result<SourceKind, SourceError> {
    Ok(match scheme {
        "rtsp" | "rtsps" => SourceKind::Rtsp,
        "rtmp" | "rtmps" => SourceKind::Rtmp,
        "srt" => SourceKind::Srt,
        "http" | "https" if url::is_playlist(&parts.path) => SourceKind::Hls,
        "http" | "https" => SourceKind::HttpTs,
        "udp" => SourceKind::Udp,
        "rtp" => SourceKind::Rtp,
        "file" => SourceKind::File,
        "push" => return Err(SourceError::PushTakesNothing),
        _ => return Err(SourceError::Scheme { scheme: scheme.into(), nearest: nearest_scheme(scheme) }),
    })
}

fn nearest_scheme(scheme: &str) -> &'static str {
    // Swapped letters count as one mistake; the commonest schemes stand first and win ties.
    SCHEMES.into_iter().min_by_key(|known| strsim::damerau_levenshtein(known, scheme)).unwrap_or("rtsp")
}

/// Without credentials: fit for lists, logs and the database.
impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == SourceKind::Push {
            return f.write_str("push:");
        }
        write!(f, "{}{}", self.parts, self.settings_text())
    }
}

impl fmt::Debug for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceSpec({self})")
    }
}

impl serde::Serialize for SourceSpec {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
