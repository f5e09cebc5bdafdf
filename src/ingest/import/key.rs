//! Knowing a file again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::media::Timestamp;

/// Read at the head, at the tail and at each of [`SAMPLES`] places between. Reading all of a disk full of
/// recordings only to find that they are known would take hours.
const PIECE_BYTES: usize = 64 << 10;
const SAMPLES: u64 = 16;

/// Size, a hash over samples of the content, and the start: the same file at another time is another import.
pub(super) fn of(path: &Path, start: Timestamp) -> io::Result<String> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut hash = Xxh3::new();
    let mut piece = vec![0; PIECE_BYTES];
    let last = size.saturating_sub(PIECE_BYTES as u64);
    for i in 0..=SAMPLES + 1 {
        let at = (u128::from(last) * u128::from(i) / u128::from(SAMPLES + 1)) as u64;
        let n = read_up_to(&file, &mut piece, at)?;
        hash.update(&piece[..n]);
    }
    Ok(format!("{size:x}-{:016x}-{}", hash.digest(), start.as_micros()))
}

fn read_up_to(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    let mut n = 0;
    while n < piece.len() {
        match file.read_at(&mut piece[n..], at + n as u64)? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_content_and_start_and_not_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let t = Timestamp(7);
        let big: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let key = of(&file("a", &big), t).unwrap();
        assert_eq!(of(&file("b", &big), t).unwrap(), key);
        assert_ne!(of(&file("a", &big), Timestamp(8)).unwrap(), key);
        assert_ne!(of(&file("c", &big[..2_999_999]), t).unwrap(), key);
        let mut tail = big.clone();
        *tail.last_mut().unwrap() ^= 1;
        assert_ne!(of(&file("d", &tail), t).unwrap(), key);
        assert!(of(&file("e", b""), t).is_ok() && of(&file("f", b"x"), t).is_ok());
    }
}
