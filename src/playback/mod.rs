//! Footage becomes what players ask for: playlists, segments, blocks, clips, pictures, coverage.
//!
//! Leaves to others: who may see it ([`entitlement`](crate::entitlement) makes the
//! [`PermittedRange`](crate::entitlement::PermittedRange) everything here begins with), where footage lies
//! ([`index`](crate::index), [`store`](crate::store)), and HTTP.
//!
//! **Invariants.** Nothing is read that was not permitted. A seek rounds back to a keyframe, never forward, and says so. A playlist
//! marked complete never changes; one that grows never takes back what it showed. What a body is made of, and
//! how long it is, is known before its first byte is read.
//!
//! **When things fail.** Where there is no footage the error names the nearest before and after. Footage that has gone or does
//! not read back as it was written is an error of the request, and never other bytes in its place.

mod boxes;
pub mod clip;
mod error;
mod footage;
mod fragment_head;
mod frame;
mod multivariant;
mod parts;
mod playlist;
pub mod range;
mod reader;
mod service;
mod text;
mod thumbnails;
mod window;

pub use error::PlaybackError;
pub use footage::{Footage, Slice, Stretch};
pub use frame::{FrameAt, FrameMp4};
pub use multivariant::multivariant_playlist;
pub use parts::{BlockPart, SegmentPart, Track};
pub use playlist::{Kind, MediaPlaylist, iframe_playlist, target_duration_s};
pub use reader::Reader;
pub use service::Playback;
pub use thumbnails::{Part, THUMBNAILS_US_MAX, Thumbnail, ThumbnailFile, ThumbnailImage, Thumbnails};
pub use window::{Playlist, PlaylistRequest, SEGMENTS_MAX};
