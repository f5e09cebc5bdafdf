//! One file over any span: `clip.mp4`.
//!
//! ```text
//! ftyp moov(mehd) sidx | moof mdat (video) moof mdat (audio) | moof mdat … of each segment, as stored
//! ```
//!
//! Footage is put end to end: gaps are skipped, the clip starts at zero. The stored fragments are sent as they are but for the
//! numbers in their heads; our own boxes between them are left out. So the length, and the place of each byte, follow
//! from the index, and nothing is read before it is sent.

mod body;
mod moov;
mod plan;
mod sidx;

pub use body::{check_clip, clip_bytes};
pub use plan::{Clip, ClipPlanner};
