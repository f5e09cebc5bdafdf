//! `[exports]`: files that are made of footage for people to take away.

use std::time::Duration;

use super::reader::Reader;
use super::values;

/// Files that are made of footage for people to take away.
#[derive(Clone, Debug)]
pub struct Exports {
    pub keep: Duration,
    pub max_bytes: u64,
}

impl Exports {
    pub(super) fn read(r: &mut Reader) -> Exports {
        Exports {
            keep: r.get("exports.keep", "7d", "An export's file is removed after so long.", values::duration("1m", "366d")),
            // A day of a camera at 4 Mbit/s is 43 GB.
            max_bytes: r.get(
                "exports.max_bytes",
                "100GiB",
                "What all files of exports may take together, on the disk of `data_dir`.",
                values::size,
            ),
        }
    }
}
