//! `[media]`: how footage lies on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Reader;
use super::values;

#[derive(Clone, Debug)]
pub struct Media {
    pub root: PathBuf,
    pub segment_target: Duration,
    pub segment_max: Duration,
    pub block_max: Duration,
    pub block_max_bytes: u64,
    pub min_free_bytes: u64,
    /// Streams that stop recording before the others when the disk fills, in this order.
    pub stop_first: Vec<String>,
    pub stop_first_step_bytes: u64,
    /// Zero: every segment is synced before anyone sees it.
    pub sync_interval: Duration,
    /// Small pictures for scrubbing.
    pub thumbnails: bool,
}

impl Media {
    pub(super) fn read(r: &mut Reader, data_dir: &Path) -> Media {
        let root = data_dir.join("media").display().to_string();
        Media {
            root: r.get("media.root", &root, "Where footage lies. A folder of its own, on the disk meant for it.", values::path),
            // Half would double index, requests and sync calls; double would double the delay behind live.
            segment_target: r.get(
                "media.segment_target",
                "4s",
                "Segments end at the first keyframe after so long.",
                values::duration("500ms", "1m"),
            ),
            segment_max: r.get(
                "media.segment_max",
                "12s",
                "A source without keyframes is cut after so long.",
                values::duration("1s", "2m"),
            ),
            // A file per 10 minutes: 26,000 rows for six months of a stream.
            block_max: r.get("media.block_max", "10m", "A block file ends after so long.", values::duration("10s", "1h")),
            block_max_bytes: r.get("media.block_max_size", "512MiB", "A block file ends at this size.", values::size),
            min_free_bytes: r.get("media.min_free", "1GiB", "Recording stops while the disk has less free than this.", values::size),
            stop_first: r.get(
                "media.stop_first",
                "",
                "Streams that stop recording before the others when the disk fills, the first of them first.",
                values::names,
            ),
            stop_first_step_bytes: r.get(
                "media.stop_first_step",
                "1GiB",
                "Each stream of `media.stop_first` stops while so much more is free than the next one needs.",
                values::size,
            ),
            sync_interval: r.get(
                "media.sync_interval",
                "0s",
                "A power cut loses at most this much; 0s syncs every segment.",
                values::duration("0s", "1m"),
            ),
            thumbnails: r.get("media.thumbnails", "true", "Keep a small picture of every ten seconds, for scrubbing.", values::flag),
        }
    }
}
