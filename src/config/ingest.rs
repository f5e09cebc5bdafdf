//! `[ingest]`: reading sources.

use std::time::Duration;

use super::reader::Reader;
use super::values;

#[derive(Clone, Debug)]
pub struct Ingest {
    /// Worker processes; streams are spread over them.
    pub workers: u32,
    pub connect_timeout: Duration,
    pub silence_timeout: Duration,
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// CIDR.
    pub forbidden_networks: Vec<String>,
    pub file_roots: Vec<String>,
}

impl Ingest {
    pub(super) fn read(r: &mut Reader) -> Ingest {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get().min(256)).to_string();
        let time = |min, max| values::duration(min, max);
        Ingest {
            workers: r.get("ingest.workers", &cores, "Processes that read sources; one per core unless set.", values::number(1, 256)),
            connect_timeout: r.get(
                "ingest.connect_timeout",
                "10s",
                "A source that has not answered by then is unreachable.",
                time("100ms", "5m"),
            ),
            silence_timeout: r.get(
                "ingest.silence_timeout",
                "10s",
                "A source that sends nothing for so long is connected to anew.",
                time("100ms", "1h"),
            ),
            backoff_min: r.get("ingest.backoff_min", "500ms", "Wait before the first new attempt; doubles with each.", time("10ms", "1h")),
            backoff_max: r.get("ingest.backoff_max", "30s", "Longest wait between attempts.", time("10ms", "1d")),
            forbidden_networks: r.get(
                "ingest.forbidden_networks",
                "",
                "Networks that no source may be in, whatever names and redirects say.",
                values::networks,
            ),
            file_roots: r.get("ingest.file_roots", "", "Folders that file sources may read; none unless set.", values::folders),
        }
    }
}
