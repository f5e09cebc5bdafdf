//! What the camera sees: hills under a sky, a sun that crosses it, and the time.

use ffmpeg_next as ff;

use super::{clock_row, font};
use crate::media::Timestamp;

/// A colour in limited-range YCbCr.
#[derive(Clone, Copy)]
struct Colour(u8, u8, u8);

const FAR_HILLS: Colour = Colour(96, 132, 116);
const NEAR_HILLS: Colour = Colour(62, 120, 118);
const SUN: Colour = Colour(215, 90, 150);
const PLATE: Colour = Colour(28, 130, 126);
const INK: Colour = Colour(232, 128, 128);

/// Width of the strips that hills are drawn in, in pixels; even, so that chroma follows.
const COLUMN: usize = 4;

/// A picture generator of one size. Draws the same frame for the same `n` and time.
pub(super) struct Scene {
    width: usize,
    height: usize,
    label: String,
    /// Shifts the landscape, so that two cameras look different.
    seed: f64,
}

impl Scene {
    pub(super) fn new(width: usize, height: usize, label: &str) -> Scene {
        let seed = label.bytes().fold(0u32, |a, b| a.wrapping_mul(31).wrapping_add(u32::from(b))) % 1000;
        Scene { width, height, label: label.to_owned(), seed: f64::from(seed) }
    }

    pub(super) fn draw(&self, frame: &mut ff::frame::Video, n: u64, at: Timestamp) {
        let t = at.as_secs_f64() % 86_400.0;
        self.landscape(frame, t);
        let scale = (self.height / 120).max(1);
        let text = at.to_rfc3339(3).replace('T', " ").replace('Z', " UTC");
        let row = clock_row::row_height(self.height);
        let y = self.height - row - (font::HEIGHT + 4) * scale;
        self.text(frame, &self.label, 3 * scale, 3 * scale, scale);
        self.text(frame, &text, 3 * scale, y, scale);
        self.beacon(frame, n, scale);
        self.clock(frame, at);
    }

    /// Sky, sun and two rows of hills. Drawn in whole rows and narrow columns: a test build draws it too, in real time.
    fn landscape(&self, frame: &mut ff::frame::Video, t: f64) {
        let (w, h) = (self.width as f64, self.height as f64);
        for y in (0..self.height).step_by(2) {
            let fall = (y * 70 / self.height) as u8;
            fill(frame, (0, y), (self.width, 2), Colour(120 + fall, 148 - fall / 4, 112 + fall / 4));
        }
        // The sun crosses the picture once in 100 seconds.
        let course = (t / 100.0).fract();
        let (sun_x, sun_y, radius) = (w * course, h * (0.36 - 0.24 * (course * std::f64::consts::PI).sin()), h * 0.06);
        for y in ((sun_y - radius) as usize..(sun_y + radius) as usize).step_by(2) {
            let chord = (radius * radius - (y as f64 - sun_y).powi(2)).max(0.0).sqrt();
            fill(frame, ((sun_x - chord).max(0.0) as usize, y), ((2.0 * chord) as usize, 2), SUN);
        }
        let hill = |x: f64, shift: f64, base: f64, size: f64| {
            let p = x / w * 6.0 + shift + self.seed;
            let height = h * (base + size * (p.sin() * 0.6 + (p * 2.3 + 1.0).sin() * 0.3 + (p * 5.1).sin() * 0.1));
            height as usize & !1
        };
        for x in (0..self.width).step_by(COLUMN) {
            let far = hill(x as f64, t * 0.02, 0.52, 0.10);
            let near = hill(x as f64, t * 0.06 + 9.0, 0.68, 0.09);
            fill(frame, (x, far), (COLUMN, near.saturating_sub(far)), FAR_HILLS);
            fill(frame, (x, near), (COLUMN, self.height - near), NEAR_HILLS);
        }
    }

    /// A block that moves one step each frame: a frozen or repeated picture shows at once.
    fn beacon(&self, frame: &mut ff::frame::Video, n: u64, scale: usize) {
        let size = 4 * scale;
        let steps = (self.width - 2 * size) as u64;
        let x = (n * scale as u64 * 2 % steps) as usize;
        let y = self.height - clock_row::row_height(self.height) - scale - size / 2;
        fill(frame, (x, y), (size, size / 2), SUN);
    }

    fn text(&self, frame: &mut ff::frame::Video, text: &str, x: usize, y: usize, scale: usize) {
        let advance = (font::WIDTH + 1) * scale;
        let room = (self.width - x) / advance;
        let shown = text.chars().take(room);
        fill(frame, (x - scale, y - scale), (shown.clone().count() * advance + scale, (font::HEIGHT + 2) * scale), PLATE);
        for (i, c) in shown.enumerate() {
            for (row, bits) in font::glyph(c).into_iter().enumerate() {
                for column in (0..font::WIDTH).filter(|c| bits >> (font::WIDTH - 1 - c) & 1 == 1) {
                    fill_luma(frame, (x + i * advance + column * scale, y + row * scale), (scale, scale), INK.0);
                }
            }
        }
    }

    fn clock(&self, frame: &mut ff::frame::Video, at: Timestamp) {
        let row = clock_row::row_height(self.height);
        let top = self.height - row;
        fill(frame, (0, top), (self.width, row), Colour(16, 128, 128));
        for (i, _) in clock_row::cells(at).into_iter().enumerate().filter(|(_, on)| *on) {
            let (x0, x1) = (i * self.width / clock_row::CELLS, (i + 1) * self.width / clock_row::CELLS);
            fill_luma(frame, (x0, top), (x1 - x0, row), 235);
        }
    }
}

fn fill_luma(frame: &mut ff::frame::Video, (x, y): (usize, usize), (width, height): (usize, usize), value: u8) {
    let stride = frame.stride(0);
    let limit = frame.width() as usize;
    for line in frame.data_mut(0).chunks_mut(stride).skip(y).take(height) {
        line[x.min(limit)..(x + width).min(limit)].fill(value);
    }
}

fn fill(frame: &mut ff::frame::Video, at: (usize, usize), size: (usize, usize), colour: Colour) {
    fill_luma(frame, at, size, colour.0);
    let limit = frame.width() as usize / 2;
    let (x0, x1) = (at.0.div_ceil(2).min(limit), ((at.0 + size.0) / 2).min(limit));
    for (plane, value) in [(1, colour.1), (2, colour.2)] {
        let stride = frame.stride(plane);
        for line in frame.data_mut(plane).chunks_mut(stride).skip(at.1.div_ceil(2)).take(size.1 / 2) {
            line[x0..x1.max(x0)].fill(value);
        }
    }
}
