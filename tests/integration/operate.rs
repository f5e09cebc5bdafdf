//! What operators do: import, check, and live with a database that others lock.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use retroview::ffmpeg::camera::CameraVideo;
use serde_json::{Value, json};

use crate::harness::{Service, SmallDisk, camera, eventually, ffmpeg_plays};
use crate::servers;

/// A folder with two recordings named after their start, one right after the other.
fn recordings(service: &Service) -> PathBuf {
    let folder = service.scratch().join("recordings");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(camera().file(), folder.join("door_2026-05-03_16-00-00.ts")).unwrap();
    std::fs::copy(camera().seconds(5).file(), folder.join("door_2026-05-03_16-00-10.ts")).unwrap();
    folder
}

/// Runs a command that must fail; its code and what it said.
fn fails(service: &Service, args: &[&str]) -> (i32, String) {
    let out = service.try_run(args);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success(), "{args:?} goes through: {said}");
    assert!(said.contains("Try: "), "{said}");
    (out.status.code().unwrap(), said)
}

#[tokio::test]
async fn a_folder_is_imported_once_however_often_it_is_asked_for() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;
    let folder = recordings(&service);
    let import = ["import", "door", folder.to_str().unwrap(), "--pattern", "door_%Y-%m-%d_%H-%M-%S", "--zone", "Europe/Paris", "--json"];
    let first: Value = serde_json::from_str(&service.run(&import)).unwrap();
    let segments = |files: &Value| files.as_array().unwrap().iter().map(|f| f["segments"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(segments(&first), [10, 5], "{first}");
    assert_eq!(first[0]["start_us"], json!(1_777_816_800_000_000_i64), "16:00 in Paris is 14:00 UTC");
    let again: Value = serde_json::from_str(&service.run(&import)).unwrap();
    assert_eq!(segments(&again), [0, 0], "{again}");
    assert_eq!(client.stream("door").await["segments"], json!(15));
}

#[tokio::test]
async fn an_import_that_would_overlap_names_both_and_imports_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;
    let folder = recordings(&service);
    let (ten, five) = (folder.join("door_2026-05-03_16-00-00.ts"), folder.join("door_2026-05-03_16-00-10.ts"));
    let (ten, five) = (ten.to_str().unwrap(), five.to_str().unwrap());
    service.run(&["import", "door", ten, "--start", "2026-05-03T14:00:00Z"]);
    let (code, said) = fails(&service, &["import", "door", five, "--start", "2026-05-03T14:00:08Z"]);
    assert_eq!(code, 5);
    for named in [five, "2026-05-03T14:00:08.000Z", "2026-05-03T14:00:00.000Z to 2026-05-03T14:00:10.000Z"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    assert_eq!(client.stream("door").await["segments"], json!(10));
}

#[tokio::test]
async fn an_import_takes_its_time_from_metadata_and_refuses_what_has_none() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;
    let (dated, undated) = (service.scratch().join("dated.mp4"), service.scratch().join("undated.mkv"));
    for (path, metadata) in [(&dated, &["-metadata", "creation_time=2026-05-03T15:00:00Z"][..]), (&undated, &[])] {
        let mut made = Command::new("ffmpeg");
        made.args(["-v", "error", "-i"]).arg(camera().file()).args(["-c", "copy"]).args(metadata).arg(path);
        assert!(made.stdin(Stdio::null()).status().unwrap().success());
    }
    service.run(&["import", "door", dated.to_str().unwrap()]);
    assert_eq!(client.stream("door").await["first_start_us"], json!(1_777_820_400_000_000_i64));

    let (code, said) = fails(&service, &["import", "door", undated.to_str().unwrap()]);
    assert!(code == 2 && said.contains("creation_time") && said.contains("--start"), "{said}");
    let text = service.scratch().join("notes.ts");
    std::fs::write(&text, "no film at all ".repeat(1000)).unwrap();
    let (code, said) = fails(&service, &["import", "door", text.to_str().unwrap(), "--start", "2026-05-03T18:00:00Z"]);
    assert!(code == 1 && said.contains("notes.ts"), "{said}");
    assert_eq!(client.stream("door").await["segments"], json!(10), "only the dated one");
}

#[tokio::test]
async fn a_recording_that_breaks_off_in_a_picture_plays_to_the_picture_before() {
    const PACKET: usize = 188;
    let service = Service::start().await;
    let client = service.client().await;
    for (id, film) in [("h264", camera().b_frames(2)), ("h265", camera().video(CameraVideo::H265)), ("plain", camera())] {
        client.add_stream(id, "push:").await;
        let whole = film.seconds(3).bytes();
        for cut in 0..12_usize {
            // One packet more each time: somewhere in the last pictures, and now and then right between two.
            let torn = service.scratch().join(format!("{id}-{cut}.ts"));
            std::fs::write(&torn, &whole[..whole.len() - (cut + 3) * PACKET]).unwrap();
            service.run(&["import", id, torn.to_str().unwrap(), "--start", &format!("2026-05-03T14:00:{:02}Z", cut * 5)]);
        }
        let path = format!("/v1/streams/{id}/clip.mp4?start=2026-05-03T14:00:00Z&end=2026-05-03T14:01:00Z");
        let played = ffmpeg_plays(service.url(&path), &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
        assert_eq!(played.complaints, "", "{id}");
        assert!((12 * 72..=12 * 75).contains(&played.video_frames), "{id}: {played:?}");
    }
}

/// Block files below a folder, in order of their names.
fn blocks(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.file_type().unwrap().is_dir() {
            true if !hidden => found.extend(blocks(&path)),
            false if path.extension().is_some_and(|e| e == "mp4") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn check_names_each_damage_and_repair_keeps_all_that_plays() {
    let mut service = Service::builder().set("media.block_max", "10s").announce("cam").start().await;
    service.client().await.add_stream("cam", "push:").await;
    service.run(&["import", "cam", camera().seconds(40).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    service.stop();
    assert!(service.run(&["check"]).contains("agree"));

    let files = blocks(&service.media());
    assert_eq!(files.len(), 4, "{files:?}");
    std::fs::remove_file(&files[0]).unwrap();
    let shortened = std::fs::File::options().write(true).open(&files[1]).unwrap();
    shortened.set_len(std::fs::metadata(&files[1]).unwrap().len() * 3 / 4).unwrap();
    let mut flipped = std::fs::read(&files[2]).unwrap();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    std::fs::write(&files[2], flipped).unwrap();
    let mut orphan = std::fs::File::create(files[3].with_file_name("holiday.mp4")).unwrap();
    orphan.write_all(b"somebody else's").unwrap();

    let found = service.try_run(&["check", "--json"]);
    assert_eq!(found.status.code(), Some(3), "{found:?}");
    let text = String::from_utf8(found.stdout).unwrap();
    for (kind, file) in [("missing_file", &files[0]), ("shortened_file", &files[1]), ("checksum", &files[2])] {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.lines().any(|line| line.contains(kind) && line.contains(name)), "{kind} {name}: {text}");
    }
    assert!(text.lines().any(|line| line.contains("foreign_file") && line.contains("holiday.mp4")), "{text}");

    service.run(&["check", "--repair"]);
    assert!(service.run(&["check"]).contains("agree"), "nothing is left to find");
    service.restart().await;
    let client = service.client().await;
    let left = client.stream("cam").await["segments"].as_u64().unwrap();
    // Ten are gone with their file, a quarter of ten with the cut, one with the flipped byte.
    assert!((26..=28).contains(&left), "{left}");
    for uri in client.segments_of("/v1/streams/cam/media.m3u8?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:40Z").await {
        client.get(&format!("/v1/streams/cam/{uri}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_loss_at_the_very_beginning_is_a_gap_too() {
    let service = Service::builder().set("media.block_max", "10s").announce("cam").start().await;
    let client = service.client().await;
    client.add_stream("cam", "push:").await;
    service.run(&["import", "cam", camera().seconds(20).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    std::fs::remove_file(&blocks(&service.media())[0]).unwrap();
    let clip = "/v1/streams/cam/clip.mp4?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:20Z";
    assert_eq!(client.get(clip).await.expect(500).json()["code"], json!("damaged"), "told before the first byte");
    service.run(&["check", "--repair"]);
    let coverage = client.get("/v1/streams/cam/coverage?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:20Z").await.expect(200).json();
    let gaps = coverage["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{coverage}");
    assert_eq!((&gaps[0]["cause"], &gaps[0]["start_us"]), (&json!("damaged"), &json!(1_777_816_800_000_000_i64)), "{coverage}");
}

#[tokio::test]
async fn a_rebuild_knows_what_came_after_the_last_footage() {
    let mut service = Service::start().await;
    let client = service.client().await;
    for id in ["resumed", "paused", "removed"] {
        client.add_stream(id, "push:").await;
        client.push(id, "video/mp2t", camera().seconds(2).bytes()).await.expect(200);
    }
    client.post("/v1/streams/paused/pause", json!({})).await.expect(200);
    service.run(&["streams", "remove", "removed"]);
    client.post("/v1/streams/resumed/pause", json!({})).await.expect(200);
    let waits = |cause: &'static str, id: &'static str| async move {
        eventually("the gap says so", async || {
            let coverage = client.coverage(id).await;
            (coverage["gaps"].as_array()?.last()?["cause"] == json!(cause)).then_some(())
        })
        .await;
    };
    waits("paused", "resumed").await;
    client.post("/v1/streams/resumed/resume", json!({})).await.expect(200);
    tokio::join!(waits("no_publisher", "resumed"), waits("paused", "paused"), waits("removed", "removed"));
    service.stop();
    service.restart().await;
    let ids = ["resumed", "paused", "removed"];
    let now = service.client().await.stream("resumed").await["last_end_us"].as_i64().unwrap() / 1_000_000 + 1;
    let path = |id: &str| format!("/v1/streams/{id}/coverage?start=1&end={now}");
    // Whether the last one lasts still depends on how quickly we ask after the start.
    let gaps = |coverage: &Value| {
        let all = coverage["gaps"].as_array().unwrap().iter();
        all.map(|g| [g["start_us"].clone(), g["end_us"].clone(), g["cause"].clone(), g["detail"].clone()]).collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    for id in ids {
        before.push(service.client().await.get(&path(id)).await.expect(200).json());
    }
    service.stop();
    std::fs::remove_file(service.data().join("retroview.db")).unwrap();
    service.forget_client();
    service.run(&["index", "rebuild"]);
    service.restart().await;
    for (id, before) in ids.into_iter().zip(before) {
        let after = service.client().await.get(&path(id)).await.expect(200).json();
        assert_eq!((&after["runs"], gaps(&after)), (&before["runs"], gaps(&before)), "{id}");
    }
    let listed: Value = serde_json::from_str(&service.run(&["streams", "list", "--removed", "--json"])).unwrap();
    let recording = |id: &str| listed.as_array().unwrap().iter().find(|s| s["id"] == json!(id)).unwrap()["recording"].clone();
    assert_eq!([recording("resumed"), recording("paused"), recording("removed")], [json!("yes"), json!("paused"), json!("removed")]);
}

#[tokio::test]
async fn the_command_line_says_what_becomes_of_a_stream() {
    let service = Service::builder().announce("door").start().await;
    let port = servers::free_port();
    service.run(&["streams", "add", "door", &format!("rtsp://127.0.0.1:{port}/cam")]);
    let shown = eventually("the state is told", async || {
        let shown = service.run(&["streams", "show", "door"]);
        shown.contains("backing off: ").then_some(shown)
    })
    .await;
    assert!(shown.contains("refuses the connection"), "{shown}");
    let url = service.run(&["url", "door", "--start", "-60"]);
    assert!(
        url.starts_with(&service.url("/v1/streams/door/playlist.m3u8")),
        "where the service answers, whatever it was started with: {url}"
    );

    let nowhere = service.scratch().join("typo");
    let mut command = service.command(&["check"]);
    let out = command.env("RETROVIEW_DATA_DIR", &nowhere).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(4) && said.contains("no Retroview data") && !nowhere.exists(), "{said}");
}

/// Another program that has the database's write lock; given back with the value.
struct Lock(std::process::Child);

impl Lock {
    fn take(database: &Path) -> Lock {
        let mut child = Command::new("sqlite3").arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.as_mut().unwrap();
        input.write_all(b".timeout 10000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n").unwrap();
        let mut said = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(&said, b"locked");
        Lock(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_database_that_somebody_locks_costs_no_footage() {
    let service = Service::start().await;
    let client = service.client().await;
    let port = servers::free_udp_port();
    client.add_stream("cam", &format!("udp://127.0.0.1:{port}")).await;
    let _sender = servers::send(&camera().seconds(20).file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    client.wait_for_segments("cam", 2).await;
    let lock = Lock::take(&service.data().join("retroview.db"));
    let before = client.stream("cam").await["segments"].as_u64().unwrap();
    // Reading goes on: one to two seconds a segment, and as much again on disk.
    let media = service.media();
    let written = bytes_below(&media);
    eventually("what cannot be indexed is written", async || (bytes_below(&media) >= written * 3 / 2).then_some(())).await;
    assert_eq!(client.stream("cam").await["segments"].as_u64(), Some(before), "nothing can be indexed");
    drop(lock);
    client.wait_for_segments("cam", before + 4).await;
    let coverage = client.coverage("cam").await;
    assert_eq!(coverage["runs"].as_array().unwrap().len(), 1, "no gap: {coverage}");
}

/// What the files of a folder hold together.
fn bytes_below(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|e| if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}

#[tokio::test]
async fn a_start_on_a_locked_database_says_who_is_in_the_way() {
    let mut service = Service::start().await;
    service.stop();
    let _lock = Lock::take(&service.data().join("retroview.db"));
    let (code, said) = fails(&service, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 5 && said.contains("locked"), "{code}: {said}");
}

#[tokio::test]
async fn what_cannot_be_written_is_named_with_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let disk_place = scratch.path().join("disk");
    let Some(disk) = SmallDisk::mount(&disk_place, 8) else {
        println!("not root: no file system of our own to make read-only");
        return;
    };
    let mut service = Service::builder().data(&disk_place.join("data")).start().await;
    service.stop();
    disk.make_read_only();
    let (code, said) = fails(&service, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 1 && said.contains("disk/data") && said.contains("--data-dir"), "{code}: {said}");

    let data = scratch.path().join("elsewhere");
    let mut command = service.command(&["serve", "--listen", "127.0.0.1:0"]);
    let out = command.env("RETROVIEW_DATA_DIR", &data).env("RETROVIEW_MEDIA_ROOT", disk_place.join("media")).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(1) && said.contains("disk/media") && said.contains("Try: "), "{said}");
}
