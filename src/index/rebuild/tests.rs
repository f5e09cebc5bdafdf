//! Claims about rebuilding the index.

use std::fs;

use super::*;
use crate::index::testing::{Archive, steps};
use crate::store::testing::T0;

const NOW: Timestamp = Timestamp(T0.0 + 3_600_000_000);

async fn rebuild_all(archive: &Archive) -> (RebuildSummary, Vec<Finding>) {
    let mut skipped = Vec::new();
    let mut report = |event| {
        if let RebuildEvent::Skipped(finding) = event {
            skipped.push(finding);
        }
    };
    let summary = rebuild(&archive.index, &archive.root, NOW, &mut report).await.unwrap();
    assert_eq!(summary.skipped, skipped.len() as u64);
    (summary, skipped)
}

#[tokio::test]
async fn a_rebuilt_index_has_the_same_rows() {
    for drawing in [
        "aaabb",
        "aaabb..cc|dd...eff",
        "a|b|c..d",
        "aaabb~",
        "..aa",
        "abcdefghijkl",
        "AA..BB",
        "AAB..cc",
        "aa..BB..cc",
        "aa..BB",
        "aa..BB.C..dd",
    ] {
        let mut archive = Archive::drawn(drawing).await;
        archive.record("cam-2", "nn..mmm").await;
        let before = archive.rows().await;
        archive.forget_database().await;
        let (summary, skipped) = rebuild_all(&archive).await;
        assert_eq!(skipped, [], "{drawing}");
        assert_eq!(archive.rows().await, before, "{drawing}");
        assert_eq!(summary.restored_streams.len(), 2);
        assert_eq!(archive.db.media_root_id().await.unwrap().as_deref(), Some(archive.root.id()));
        // Again, over the rows that are there.
        let (again, _) = rebuild_all(&archive).await;
        assert_eq!(archive.rows().await, before, "{drawing}");
        assert_eq!((again.blocks, again.restored_streams.len()), (summary.blocks, 0));
    }
}

#[tokio::test]
async fn a_block_torn_while_it_was_written_comes_back_to_its_last_whole_segment() {
    let mut archive = Archive::drawn("aaabbb~").await;
    archive.writers.clear();
    archive.edit('b', |bytes| bytes.truncate(bytes.len() - 5));
    archive.forget_database().await;
    let (_, skipped) = rebuild_all(&archive).await;
    assert_eq!(skipped, []);
    let row = archive.db.block(archive.blocks[&'b'].id).await.unwrap().unwrap();
    assert_eq!((row.table.len(), row.state), (2, crate::media::BlockState::Open));
    assert_eq!(archive.coverage("cam", 6).await, "#####_");
}

#[tokio::test]
async fn damaged_and_foreign_files_are_told_and_left_where_they_are() {
    let mut archive = Archive::drawn("aabbcc..ddee").await;
    // The header of b is gone; c is cut in its header; d and e have a broken end but all their segments.
    archive.edit('b', |bytes| bytes[60] ^= 1);
    archive.edit('c', |bytes| bytes.truncate(100));
    archive.edit('d', |bytes| *bytes.last_mut().unwrap() ^= 1);
    archive.edit('e', |bytes| *bytes.iter_mut().rev().nth(70).unwrap() ^= 1);
    fs::write(archive.root.file("main/cam/notes.txt"), "mine").unwrap();
    fs::create_dir_all(archive.root.file("lost+found/x")).unwrap();
    fs::create_dir_all(archive.root.file("lost-and-found/main/cam")).unwrap();
    let stranger = archive.blocks[&'a'].path().replace("main/cam/", "main/other/");
    fs::create_dir_all(archive.root.file(&stranger).parent().unwrap()).unwrap();
    fs::copy(archive.path('a'), archive.root.file(&stranger)).unwrap();
    let files = archive.files();

    archive.forget_database().await;
    let (summary, skipped) = rebuild_all(&archive).await;
    let mut told: Vec<(FindingKind, String)> = skipped.into_iter().map(|f| (f.kind, f.path.unwrap())).collect();
    told.sort();
    let mut want = vec![
        (FindingKind::Checksum, archive.blocks[&'b'].path()),
        (FindingKind::Checksum, archive.blocks[&'c'].path()),
        (FindingKind::Checksum, archive.blocks[&'e'].path()),
        (FindingKind::ForeignFile, "main/cam/notes.txt".into()),
        (FindingKind::ForeignFile, stranger),
    ];
    want.sort();
    assert_eq!(told, want);
    assert_eq!(archive.files(), files, "nothing is moved or removed");
    assert_eq!(archive.coverage("cam", 12).await, "##!!!!..####");
    assert_eq!((summary.blocks, summary.segments), (3, 6));
    assert_eq!(summary.nameless_streams, ["other".parse().unwrap()]);
    assert!(archive.db.stream(&"other".parse().unwrap()).await.unwrap().unwrap().paused);
}

#[tokio::test]
async fn of_two_blocks_that_overlap_one_is_kept() {
    let mut archive = Archive::drawn("aaa").await;
    let inside = archive.extra_block('a', 1, 1, 40).await;
    archive.forget_database().await;
    let (_, skipped) = rebuild_all(&archive).await;
    let told: Vec<_> = skipped.iter().map(|f| (f.kind, f.block, f.range)).collect();
    assert_eq!(told, [(FindingKind::Overlap, Some(inside.id), Some(steps(1, 2)))]);
    assert_eq!(archive.coverage("cam", 3).await, "###");
    // Its numbers are used up all the same.
    assert_eq!(archive.db.stream(&"cam".parse().unwrap()).await.unwrap().unwrap().next_sequence, 41);
}

#[tokio::test]
async fn a_stream_that_was_paused_when_it_last_recorded_stays_paused() {
    let archive = Archive::new().await;
    let stream: StreamId = "cam".parse().unwrap();
    archive.add_stream(&stream).await;
    let run = crate::store::testing::run_info(&stream, T0, 0);
    let (mut w, _) = archive.writer(&run, T0, 0);
    crate::store::testing::append(&mut w, 4);
    w.seal(Some(RunEnd { cause: GapCause::Paused, detail: String::new() })).unwrap();
    let mut archive = archive;
    archive.forget_database().await;
    rebuild_all(&archive).await;
    assert!(archive.db.stream(&stream).await.unwrap().unwrap().paused);
}
