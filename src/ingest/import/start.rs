//! When a file's recording began.

use std::path::Path;

use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use super::ImportError;
use crate::media::Timestamp;

/// Where a file's start comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// Given for the first file; each later one (in order of names) follows the one before.
    Given(Timestamp),
    /// From the file's name by a strftime pattern; `zone` where the name has no offset (`Europe/Paris`, `UTC`).
    Name { pattern: String, zone: String },
    /// From the container's `creation_time`.
    Metadata,
}

/// Reads the start from a file's name: whole, without its ending, or from its end backwards, so that
/// `%Y%m%d-%H%M%S` also fits `door-20260503-140000.mp4`.
pub(super) fn from_name(path: &Path, pattern: &str, zone: &str) -> Result<Timestamp, ImportError> {
    let wrong = |why: String| ImportError::Start { path: path.to_path_buf(), why };
    let zone = TimeZone::get(zone).map_err(|_| wrong(format!("`{zone}` is no time zone; give one like Europe/Paris or UTC")))?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    let stem = path.file_stem().and_then(|n| n.to_str()).unwrap_or("");
    let whole = [name, stem].into_iter().find_map(|text| BrokenDownTime::parse(pattern, text).ok());
    // At the beginning of a word, or `-2026` would be read as a year before Christ.
    let word = |at: usize| {
        let alphanumeric = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        alphanumeric(stem[at..].chars().next()) && !alphanumeric(stem[..at].chars().next_back())
    };
    let tail = || {
        let mut starts = stem.char_indices().map(|(at, _)| at).filter(|at| word(*at));
        starts.find_map(|at| BrokenDownTime::parse(pattern, &stem[at..]).ok())
    };
    let time = whole.or_else(tail).ok_or_else(|| wrong(format!("its name does not fit the pattern `{pattern}`")))?;
    let moment = match time.to_timestamp() {
        Ok(moment) => moment,
        Err(_) => {
            let local = time.to_datetime().map_err(|e| wrong(format!("the pattern `{pattern}` gives no date and time ({e})")))?;
            // Twice an hour in autumn is ambiguous, and once in spring missing: the first, as clocks show it.
            zone.to_ambiguous_timestamp(local).compatible().map_err(|e| wrong(e.to_string()))?
        }
    };
    not_before_epoch(path, moment.as_microsecond())
}

/// Reads a container's `creation_time`.
pub(super) fn from_metadata(path: &Path, text: Option<&str>) -> Result<Timestamp, ImportError> {
    let wrong = |why: &str| ImportError::Start { path: path.to_path_buf(), why: why.into() };
    let text = text.ok_or_else(|| wrong("its metadata holds no creation_time; give --start or --pattern"))?;
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong("its creation_time cannot be read; give --start or --pattern"))?;
    // Muxers that do not know write the epoch of their format: 1904 or 1970.
    if moment.as_second() <= 0 {
        return Err(wrong("its creation_time was never set; give --start or --pattern"));
    }
    not_before_epoch(path, moment.as_microsecond())
}

fn not_before_epoch(path: &Path, us: i64) -> Result<Timestamp, ImportError> {
    if us < 0 {
        return Err(ImportError::Start { path: path.to_path_buf(), why: "it would be before 1970".into() });
    }
    Ok(Timestamp(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, pattern: &str, zone: &str) -> Result<String, String> {
        from_name(Path::new(name), pattern, zone).map(|t| t.to_rfc3339(3)).map_err(|e| e.to_string())
    }

    #[test]
    fn names_are_read_by_pattern() {
        for (name, pattern, zone, start) in [
            ("/r/2026-05-03_14-00-00.mp4", "%Y-%m-%d_%H-%M-%S.mp4", "UTC", "2026-05-03T14:00:00.000Z"),
            ("/r/2026-05-03_14-00-00.mp4", "%Y-%m-%d_%H-%M-%S", "Europe/Paris", "2026-05-03T12:00:00.000Z"),
            ("/r/door-20260503-140000.ts", "%Y%m%d-%H%M%S", "UTC", "2026-05-03T14:00:00.000Z"),
            ("/r/20260503T140000+0200.mkv", "%Y%m%dT%H%M%S%z", "UTC", "2026-05-03T12:00:00.000Z"),
            ("/r/1777816800.ts", "%s", "UTC", "2026-05-03T14:00:00.000Z"),
            ("/r/2026-05-03_14-00-00-250.mp4", "%Y-%m-%d_%H-%M-%S-%3f", "UTC", "2026-05-03T14:00:00.250Z"),
        ] {
            assert_eq!(read(name, pattern, zone).as_deref(), Ok(start), "{name} {pattern}");
        }
    }

    #[test]
    fn names_that_do_not_fit_say_so() {
        assert!(read("/r/holiday.mp4", "%Y-%m-%d", "UTC").unwrap_err().contains("does not fit"));
        assert!(read("/r/2026.mp4", "%Y", "UTC").unwrap_err().contains("no date and time"));
        assert!(read("/r/2026-05-03.mp4", "%Y-%m-%d", "Mars/Base").unwrap_err().contains("no time zone"));
    }

    #[test]
    fn metadata_that_was_never_set_is_not_believed() {
        let path = Path::new("/r/a.mp4");
        assert_eq!(from_metadata(path, Some("2026-05-03T14:00:00.000000Z")).unwrap(), Timestamp(1_777_816_800_000_000));
        for bad in [None, Some("1970-01-01T00:00:00.000000Z"), Some("1904-01-01T00:00:00Z"), Some("yesterday")] {
            assert!(from_metadata(path, bad).is_err(), "{bad:?}");
        }
    }
}
