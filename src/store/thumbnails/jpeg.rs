//! Small pictures put together, taken apart and painted over without decoding one. Pure.
//!
//! The pictures are baseline JPEG files with a restart marker after each row of MCUs (ITU-T T.81 §B.2.4.4, E.1.4): what stands
//! between two markers decodes without anything before it. So a sheet of pictures is their rows one beside the other,
//! byte for byte; a part of a sheet, or a sheet in which some cells are grey, is made the same way. Nothing is lost by it, and no
//! decoder sees the bytes.
//!
//! A cell is a picture with its sides rounded up to whole MCUs.

use crate::store::format::What;

/// Side of an MCU with 4:2:0 chroma.
const MCU: usize = 16;
/// An MCU of grey with the tables of §K.3: four blocks of luminance, each no difference and no more (`00` `1010`), and two of
/// chrominance (`00` `00`). No MCU takes fewer bits: a picture that is painted over never grows.
const GREY_MCU: [u8; 4] = [0b0010_1000, 0b1010_0010, 0b1000_1010, 0b0000_0000];
/// A picture's file; real ones take 3 to 8 KB.
pub const PICTURE_BYTES_MAX: usize = 256 << 10;
/// What a JPEG file can be (§B.2.2).
const SIDE_MAX: usize = 65_535;

/// What two pictures must have in common to stand in one sheet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    width: u16,
    height: u16,
}

impl Shape {
    fn mcus(self) -> usize {
        usize::from(self.width).div_ceil(MCU)
    }
    fn rows(self) -> usize {
        usize::from(self.height).div_ceil(MCU)
    }
    fn cell(self) -> (usize, usize) {
        (self.mcus() * MCU, self.rows() * MCU)
    }
}

/// A JPEG file in pieces.
struct Parsed<'a> {
    /// Everything before the first entropy-coded byte.
    head: &'a [u8],
    /// In it, of height and width.
    frame_at: usize,
    shape: Shape,
    /// MCUs between two restart markers.
    interval: usize,
    intervals: Vec<&'a [u8]>,
}

impl<'a> Parsed<'a> {
    fn new(file: &'a [u8]) -> Result<Self, What> {
        let odd = "no JPEG file of ours";
        if file.get(..2) != Some(&[0xff, 0xd8]) {
            return Err(odd);
        }
        let (mut at, mut frame_at, mut interval) = (2, None, 0);
        loop {
            let head = file.get(at..at + 4).filter(|h| h[0] == 0xff).ok_or(odd)?;
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let body = file.get(at + 4..at + 2 + len.max(2)).ok_or(odd)?;
            match head[1] {
                // Baseline; eight bits, three components, the first of them with twice as many samples both ways.
                0xc0 if body.len() >= 15 && body[0] == 8 && body[5] == 3 && body[7] == 0x22 => frame_at = Some(at + 5),
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcf => return Err(odd),
                0xdd if body.len() == 2 => interval = usize::from(u16::from_be_bytes([body[0], body[1]])),
                _ => {}
            }
            at += 2 + len.max(2);
            if head[1] == 0xda {
                break;
            }
        }
        let frame_at = frame_at.ok_or(odd)?;
        let side = |at: usize| u16::from_be_bytes([file[at], file[at + 1]]);
        let shape = Shape { width: side(frame_at + 2), height: side(frame_at) };
        if interval == 0 || shape.width == 0 || shape.height == 0 {
            return Err(odd);
        }
        Ok(Parsed { head: &file[..at], frame_at, shape, interval, intervals: intervals(&file[at..]).ok_or(odd)? })
    }
}

/// The pieces between restart markers, up to the end of the image.
fn intervals(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(0xff, rest.get(from..)?)?;
        match rest.get(at + 1)? {
            // A byte of data that is 0xff.
            0x00 => from = at + 2,
            0xd0..=0xd7 => {
                found.push(&rest[..at]);
                rest = &rest[at + 2..];
                from = 0;
            }
            0xd9 => {
                found.push(&rest[..at]);
                return Some(found);
            }
            _ => return None,
        }
    }
}

/// Pictures of one shape, as the rows of MCUs they are made of.
pub struct Tiles<'a> {
    head: &'a [u8],
    frame_at: usize,
    shape: Shape,
    tiles: Vec<Vec<&'a [u8]>>,
}

impl<'a> Tiles<'a> {
    /// Of pictures that are files of their own. Also answers which of them they are: one that is damaged, or of another shape than the
    /// first, is left out. `None`: there is none.
    pub fn of_pictures(pictures: impl IntoIterator<Item = &'a [u8]>) -> Option<(Tiles<'a>, Vec<usize>)> {
        let mut all: Option<Tiles<'a>> = None;
        let mut which = Vec::new();
        for (i, file) in pictures.into_iter().enumerate() {
            let Some(parsed) = Parsed::new(file).ok().filter(|p| p.interval == p.shape.mcus() && p.intervals.len() == p.shape.rows())
            else {
                continue;
            };
            let tiles =
                all.get_or_insert_with(|| Tiles { head: parsed.head, frame_at: parsed.frame_at, shape: parsed.shape, tiles: Vec::new() });
            if parsed.head == tiles.head {
                tiles.tiles.push(parsed.intervals);
                which.push(i);
            }
        }
        Some((all?, which))
    }

    /// Of the first `count` cells of a sheet. `width` and `height` are those of a picture.
    ///
    /// # Errors
    /// It is not such a sheet; never panics.
    pub fn of_sheet(sheet: &'a [u8], (width, height): (u16, u16), columns: usize, count: usize) -> Result<Tiles<'a>, What> {
        let parsed = Parsed::new(sheet)?;
        let shape = Shape { width, height };
        let (cell_width, cell_height) = shape.cell();
        let lines = usize::from(parsed.shape.height).checked_div(cell_height).unwrap_or(0);
        let fits = columns > 0
            && parsed.interval == shape.mcus()
            && usize::from(parsed.shape.width) == columns * cell_width
            && parsed.intervals.len() == lines * shape.rows() * columns
            && count <= lines * columns;
        if !fits {
            return Err("no sheet of these pictures");
        }
        let row = |tile: usize, row: usize| parsed.intervals[(tile / columns * shape.rows() + row) * columns + tile % columns];
        let tiles = (0..count).map(|tile| (0..shape.rows()).map(|r| row(tile, r)).collect()).collect();
        Ok(Tiles { head: parsed.head, frame_at: parsed.frame_at, shape, tiles })
    }

    pub fn size(&self) -> (u16, u16) {
        (self.shape.width, self.shape.height)
    }

    /// One picture as a file of its own.
    pub fn single(&self, tile: usize) -> Option<Vec<u8>> {
        let rows = self.tiles.get(tile)?;
        Some(self.write((usize::from(self.shape.width), usize::from(self.shape.height)), rows.iter().copied()))
    }

    /// A sheet with these in its cells, line by line; `None` is grey. `None`: no JPEG file is that large.
    pub fn sheet(&self, cells: &[Option<usize>], columns: usize) -> Option<Vec<u8>> {
        let (cell_width, cell_height) = self.shape.cell();
        let lines = cells.len().div_ceil(columns.max(1));
        let size = (columns * cell_width, lines * cell_height);
        if size.0 == 0 || size.1 == 0 || size.0 > SIDE_MAX || size.1 > SIDE_MAX {
            return None;
        }
        let grey = GREY_MCU.repeat(self.shape.mcus());
        let mut rows = Vec::with_capacity(lines * self.shape.rows() * columns);
        for line in 0..lines {
            for row in 0..self.shape.rows() {
                for cell in line * columns..(line + 1) * columns {
                    let tile = cells.get(cell).copied().flatten().and_then(|tile| self.tiles.get(tile));
                    rows.push(tile.map_or(&grey[..], |rows| rows[row]));
                }
            }
        }
        Some(self.write(size, rows.iter().copied()))
    }

    fn write<'b>(&self, (width, height): (usize, usize), intervals: impl Iterator<Item = &'b [u8]>) -> Vec<u8> {
        let mut out = self.head.to_vec();
        let side = |v: usize| u16::try_from(v).unwrap_or(u16::MAX).to_be_bytes();
        out[self.frame_at..self.frame_at + 2].copy_from_slice(&side(height));
        out[self.frame_at + 2..self.frame_at + 4].copy_from_slice(&side(width));
        for (i, interval) in intervals.enumerate() {
            if i > 0 {
                out.extend_from_slice(&[0xff, 0xd0 + ((i - 1) % 8) as u8]);
            }
            out.extend_from_slice(interval);
        }
        out.extend_from_slice(&[0xff, 0xd9]);
        out
    }
}

/// Sides of the cell that holds a picture.
pub fn cell_size((width, height): (u16, u16)) -> (u32, u32) {
    let (width, height) = Shape { width, height }.cell();
    (width as u32, height as u32)
}
