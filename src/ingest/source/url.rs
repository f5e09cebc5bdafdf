//! Taking a source URL apart.
//!
//! Not a general URL parser, on purpose: `udp://@:5000`, `srt://:9000?mode=listener` and passwords with a raw
//! `@` are what people write and libavformat takes, and the WHATWG parser refuses or rewrites them.

use std::fmt;

use super::SourceError;
use super::error::nearest_file_url;

/// A URL in pieces, each as written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parts {
    pub scheme: String,
    pub userinfo: Option<String>,
    /// With brackets when it is an IPv6 address.
    pub host: String,
    pub port: Option<u16>,
    /// With its leading slash; may be empty.
    pub path: String,
    pub query: Vec<(String, Option<String>)>,
    pub fragment: String,
}

pub(super) fn split(text: &str) -> Result<Parts, SourceError> {
    if text.is_empty() {
        return Err(SourceError::Empty);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        if text.starts_with('/') || text.starts_with("./") || text.starts_with("file:") {
            return Err(SourceError::BareFile { url: nearest_file_url(text) });
        }
        return Err(SourceError::NoScheme);
    };
    let plausible = |s: &str| !s.is_empty() && s.len() <= 20 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !plausible(scheme) {
        return Err(SourceError::NoScheme);
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(r, q)| (r, Some(q)));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    // The last `@` ends the user info: passwords with a raw `@` are common and libavformat reads them so.
    let (userinfo, place) = authority.rsplit_once('@').map_or((None, authority), |(u, p)| (Some(u.to_string()), p));
    let (host, port) = split_port(place)?;
    check_host(host)?;
    let query = query.unwrap_or("").split('&').filter(|item| !item.is_empty());
    Ok(Parts {
        scheme: scheme.to_ascii_lowercase(),
        userinfo,
        host: host.to_ascii_lowercase(),
        port,
        path: path.into(),
        query: query.map(|item| item.split_once('=').map_or((item.into(), None), |(n, v)| (n.into(), Some(v.into())))).collect(),
        fragment: fragment.into(),
    })
}

fn split_port(place: &str) -> Result<(&str, Option<u16>), SourceError> {
    let after_brackets = place.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = place[after_brackets..].rfind(':').map(|at| at + after_brackets) else { return Ok((place, None)) };
    let (host, port) = (&place[..colon], &place[colon + 1..]);
    if port.is_empty() {
        return Ok((host, None));
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        // Not repeated in the message: with a raw `/` in a password this is part of it.
        _ => Err(SourceError::Port),
    }
}

fn check_host(host: &str) -> Result<(), SourceError> {
    let good = if let Some(inner) = host.strip_prefix('[') {
        inner.strip_suffix(']').is_some_and(|a| a.split('%').next().is_some_and(|a| a.parse::<std::net::Ipv6Addr>().is_ok()))
    } else {
        host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b) || b >= 0x80)
    };
    if good { Ok(()) } else { Err(SourceError::Host) }
}

pub(super) fn is_playlist(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.to_ascii_lowercase().ends_with(".m3u8"))
}

/// Percent-decoding; what is not `%XX` stays. Invalid UTF-8 becomes `U+FFFD`, which then names no file.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(userinfo) = &self.userinfo {
            write!(f, "{userinfo}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)?;
        for (i, (name, value)) in self.query.iter().enumerate() {
            f.write_str(if i == 0 { "?" } else { "&" })?;
            f.write_str(name)?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
