//! The box of a sealed block's small pictures, byte by byte. Pure.
//!
//! ```text
//! size u32 · `uuid` · RetroviewPicture
//! version u32 · count u32 · columns u16 · width u16 · height u16 · 0 u16 · sheet length u32
//! count × ( at_us i64 · flags u32: 1 erased )
//! XXH3-64 of all above
//! the sheet, a JPEG file · zeros
//! XXH3-64 of sheet and zeros
//! ```
//!
//! The picture of number `n` is in cell `n` of the sheet, line by line, also when those before it are erased: its place in the sheet
//! never changes. Zeros are what an erasure leaves of bytes that a smaller sheet does not need.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::Thumbnail;
use super::jpeg::{Tiles, cell_size};
use crate::media::Timestamp;
use crate::store::format::{BOX_BYTES_MAX, UUID_BOX, What, put_uuid, u32_at, u64_at};

const TYPE_PICTURES: &[u8; 16] = b"RetroviewPicture";
/// Of this box.
const VERSION: u32 = 1;
/// Pictures beside one another. Sixty make a sheet of 1,600 by 576 pixels: no side that a browser or a graphics chip refuses.
pub const COLUMNS: usize = 10;
const FIXED: usize = UUID_BOX + 20;
const ENTRY_BYTES: usize = 12;
const SUM_BYTES: usize = 8;
/// More than a block of an hour holds.
const COUNT_MAX: usize = 4096;

/// When a picture was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    pub at: Timestamp,
    /// Its cell is grey.
    pub erased: bool,
}

/// What stands before the sheet: enough to list the pictures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PictureHead {
    /// In time order.
    pub pictures: Vec<Picture>,
    /// In one line of the sheet.
    pub columns: u16,
    /// Width and height of one.
    pub size: (u16, u16),
    sheet_bytes: usize,
    box_bytes: usize,
}

impl PictureHead {
    /// x, y, width and height of a picture in a sheet with so many columns.
    pub fn place(size: (u16, u16), columns: usize, cell: usize) -> [u32; 4] {
        let (cell_width, cell_height) = cell_size(size);
        let (column, line) = (cell % columns.max(1), cell / columns.max(1));
        [column as u32 * cell_width, line as u32 * cell_height, u32::from(size.0), u32::from(size.1)]
    }

    fn len(&self) -> usize {
        FIXED + self.pictures.len() * ENTRY_BYTES + SUM_BYTES
    }

    /// Reads what is needed to list the pictures. `b` begins where the box does. `None`: there is no such box, as in blocks of
    /// earlier versions, or of sound alone. `Some(Err(n))`: at least `n` bytes are needed.
    ///
    /// # Errors
    /// Says what is wrong; never panics.
    pub fn decode(b: &[u8]) -> Result<Option<Result<PictureHead, usize>>, What> {
        if !is_picture_box(b) {
            return Ok(None);
        }
        let Some(fixed) = b.get(..FIXED) else { return Ok(Some(Err(FIXED))) };
        if u32_at(fixed, 24) != VERSION {
            return Err("pictures of a newer format");
        }
        let (box_bytes, count, sheet_bytes) = (u32_at(fixed, 0) as usize, u32_at(fixed, 28) as usize, u32_at(fixed, 40) as usize);
        let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let len = FIXED + count.min(COUNT_MAX) * ENTRY_BYTES + SUM_BYTES;
        let Some(head) = b.get(..len) else { return Ok(Some(Err(len))) };
        let adds_up = count <= COUNT_MAX && box_bytes <= BOX_BYTES_MAX && len + sheet_bytes + SUM_BYTES <= box_bytes;
        if !adds_up || u64_at(head, len - SUM_BYTES) != xxh3_64(&head[..len - SUM_BYTES]) {
            return Err("pictures do not match their checksum");
        }
        let entry = |e: &[u8]| Picture { at: Timestamp::from_micros(u64_at(e, 0) as i64), erased: u32_at(e, 8) & 1 == 1 };
        let pictures = head[FIXED..len - SUM_BYTES].chunks_exact(ENTRY_BYTES).map(entry).collect();
        Ok(Some(Ok(PictureHead { pictures, columns: half(32), size: (half(34), half(36)), sheet_bytes, box_bytes })))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        put_uuid(&mut out, self.box_bytes, TYPE_PICTURES);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&(self.pictures.len() as u32).to_be_bytes());
        for half in [self.columns, self.size.0, self.size.1, 0] {
            out.extend_from_slice(&half.to_be_bytes());
        }
        out.extend_from_slice(&(self.sheet_bytes as u32).to_be_bytes());
        for picture in &self.pictures {
            out.extend_from_slice(&picture.at.as_micros().to_be_bytes());
            out.extend_from_slice(&u32::from(picture.erased).to_be_bytes());
        }
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_be_bytes());
        out
    }
}

/// All small pictures of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pictures {
    pub head: PictureHead,
    /// A JPEG file.
    pub sheet: Bytes,
}

impl Pictures {
    /// Puts pictures, in time order, into one sheet. `None`: there is none of them that can be.
    pub fn of(thumbnails: &[Thumbnail]) -> Option<Pictures> {
        let (tiles, which) = Tiles::of_pictures(thumbnails.iter().take(COUNT_MAX).map(|t| &t.jpeg[..]))?;
        let columns = which.len().min(COLUMNS);
        let cells: Vec<Option<usize>> = (0..which.len()).map(Some).collect();
        let sheet = tiles.sheet(&cells, columns)?;
        let pictures = which.iter().map(|i| Picture { at: thumbnails[*i].at, erased: false }).collect();
        Self::new(pictures, columns, tiles.size(), sheet, None)
    }

    fn new(pictures: Vec<Picture>, columns: usize, size: (u16, u16), sheet: Vec<u8>, box_bytes: Option<usize>) -> Option<Pictures> {
        let mut head = PictureHead { pictures, columns: u16::try_from(columns).ok()?, size, sheet_bytes: sheet.len(), box_bytes: 0 };
        let least = head.len() + sheet.len() + SUM_BYTES;
        head.box_bytes = box_bytes.unwrap_or(least);
        (least <= head.box_bytes && head.box_bytes <= BOX_BYTES_MAX).then(|| Pictures { head, sheet: sheet.into() })
    }

    /// Reads a whole box; `b` begins where it does. `None` as for [`PictureHead::decode`].
    ///
    /// # Errors
    /// Says what is wrong; never panics.
    pub fn decode(b: &Bytes) -> Result<Option<Pictures>, What> {
        let head = match PictureHead::decode(b)? {
            None => return Ok(None),
            Some(Err(_)) => return Err("pictures cut off"),
            Some(Ok(head)) => head,
        };
        let end = head.box_bytes - SUM_BYTES;
        if b.len() < head.box_bytes {
            return Err("pictures cut off");
        }
        let rest = &b[head.len()..end];
        if u64_at(b, end) != xxh3_64(rest) || rest[head.sheet_bytes..].iter().any(|byte| *byte != 0) {
            return Err("pictures do not match their checksum");
        }
        let sheet = b.slice(head.len()..head.len() + head.sheet_bytes);
        Ok(Some(Pictures { head, sheet }))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.head.encode();
        let at = out.len();
        out.extend_from_slice(&self.sheet);
        out.resize(self.head.box_bytes - SUM_BYTES, 0);
        let sum = xxh3_64(&out[at..]);
        out.extend_from_slice(&sum.to_be_bytes());
        out
    }

    /// Of the box.
    pub(in crate::store) fn len(&self) -> usize {
        self.head.box_bytes
    }

    /// # Errors
    /// The sheet is none of ours.
    pub fn tiles(&self) -> Result<Tiles<'_>, What> {
        Tiles::of_sheet(&self.sheet, self.head.size, usize::from(self.head.columns), self.head.pictures.len())
    }

    /// The sheet with these pictures grey, in a box as long as this one.
    ///
    /// # Errors
    /// The sheet is none of ours: nothing of it can be kept.
    pub fn without(&self, erased: impl Fn(Timestamp) -> bool) -> Result<Pictures, What> {
        let mut pictures = self.head.pictures.clone();
        pictures.iter_mut().for_each(|p| p.erased |= erased(p.at));
        let cells: Vec<Option<usize>> = pictures.iter().enumerate().map(|(i, p)| (!p.erased).then_some(i)).collect();
        let columns = usize::from(self.head.columns);
        let sheet = self.tiles()?.sheet(&cells, columns).ok_or("no sheet of these pictures")?;
        Self::new(pictures, columns, self.head.size, sheet, Some(self.head.box_bytes)).ok_or("pictures have no room in their place")
    }

    /// A box of `box_bytes` without a picture: what is left where nothing can be kept.
    pub(in crate::store) fn nothing(box_bytes: usize) -> Option<Pictures> {
        Self::new(Vec::new(), 1, (1, 1), Vec::new(), Some(box_bytes))
    }

    /// Those of them that are still to be seen, as files of their own.
    pub fn singles(&self) -> Vec<Thumbnail> {
        let Ok(tiles) = self.tiles() else { return Vec::new() };
        let kept = self.head.pictures.iter().enumerate().filter(|(_, p)| !p.erased);
        kept.filter_map(|(i, p)| Some(Thumbnail { at: p.at, jpeg: tiles.single(i)?.into() })).collect()
    }
}

/// Whether a box of pictures begins here.
pub(in crate::store) fn is_picture_box(b: &[u8]) -> bool {
    b.len() >= UUID_BOX && &b[4..8] == b"uuid" && &b[8..24] == TYPE_PICTURES
}
