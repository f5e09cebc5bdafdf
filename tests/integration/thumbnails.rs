//! Small pictures for scrubbing, made while recording.

use std::path::Path;
use std::process::Command;

use retroview::ffmpeg::camera::{CameraVideo, clock_row};
use retroview::store::block_pictures;
use serde_json::{Value, json};

use crate::harness::{Service, camera, clock_of_jpeg, eventually};
use crate::servers;

const T: i64 = 1_777_816_800;

async fn list(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.client().await.get(&format!("/v1/streams/cam/thumbnails.json?{query}")).await.expect(200);
    answer.json()["thumbnails"].as_array().unwrap().clone()
}

async fn image_of(service: &Service, thumbnail: &Value) -> bytes::Bytes {
    let path = format!("/v1/streams/cam/{}", thumbnail["image"].as_str().unwrap());
    service.client().await.get(&path).await.expect(200).body
}

fn is_kept(thumbnail: &Value) -> bool {
    thumbnail["image"].as_str().unwrap().starts_with("thumbnails/")
}

/// The time burned into a small picture, in milliseconds: what is left of the clock there is a few lines.
async fn clock(service: &Service, thumbnail: &Value) -> Option<i64> {
    let image = image_of(service, thumbnail).await;
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| usize::try_from(thumbnail[side].as_u64().unwrap()).unwrap());
    let file = service.scratch().join("sheet.jpg");
    std::fs::write(&file, image).unwrap();
    let crop = format!("crop={w}:{h}:{x}:{y}");
    let mut raw = Command::new("ffmpeg");
    raw.args(["-v", "error", "-i"]).arg(&file).args(["-vf", &crop, "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]);
    let luma = raw.output().unwrap().stdout;
    let line = luma.get((h - 2) * w..(h - 1) * w)?;
    clock_row::read(&line.repeat(10), w, w, 10)
}

fn side_files(service: &Service) -> usize {
    let entries = std::fs::read_dir(service.media().join(".open")).unwrap();
    entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".pictures")).count()
}

#[tokio::test]
async fn a_live_stream_has_pictures_within_seconds_and_a_power_cut_takes_none_of_them() {
    // A sender on a busy machine may take its time.
    let mut service = Service::builder().announce("killed").announce("recover").announce("no answer").start().await;
    let port = servers::free_udp_port();
    service.client().await.add_stream("cam", &format!("udp://127.0.0.1:{port}")).await;
    let _sender = servers::send(&camera().seconds(40).file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    service.client().await.wait_for_segments("cam", 2).await;
    let seen = eventually("there are two small pictures", async || {
        let list: Vec<Value> = list(&service, "start=-60").await.into_iter().filter(is_kept).collect();
        (list.len() >= 2).then_some(list)
    })
    .await;
    let mut clocks = Vec::new();
    for thumbnail in &seen {
        let at = thumbnail["at_us"].as_i64().unwrap();
        let frame = format!("/v1/streams/cam/frame.jpg?at={}.{:06}", at / 1_000_000, at % 1_000_000);
        let frame = clock_of_jpeg(&service.client().await.get(&frame).await.expect(200).body);
        let small = clock(&service, thumbnail).await;
        assert!(small.is_some() && small == frame, "{thumbnail}: {small:?}, {frame:?}");
        clocks.push((at, small));
    }
    service.kill();
    service.restart().await;
    let sealed = list(&service, "start=-120").await;
    for (at, small) in clocks {
        let thumbnail = sealed.iter().find(|t| t["at_us"] == json!(at) && is_kept(t)).expect("it was seen before");
        assert!(!thumbnail["image"].as_str().unwrap().contains("from="), "the block is sealed: {thumbnail}");
        assert_eq!(clock(&service, thumbnail).await, small);
    }
    service.stop();
    assert_eq!(side_files(&service), 0);
    assert!(service.run(&["check"]).contains("agree"));
}

#[tokio::test]
async fn an_import_has_every_picture_a_new_index_knows_them_and_an_erasure_takes_them_from_the_disk() {
    let mut service = Service::builder().set("media.block_max", "30s").start().await;
    service.client().await.add_stream("cam", "push:").await;
    service.run(&["import", "cam", camera().seconds(70).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    let range = format!("start={T}&end={}", T + 70);
    let before = list(&service, &range).await;
    let seconds = |list: &[Value]| list.iter().map(|t| t["at_us"].as_i64().unwrap() / 1_000_000 - T).collect::<Vec<_>>();
    assert_eq!(seconds(&before), [0, 10, 20, 30, 40, 50, 60]);
    for thumbnail in &before {
        assert!(is_kept(thumbnail));
        assert_eq!(clock(&service, thumbnail).await.map(|ms| ms * 1000), thumbnail["at_us"].as_i64());
    }
    service.stop();
    assert_eq!(side_files(&service), 0);
    service.run(&["index", "rebuild"]);
    service.restart().await;
    assert_eq!(list(&service, &range).await, before);
    service.stop();

    let file = first_block(&service.media());
    let pictures = block_pictures(&file).unwrap().unwrap().singles();
    assert_eq!(pictures.len(), 3);
    // What only this one has: behind the last restart marker comes the row in which the clock is.
    let jpeg = &pictures[1].jpeg;
    let marker = jpeg.windows(2).rposition(|w| w[0] == 0xff && (0xd0..=0xd7).contains(&w[1])).unwrap();
    let own = jpeg[marker + 2..jpeg.len() - 2].to_vec();
    let holds = |bytes: &[u8]| bytes.windows(own.len()).any(|w| w == own);
    assert!(holds(&std::fs::read(&file).unwrap()));
    let copy = std::fs::read(&file).unwrap();
    let erase = ["erase", "cam", "--from", "2026-05-03T14:00:10Z", "--to", "2026-05-03T14:00:12Z", "--reason", "r", "--asked-by", "a"];
    service.run(&erase);
    assert!(!holds(&std::fs::read(&file).unwrap()));
    let left = block_pictures(&file).unwrap().unwrap();
    assert_eq!(left.head.pictures.iter().map(|p| p.erased).collect::<Vec<_>>(), [false, true, false]);
    assert!(service.run(&["check"]).contains("agree"));

    // The pictures alone are put back: the rest of the file says that they are erased.
    let mut meddled = std::fs::read(&file).unwrap();
    let from = meddled.windows(16).position(|w| w == b"RetroviewPicture").unwrap() - 8;
    let len = u32::from_be_bytes(meddled[from..from + 4].try_into().unwrap()) as usize;
    meddled[from..from + len].copy_from_slice(&copy[from..from + len]);
    std::fs::write(&file, &meddled).unwrap();
    let check = service.try_run(&["check"]);
    assert!(check.status.code() == Some(3) && String::from_utf8_lossy(&check.stdout).contains("erased_footage"));
    assert!(service.run(&["check", "--repair"]).contains("erased again"));
    assert!(!holds(&std::fs::read(&file).unwrap()));

    // One flipped bit of a picture is found, and mended by a copy that goes without.
    let mut flipped = std::fs::read(&file).unwrap();
    flipped[from + 400] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    let check = service.try_run(&["check"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.code() == Some(3) && said.contains("pictures do not match their checksum"), "{said}");
}

fn first_block(folder: &Path) -> std::path::PathBuf {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.path() {
            path if path.is_dir() && !hidden => return first_block(&path),
            path if path.extension().is_some_and(|e| e == "mp4") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found.remove(0)
}

#[tokio::test]
async fn a_decoder_that_dies_and_pictures_that_do_not_decode_cost_no_footage() {
    let service = Service::builder().set("ingest.workers", "1").announce("no answer").start().await;
    let port = servers::free_udp_port();
    service.client().await.add_stream("cam", &format!("udp://127.0.0.1:{port}")).await;
    let _sender = servers::send(&camera().seconds(40).file(), "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316"));
    let kept = async || list(&service, "start=-120").await.iter().filter(|t| is_kept(t)).count();
    service.client().await.wait_for_segments("cam", 2).await;
    eventually("there is a small picture", async || (kept().await >= 1).then_some(())).await;
    let workers = below(service.pid(), b"worker");
    let decoders = below(u32::try_from(workers[0]).unwrap(), b"decoder");
    assert_eq!(decoders.len(), 1, "one for the worker");
    let decoder = rustix::process::Pid::from_raw(decoders[0]).unwrap();
    rustix::process::kill_process(decoder, rustix::process::Signal::KILL).unwrap();
    eventually("pictures are made again", async || (kept().await >= 3).then_some(())).await;
    let runs = service.client().await.coverage("cam").await["runs"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 1, "recording never stopped: {runs}");

    // Every byte of a picture behind its head is another one.
    let mut broken = camera().seconds(12).video(CameraVideo::H264).bytes();
    for packet in broken.chunks_exact_mut(188).filter(|p| p[1] & 0x5f == 0x01 && p[2] == 0) {
        packet[60..].iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(7));
    }
    service.client().await.add_stream("broken", "push:").await;
    let answer = service.client().await.push("broken", "video/mp2t", broken).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    assert!(service.client().await.stream("broken").await["segments"].as_u64().unwrap() >= 5);
}

/// Processes below this one that were started with this word.
fn below(pid: u32, word: &[u8]) -> Vec<i32> {
    let (mut all, mut found, mut at) = (vec![pid], Vec::new(), 0);
    while at < all.len() {
        for task in std::fs::read_dir(format!("/proc/{}/task", all[at])).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(text.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        }
        let line = std::fs::read(format!("/proc/{}/cmdline", all[at])).unwrap_or_default();
        if line.split(|b| *b == 0).any(|w| w == word) {
            found.push(i32::try_from(all[at]).unwrap());
        }
        at += 1;
    }
    found
}
