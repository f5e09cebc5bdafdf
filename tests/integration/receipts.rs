//! What can be shown to somebody else: receipts, attestations, a check of the promise; and a database that is older than the footage.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Service, camera, ffmpeg_plays};

/// A stopped service with ten seconds of a stream, of which three have been erased.
async fn erased() -> Service {
    let mut service = Service::start().await;
    service.client().await.add_stream("door", "push:").await;
    import(&service, "2026-05-03T14:00:00Z", 10);
    service.stop();
    let range = ["--from", "2026-05-03T14:00:04Z", "--to", "2026-05-03T14:00:07Z"];
    service.run(&[&["erase", "door", "--reason", "<b>why</b>", "--asked-by", "Mrs Miller"], &range[..]].concat());
    service
}

fn import(service: &Service, start: &str, seconds: u64) {
    service.run(&["import", "door", camera().seconds(seconds).file().to_str().unwrap(), "--start", start]);
}

fn ends(service: &Service, args: &[&str]) -> (i32, String) {
    let out = service.try_run(args);
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

#[tokio::test]
async fn a_receipt_proves_itself_without_the_service_and_no_change_goes_unnoticed() {
    let mut service = erased().await;
    let listed: Value = serde_json::from_str(&service.run(&["retention", "receipts", "--json"])).unwrap();
    assert_eq!((&listed[0]["of"], &listed[0]["account"]), (&json!("erasure"), &json!("main")), "{listed}");
    let receipt = service.run(&["retention", "receipt", "1"]);
    let value: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(
        (&value["totals"]["segments"], &value["reason"], &value["blocks"][0]["whole"]),
        (&json!(3), &json!("<b>why</b>"), &json!(false))
    );
    let key = value["key"].as_str().unwrap().to_owned();
    let page = service.run(&["retention", "receipt", "1", "--html", "--lang", "fr"]);
    assert!(page.contains("Reçu d’effacement") && page.contains("&lt;b&gt;why&lt;/b&gt;") && !page.contains("<b>"), "{page}");

    service.restart().await;
    let client = service.client().await;
    let answer = client.get("/v1/receipts/1").await.expect(200);
    assert_eq!(answer.text().trim(), receipt.trim());
    let request = client.request(reqwest::Method::GET, "/v1/receipts/1").header("Accept", "text/html,*/*").header("Accept-Language", "fr");
    let html = client.send(request).await.expect(200);
    assert!(html.header("content-type").unwrap().starts_with("text/html") && html.text().contains("lang=\"fr\""));
    let english = client.get("/v1/receipts/1.html?lang=en").await.expect(200);
    assert!(english.text().contains("Receipt of an erasure on request"));
    client.get("/v1/receipts/99").await.expect(404);
    service.stop();
    std::fs::remove_file(service.data().join("retroview.db")).unwrap();

    let file = service.scratch().join("receipt.json");
    let verify = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        ends(&service, &[&["audit", "verify-receipt", file.to_str().unwrap()], more].concat())
    };
    let (code, said) = verify(&receipt, &["--key", &key]);
    assert!(code == 0 && said.contains("Genuine receipt"), "{said}");
    for (from, to) in [
        ("\"segments\":3", "\"segments\":2"),
        ("Mrs Miller", "Mr Miller"),
        ("\"kind\":\"receipt\"", "\"kind\":\"attestation\""),
        ("\"part\":1,", ""),
        ("\"whole\":false", "\"whole\":true"),
    ] {
        let changed = receipt.replacen(from, to, 1);
        assert_ne!(changed, receipt, "{from}");
        let (code, said) = verify(&changed, &[]);
        assert!(code == 3 && said.contains("signature"), "{from}: {said}");
    }
    let (code, said) = verify(&receipt, &["--key", &"0".repeat(64)]);
    assert!(code == 3 && said.contains("another installation"), "{said}");
    assert_eq!(verify("{}", &[]).0, 3);
}

#[tokio::test]
async fn an_attestation_says_how_much_is_there_and_why_the_rest_is_not() {
    let mut service = erased().await;
    import(&service, "2026-05-03T14:01:00Z", 5);
    let made: Value = serde_json::from_str(&service.run(&["retention", "attest", "door"])).unwrap();
    let seconds = |name: &str| made["gaps_us"][name].as_i64().unwrap_or(0) / 1_000_000;
    assert_eq!(
        (made["present_us"].as_i64().unwrap() / 1_000_000, seconds("erased"), seconds("not_imported") >= 50),
        (12, 3, true),
        "{made}"
    );
    assert_eq!((&made["erased_us"], &made["pruned"]), (&json!(3_000_000), &Value::Null));
    let recorded = service.run(&["audit", "list", "--act", "attestation.made"]);
    assert!(recorded.contains("sha256"), "{recorded}");
    let file = service.scratch().join("attestation.json");
    std::fs::write(&file, made.to_string()).unwrap();
    assert_eq!(ends(&service, &["audit", "verify-receipt", file.to_str().unwrap()]).0, 0);

    service.restart().await;
    let client = service.client().await;
    let kept = client.get("/v1/streams/door/attestation").await.expect(200).json();
    assert_eq!(kept["signature"], made["signature"]);
    let day = made["day"].as_str().unwrap();
    client.get(&format!("/v1/streams/door/attestation?date={day}")).await.expect(200);
    assert_eq!(client.get("/v1/streams/door/attestation?date=1999-01-01").await.expect(404).json()["code"], "no_attestation");
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("retroview.db") {
            std::fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

fn put_back(backup: &Path, data: &Path) {
    for entry in std::fs::read_dir(data).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("retroview.db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(backup).unwrap().flatten() {
        std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
    }
}

fn playlist(start: &str, end: &str) -> String {
    format!("/v1/streams/door/media.m3u8?start={start}&end={end}")
}

#[tokio::test]
async fn with_yesterdays_database_footage_that_is_newer_is_named_and_taken_in_and_what_was_deleted_since_is_no_mystery() {
    let mut service = Service::start().await;
    service.client().await.add_stream("door", "push:").await;
    for hour in ["13", "14", "15"] {
        import(&service, &format!("2026-05-03T{hour}:00:00Z"), 10);
    }
    service.stop();
    let backup: PathBuf = service.scratch().join("backup");
    copy(service.data(), &backup);

    // Since the backup: one recording more, one deleted whole, one in part.
    import(&service, "2026-05-03T16:00:00Z", 10);
    let erase = |from: &str, to: &str| {
        service.run(&["erase", "door", "--from", from, "--to", to, "--reason", "r", "--asked-by", "a"]);
    };
    erase("2026-05-03T13:00:00Z", "2026-05-03T13:00:10Z");
    erase("2026-05-03T14:00:03Z", "2026-05-03T14:00:06Z");
    assert_eq!(ends(&service, &["check"]).0, 0);

    put_back(&backup, service.data());
    let (code, said) = ends(&service, &["check"]);
    assert_eq!(code, 3, "{said}");
    for expected in ["orphaned_file", "newer than all that the index has", "deleted_since", "erasure 1 of", "row_differs"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("missing_file"), "{said}");
    let (code, said) = ends(&service, &["check", "--repair"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = ends(&service, &["check"]);
    assert_eq!(code, 0, "{said}");

    service.restart().await;
    let client = service.client().await;
    let listed = client.segments_of(&playlist("2026-05-03T12:00:00Z", "2026-05-03T17:00:00Z")).await;
    assert_eq!(listed.len(), 7 + 10 + 10, "{listed:?}");
    let clip = "/v1/streams/door/clip.mp4?start=2026-05-03T16:00:00Z&end=2026-05-03T16:00:10Z";
    let played = ffmpeg_plays(service.url(clip), &["-headers", &format!("Authorization: Bearer {}\r\n", client.token())]);
    assert_eq!((played.complaints.as_str(), played.video_frames), ("", 250), "{played:?}");
}

#[tokio::test]
async fn a_disk_that_is_away_stops_retention_until_it_is_back_and_an_operator_says_so() {
    let mut service = Service::start().await;
    service.client().await.add_stream("door", "push:").await;
    service.stop();
    let (media, away) = (service.media(), service.scratch().join("away"));
    std::fs::rename(&media, &away).unwrap();
    let (code, said) = ends(&service, &["retention", "run"]);
    assert!(code == 3 && said.contains("not the media folder"), "{code}: {said}");
    let (code, said) = ends(&service, &["retention", "status"]);
    assert!(code == 0 && said.contains("stands still") && said.contains("main (premium"), "{code}: {said}");
    let (code, said) = ends(&service, &["retention", "confirm"]);
    assert!(code == 5 && said.contains("Try: mounting"), "{code}: {said}");
    std::fs::rename(&away, &media).unwrap();
    assert!(service.run(&["retention", "confirm"]).starts_with("Confirmed"));
    assert!(service.run(&["retention", "run"]).contains("nothing to do"));
}
