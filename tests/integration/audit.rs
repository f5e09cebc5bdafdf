//! Who did what, and that nobody can change it unnoticed.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Service, camera};

fn records(service: &Service, args: &[&str]) -> Vec<Value> {
    let listed = service.run(&[&["audit", "list", "--json"], args].concat());
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_is_done_to_streams_is_recorded_with_who_did_it() {
    let service = Service::start().await;
    let client = service.client().await;
    client.add_stream("door", "push:").await;
    client.post("/v1/streams/door/pause", json!({})).await.expect(200);
    service.run(&["streams", "resume", "door"]);
    client.post("/v1/streams/door/urls", json!({ "start": "1777816800", "end": "1777816900" })).await.expect(201);
    service.run(&["streams", "remove", "door"]);
    // What was refused did not happen.
    client.post("/v1/streams", json!({ "id": "door", "source": "push:" })).await.expect(409);

    let all = records(&service, &["--stream", "door"]);
    let acts: Vec<&str> = all.iter().map(|r| r["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["stream.added", "stream.paused", "stream.resumed", "range.shared", "stream.removed"]);
    assert!(all[0]["actor"].as_str().unwrap().starts_with("token t"), "{}", all[0]);
    assert_eq!(all[2]["actor"], json!("command line"));
    assert_eq!(all[3]["start_us"], json!(1_777_816_800_000_000_i64), "what was shared");
    assert_eq!(records(&service, &["--act", "stream.removed"]).len(), 1);
    assert!(records(&service, &["--from", "-60", "--actor", "command line"]).len() >= 2);
}

#[tokio::test]
async fn an_export_verifies_without_the_service_and_no_tampering_goes_unnoticed() {
    let mut service = Service::start().await;
    for n in 0..6 {
        service.run(&["streams", "add", &format!("cam{n}"), "push:"]);
    }
    let at = |name: &str| service.scratch().join(name);
    let checkpoint: Value = serde_json::from_str(&service.run(&["audit", "checkpoint"])).unwrap();
    let key = checkpoint["key"].as_str().unwrap().to_owned();
    std::fs::write(at("checkpoint.json"), checkpoint.to_string()).unwrap();
    service.run(&["streams", "add", "later", "push:"]);
    let (export, kept) = (at("audit.jsonl"), at("checkpoint.json"));
    service.run(&["audit", "export", "--out", export.to_str().unwrap()]);
    let (whole, changed) = (std::fs::read_to_string(&export).unwrap(), at("changed.jsonl"));
    service.stop();
    std::fs::remove_file(service.data().join("retroview.db")).unwrap();

    let verify = |file: &Path, more: &[&str]| {
        let args = [&["audit", "verify", file.to_str().unwrap(), "--checkpoint", kept.to_str().unwrap()], more].concat();
        let out = service.try_run(&args);
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, said) = verify(&export, &["--key", &key]);
    assert!(code == 0 && said.contains("Whole and unchanged"), "{code}: {said}");

    let lines: Vec<&str> = whole.lines().collect();
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        edit(&mut lines);
        std::fs::write(&changed, lines.join("\n")).unwrap();
        verify(&changed, &[])
    };
    for (edit, expected) in [
        (
            &(|l: &mut Vec<String>| l.iter_mut().for_each(|l| *l = l.replace("\"cam2\"", "\"cam9\""))) as &dyn Fn(&mut Vec<String>),
            "is not what it was",
        ),
        (&|l: &mut Vec<String>| drop(l.remove(3)), "is missing"),
        (&|l: &mut Vec<String>| l.swap(1, 2), "is missing"),
        (&|l: &mut Vec<String>| l.truncate(4), "cut off"),
        (&|l: &mut Vec<String>| l.clear(), "cut off"),
    ] {
        let (code, said) = edited(edit);
        assert!(code == 3 && said.contains(expected), "{expected}: {code}: {said}");
    }
    let (code, said) = verify(&export, &["--key", &"0".repeat(64)]);
    assert!(code == 3 && said.contains("another installation"), "{said}");
    let mut forged = checkpoint.clone();
    forged["n"] = json!(checkpoint["n"].as_u64().unwrap() - 2);
    std::fs::write(&kept, forged.to_string()).unwrap();
    let (code, said) = verify(&export, &[]);
    assert!(code == 3 && said.contains("signature"), "{said}");
}

#[tokio::test]
async fn what_was_watched_is_recorded_with_exactly_the_ranges() {
    let mut service = Service::start().await;
    let client = service.client().await;
    client.add_stream("cam", "push:").await;
    service.run(&["import", "cam", camera().seconds(20).file().to_str().unwrap(), "--start", "2026-05-03T14:00:00Z"]);
    let segments = client.segments_of("/v1/streams/cam/media.m3u8?start=2026-05-03T14:00:00Z&end=2026-05-03T14:00:20Z").await;
    for uri in segments[2..6].iter().chain(&segments[10..12]) {
        client.get(&format!("/v1/streams/cam/{uri}")).await.expect(200);
    }
    client.head(&format!("/v1/streams/cam/{}", segments[0])).await.expect(200);
    client.get("/v1/streams/cam/clip.mp4?start=2026-05-03T14:00:03Z&end=2026-05-03T14:00:05Z").await.expect(200);
    client.get("/v1/streams/cam/frame.jpg?at=2026-05-03T14:00:07Z").await.expect(200);
    service.stop();
    let of = |act: &str| {
        let found = records(&service, &["--act", act]);
        assert_eq!(found.len(), 1, "{act}: {found:?}");
        found[0]["details"]["ranges_us"].clone()
    };
    let second = |s: i64| (1_777_816_800 + s) * 1_000_000;
    assert_eq!(of("footage.watched"), json!([[second(2), second(6)], [second(10), second(12)]]));
    assert_eq!(of("footage.exported"), json!([[second(3), second(5)]]));
    assert_eq!(of("footage.pictured"), json!([[second(7), second(7) + 1]]));
}
