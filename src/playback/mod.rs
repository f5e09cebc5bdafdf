//! Footage becomes what players ask for: playlists, segments, clips, frames, coverage.
mod footage;
mod multivariant;
mod playlist;
pub mod range;
mod text;

pub use footage::{Footage, Slice, Stretch};
pub use multivariant::multivariant_playlist;
pub use playlist::{Kind, MediaPlaylist, iframe_playlist, target_duration_s};
