//! Footage that somebody wants gone.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Service, camera, ffmpeg_plays};

const DAY: &str = "2026-05-03T14:00";

/// A service with one block of twenty one-second segments, and what each of them answers.
async fn recorded() -> (Service, Vec<bytes::Bytes>) {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;
    service.run(&["import", "door", camera().seconds(20).file().to_str().unwrap(), "--start", &format!("{DAY}:00Z")]);
    let mut answers = Vec::new();
    for second in 0..20 {
        answers.push(client.get(&segment(second)).await.expect(200).body);
    }
    (service, answers)
}

fn segment(second: i64) -> String {
    format!("/v1/streams/door/segments/{}.m4s", (1_777_816_800 + second) * 1_000_000)
}

fn second(us: &Value) -> i64 {
    us.as_i64().unwrap() / 1_000_000 - 1_777_816_800
}

fn block_file(folder: &Path) -> PathBuf {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.path() {
            path if path.is_dir() && !hidden => return block_file(&path),
            path if path.extension().is_some_and(|e| e == "mp4") => found.push(path),
            _ => {}
        }
    }
    found.remove(0)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

/// Some bytes of this segment that no other has: much of a picture is like that of the second before.
fn own(all: &[bytes::Bytes], number: usize) -> &[u8] {
    let of_another = |part: &&[u8]| all.iter().enumerate().any(|(n, media)| n != number && holds(media, part));
    // What stands at the beginning is rewritten for each answer.
    all[number][1000..].chunks_exact(64).find(|part| !of_another(part)).expect("the camera's clock is in it")
}

/// Runs a command that must fail; its code and what it said.
fn fails(service: &Service, args: &[&str]) -> (i32, String) {
    let out = service.try_run(args);
    assert!(!out.status.success(), "{args:?}");
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[tokio::test]
async fn a_range_inside_a_block_is_gone_at_once_for_viewers_and_soon_from_the_disk_and_the_rest_plays() {
    let (mut service, before) = recorded().await;
    let client = service.client().await;
    let clip = format!("/v1/streams/door/clip.mp4?start={DAY}:00Z&end={DAY}:20Z");
    let body = json!({ "stream": "door", "start": format!("{DAY}:05.2Z"), "end": format!("{DAY}:08.5Z"),
        "reason": "Article 17", "asked_by": "Mrs Miller", "dry_run": true });
    let dry = client.post("/v1/erasures", body.clone()).await.expect(200).json();
    assert_eq!((&dry["erasure"], second(&dry["going"][0]["start_us"]), second(&dry["going"][0]["end_us"])), (&Value::Null, 5, 9));
    client.get(&segment(6)).await.expect(200);

    let mut real = body;
    real["dry_run"] = json!(false);
    let asked = client.post("/v1/erasures", real).await.expect(202).json();
    assert_eq!(
        (&asked["erasure"]["id"], &asked["erasure"]["segments"], &asked["going"][0]["part_blocks"]),
        (&json!(1), &json!(4), &json!(1))
    );
    for second in 0..20 {
        let answer = client.get(&segment(second)).await;
        match (5..9).contains(&second) {
            true => assert_eq!(answer.status, 410, "{second}: {}", answer.text()),
            false => assert_eq!(answer.expect(200).body, before[second as usize], "{second}"),
        }
    }
    let listed = client.segments_of(&format!("/v1/streams/door/media.m3u8?start={DAY}:00Z&end={DAY}:20Z")).await;
    assert_eq!(listed.len(), 16, "{listed:?}");
    assert_eq!(client.stream("door").await["segments"], json!(16));

    // Nobody reads any more: the rest of the work is done at once.
    service.stop();
    assert!(service.run(&["erase", "list"]).contains("under way"));
    let more = ["erase", "door", "--from", &format!("{DAY}:12Z"), "--to", &format!("{DAY}:13Z"), "--reason", "r", "--asked-by", "a"];
    assert!(service.run(&more).contains("1 segments are gone"), "and the first with it");
    let shown: Value = serde_json::from_str(&service.run(&["erase", "show", "1"])).unwrap();
    assert!(shown["erasure"]["finished_at_us"].is_i64() && shown["taken"][0]["gone_at_us"].is_i64(), "{shown}");
    let file = block_file(&service.media());
    let bytes = std::fs::read(&file).unwrap();
    for second in 0..before.len() {
        let gone = (5..9).contains(&second) || second == 12;
        assert_eq!(holds(&bytes, own(&before, second)), !gone, "{second}");
    }
    let played = ffmpeg_plays(&file, &[]);
    assert_eq!((played.complaints.as_str(), played.video_frames), ("", 15 * 25), "{played:?}");
    assert!(service.run(&["check"]).contains("agree"));

    // The files alone do not bring it back.
    service.run(&["index", "rebuild"]);
    service.restart().await;
    let client = service.client().await;
    assert_eq!(client.stream("door").await["segments"], json!(15));
    let gaps = client.coverage("door").await["gaps"].clone();
    let erased = gaps.as_array().unwrap().iter().find(|g| g["cause"] == "erased").unwrap();
    assert_eq!((second(&erased["start_us"]), second(&erased["end_us"])), (5, 9), "{gaps}");
    client.get(&segment(4)).await.expect(200);
    client.get(&segment(6)).await.expect(410);
    let played = ffmpeg_plays(service.url(&clip), &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
    assert_eq!((played.complaints.as_str(), played.video_frames), ("", 15 * 25), "{played:?}");
}

#[tokio::test]
async fn an_erased_part_that_is_copied_back_is_noticed_and_erased_again() {
    let (mut service, before) = recorded().await;
    service.stop();
    let file = block_file(&service.media());
    let copy = std::fs::read(&file).unwrap();
    service.run(&["erase", "door", "--from", &format!("{DAY}:03Z"), "--to", &format!("{DAY}:05Z"), "--reason", "r", "--asked-by", "a"]);
    std::fs::write(&file, copy).unwrap();
    let check = |args: &[&str]| {
        let out = service.try_run(&[&["check"], args].concat());
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, said) = check(&[]);
    assert!(code == 3 && said.contains("erased_footage"), "{said}");
    let (code, said) = check(&["--repair"]);
    assert!(code == 0 && said.contains("erased again"), "{said}");
    assert_eq!(check(&[]).0, 0);
    assert!(!holds(&std::fs::read(&file).unwrap(), own(&before, 3)));
}

#[tokio::test]
async fn a_whole_account_goes_and_mistakes_are_refused_with_what_to_do() {
    let (mut service, _) = recorded().await;
    let client = service.client().await;
    let words = json!({ "reason": "r", "asked_by": "a" });
    let ask = async |more: Value| {
        let mut body = words.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = client.post("/v1/erasures", body).await;
        (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(ask(json!({ "stream": "door" })).await, (422, "invalid_value".into()), "all of it must be said");
    assert_eq!(ask(json!({ "stream": "nobody", "all": true })).await, (404, "unknown_stream".into()));
    assert_eq!(ask(json!({ "account": "acme", "all": true })).await, (404, "unknown_account".into()));
    assert_eq!(ask(json!({ "stream": "door", "start": "-60", "end": "2999-01-01T00:00:00Z" })).await, (422, "invalid_value".into()));
    assert_eq!(ask(json!({ "stream": "door", "start": "-60", "end": "-70" })).await, (400, "invalid_range".into()));
    assert_eq!(ask(json!({ "stream": "door", "all": true, "reason": " " })).await, (422, "invalid_value".into()));
    client.get("/v1/erasures/7").await.expect(404);

    service.stop();
    let (code, said) = fails(&service, &["erase", "door", "--reason", "r", "--asked-by", "a"]);
    assert!(code == 2 && said.contains("--all"), "{said}");
    let (code, said) = fails(&service, &["erase", "door", "--all"]);
    assert!(code == 2 && said.contains("--asked-by"), "{said}");
    let all = ["erase", "--account", "main", "--all", "--reason", "contract ended", "--asked-by", "Acme"];
    assert!(service.run(&[&all[..], &["--dry-run"]].concat()).contains("1 whole"));
    assert!(block_file(&service.media()).exists());
    assert!(service.run(&all).contains("20 segments are gone"));
    assert!(service.run(&["check"]).contains("agree"));
    let acts = service.run(&["audit", "list", "--act", "erasure"]);
    assert!(acts.contains("erasure.asked") && acts.contains("contract ended") && acts.contains("erasure.finished"), "{acts}");
    service.restart().await;
    service.client().await.get(&segment(1)).await.expect(410);
}
