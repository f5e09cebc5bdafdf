//! Claims about block files.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use proptest::prelude::*;

use super::testing::{T0, append, media, root, run_info, stream, try_append, writer};
use super::*;
use crate::media::{GapCause, SegmentEntry};

fn end(cause: GapCause) -> Option<RunEnd> {
    Some(RunEnd { cause, detail: "as a test says".into() })
}

#[test]
fn what_is_written_reads_back_from_both_ends() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 3);
    let (mut w, info) = writer(&root, &run, T0, 7);
    let entries: Vec<SegmentEntry> = (0..3).map(|_| append(&mut w, 4)).collect();
    let sealed = w.seal(end(GapCause::Paused)).unwrap();

    let file = read_sealed(&root.file(&info.path())).unwrap().unwrap();
    assert_eq!(file.header.run, run);
    assert_eq!((file.header.first_sequence, file.first_offset), (7, info.first_offset));
    assert_eq!(file.trailer.table.entries(), entries);
    assert_eq!(file.trailer.end, end(GapCause::Paused));
    let row = file.block_info();
    assert_eq!((row.size_bytes, row.checksum), (sealed.size_bytes, Some(sealed.checksum)));
    assert_eq!(row.id, info.id);
    assert_eq!(fs::metadata(root.file(&info.path())).unwrap().len(), sealed.size_bytes);

    let all = scan(&root.file(&info.path()), 0).unwrap();
    assert!(all.damage.is_empty());
    assert_eq!((all.segments.len(), all.unbroken, all.checksum()), (3, 3, sealed.checksum));
}

#[test]
fn a_reader_gets_exactly_the_bytes_of_a_segment_and_their_place_in_the_file() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, mut info) = writer(&root, &run, T0, 0);
    let cache = BlockCache::new(root.clone());
    for _ in 0..3 {
        let entry = append(&mut w, 4);
        info.table.push(entry);
        info.size_bytes = w.size_bytes();
        let last = info.segments().last().unwrap();
        let at = last.media_offset();
        let bytes = cache.slice(&info, at..at + u64::from(entry.media_bytes())).unwrap();
        let sequence = u64::from(last.position);
        assert_eq!(bytes, [media(sequence, 300), media(sequence + 1000, 50)].concat());
        let (_, offset) = mapped::locate(&bytes[10..]).unwrap();
        assert_eq!(offset, at + 10);
    }
    assert!(mapped::locate(&[0u8; 64]).is_none());
    assert!(cache.slice(&info, 0..info.size_bytes + 1).is_err(), "nothing past what is committed");
}

#[test]
fn a_file_in_use_outlives_its_removal() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, mut info) = writer(&root, &run, T0, 0);
    info.table.push(append(&mut w, 4));
    info.size_bytes = w.size_bytes();
    let cache = BlockCache::new(root.clone());
    let bytes = cache.slice(&info, info.first_offset..info.size_bytes).unwrap();
    let address = bytes.as_ptr();
    fs::remove_file(root.file(&info.path())).unwrap();
    cache.forget(info.id);
    assert!(SegmentHeader::decode(&bytes).is_ok());
    let (file, offset) = mapped::locate(&bytes).unwrap();
    let mut head = [0; 80];
    file.read_exact_at(&mut head, offset).unwrap();
    assert_eq!(head, bytes[..80]);
    drop(bytes);
    let gone = mapped::still_mapped(address);
    assert!(!gone, "the last slice takes the mapping with it");
}

/// Bytes of this process's memory through which the mapping at `address` is read.
fn resident(address: *const u8) -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|r| r.split_once('-'));
        let ends = range.and_then(|(a, b)| Some((usize::from_str_radix(a, 16).ok()?, usize::from_str_radix(b, 16).ok()?)));
        if let Some((start, end)) = ends {
            inside = (start..end).contains(&address.addr());
        } else if inside && let Some(kib) = line.strip_prefix("Rss:") {
            return kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
        }
    }
    panic!("it is not mapped");
}

#[test]
fn what_has_been_sent_does_not_pile_up_in_memory() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (_w, mut info) = writer(&root, &run, T0, 0);
    info.size_bytes = 64 << 20;
    fs::OpenOptions::new().write(true).open(root.file(&info.path())).unwrap().set_len(info.size_bytes).unwrap();
    let cache = BlockCache::new(root.clone());
    let mut most = 0;
    for at in (0..info.size_bytes).step_by(1 << 20) {
        let bytes = cache.slice(&info, at..at + (1 << 20)).unwrap();
        assert!(bytes.iter().step_by(4096).skip(1).all(|b| *b == 0));
        most = most.max(resident(bytes.as_ptr()));
    }
    assert!((1 << 20..=18 << 20).contains(&most), "{most}");
}

#[test]
fn segments_must_follow_one_another() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, _) = writer(&root, &run, T0, 0);
    let one = [1u8; 50];
    let good =
        NewSegment { start: T0, wall_us: 1, media_us: 1, keyframe_bytes: 1, independent: true, sequence: 0, video: &[&one], audio: &[] };
    for bad in [
        NewSegment { start: T0.saturating_add_micros(1), ..good },
        NewSegment { sequence: 1, ..good },
        NewSegment { wall_us: 0, ..good },
        NewSegment { video: &[], ..good },
        NewSegment { keyframe_bytes: 51, ..good },
    ] {
        assert!(matches!(w.append(&bad), Err(StoreError::Misplaced { .. })), "{bad:?}");
    }
    w.append(&good).unwrap();
}

/// A file of three small segments cut at every offset inside the last one.
#[test]
fn a_tail_torn_at_any_byte_recovers_to_the_last_whole_segment() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    append(&mut w, 4);
    append(&mut w, 4);
    let keep = w.size_bytes();
    append(&mut w, 4);
    let path = root.file(&info.path());
    let whole = fs::read(&path).unwrap();
    drop(w);
    for cut in keep as usize..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let r = recover(&path, keep).unwrap();
        let want = if cut == whole.len() { 3 } else { 2 };
        assert_eq!(r.segments.len(), want, "cut at {cut}");
        assert_eq!(r.cut_bytes, if want == 3 { 0 } else { cut as u64 - keep }, "cut at {cut}");
        let RecoveredState::Open(mut w) = r.state else { panic!("not sealed yet") };
        let sealed = w.seal(None).unwrap();
        drop(w);
        let again = recover(&path, 0).unwrap();
        assert!(matches!(again.state, RecoveredState::Sealed(s, _) if s == sealed), "cut at {cut}");
        assert_eq!(again.segments.len(), want);
    }
}

/// The trailer torn at every offset: the segments stay, and the file can be sealed again.
#[test]
fn a_torn_trailer_costs_nothing() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    append(&mut w, 4);
    let media_end = w.size_bytes() as usize;
    let sealed = w.seal(end(GapCause::Paused)).unwrap();
    drop(w);
    let path = root.file(&info.path());
    let whole = fs::read(&path).unwrap();
    for cut in media_end..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let r = recover(&path, 0).unwrap();
        assert_eq!((r.segments.len(), r.cut_bytes), (1, (cut - media_end) as u64));
        let RecoveredState::Open(mut w) = r.state else { panic!("cut at {cut}: taken for sealed") };
        assert_eq!(w.seal(end(GapCause::Paused)).unwrap(), sealed);
        drop(w);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn one_flipped_byte_anywhere_in_a_sealed_file_is_found() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    append(&mut w, 4);
    append(&mut w, 4);
    w.seal(end(GapCause::SourceEnded)).unwrap();
    drop(w);
    let path = root.file(&info.path());
    let whole = fs::read(&path).unwrap();
    let row = read_sealed(&path).unwrap().unwrap().block_info();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let s = scan(&path, 0).unwrap();
        let found = s.header.is_err() || !s.damage.is_empty() || s.trailer.is_none() || Some(s.checksum()) != row.checksum;
        assert!(found, "byte {at} of {}", whole.len());
        assert!(s.segments.len() + 1 >= 2, "byte {at} costs more than its own segment");
    }
}

#[test]
fn segments_behind_damage_are_found_and_never_cut_off() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    for _ in 0..4 {
        append(&mut w, 4);
    }
    drop(w);
    let path = root.file(&info.path());
    let mut bytes = fs::read(&path).unwrap();
    // The header of the second segment: its length is lost too.
    let second = info.first_offset as usize + (bytes.len() - info.first_offset as usize) / 4;
    bytes[second + 40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let r = recover(&path, 0).unwrap();
    assert!(matches!(r.state, RecoveredState::Broken));
    assert_eq!(r.segments.iter().map(|s| s.header.sequence).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_block_whose_writer_lives_is_left_alone() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    append(&mut w, 4);
    assert!(matches!(recover(&root.file(&info.path()), 0), Err(StoreError::Busy { .. })));
    drop(w);
    assert!(recover(&root.file(&info.path()), 0).is_ok());
}

#[test]
fn the_journal_knows_blocks_until_they_are_committed() {
    let (_dir, root) = root();
    let run = run_info(&stream("cam"), T0, 0);
    assert!(open_notes(&root).unwrap().is_empty());
    let (mut w, info) = writer(&root, &run, T0, 0);
    append(&mut w, 4);
    w.seal(None).unwrap();
    assert_eq!(open_notes(&root).unwrap(), [OpenNote { id: info.id, path: info.path() }]);
    forget_open(&root, info.id).unwrap();
    forget_open(&root, info.id).unwrap();
    assert!(open_notes(&root).unwrap().is_empty());
    let (w, info) = writer(&root, &run, T0.saturating_add_micros(9), 1);
    w.discard(&root, info.id).unwrap();
    assert!(open_notes(&root).unwrap().is_empty());
    assert!(!root.file(&info.path()).exists());
}

#[test]
fn a_foreign_folder_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.mp4"), b"mine").unwrap();
    let refused = MediaRoot::open_or_create(dir.path(), None).unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_unmounted_or_exchanged_disk_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let root = MediaRoot::open_or_create(&a, None).unwrap();
    let other = MediaRoot::open_or_create(&b, None).unwrap();
    assert!(MediaRoot::open_or_create(&a, Some(root.id())).is_ok());
    assert!(matches!(MediaRoot::open_or_create(&b, Some(root.id())), Err(StoreError::WrongRoot { .. })));
    let empty = dir.path().join("mount-point");
    fs::create_dir(&empty).unwrap();
    assert!(matches!(MediaRoot::open_or_create(&empty, Some(other.id())), Err(StoreError::NotMounted { .. })));
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);

    // The disk goes away while recording: the next block is refused, nothing lands on the mount point.
    fs::rename(&a, dir.path().join("gone")).unwrap();
    fs::create_dir(&a).unwrap();
    let run = run_info(&stream("cam"), T0, 0);
    let new = NewBlock {
        account: crate::media::AccountId::main(),
        id: crate::media::BlockId::new(T0, 1),
        start: T0,
        first_sequence: 0,
        run: &run,
    };
    assert!(matches!(BlockWriter::create(&root, &new), Err(StoreError::NotMounted { .. })));
    assert_eq!(fs::read_dir(&a).unwrap().count(), 0);
}

#[test]
fn a_folder_of_a_newer_version_is_refused() {
    let (_dir, root) = root();
    let file = root.file(IDENTITY_FILE);
    let text = fs::read_to_string(&file).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&file, text).unwrap();
    assert!(matches!(MediaRoot::open(root.path(), None), Err(StoreError::NewerFormat { found: 2, .. })));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_its_reason() {
    if rustix::process::geteuid().is_root() {
        return; // root writes anywhere; the read-only mount case is tried by the integration tests
    }
    let (_dir, root) = root();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let refused = MediaRoot::open(root.path(), None).unwrap_err();
    assert!(matches!(&refused, StoreError::NotWritable { .. }) && refused.to_string().contains("owner"));
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the test below again on a file system of 2 MiB, in a mount namespace of its own.
#[test]
fn a_full_disk_undoes_the_write_says_so_and_goes_on_when_there_is_room() {
    let me = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=2m small \"$1\" && exec \"$2\" --exact store::tests::on_a_disk_of_2_mib --ignored";
    let dir = tempfile::tempdir().unwrap();
    let run = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([dir.path(), &me])
        .env("SMALL_DISK", dir.path())
        .output();
    match run {
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
            // A container may forbid mounting: nothing to test there.
            let forbidden = text.contains("Operation not permitted") || text.contains("ermission denied");
            assert!(out.status.success() && text.contains("1 passed") || forbidden, "{text}");
        }
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{e}"),
    }
}

#[test]
#[ignore = "run by the test above, on a small disk"]
fn on_a_disk_of_2_mib() {
    let Some(disk) = std::env::var_os("SMALL_DISK") else { return };
    let disk = std::path::PathBuf::from(disk);
    let root = MediaRoot::open_or_create(&disk, None).unwrap();
    let run = run_info(&stream("cam"), T0, 0);
    let (mut w, info) = writer(&root, &run, T0, 0);
    let path = root.file(&info.path());
    let mut whole = 0;
    let full = loop {
        match try_append(&mut w, 4, 300_000) {
            Ok(_) => whole += 1,
            Err(e) => break e,
        }
    };
    assert!(full.is_full() && full.gap_cause() == GapCause::DiskFull, "{full:?}");
    assert!(full.to_string().contains("make room"));
    assert_eq!(fs::metadata(&path).unwrap().len(), w.size_bytes());
    // Not even a header fits: nothing half-made is left.
    let filler = disk.join("filler");
    let _ = fs::write(&filler, vec![0; 2 << 20]);
    let new = NewBlock {
        account: crate::media::AccountId::main(),
        id: crate::media::BlockId::new(T0, 99),
        start: T0,
        first_sequence: 50,
        run: &run,
    };
    assert!(BlockWriter::create(&root, &new).unwrap_err().is_full());
    assert_eq!(open_notes(&root).unwrap().len(), 1);
    assert_eq!(fs::metadata(&path).unwrap().len(), w.size_bytes());
    fs::remove_file(&filler).unwrap();
    assert!(root.free_bytes().unwrap() > 4096);
    try_append(&mut w, 4, 20_000).unwrap();
    w.seal(None).unwrap();
    assert_eq!(scan(&path, 0).unwrap().segments.len(), whole + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), kind in 0..4) {
        let mut bytes = bytes;
        let start: &[u8] = match kind {
            0 => b"\0\0\0\x08ftyp\0\0\0\x08moov\0\0\0\x60uuidRetroviewBlockHd",
            1 => b"\0\0\0\x50uuidRetroviewSegment",
            2 => b"\0\0\0\x60uuidRetroviewTrailer",
            _ => b"",
        };
        bytes.splice(0..0, start.iter().copied());
        let _ = BlockHeader::decode(&bytes);
        let _ = SegmentHeader::decode(&bytes);
        let _ = Trailer::decode(&bytes);
        bytes.extend_from_slice(b"\0\0\0\x60\0\0\0\x01RVSEALED");
        let _ = Trailer::decode(&bytes);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.mp4");
        fs::write(&path, &bytes).unwrap();
        let _ = scan(&path, 0);
        let _ = read_sealed(&path);
        let _ = recover(&path, 0);
    }
}
