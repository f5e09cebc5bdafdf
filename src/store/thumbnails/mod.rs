//! Small pictures of a block for scrubbing: one for every ten seconds, in a box of their own before the trailer.
//!
//! While a block is being written they are in a file beside it (`side`). Sealing puts them together into one JPEG file, a
//! sheet of up to ten beside one another, which is served as it lies. Everything else that is made of pictures, a part of a sheet or a
//! sheet that hides some, is cut out of it without decoding (`jpeg`).
//!
//! **Invariants.** Indexing a block never reads this box: the trailer says how long it is. A picture is of the first picture of the
//! segment that holds its time, and goes with it: an erasure paints it over, byte by byte, and the box keeps its length.

mod jpeg;
mod pictures;
mod side;
#[cfg(test)]
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::media::Timestamp;

pub use jpeg::{Tiles, cell_size};
pub(in crate::store) use pictures::is_picture_box;
pub use pictures::{COLUMNS, Picture, PictureHead, Pictures};
pub(in crate::store) use side::forget_thumbnails;
pub use side::{add_thumbnail, begin_thumbnails, open_thumbnails};

/// A small picture as a JPEG file of its own, with a restart marker after each row of MCUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thumbnail {
    pub at: Timestamp,
    pub jpeg: Bytes,
}
