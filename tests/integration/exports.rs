//! Footage taken away as files, written in the background.

use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Client, Service, camera, eventually, ffmpeg_plays};

/// 2026-05-03 14:00:00 UTC, where the test camera begins.
const T: i64 = 1_777_816_800;

fn at(second: i64) -> retroview::media::Timestamp {
    retroview::media::Timestamp::from_secs(T + second)
}

/// `cam` has 20 s, a gap of 10 s, and 10 s of another picture size; `yard` has the first 10 s.
async fn archive() -> Service {
    let service = Service::start().await;
    let client = service.client().await;
    for stream in ["cam", "yard"] {
        client.add_stream(stream, "push:").await;
    }
    let (first, second) = (camera().seconds(20).b_frames(2), camera().seconds(10).size(640, 360).start(at(30)));
    for (stream, file, start) in
        [("cam", first.file(), "14:00:00"), ("cam", second.file(), "14:00:30"), ("yard", camera().file(), "14:00:00")]
    {
        service.run(&["import", stream, file.to_str().unwrap(), "--start", &format!("2026-05-03T{start}Z")]);
    }
    service
}

fn body(streams: &[&str], format: &str) -> Value {
    json!({ "streams": streams, "start": T.to_string(), "end": (T + 40).to_string(), "format": format, "note": "Case 4711" })
}

async fn ask(client: &Client, body: Value) -> String {
    let asked = client.post("/v1/exports", body).await.expect(202).json();
    assert_eq!((&asked["state"], &asked["note"]), (&json!("waiting"), &json!("Case 4711")), "{asked}");
    asked["id"].as_str().unwrap().to_owned()
}

async fn over(client: &Client, id: &str) -> Value {
    eventually("the export is over", async || {
        let job = client.get(&format!("/v1/exports/{id}")).await.expect(200).json();
        (!["waiting", "running"].contains(&job["state"].as_str().unwrap())).then_some(job)
    })
    .await
}

async fn done(client: &Client, id: &str) -> Value {
    let job = over(client, id).await;
    assert_eq!(job["state"], "done", "{job}");
    job
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn records(service: &Service, act: &str) -> Vec<Value> {
    service.run(&["audit", "list", "--json", "--act", act]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_mp4_over_a_gap_is_written_in_the_background_and_plays_every_frame() {
    let service = archive().await;
    let client = service.client().await;
    let id = ask(client, body(&["cam"], "mp4")).await;
    let job = done(client, &id).await;
    let path = format!("/v1/exports/{id}/file");
    let file = client.get(&path).await.expect(200);
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"cam-20260503T140000Z.mp4\""));
    assert_eq!((job["size_bytes"].as_u64(), &job["sha256"]), (Some(file.body.len() as u64), &json!(sha256(&file.body))));
    assert_eq!(job["done_bytes"], job["total_bytes"]);
    let clip = client.get(&format!("/v1/streams/cam/clip.mp4?start={T}&end={}", T + 40)).await.expect(200);
    assert!(clip.body == file.body, "the same as the clip that is made while it is sent");
    let saved = service.scratch().join("saved.mp4");
    std::fs::write(&saved, &file.body).unwrap();
    let played = ffmpeg_plays(&saved, &[]);
    assert!(played.video_frames.abs_diff(750) <= 1, "{played:?}");

    let part = client.get_range(&path, "bytes=1000-1999").await.expect(206);
    assert_eq!(part.body, file.body[1000..2000]);
    let again = client.request(reqwest::Method::GET, &path).header("If-None-Match", file.header("etag").unwrap());
    client.send(again).await.expect(304);

    let exported = records(&service, "footage.exported");
    assert_eq!((exported.len(), &exported[0]["stream"], &exported[0]["details"]["export"]), (1, &json!("cam"), &json!(id)));
    assert_eq!(exported[0]["details"]["note"], "Case 4711");
    assert!(exported[0]["actor"].as_str().unwrap().starts_with("token t"));

    client.send(client.request(reqwest::Method::DELETE, &format!("/v1/exports/{id}"))).await.expect(204);
    client.get(&path).await.expect(404);
    assert_eq!(std::fs::read_dir(service.data().join("exports")).unwrap().count(), 0, "the file goes with it");
}

#[tokio::test]
async fn an_archive_holds_each_stream_and_a_signed_manifest_of_what_is_there_and_what_is_not() {
    let service = archive().await;
    let client = service.client().await;
    client.add_stream("empty", "push:").await;
    let id = ask(client, body(&["cam", "yard", "empty"], "archive")).await;
    let job = done(client, &id).await;
    let file = client.get(&format!("/v1/exports/{id}/file")).await.expect(200);
    assert_eq!(file.header("content-type"), Some("application/zip"));
    assert_eq!(job["sha256"], json!(sha256(&file.body)));
    let (zip, folder) = (service.scratch().join("a.zip"), service.scratch().join("out"));
    std::fs::write(&zip, &file.body).unwrap();
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  assert all(i.compress_type == 0 for i in z.infolist())\nprint(*z.namelist())\nz.extractall(sys.argv[2])";
    let python = Command::new("python3").args(["-c", script]).args([&zip, &folder]).output().expect("python3 is installed");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    assert_eq!(String::from_utf8_lossy(&python.stdout).trim(), "cam.mp4 yard.mp4 manifest.json");

    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&manifest["export"], &manifest["reason"], &manifest["kind"]), (&json!(id), &json!("Case 4711"), &json!("export")));
    assert!(manifest["exported_by"].as_str().unwrap().starts_with("token t") && manifest["audit_head"]["n"].as_u64().unwrap() > 0);
    let second = |s: i64| (T + s) * 1_000_000;
    let cam = &manifest["files"][0];
    assert_eq!((&cam["name"], &cam["stream"]), (&json!("cam.mp4"), &json!("cam")));
    assert_eq!(cam["ranges_us"], json!([[second(0), second(20)], [second(30), second(40)]]), "{cam}");
    assert_eq!((&cam["gaps"][0]["start_us"], &cam["gaps"][0]["end_us"]), (&json!(second(20)), &json!(second(30))));
    assert!(cam["gaps"][0]["cause"].is_string());
    for entry in manifest["files"].as_array().unwrap() {
        let bytes = std::fs::read(folder.join(entry["name"].as_str().unwrap())).unwrap();
        assert_eq!((&entry["sha256"], entry["size_bytes"].as_u64()), (&json!(sha256(&bytes)), Some(bytes.len() as u64)));
    }
    assert_eq!(manifest["streams_without_footage"][0]["stream"], "empty");
    let frames = [("cam.mp4", 750), ("yard.mp4", 250)];
    for (name, expected) in frames {
        let played = ffmpeg_plays(folder.join(name), &[]);
        assert!(played.video_frames.abs_diff(expected) <= 1, "{name}: {played:?}");
    }
    assert!(service.run(&["audit", "verify-receipt", folder.join("manifest.json").to_str().unwrap()]).contains("Genuine export"));
    std::fs::write(folder.join("changed.json"), text.replace("Case 4711", "Case 4712")).unwrap();
    let forged = service.try_run(&["audit", "verify-receipt", folder.join("changed.json").to_str().unwrap()]);
    assert_eq!(forged.status.code(), Some(3));
}

#[tokio::test]
async fn what_was_under_way_when_the_service_was_killed_is_done_after_it_starts_again() {
    let mut service = archive().await;
    let client = service.client().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(ask(client, body(&["cam", "yard"], "archive")).await);
    }
    service.kill();
    let folder = service.data().join("exports");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{}.half", ids[7])), "cut short").unwrap();
    std::fs::write(folder.join("e0123456789ab"), "no row leads here").unwrap();
    std::fs::write(folder.join("notes.txt"), "not ours").unwrap();
    service.restart().await;
    let client = service.client().await;
    for id in &ids {
        let job = done(client, id).await;
        let file = client.get(&format!("/v1/exports/{id}/file")).await.expect(200);
        assert_eq!(job["sha256"], json!(sha256(&file.body)));
    }
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !ids.contains(name));
    assert_eq!(names, ["notes.txt"]);
    // What was written is not written again.
    service.stop();
    service.restart().await;
    let made = |record: &Value| record["details"]["export"].is_string();
    assert_eq!(records(&service, "footage.exported").into_iter().filter(made).count(), 2 * ids.len());
}

#[tokio::test]
async fn erased_footage_is_not_exported_and_leaves_the_exports_that_have_it() {
    let service = archive().await;
    let client = service.client().await;
    let (whole, yard) = (ask(client, body(&["cam"], "mp4")).await, ask(client, body(&["yard"], "mp4")).await);
    done(client, &whole).await;
    done(client, &yard).await;
    let erase = json!({ "stream": "cam", "start": (T + 5).to_string(), "end": (T + 8).to_string(), "reason": "r", "asked_by": "a" });
    client.post("/v1/erasures", erase).await.expect(202);
    assert_eq!(client.get(&format!("/v1/exports/{whole}/file")).await.expect(410).json()["code"], "erased");
    let withdrawn = client.get(&format!("/v1/exports/{whole}")).await.expect(200).json();
    assert_eq!((&withdrawn["state"], &withdrawn["size_bytes"]), (&json!("failed"), &Value::Null));
    assert!(withdrawn["error"].as_str().unwrap().contains("erased"), "{withdrawn}");
    assert!(!service.data().join("exports").join(&whole).exists());
    client.get(&format!("/v1/exports/{yard}/file")).await.expect(200);

    let rest = ask(client, body(&["cam"], "mp4")).await;
    done(client, &rest).await;
    let file = client.get(&format!("/v1/exports/{rest}/file")).await.expect(200);
    let saved = service.scratch().join("rest.mp4");
    std::fs::write(&saved, &file.body).unwrap();
    let played = ffmpeg_plays(&saved, &[]);
    assert!(played.video_frames.abs_diff(675) <= 1, "three seconds less: {played:?}");
}

#[tokio::test]
async fn files_go_when_their_time_is_up_and_there_is_room_for_so_many_only() {
    let service = archive().await;
    let client = service.client().await;
    let id = ask(client, body(&["cam"], "mp4")).await;
    let job = done(client, &id).await;
    let kept = job["expires_at_us"].as_i64().unwrap() - job["created_at_us"].as_i64().unwrap();
    assert!((7 * 86_400_000_000..7 * 86_400_000_000 + 60_000_000).contains(&kept), "{job}");
    drop(service);

    let tight = Service::builder().set("exports.max_bytes", "100KiB").start().await;
    let client = tight.client().await;
    client.add_stream("cam", "push:").await;
    tight.run(&["import", "cam", camera().seconds(20).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    let refused = client.post("/v1/exports", body(&["cam"], "mp4")).await.expect(409).json();
    assert_eq!(refused["code"], "no_room", "{refused}");
}
