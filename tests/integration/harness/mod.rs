//! A whole service for one test, footage to feed it, and ways to ask and to wait.

mod disk;
mod footage;
mod http;
mod log;
mod picture;
mod player;
mod service;
mod wait;

pub use disk::SmallDisk;
pub use footage::{Camera, camera};
pub use http::{Answer, Client};
pub use picture::{clock_of_jpeg, clocks_of};
pub use player::{ffmpeg_plays, ffprobe_json};
pub use service::{BINARY, Service};
pub use wait::{PATIENCE, eventually};
