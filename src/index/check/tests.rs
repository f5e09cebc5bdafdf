//! Claims about the check: each damage is drawn on real block files, found, named, and mended.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::db::IndexChange;
use crate::index::testing::{Archive, at, steps};
use crate::media::{BlockState, GapCause, TimeRange};
use crate::store::testing::{T0, append, run_info};
use crate::store::{RunEnd, copy_block, open_notes, read_sealed, scan};

const NOW: Timestamp = Timestamp(T0.0 + 3_600_000_000);

fn options() -> CheckOptions {
    CheckOptions::default()
}

async fn run(archive: &Archive, options: CheckOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |event| {
        if let CheckEvent::Finding(finding) = event {
            findings.push(finding);
        }
    };
    let summary = check(&archive.index, &archive.root, NOW, &options, &mut report).await.unwrap();
    assert_eq!(summary.total(), findings.len() as u64);
    assert_eq!(summary.is_clean(), findings.iter().all(|f| f.repaired));
    findings
}

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = findings.iter().map(|f| f.kind).collect();
    kinds.dedup();
    kinds
}

type Media = BTreeMap<Timestamp, (u64, Vec<u8>)>;

/// Checks without repair (nothing changes), with repair (all is mended), and again (nothing is found). Afterwards
/// the stream's coverage is as drawn, and what is drawn as footage gives the same bytes as before the damage.
/// Answers what was found.
async fn found_and_mended(archive: &Archive, before: &Media, coverage: &str) -> Vec<Finding> {
    let (rows, files) = (archive.rows().await, archive.files());
    let found = run(archive, options()).await;
    assert!(found.iter().all(|f| !f.repaired && f.action.is_none()));
    assert_eq!((archive.rows().await, archive.files()), (rows, files), "a check without repair changes nothing");

    let mended = run(archive, CheckOptions { repair: true, ..options() }).await;
    assert!(mended.iter().all(|f| f.repaired), "{mended:#?}");
    assert_eq!(kinds(&mended), kinds(&found));
    let again = run(archive, options()).await;
    assert_eq!(again, [], "after {mended:#?}");
    assert_eq!(archive.coverage("cam", coverage.len()).await, coverage, "{mended:#?}");
    let mut expected = before.clone();
    expected.retain(|start, _| coverage.as_bytes()[step_of(*start)] == b'#');
    assert_eq!(archive.media("cam").await, expected);
    found
}

fn step_of(start: Timestamp) -> usize {
    usize::try_from(start.micros_since(T0) / 4_000_000).unwrap()
}

#[tokio::test]
async fn an_undamaged_archive_has_no_findings() {
    for drawing in ["", "a", "aaabbb", "aaab..cc|dd...e", "aabb~"] {
        let mut archive = Archive::drawn(drawing).await;
        archive.record("cam-2", "nn..m").await;
        for depth in [Depth::Quick, Depth::Full] {
            for beside_service in [false, true] {
                let findings = run(&archive, CheckOptions { depth, beside_service, repair: true, ..options() }).await;
                assert_eq!(findings, [], "{drawing} {depth:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_file_becomes_a_gap() {
    for (letter, coverage) in [('a', "!!####"), ('b', "##!!##"), ('c', "####!!")] {
        let archive = Archive::drawn("aabbcc").await;
        let before = archive.media("cam").await;
        fs::remove_file(archive.path(letter)).unwrap();
        let found = found_and_mended(&archive, &before, coverage).await;
        let block = &archive.blocks[&letter];
        assert_eq!(kinds(&found), [FindingKind::MissingFile]);
        assert_eq!((found[0].block, found[0].range), (Some(block.id), block.range()));
        assert_eq!((found[0].path.as_deref(), found[0].stream.as_ref()), (Some(block.path().as_str()), Some(&block.stream)));
    }
}

#[tokio::test]
async fn a_file_that_was_cut_keeps_its_whole_segments() {
    let whole = Archive::drawn("aabbbcc").await;
    let len = fs::metadata(whole.path('b')).unwrap().len();
    let ends: Vec<u64> = whole.blocks[&'b'].segments().map(|s| s.offset + u64::from(s.entry.stored_bytes())).collect();
    let first = whole.blocks[&'b'].first_offset;
    let cuts = [
        len - 1,
        len - 16,
        len - 40,
        ends[2],
        ends[2] - 1,
        ends[1] + 90,
        ends[1] + 30,
        ends[1],
        ends[0] + 7,
        ends[0],
        first + 5,
        first,
        100,
        0,
    ];
    for cut in cuts {
        let archive = Archive::drawn("aabbbcc").await;
        let before = archive.media("cam").await;
        archive.edit('b', |bytes| bytes.truncate(usize::try_from(cut).unwrap()));
        let kept = ends.iter().filter(|end| **end <= cut).count();
        let coverage = format!("##{}{}##", "#".repeat(kept), "!".repeat(3 - kept));
        let found = found_and_mended(&archive, &before, &coverage).await;
        assert_eq!(kinds(&found), [FindingKind::ShortenedFile], "cut at {cut}");
        assert_eq!((found.len(), found[0].range), (1, TimeRange::new(at(2 + kept), at(5)).ok()), "cut at {cut}");
        // The block goes on under its own name, without a copy beside it.
        let row = archive.db.block(archive.blocks[&'b'].id).await.unwrap();
        assert_eq!(row.map_or(0, |row| row.table.len()), kept);
        assert!(kept == 0 || !archive.root.file("lost-and-found").exists());
    }
}

/// A byte of each part of the file; what is named; what is left.
#[tokio::test]
async fn a_flipped_byte_is_named_and_costs_at_most_its_segment() {
    let drawn = Archive::drawn("aabbbcc").await;
    let segments: Vec<_> = drawn.blocks[&'b'].segments().collect();
    let (first, len) = (drawn.blocks[&'b'].first_offset, fs::metadata(drawn.path('b')).unwrap().len());
    let all = "#######";
    for (at_byte, named, coverage) in [
        (20, "init segment or block header", all),
        (first - 60, "init segment or block header", all),
        (segments[0].offset + 30, "segment 1 of", all),
        (segments[1].offset + 3, "segment 2 of", all),
        (segments[1].offset + 78, "segment 2 of", all),
        (segments[2].offset + 70, "segment 3 of", all),
        (segments[0].media_offset() + 9, "segment 1 of", "##!####"),
        (segments[1].media_offset() + 200, "segment 2 of", "###!###"),
        (segments[2].media_offset(), "segment 3 of", "####!##"),
        (len - 70, "trailer", all),
        (len - 14, "trailer", all),
        (len - 1, "trailer", all),
    ] {
        let archive = Archive::drawn("aabbbcc").await;
        let before = archive.media("cam").await;
        archive.edit('b', |bytes| bytes[usize::try_from(at_byte).unwrap()] ^= 0x40);
        let found = found_and_mended(&archive, &before, coverage).await;
        assert_eq!(found.len(), 1, "byte {at_byte}: {found:#?}");
        assert_eq!((found[0].kind, found[0].block), (FindingKind::Checksum, Some(archive.blocks[&'b'].id)));
        assert!(found[0].detail.starts_with(named), "byte {at_byte}: {}", found[0].detail);
        let damaged_file_is_kept = archive.files().iter().any(|f| f.starts_with("lost-and-found/"));
        assert_eq!(damaged_file_is_kept, coverage != all, "byte {at_byte}");
        if coverage == all {
            assert_eq!(fs::read(archive.path('b')).unwrap(), fs::read(drawn.path('b')).unwrap(), "byte {at_byte}: the very same file");
        }
    }
}

#[tokio::test]
async fn several_damaged_places_of_one_block_cost_no_more_than_themselves() {
    let archive = Archive::drawn("aaaaaaaabb").await;
    let before = archive.media("cam").await;
    let segments: Vec<_> = archive.blocks[&'a'].segments().collect();
    archive.edit('a', |bytes| {
        for offset in [20, segments[1].media_offset(), segments[2].media_offset(), segments[5].offset + 40, segments[6].media_offset()] {
            bytes[usize::try_from(offset).unwrap()] ^= 1;
        }
    });
    let found = found_and_mended(&archive, &before, "#!!###!###").await;
    let ranges: Vec<_> = found.iter().map(|f| f.range).collect();
    assert_eq!(ranges, [None, Some(steps(1, 2)), Some(steps(2, 3)), Some(steps(5, 6)), Some(steps(6, 7))]);
}

#[tokio::test]
async fn a_rebuild_after_a_repair_gives_the_same_rows() {
    let mut archive = Archive::drawn("aaaabbb..ccc").await;
    let third = archive.blocks[&'a'].segments().nth(2).unwrap().media_offset();
    let second_end = archive.blocks[&'c'].segments().nth(1).unwrap().offset;
    archive.edit('a', |bytes| bytes[usize::try_from(third).unwrap()] ^= 1);
    archive.edit('c', |bytes| bytes.truncate(usize::try_from(second_end).unwrap() + 9));
    fs::remove_file(archive.path('b')).unwrap();
    let stripped = |rows: String| rows.lines().filter(|l| !l.contains("next_")).collect::<Vec<_>>().join("\n");
    let mended = run(&archive, CheckOptions { repair: true, ..options() }).await;
    assert_eq!(kinds(&mended), [FindingKind::Checksum, FindingKind::MissingFile, FindingKind::ShortenedFile]);
    let coverage = archive.coverage("cam", 14).await;
    assert_eq!(coverage, "##!#!!!..#!!..");
    let before = stripped(archive.rows().await);
    archive.forget_database().await;
    crate::index::rebuild(&archive.index, &archive.root, NOW, &mut |_| {}).await.unwrap();
    assert_eq!(archive.coverage("cam", 14).await, coverage);
    let blocks = |rows: &str| rows.lines().filter(|l| l.starts_with("BlockInfo")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(blocks(&stripped(archive.rows().await)), blocks(&before));
}

#[tokio::test]
async fn a_row_that_names_more_than_its_file_holds_is_cut() {
    let archive = Archive::drawn("aabbbcc").await;
    let before = archive.media("cam").await;
    let file = read_sealed(&archive.path('b')).unwrap().unwrap();
    let whole = scan(&archive.path('b'), 0).unwrap();
    copy_block(&archive.root, &file.header, &archive.path('b'), &whole.segments[..2], None).unwrap().put_in_place().unwrap();
    let found = found_and_mended(&archive, &before, "####!##").await;
    assert_eq!(kinds(&found), [FindingKind::RowWithoutBytes]);
    assert_eq!((found[0].block, found[0].range), (Some(archive.blocks[&'b'].id), Some(steps(4, 5))));
}

#[tokio::test]
async fn a_row_that_differs_from_a_whole_file_follows_the_file() {
    // The same block with one segment more than the row knows: a commit that was lost.
    let archive = Archive::drawn("aabb..cc").await;
    let before = archive.media("cam").await;
    let row = archive.blocks[&'b'].clone();
    let mut short = row.clone();
    short.table = crate::media::SegmentTable::from_entries(row.table.entries()[..1].to_vec());
    archive.index.commit(vec![IndexChange::BlockIndexed(short)]).await.unwrap();
    let found = found_and_mended(&archive, &before, "####..##").await;
    assert_eq!(kinds(&found), [FindingKind::RowDiffers]);
}

#[tokio::test]
async fn somebody_elses_block_under_a_rows_name_is_moved_aside() {
    let archive = Archive::drawn("aabbcc").await;
    let before = archive.media("cam").await;
    fs::copy(archive.path('a'), archive.path('b')).unwrap();
    let found = found_and_mended(&archive, &before, "##!!##").await;
    assert_eq!(kinds(&found), [FindingKind::RowDiffers]);
    assert!(archive.root.file("lost-and-found").join(archive.blocks[&'b'].path()).exists());
}

#[tokio::test]
async fn an_orphaned_block_comes_back_where_its_time_is_free() {
    for letter in ['a', 'b', 'c', 'd'] {
        let archive = Archive::drawn("aabbcc..dd").await;
        let before = archive.media("cam").await;
        archive.index.commit(vec![IndexChange::BlockForgotten { block: archive.blocks[&letter].id }]).await.unwrap();
        let found = found_and_mended(&archive, &before, "######..##").await;
        assert_eq!(kinds(&found), [FindingKind::OrphanedFile]);
        assert_eq!((found[0].block, found[0].range), (Some(archive.blocks[&letter].id), archive.blocks[&letter].range()));
    }
}

#[tokio::test]
async fn a_file_that_comes_back_after_its_row_was_given_up_takes_its_gaps_place() {
    let archive = Archive::drawn("aabbcc").await;
    let before = archive.media("cam").await;
    let kept = fs::read(archive.path('b')).unwrap();
    fs::remove_file(archive.path('b')).unwrap();
    found_and_mended(&archive, &before, "##!!##").await;
    fs::write(archive.path('b'), kept).unwrap();
    found_and_mended(&archive, &before, "######").await;
}

#[tokio::test]
async fn an_orphan_that_is_damaged_or_unsealed_is_saved_too() {
    let archive = Archive::drawn("aabbbb..cc").await;
    let before = archive.media("cam").await;
    let segments: Vec<_> = archive.blocks[&'b'].segments().collect();
    archive.edit('b', |bytes| bytes[usize::try_from(segments[1].media_offset()).unwrap()] ^= 1);
    archive.edit('c', |bytes| bytes.truncate(bytes.len() - 30));
    for letter in ['b', 'c'] {
        archive.index.commit(vec![IndexChange::BlockForgotten { block: archive.blocks[&letter].id }]).await.unwrap();
    }
    let found = found_and_mended(&archive, &before, "###!##..##").await;
    assert_eq!(kinds(&found), [FindingKind::OrphanedFile]);
}

#[tokio::test]
async fn an_orphan_whose_time_is_taken_is_moved_aside() {
    let archive = Archive::drawn("aaabb").await;
    let before = archive.media("cam").await;
    let extra = archive.extra_block('a', 1, 1, 70).await;
    let bytes = fs::read(archive.root.file(&extra.path())).unwrap();
    let found = found_and_mended(&archive, &before, "#####").await;
    assert_eq!(found.iter().map(|f| (f.kind, f.block)).collect::<Vec<_>>(), [(FindingKind::OrphanedFile, Some(extra.id))]);
    let aside = archive.root.file("lost-and-found").join(extra.path());
    assert_eq!(fs::read(aside).unwrap(), bytes, "not a byte is lost");
}

#[tokio::test]
async fn without_any_rows_repair_brings_everything_back() {
    let mut archive = Archive::drawn("aaab..cc|dd").await;
    let before = archive.media("cam").await;
    archive.forget_database().await;
    let found = found_and_mended(&archive, &before, "####..####..").await;
    assert_eq!(kinds(&found), [FindingKind::OrphanedFile]);
    let stream = archive.db.stream(&"cam".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((stream.title.as_str(), stream.source.as_str()), ("The cam", "rtsp://10.0.0.7/cam"));
    assert_eq!((stream.next_run_ordinal, stream.next_sequence), (3, 8));
}

#[tokio::test]
async fn of_rows_that_overlap_the_newer_is_trimmed_and_its_bytes_are_kept() {
    // Where the newer block lies, and the coverage afterwards.
    for (step, n, coverage) in [(2, 3, "#####..##"), (1, 1, "###....##"), (5, 3, "###..####"), (2, 6, "#########")] {
        let archive = Archive::drawn("aaa....cc").await;
        let before = archive.media("cam").await;
        let extra = archive.extra_block('a', step, n, 70).await;
        let bytes = fs::read(archive.root.file(&extra.path())).unwrap();
        archive.force_row(&extra).await;
        let found = run(&archive, options()).await;
        let overlaps: Vec<_> = found.iter().filter(|f| f.kind == FindingKind::Overlap).collect();
        assert!(!overlaps.is_empty() && overlaps.iter().all(|f| f.block == Some(extra.id)), "{found:#?}");

        let mended = run(&archive, CheckOptions { repair: true, ..options() }).await;
        assert!(mended.iter().all(|f| f.repaired), "{mended:#?}");
        assert_eq!(run(&archive, options()).await, [], "{mended:#?}");
        assert_eq!(archive.coverage("cam", 9).await, coverage, "{mended:#?}");
        let media = archive.media("cam").await;
        assert_eq!(media.len(), coverage.matches('#').count());
        assert!(before.iter().all(|(start, body)| media.get(start) == Some(body)), "what was recorded first is unchanged");
        let aside = fs::read(archive.root.file("lost-and-found").join(extra.path())).unwrap();
        assert_eq!(aside, bytes, "not a byte is lost");
    }
}

#[tokio::test]
async fn an_abandoned_open_block_is_sealed() {
    for torn in [0, 5] {
        let mut archive = Archive::drawn("aabbb~").await;
        let before = archive.media("cam").await;
        assert_eq!(run(&archive, options()).await, [], "while somebody writes it, it is theirs");
        archive.writers.clear();
        assert_eq!(run(&archive, CheckOptions { beside_service: true, ..options() }).await, [], "the service will see to it");
        // As a kill leaves it: media first, the header in front of it not yet written.
        archive.edit('b', |bytes| bytes.extend_from_slice(&[[0u8; 80], [7; 80]].concat()[..torn * 32]));
        let found = found_and_mended(&archive, &before, "#####.").await;
        assert_eq!(kinds(&found), [FindingKind::Unsealed]);
        let row = archive.db.block(archive.blocks[&'b'].id).await.unwrap().unwrap();
        assert_eq!(row.state, BlockState::Sealed);
        let end = read_sealed(&archive.path('b')).unwrap().unwrap().trailer.end;
        assert_eq!(end.map(|e| e.cause), Some(GapCause::ServiceKilled));
        assert!(open_notes(&archive.root).unwrap().is_empty());
    }
}

#[tokio::test]
async fn segments_that_an_abandoned_block_holds_beyond_its_row_are_indexed() {
    let mut archive = Archive::drawn("aab~").await;
    append(&mut archive.writers[0], 4);
    archive.writers.clear();
    let found = run(&archive, CheckOptions { repair: true, ..options() }).await;
    assert_eq!(kinds(&found), [FindingKind::Unsealed]);
    assert_eq!(archive.coverage("cam", 5).await, "####.");
    assert_eq!(run(&archive, options()).await, []);
}

#[tokio::test]
async fn an_open_block_that_lost_committed_bytes_says_so() {
    let mut archive = Archive::drawn("aabbb~").await;
    let before = archive.media("cam").await;
    archive.writers.clear();
    archive.edit('b', |bytes| bytes.truncate(bytes.len() - 20));
    let live = run(&archive, CheckOptions { beside_service: true, repair: true, ..options() }).await;
    assert_eq!(kinds(&live), [FindingKind::ShortenedFile]);
    assert!(!live[0].repaired, "not while it may be written");
    let found = found_and_mended(&archive, &before, "####!").await;
    assert_eq!(kinds(&found), [FindingKind::ShortenedFile, FindingKind::Unsealed]);
}

#[tokio::test]
async fn a_block_without_a_segment_is_gone_after_repair() {
    let archive = Archive::drawn("aa").await;
    let before = archive.media("cam").await;
    let run = run_info(&"cam".parse().unwrap(), at(5), 1);
    // One with a row, one that was killed before its row came.
    let (w, info) = archive.writer(&run, at(5), 2);
    archive.index.commit(vec![IndexChange::RunStarted(run.clone()), IndexChange::BlockOpened(info)]).await.unwrap();
    let (x, _) = archive.writer(&run, at(6), 2);
    assert_eq!(self::run(&archive, options()).await, []);
    drop((w, x));
    let found = found_and_mended(&archive, &before, "##...").await;
    assert_eq!(kinds(&found), [FindingKind::Unsealed, FindingKind::OrphanedFile]);
    assert_eq!(archive.files(), [archive.blocks[&'a'].path()]);
}

#[tokio::test]
async fn a_block_that_a_service_has_just_begun_is_no_orphan() {
    let archive = Archive::drawn("aa").await;
    let run = run_info(&"cam".parse().unwrap(), at(5), 1);
    let (mut w, _) = archive.writer(&run, at(5), 2);
    append(&mut w, 4);
    assert_eq!(self::run(&archive, CheckOptions { beside_service: true, repair: true, ..options() }).await, []);
}

#[tokio::test]
async fn foreign_files_are_named_and_moved_aside_whole() {
    let archive = Archive::drawn("aabb").await;
    let before = archive.media("cam").await;
    let block = archive.blocks[&'a'].path();
    let misplaced = block.replace("/05/03/", "/05/04/");
    let stranger = block.replace("main/cam/", "main/elsewhere/");
    fs::write(archive.root.file("readme.txt"), "mine").unwrap();
    fs::create_dir_all(archive.root.file("main/cam/old stuff")).unwrap();
    fs::write(archive.root.file("main/cam/old stuff/x"), "mine").unwrap();
    for copy in [&misplaced, &stranger] {
        fs::create_dir_all(archive.root.file(copy).parent().unwrap()).unwrap();
        fs::copy(archive.path('a'), archive.root.file(copy)).unwrap();
    }
    let found = found_and_mended(&archive, &before, "####").await;
    assert_eq!(kinds(&found), [FindingKind::ForeignFile]);
    let mut named: Vec<_> = found.iter().map(|f| f.path.clone().unwrap()).collect();
    named.sort();
    let mut want = vec![misplaced, stranger, "main/cam/old stuff".into(), "readme.txt".into()];
    want.sort();
    assert_eq!(named, want);
    assert_eq!(fs::read_to_string(archive.root.file("lost-and-found/main/cam/old stuff/x")).unwrap(), "mine");
}

#[tokio::test]
async fn a_quick_check_reads_both_ends_only() {
    let archive = Archive::drawn("aabbccdd").await;
    let media = archive.blocks[&'a'].segments().next().unwrap().media_offset();
    archive.edit('a', |bytes| bytes[usize::try_from(media).unwrap()] ^= 1);
    archive.edit('b', |bytes| bytes.truncate(bytes.len() - 200));
    archive.edit('c', |bytes| *bytes.last_mut().unwrap() ^= 1);
    fs::remove_file(archive.path('d')).unwrap();
    let found = run(&archive, CheckOptions { depth: Depth::Quick, ..options() }).await;
    assert_eq!(kinds(&found), [FindingKind::ShortenedFile, FindingKind::Checksum, FindingKind::MissingFile]);
    let mended = run(&archive, CheckOptions { depth: Depth::Quick, repair: true, ..options() }).await;
    assert!(mended.iter().all(|f| f.repaired));
    assert_eq!(run(&archive, CheckOptions { depth: Depth::Quick, ..options() }).await, []);
}

#[tokio::test]
async fn a_check_of_one_stream_looks_at_no_other() {
    let mut archive = Archive::drawn("aa").await;
    archive.record("cam-2", "nn").await;
    fs::remove_file(archive.path('a')).unwrap();
    fs::remove_file(archive.path('n')).unwrap();
    fs::write(archive.root.file("readme.txt"), "mine").unwrap();
    let found = run(&archive, CheckOptions { streams: vec!["cam-2".parse().unwrap()], ..options() }).await;
    assert_eq!(found.iter().map(|f| f.block).collect::<Vec<_>>(), [Some(archive.blocks[&'n'].id)]);
}

#[tokio::test]
async fn the_end_of_a_run_survives_the_repair_of_its_trailer() {
    let archive = Archive::drawn("aabb..cc").await;
    let end = |archive: &Archive| read_sealed(&archive.path('b')).unwrap().unwrap().trailer.end;
    let before = end(&archive);
    assert_eq!(before, Some(RunEnd { cause: GapCause::SourceEnded, detail: "it hung up".into() }));
    archive.edit('b', |bytes| *bytes.last_mut().unwrap() ^= 1);
    run(&archive, CheckOptions { repair: true, ..options() }).await;
    assert_eq!(end(&archive), before);
}

#[tokio::test]
async fn a_media_folder_that_has_gone_is_refused_before_anything_is_given_up() {
    let archive = Archive::drawn("aabb").await;
    let rows = archive.rows().await;
    fs::rename(archive.root.path(), archive.root.path().with_extension("gone")).unwrap();
    fs::create_dir(archive.root.path()).unwrap();
    let refused = check(&archive.index, &archive.root, NOW, &CheckOptions { repair: true, ..options() }, &mut |_| {}).await;
    assert!(refused.is_err());
    assert_eq!(archive.rows().await, rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_byte_flipped_anywhere_in_a_sealed_block_is_found_and_costs_at_most_one_segment(place in 0.0..1.0f64, mask in 1u8..=255) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let archive = Archive::drawn("aabbbbcc").await;
            let before = archive.media("cam").await;
            archive.edit('b', |bytes| {
                let at = ((bytes.len() as f64) * place) as usize;
                bytes[at] ^= mask;
            });
            let found = run(&archive, options()).await;
            prop_assert_eq!(kinds(&found), [FindingKind::Checksum]);
            prop_assert_eq!(found[0].block, Some(archive.blocks[&'b'].id));
            let mended = run(&archive, CheckOptions { repair: true, ..options() }).await;
            prop_assert!(mended.iter().all(|f| f.repaired), "{:#?}", mended);
            prop_assert_eq!(run(&archive, options()).await, []);
            let after = archive.media("cam").await;
            prop_assert!(after.len() + 1 >= before.len());
            prop_assert!(after.iter().all(|(start, body)| before[start] == *body));
            Ok(())
        })?;
    }
}
