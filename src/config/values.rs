//! The kinds of values settings have. Each parser's error is a clause that says what is allowed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Raw;

pub(super) fn path(raw: &Raw) -> Result<PathBuf, String> {
    let text = raw.text();
    if text.is_empty() { Err("a folder is allowed, such as /var/lib/retroview".into()) } else { Ok(text.into()) }
}

pub(super) fn address(raw: &Raw) -> Result<SocketAddr, String> {
    let text = raw.text().replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| "an address and a port is allowed, such as 127.0.0.1:8080 or [::]:8080".into())
}

pub(super) fn flag(raw: &Raw) -> Result<bool, String> {
    match raw.text().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("`true` or `false` is allowed".into()),
    }
}

pub(super) fn number(min: u32, max: u32) -> impl Fn(&Raw) -> Result<u32, String> {
    move |raw| {
        let value = raw.text().parse().ok().filter(|n| (min..=max).contains(n));
        value.ok_or_else(|| format!("a number from {min} to {max} is allowed"))
    }
}

/// `min` and `max` are written the way an operator would, for the message.
pub(super) fn duration(min: &'static str, max: &'static str) -> impl Fn(&Raw) -> Result<Duration, String> {
    move |raw| {
        let unit = || "a number with a unit is allowed (us, ms, s, m, h, d), such as 4s".to_owned();
        let value = parse_duration(&raw.text()).ok_or_else(unit)?;
        let bound = |text: &str| parse_duration(text).expect("bounds are written in this file's own form");
        if value < bound(min) || value > bound(max) { Err(format!("{min} to {max} is allowed")) } else { Ok(value) }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let micros = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3600e6,
        "d" => 86_400e6,
        _ => return None,
    };
    Some(Duration::from_micros((number * micros).round() as u64))
}

pub(super) fn size(raw: &Raw) -> Result<u64, String> {
    let allowed = || "a size is allowed, such as 512MiB or 2GB".to_owned();
    let text = raw.text();
    let (number, unit) = split_unit(&text).ok_or_else(allowed)?;
    let scale = match unit.to_lowercase().as_str() {
        "" | "b" => 1.0,
        "kib" | "k" => 1024.0,
        "mib" | "m" => 1_048_576.0,
        "gib" | "g" => 1_073_741_824.0,
        "tib" | "t" => 1_099_511_627_776.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(allowed()),
    };
    Ok((number * scale) as u64)
}

/// `1.5 GiB` is 1.5 and `GiB`. Not negative, not infinite.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    Some((text[..at].parse().ok()?, text[at..].trim()))
}

pub(super) fn folders(raw: &Raw) -> Result<Vec<String>, String> {
    let list = raw.list();
    if list.iter().all(|p| p.starts_with('/')) { Ok(list) } else { Err("absolute folders are allowed, such as /srv/footage".into()) }
}

/// Names of streams.
pub(super) fn names(raw: &Raw) -> Result<Vec<String>, String> {
    let list = raw.list();
    let ok = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if list.iter().all(ok) { Ok(list) } else { Err("names of streams are allowed, such as lobby, yard".into()) }
}

/// CIDR; a bare address is a network of one.
pub(super) fn networks(raw: &Raw) -> Result<Vec<String>, String> {
    let list = raw.list();
    let ok = |text: &String| {
        let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        bits.is_none_or(|b| b.parse::<u8>().is_ok_and(|b| b <= bits_max))
    };
    if list.iter().all(ok) { Ok(list) } else { Err("networks are allowed, such as 10.0.0.0/8 or fd00::/8".into()) }
}

/// Empty is none.
pub(super) fn base_url(raw: &Raw) -> Result<Option<String>, String> {
    let text = raw.text();
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        _ if text.is_empty() => Ok(None),
        Some(host) if !host.is_empty() && !host.contains([' ', '?', '#']) => Ok(Some(text.trim_end_matches('/').to_owned())),
        _ => Err("an address that browsers use is allowed, such as https://retroview.example.org".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Raw {
        Raw::Text(s.into())
    }

    #[test]
    fn durations_and_sizes_read_the_way_people_write_them() {
        for (written, micros) in
            [("4s", 4_000_000), ("1.5 s", 1_500_000), ("250ms", 250_000), ("10m", 600_000_000), ("30d", 2_592_000_000_000)]
        {
            assert_eq!(duration("0s", "365d")(&text(written)), Ok(Duration::from_micros(micros)), "{written}");
        }
        for (written, bytes) in [("512MiB", 536_870_912), ("2 GB", 2_000_000_000), ("0", 0), ("17", 17)] {
            assert_eq!(size(&text(written)), Ok(bytes), "{written}");
        }
        for wrong in ["", "s", "-4s", "4", "4 lightyears", "infs", "1..2s"] {
            assert!(duration("0s", "365d")(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_toml_lists_or_commas() {
        assert_eq!(networks(&text("10.0.0.0/8, ::1")), Ok(vec!["10.0.0.0/8".into(), "::1".into()]));
        assert_eq!(networks(&text("")), Ok(vec![]));
        assert!(networks(&Raw::List(vec!["ten".into()])).is_err());
        assert!(folders(&text("relative/folder")).is_err());
    }
}
