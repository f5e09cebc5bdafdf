//! The frame's time as a row of cells along the bottom of the picture.
//!
//! 48 cells of equal width, white for 1 and black for 0: `10`, then 44 bits of milliseconds since the Unix epoch,
//! most significant first, then `01`. Cells are wide enough to survive scaling and lossy coding.

use crate::media::Timestamp;

pub const CELLS: usize = 48;
const TIME_BITS: usize = 44;

/// Height of the row in pixels of a picture `height` high.
pub fn row_height(height: usize) -> usize {
    (height / 24).max(8)
}

/// The cells of a moment.
pub fn cells(at: Timestamp) -> [bool; CELLS] {
    let ms = at.as_micros() / 1000;
    let mut cells = [false; CELLS];
    cells[0] = true;
    for (bit, cell) in cells[2..2 + TIME_BITS].iter_mut().enumerate() {
        *cell = ms >> (TIME_BITS - 1 - bit) & 1 == 1;
    }
    cells[CELLS - 1] = true;
    cells
}

/// Reads the row back from a picture's luma plane; milliseconds since the epoch. `None` when there is no row.
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<i64> {
    let y = height.checked_sub(row_height(height) / 2 + 1)?;
    let line = luma.get(y * stride..y * stride + width)?;
    let cell = |i: usize| {
        let (x0, x1) = (i * width / CELLS, (i + 1) * width / CELLS);
        let quarter = (x1 - x0) / 4;
        let middle = &line[x0 + quarter..(x1 - quarter).max(x0 + quarter + 1)];
        let mean = middle.iter().map(|p| usize::from(*p)).sum::<usize>() / middle.len();
        mean > 127
    };
    if !cell(0) || cell(1) || cell(CELLS - 2) || !cell(CELLS - 1) {
        return None;
    }
    Some((2..2 + TIME_BITS).fold(0, |ms, i| ms << 1 | i64::from(cell(i))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_time_reads_back_at_any_size() {
        let at = Timestamp(1_777_816_800_123_000);
        for (width, height) in [(640, 360), (320, 180), (96, 64), (1920, 1080), (322, 182)] {
            let mut luma = vec![90u8; width * height];
            for (i, on) in cells(at).into_iter().enumerate() {
                for y in height - row_height(height)..height {
                    luma[y * width + i * width / CELLS..y * width + (i + 1) * width / CELLS].fill(if on { 235 } else { 16 });
                }
            }
            assert_eq!(read(&luma, width, width, height), Some(1_777_816_800_123), "{width}x{height}");
        }
        assert_eq!(read(&vec![90; 640 * 360], 640, 640, 360), None);
    }
}
