//! Claims about finding and mending what rows and bytes disagree on.

use super::*;

#[tokio::test]
async fn a_sound_archive_has_no_findings_also_while_it_records() {
    let (home, _) = Home::with_history().await;
    let mut r = home.start(&run_info(&cam(), at(90), 2), 90, 15).await;
    home.record(&mut r, 2).await;
    append(&mut r.writer, 4);
    assert_eq!(home.check(true).await, []);
    let summary = check(&home.index, &home.root, at(0), &CheckOptions::default(), &mut |_| {}).await.unwrap();
    assert_eq!((summary.streams, summary.files), (1, 4));
}

#[tokio::test]
async fn a_missing_file_becomes_a_gap() {
    let (home, blocks) = Home::with_history().await;
    fs::remove_file(home.file(&blocks[1])).unwrap();
    assert_eq!(home.kinds(false).await, [FindingKind::MissingFile]);
    assert_eq!(home.kinds(true).await, [FindingKind::MissingFile]);
    assert_eq!(home.picture(80).await, "AAAAAAAAAAddddddddddppppppppppBBBBBBBBBB");
    home.assert_sound().await;
}

#[tokio::test]
async fn a_shortened_file_keeps_what_is_whole() {
    let (home, blocks) = Home::with_history().await;
    let path = home.file(&blocks[1]);
    let third = blocks[1].segments().nth(2).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(third.offset + 100).unwrap();
    assert_eq!(home.kinds(true).await, [FindingKind::ShortenedFile]);
    assert_eq!(home.picture(80).await, "AAAAAAAAAAAAAAddddddppppppppppBBBBBBBBBB");
    assert_eq!(home.index.db().block(blocks[1].id).await.unwrap().unwrap().table.len(), 2, "under its own name");
    home.assert_sound().await;
}

#[tokio::test]
async fn a_flipped_byte_costs_at_most_its_own_segment() {
    let (_probe, blocks) = Home::with_history().await;
    let block = &blocks[0];
    let second = block.segments().nth(1).unwrap();
    let places = [
        ("init segment", 20, false),
        ("block header", block.first_offset - 30, false),
        ("segment header", second.offset + 30, false),
        ("segment's reserved bytes", second.offset + 78, false),
        ("media", second.offset + 200, true),
        ("trailer", block.media_end_offset() + 40, false),
        ("footer", block.size_bytes - 1, false),
    ];
    for (what, offset, costs) in places {
        let (home, blocks) = Home::with_history().await;
        flip(&home.file(&blocks[0]), offset);
        assert_eq!(home.kinds(false).await, [FindingKind::Checksum], "{what}");
        let findings = home.check(true).await;
        assert!(findings[0].repaired, "{what}: {findings:?}");
        let want = if costs { "AAddAAAAAA" } else { "AAAAAAAAAA" };
        assert_eq!(home.picture(20).await, want, "{what}");
        home.assert_sound().await;
        // And the files tell the same story again.
        let other = Home::open(&home.dir, &home.root, "b.db").await;
        assert_eq!(rebuild(&other, &home.root, at(500), &mut |_| {}).await.unwrap().skipped, 0);
        let gaps = async |i: &Index| i.db().gaps_in(&cam(), TimeRange::ALL, 99).await.unwrap();
        assert_eq!(gaps(&other).await, gaps(&home.index).await, "{what}");
    }
}

#[tokio::test]
async fn an_orphaned_file_is_indexed_where_its_time_is_free() {
    let (home, blocks) = Home::with_history().await;
    home.raw_sql("DELETE FROM blocks WHERE start_us = (SELECT min(start_us) + 20000000 FROM blocks)").await;
    assert_eq!(home.kinds(false).await, [FindingKind::DerivedRows, FindingKind::OrphanedFile]);
    let findings = home.check(true).await;
    assert!(findings.iter().all(|f| f.repaired), "{findings:?}");
    assert_eq!(home.index.db().block(blocks[1].id).await.unwrap().as_ref(), Some(&blocks[1]));
    home.assert_sound().await;
}

#[tokio::test]
async fn a_row_without_bytes_is_found_and_shrinks_to_what_is_there() {
    let (home, blocks) = Home::with_history().await;
    home.raw_sql(
        "UPDATE blocks SET segments = CAST(segments || substr(segments, 1, length(segments) / 5) AS BLOB), segment_count = 6,
                           end_us = end_us + 4000000 WHERE start_us = (SELECT max(start_us) FROM blocks)",
    )
    .await;
    let kinds = home.kinds(true).await;
    assert_eq!(kinds, [FindingKind::DerivedRows, FindingKind::RowWithoutBytes]);
    assert_eq!(home.picture(84).await, "AAAAAAAAAAAAAAAAAAAAppppppppppBBBBBBBBBBdd");
    home.assert_sound().await;

    let (home, blocks2) = Home::with_history().await;
    fs::write(home.file(&blocks2[1]), b"").unwrap();
    assert_eq!(home.kinds(true).await, [FindingKind::ShortenedFile]);
    assert_eq!(home.picture(44).await, "AAAAAAAAAAddddddddddpp");
    home.assert_sound().await;
    drop(blocks);
}

#[tokio::test]
async fn overlapping_rows_are_found_and_what_is_only_in_one_stays() {
    let (home, blocks) = Home::with_history().await;
    // A second recording of seconds 72 to 92, as another program might have left it.
    let run = run_info(&cam(), at(72), 5);
    let (mut w, info) = writer(&home.root, &run, at(72), 50);
    for _ in 0..5 {
        append(&mut w, 4);
    }
    w.seal(None).unwrap();
    let sealed = crate::store::read_sealed(w.path()).unwrap().unwrap().block_info();
    drop(w);
    home.raw_sql("DELETE FROM extents").await;
    home.index.commit(vec![IndexChange::RunStarted(run), IndexChange::BlockIndexed(sealed)]).await.unwrap();
    assert_eq!(home.kinds(false).await, [FindingKind::DerivedRows, FindingKind::Overlap]);
    let findings = home.check(true).await;
    assert!(findings.iter().all(|f| f.repaired), "{findings:?}");
    assert_eq!(home.picture(96).await, "AAAAAAAAAAAAAAAAAAAAppppppppppBBBBBBBBBBFFFFFFss");
    home.assert_sound().await;
    drop((blocks, info));
}
