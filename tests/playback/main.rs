//! Playback over HTTP, in process: real footage from the synthetic camera, cut by the real segmenter, in a real store and
//! database, asked for through the real router.

mod archive;
mod claims_clip;
mod claims_hls;
mod claims_parts;
mod claims_thumbnails;
mod claims_window;
