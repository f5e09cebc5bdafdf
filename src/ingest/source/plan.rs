//! How libavformat is to open a source: URL, format, options, and what it may reach from there.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::{PolicyError, SourceError, SourceKind, SourcePolicy, SourceSpec, Transport};

/// Everything needed for one opening. Holds credentials, so `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenPlan {
    pub url: String,
    /// libavformat's name of the demuxer; `None` lets it look.
    pub format: Option<&'static str>,
    pub options: Vec<(String, String)>,
    /// Texts to be struck from every message about this source.
    pub secrets: Vec<String>,
}

impl fmt::Debug for OpenPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPlan").field("format", &self.format).finish_non_exhaustive()
    }
}

impl OpenPlan {
    /// How to open a file that was named outright, not as a source.
    ///
    /// # Errors
    /// [`PolicyError`] when it is outside the policy's folders.
    pub fn for_file(policy: &SourcePolicy, path: &Path) -> Result<OpenPlan, PolicyError> {
        let real = policy.resolve_file(path)?;
        let Limits { protocols, formats } = limits(SourceKind::File);
        let mut options = Options(Vec::new());
        options.set("protocol_whitelist", protocols);
        options.set("format_whitelist", formats);
        options.set("max_streams", "32");
        options.probe(5 << 20, 5_000_000);
        Ok(OpenPlan { url: format!("file:{}", real.display()), format: None, options: options.0, secrets: Vec::new() })
    }

    /// `text` without anything secret: for messages that come from libraries.
    pub fn scrub(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_string(), |t, secret| t.replace(secret.as_str(), "***"))
    }
}

/// What libavformat may use to read a source, wherever playlists and redirects lead.
struct Limits {
    protocols: &'static str,
    formats: &'static str,
}

/// No `file` for anything that comes over the network, no `concat`, `subfile`, `data` or scripts for files: a
/// hostile playlist must not read this machine's disk or reach its other services.
fn limits(kind: SourceKind) -> Limits {
    let (protocols, formats) = match kind {
        SourceKind::Rtsp => ("rtsp,rtsps,rtp,srtp,udp,tcp,tls", "rtsp,sdp,rtp,mpegts"),
        SourceKind::Rtmp => ("rtmp,rtmps,rtmpt,rtmpts,tcp,tls,http,https", "flv,live_flv"),
        SourceKind::Srt => ("srt", "mpegts"),
        SourceKind::HttpTs => ("http,https,tcp,tls", "mpegts,mov,mp4,matroska,webm,flv,live_flv"),
        SourceKind::Hls => ("http,https,tcp,tls,crypto", "hls,mpegts,mov,mp4,aac,mp3,webvtt"),
        SourceKind::Udp => ("udp", "mpegts"),
        SourceKind::Rtp => ("rtp,udp", "rtp,sdp,mpegts"),
        SourceKind::File => ("file", "mpegts,mov,mp4,matroska,webm,flv,mpeg,avi"),
        SourceKind::Push => ("", "mpegts,mov,mp4"),
    };
    Limits { protocols, formats }
}

const SRT_QUERY: &[&str] = &["mode", "latency", "passphrase", "pbkeylen", "streamid", "payload_size", "maxbw", "tlpktdrop"];
const UDP_QUERY: &[&str] = &["localaddr", "sources", "block", "pkt_size", "ttl"];
const RTP_QUERY: &[&str] = &["localaddr", "sources", "block", "rtcpport", "localrtpport", "localrtcpport", "pkt_size", "ttl"];

/// Names a query may hold where it is made of settings of the protocol; `None` where it is the source's own.
pub(super) fn known_query(kind: SourceKind) -> Option<&'static [&'static str]> {
    match kind {
        SourceKind::Srt => Some(SRT_QUERY),
        SourceKind::Udp => Some(UDP_QUERY),
        SourceKind::Rtp => Some(RTP_QUERY),
        SourceKind::File => Some(&["loop"]),
        _ => None,
    }
}

pub(super) fn check_query(kind: SourceKind, known: &'static [&'static str], name: &str, value: &str) -> Result<(), SourceError> {
    let Some(found) = known.iter().find(|k| **k == name) else {
        let nearest = known.iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name))).unwrap_or(&"");
        return Err(SourceError::Query { name: name.into(), nearest, known: known.join(", ") });
    };
    let bad = |what| Err(SourceError::QueryValue { name: found, what });
    match (kind, name) {
        (SourceKind::Srt, "mode") if !["caller", "listener"].contains(&value) => bad("is `caller` (we connect) or `listener` (we wait)"),
        (SourceKind::Srt, "latency") => match value.parse::<u64>() {
            // libavformat counts in microseconds, SRT's own tools in milliseconds; 1 ms makes no sense in either.
            Ok(us) if us == 0 || (2_000..=60_000_000).contains(&us) => Ok(()),
            _ => bad("is in microseconds: 120000 is 120 ms"),
        },
        (SourceKind::Srt, "passphrase") if value != super::HIDDEN && !(10..=79).contains(&super::url::decode(value).len()) => {
            bad("has 10 to 79 characters")
        }
        (SourceKind::Srt, "pbkeylen") if !["16", "24", "32"].contains(&value) => bad("is 16, 24 or 32"),
        _ => Ok(()),
    }
}

impl SourceSpec {
    /// How to open this source under `policy`. For files this resolves the path, so ask anew each time.
    ///
    /// # Errors
    /// [`PolicyError`] when the policy forbids it.
    pub fn open_plan(&self, policy: &SourcePolicy, connect: Duration, silence: Duration) -> Result<OpenPlan, PolicyError> {
        policy.check(self)?;
        let Limits { protocols, formats } = limits(self.kind);
        let mut options = Options(Vec::new());
        options.set("protocol_whitelist", protocols);
        options.set("format_whitelist", formats);
        // 32 elementary streams are plenty; a hostile PMT may name thousands.
        options.set("max_streams", "32");
        let format = self.kind_options(&mut options, connect, silence);
        let url = match self.kind {
            SourceKind::File => {
                let real = policy.resolve_file(&self.file_path().unwrap_or_default())?;
                format!("file:{}", real.display())
            }
            _ => self.full_url(),
        };
        Ok(OpenPlan { url, format, options: options.0, secrets: self.credentials.secrets() })
    }

    fn kind_options(&self, o: &mut Options, connect: Duration, silence: Duration) -> Option<&'static str> {
        // The longest one read may take below us; our own deadline looks at packets.
        let wait = connect.max(silence).as_micros().to_string();
        match self.kind {
            SourceKind::Rtsp => {
                o.set("rtsp_transport", if self.transport == Transport::Udp { "udp" } else { "tcp" });
                o.set("timeout", &wait);
                o.set("allowed_media_types", "video+audio");
                // A keyframe of a 4K camera over UDP comes as a burst: the kernel's default of 208 KiB loses it.
                o.set("buffer_size", "4194304");
                o.probe(1 << 20, 2_000_000);
                Some("rtsp")
            }
            SourceKind::Rtmp => {
                o.set("rw_timeout", &wait);
                // RTMP names its tracks late: with the defaults (5 MB, 5 s) opening takes 2 to 5 s.
                o.probe(128 << 10, 700_000);
                Some("flv")
            }
            SourceKind::Srt => {
                o.set("connect_timeout", &connect.as_millis().to_string());
                o.set("timeout", &wait);
                o.probe(1 << 20, 2_000_000);
                Some("mpegts")
            }
            SourceKind::HttpTs | SourceKind::Hls => {
                o.set("rw_timeout", &wait);
                o.set("user_agent", concat!("retroview/", env!("CARGO_PKG_VERSION")));
                // We reconnect ourselves: libavformat would do it without a gap and without a word.
                o.set("reconnect", "0");
                o.probe(1 << 20, 2_000_000);
                if self.kind == SourceKind::HttpTs {
                    o.set("seekable", "0");
                    return None;
                }
                o.set("max_reload", "100");
                Some("hls")
            }
            SourceKind::Udp => {
                // 188 × 65536: 12 MB, half a second of 200 Mbit/s while a disk is slow.
                o.set("fifo_size", "65536");
                o.set("overrun_nonfatal", "1");
                o.set("buffer_size", "4194304");
                o.set("reuse", "1");
                o.set("timeout", &wait);
                o.probe(1 << 20, 2_000_000);
                Some("mpegts")
            }
            SourceKind::Rtp => {
                o.set("buffer_size", "4194304");
                o.set("timeout", &wait);
                o.probe(1 << 20, 2_000_000);
                Some("rtp")
            }
            SourceKind::File | SourceKind::Push => {
                o.probe(5 << 20, 5_000_000);
                None
            }
        }
    }

    /// The URL with credentials put back.
    fn full_url(&self) -> String {
        let mut parts = self.parts.clone();
        parts.userinfo = self.credentials.userinfo.clone();
        let mut hidden = self.credentials.query.iter();
        for (name, value) in &mut parts.query {
            if value.as_deref() == Some(super::HIDDEN) {
                *value = hidden.by_ref().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            }
        }
        parts.to_string()
    }
}

struct Options(Vec<(String, String)>);

impl Options {
    fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.into(), value.into()));
    }
    /// How much libavformat may look at before it says what is in a source.
    fn probe(&mut self, bytes: u32, micros: u32) {
        self.set("probesize", &bytes.to_string());
        self.set("analyzeduration", &micros.to_string());
    }
}
