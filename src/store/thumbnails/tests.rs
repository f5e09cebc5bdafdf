//! Pictures here have the shape of JPEG files and nothing in them that decodes; whether real ones do is asked where decoders are.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use proptest::prelude::*;

use super::jpeg::Tiles;
use super::*;
use crate::media::{BlockInfo, BlockState};
use crate::store::testing::{T0, append, root, run_info, stream, writer};
use crate::store::{
    BlockWriter, MediaRoot, RecoveredState, block_pictures, copy_block, forget_open, is_wiped, open_notes, read_sealed, recover, scan,
    wipe_segments,
};

/// 40 by 20 pixels: three MCUs in a row, two rows.
fn jpeg(seed: u8) -> Bytes {
    jpeg_of(40, 20, seed)
}

fn jpeg_of(width: u16, height: u16, seed: u8) -> Bytes {
    let mcus = width.div_ceil(16);
    let mut out = vec![0xff, 0xd8, 0xff, 0xdd, 0, 4];
    out.extend_from_slice(&mcus.to_be_bytes());
    out.extend_from_slice(&[0xff, 0xc0, 0, 17, 8]);
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&width.to_be_bytes());
    out.extend_from_slice(&[3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    out.extend_from_slice(&[0xff, 0xda, 0, 12, 3, 1, 0, 2, 17, 3, 17, 0, 63, 0]);
    for row in 0..height.div_ceil(16) {
        if row > 0 {
            out.extend_from_slice(&[0xff, 0xd0 + (row - 1) as u8 % 8]);
        }
        out.extend_from_slice(&row_of(seed, row));
    }
    out.extend_from_slice(&[0xff, 0xd9]);
    out.into()
}

/// What a row of a picture decodes from, with a stuffed 0xff in it.
fn row_of(seed: u8, row: u16) -> Vec<u8> {
    [b"row ", &[b'0' + row as u8, b' ', seed, 0xff, 0x00][..], &[seed; 30]].concat()
}

fn at(second: i64) -> Timestamp {
    T0.saturating_add_micros(second * 1_000_000)
}

fn thumbnails(n: u8) -> Vec<Thumbnail> {
    (0..n).map(|i| Thumbnail { at: at(i64::from(i) * 4), jpeg: jpeg(b'a' + i) }).collect()
}

fn holds(bytes: &[u8], seed: u8) -> bool {
    (0..2).any(|row| bytes.windows(39).any(|w| w == row_of(seed, row)))
}

#[test]
fn a_sheet_gives_back_the_pictures_that_were_put_into_it() {
    for count in [1, 9, 10, 11, 25] {
        let put = thumbnails(count);
        let pictures = Pictures::of(&put).unwrap();
        assert_eq!(pictures.singles(), put, "{count}");
        let read = Pictures::decode(&Bytes::from(pictures.encode())).unwrap().unwrap();
        assert_eq!(read, pictures);
        let columns = usize::from(count.min(10));
        assert_eq!(usize::from(read.head.columns), columns);
        let last = PictureHead::place(read.head.size, columns, usize::from(count) - 1);
        assert_eq!(last, [(u32::from(count) - 1) % 10 * 48, (u32::from(count) - 1) / 10 * 32, 40, 20]);
    }
}

#[test]
fn a_picture_that_is_damaged_or_of_another_shape_is_left_out() {
    let mut put = thumbnails(4);
    put[1].jpeg = put[1].jpeg.slice(..60);
    put[2].jpeg = jpeg_of(40, 40, b'x');
    let pictures = Pictures::of(&put).unwrap();
    assert_eq!(pictures.singles(), [put[0].clone(), put[3].clone()]);
    assert!(Pictures::of(&put[1..2]).is_none() && Pictures::of(&[]).is_none());
}

#[test]
fn a_part_of_a_sheet_hides_what_is_not_to_be_seen() {
    let pictures = Pictures::of(&thumbnails(12)).unwrap();
    let tiles = pictures.tiles().unwrap();
    let sheet = tiles.sheet(&[Some(10), None, Some(11)], 10).unwrap();
    assert_eq!(b"abcdefghijkl".map(|seed| holds(&sheet, seed)).iter().filter(|there| **there).count(), 2);
    let again = Tiles::of_sheet(&sheet, (40, 20), 10, 3).unwrap();
    assert_eq!(again.single(0).unwrap(), jpeg(b'k')[..]);
    assert_eq!(again.single(2).unwrap(), jpeg(b'l')[..]);
    assert!(!holds(&again.single(1).unwrap(), b'b'));
}

#[test]
fn every_flipped_bit_of_the_box_is_found() {
    let good = Pictures::of(&thumbnails(2)).unwrap().without(|t| t == at(4)).unwrap().encode();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let read = Pictures::decode(&bad.into());
            assert!(!matches!(read, Ok(Some(_))), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn what_is_erased_leaves_no_byte_and_the_box_keeps_its_length() {
    let pictures = Pictures::of(&thumbnails(12)).unwrap();
    let before = pictures.encode();
    let without = pictures.without(|t| t == at(4) || t == at(44)).unwrap();
    let after = without.encode();
    assert_eq!(after.len(), before.len());
    for seed in b"abcdefghijkl" {
        assert_eq!(holds(&after, *seed), !b"bl".contains(seed), "{}", *seed as char);
    }
    assert_eq!(without.head.pictures.iter().filter(|p| p.erased).map(|p| p.at).collect::<Vec<_>>(), [at(4), at(44)]);
    assert_eq!(without.without(|t| t == at(4)).unwrap().encode(), after, "again is the same");
    let kept: Vec<Timestamp> = without.singles().iter().map(|t| t.at).collect();
    assert_eq!(kept, (0..12).filter(|i| ![1, 11].contains(i)).map(|i| at(i * 4)).collect::<Vec<_>>());
}

/// A writer with five segments of four seconds, a picture of each beside it.
fn recorded(root: &MediaRoot) -> (BlockWriter, BlockInfo) {
    let (mut w, mut info) = writer(root, &run_info(&stream("cam"), T0, 0), T0, 7);
    begin_thumbnails(root, info.id).unwrap();
    for picture in thumbnails(5) {
        info.table.push(append(&mut w, 4));
        assert!(add_thumbnail(root, info.id, &picture).unwrap());
    }
    (w, info)
}

fn sealed(root: &MediaRoot) -> BlockInfo {
    let (mut w, mut info) = recorded(root);
    w.set_pictures(open_thumbnails(root, info.id));
    let sealed = w.seal(None).unwrap();
    (info.size_bytes, info.checksum, info.state) = (sealed.size_bytes, Some(sealed.checksum), BlockState::Sealed);
    info
}

#[test]
fn a_sealed_block_holds_its_pictures_and_is_indexed_without_them() {
    let (_dir, root) = root();
    let info = sealed(&root);
    let path = root.file(&info.path());
    assert_eq!(read_sealed(&path).unwrap().unwrap().block_info(), info);
    let found = scan(&path, 0).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    assert_eq!(found.table(), info.table);
    assert_eq!(block_pictures(&path).unwrap().unwrap().singles(), thumbnails(5));
    assert!(matches!(recover(&path, 0).unwrap().state, RecoveredState::Sealed(s, _) if s.size_bytes == info.size_bytes));
    // The file beside it goes with the note, and pictures that come late find nothing to be put into.
    forget_open(&root, info.id).unwrap();
    assert!(open_thumbnails(&root, info.id).is_empty() && open_notes(&root).unwrap().is_empty());
    assert!(!add_thumbnail(&root, info.id, &thumbnails(1)[0]).unwrap());
    assert!(fs::read_dir(root.path().join(".open")).unwrap().next().is_none());
}

#[test]
fn a_picture_of_what_the_block_does_not_hold_is_not_sealed_in() {
    let (_dir, root) = root();
    let (mut w, info) = recorded(&root);
    let mut all = thumbnails(6);
    all[0].at = at(-1);
    w.set_pictures(all);
    w.seal(None).unwrap();
    let kept = block_pictures(&root.file(&info.path())).unwrap().unwrap();
    assert_eq!(kept.head.pictures.iter().map(|p| p.at).collect::<Vec<_>>(), (1..5).map(|i| at(i * 4)).collect::<Vec<_>>());
}

#[test]
fn after_a_kill_the_block_is_sealed_with_the_pictures_that_are_whole() {
    let (_dir, root) = root();
    let (w, info) = recorded(&root);
    let path = root.file(&info.path());
    drop(w);
    // Torn while the last was written, and so is the last segment.
    let side = root.path().join(".open").join(format!("{}.pictures", info.id));
    let len = fs::metadata(&side).unwrap().len();
    OpenOptions::new().write(true).open(&side).unwrap().set_len(len - 7).unwrap();
    let end = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(end - 1).unwrap();
    let recovered = recover(&path, 0).unwrap();
    let RecoveredState::Open(mut writer) = recovered.state else { panic!("{:?}", recovered.state) };
    writer.set_pictures(open_thumbnails(&root, info.id));
    writer.seal(None).unwrap();
    assert_eq!(block_pictures(&path).unwrap().unwrap().singles(), thumbnails(4));
}

#[test]
fn a_kill_between_pictures_and_trailer_loses_neither() {
    let (_dir, root) = root();
    let info = sealed(&root);
    let path = root.file(&info.path());
    let whole = fs::read(&path).unwrap();
    let pictures_end = info.media_end_offset() as usize + Pictures::of(&thumbnails(5)).unwrap().encode().len();
    for len in [info.media_end_offset() as usize + 10, info.media_end_offset() as usize + 100, pictures_end, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        let found = scan(&path, 0).unwrap();
        assert!(found.damage.iter().all(super::super::Damage::is_torn_end), "{len}: {:?}", found.damage);
        let recovered = recover(&path, 0).unwrap();
        let RecoveredState::Open(mut writer) = recovered.state else { panic!("{len}: {:?}", recovered.state) };
        writer.set_pictures(open_thumbnails(&root, info.id));
        writer.seal(None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "{len}");
    }
}

#[test]
fn damaged_pictures_are_found_and_a_copy_of_the_block_goes_without_them() {
    let (_dir, root) = root();
    let info = sealed(&root);
    let path = root.file(&info.path());
    let copied = |name: u8| {
        let found = scan(&path, 0).unwrap();
        let mut header = found.header.unwrap().0;
        header.block = crate::media::BlockId::new(T0, u128::from(name));
        let copy = copy_block(&root, &header, &path, &found.segments, None).unwrap().put_in_place().unwrap();
        block_pictures(&root.file(&copy.path())).unwrap()
    };
    assert_eq!(copied(1).unwrap().singles(), thumbnails(5), "whole ones come along");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"?", info.media_end_offset() + 300).unwrap();
    let found = scan(&path, 0).unwrap();
    assert_eq!(found.segments.len(), 5);
    assert_eq!(found.damage.iter().map(|d| d.what).collect::<Vec<_>>(), ["pictures do not match their checksum"]);
    assert!(read_sealed(&path).unwrap().is_some(), "footage is indexed all the same");
    assert!(block_pictures(&path).is_err() && copied(2).is_none());
}

#[test]
fn erased_footage_is_in_no_picture_and_an_older_copy_of_one_is_noticed() {
    let (_dir, root) = root();
    let mut row = sealed(&root);
    let path = root.file(&row.path());
    let before = fs::read(&path).unwrap();
    row.table.erase(&[1, 2]);
    let checksum = wipe_segments(&root, &row).unwrap();
    let after = fs::read(&path).unwrap();
    assert_eq!(after.len(), before.len());
    assert_eq!(b"abcde".map(|seed| holds(&after, seed)), [true, false, false, true, true]);
    let found = scan(&path, 0).unwrap();
    assert!(found.damage.is_empty() && found.checksum() == checksum, "{:?}", found.damage);
    assert_eq!(block_pictures(&path).unwrap().unwrap().singles().len(), 3);
    assert_eq!(read_sealed(&path).unwrap().unwrap().block_info(), BlockInfo { checksum: Some(checksum), ..row.clone() });
    assert!(is_wiped(&root, &row).unwrap());
    assert_eq!(wipe_segments(&root, &row).unwrap(), checksum);
    assert_eq!(fs::read(&path).unwrap(), after, "again is the same");

    let from = row.media_end_offset() as usize;
    let len = Pictures::of(&thumbnails(5)).unwrap().encode().len();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&before[from..from + len], from as u64).unwrap();
    assert!(!is_wiped(&root, &row).unwrap());
    // Cut short in the middle of painting over: what is left of the sheet cannot be told apart, and goes.
    file.write_all_at(&after[from..from + 200], from as u64).unwrap();
    wipe_segments(&root, &row).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(b"abcde".iter().all(|seed| !holds(&bytes, *seed)));
    assert!(scan(&path, 0).unwrap().damage.is_empty() && is_wiped(&root, &row).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), flips in proptest::collection::vec((0usize..600, any::<u8>()), 0..6)) {
        let _ = Tiles::of_pictures([&bytes[..]]);
        let _ = Tiles::of_sheet(&bytes, (40, 20), 10, 3);
        let mut sheet = Pictures::of(&thumbnails(3)).unwrap().encode();
        for (at, byte) in flips {
            let len = sheet.len();
            sheet[at % len] = byte;
        }
        let _ = Pictures::decode(&sheet.clone().into());
        let _ = Tiles::of_sheet(&sheet[110..], (40, 20), 3, 3).map(|tiles| (tiles.single(2), tiles.sheet(&[Some(2), None], 10)));
        let mut foreign = b"\0\0\x01\0uuidRetroviewPicture\0\0\0\x01".to_vec();
        foreign.extend_from_slice(&bytes);
        let _ = Pictures::decode(&foreign.into());
    }
}
