use std::time::Duration;

use super::*;

fn parse(text: &str) -> SourceSpec {
    SourceSpec::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str) -> String {
    SourceSpec::parse(text).expect_err(text).to_string()
}

#[test]
fn every_kind_of_source_is_recognised_and_normalised() {
    for (text, kind, shown) in [
        ("rtsp://cam.local/1", SourceKind::Rtsp, "rtsp://cam.local/1"),
        (" RTSP://Cam.Local:554/Stream1 ", SourceKind::Rtsp, "rtsp://cam.local:554/Stream1"),
        ("rtsps://cam/1#transport=tcp", SourceKind::Rtsp, "rtsps://cam/1"),
        ("rtsp://cam/1?channel=1&transport=udp", SourceKind::Rtsp, "rtsp://cam/1?channel=1#transport=udp"),
        ("rtmp://host/live/one", SourceKind::Rtmp, "rtmp://host/live/one"),
        ("srt://host:9000?latency=200000", SourceKind::Srt, "srt://host:9000?latency=200000"),
        ("srt://:9000?mode=listener", SourceKind::Srt, "srt://:9000?mode=listener"),
        ("http://h:8000/live.ts", SourceKind::HttpTs, "http://h:8000/live.ts"),
        ("https://h/a/index.m3u8?x=1", SourceKind::Hls, "https://h/a/index.m3u8?x=1"),
        ("https://h/play/7#format=hls", SourceKind::Hls, "https://h/play/7#format=hls"),
        ("udp://@239.0.0.1:5000", SourceKind::Udp, "udp://239.0.0.1:5000"),
        ("udp://:5000", SourceKind::Udp, "udp://:5000"),
        ("rtp://[ff02::1]:5004", SourceKind::Rtp, "rtp://[ff02::1]:5004"),
        ("file:///films/a%20b.mp4", SourceKind::File, "file:///films/a%20b.mp4"),
        ("file:///films/a.mp4?loop=1", SourceKind::File, "file:///films/a.mp4#loop"),
        ("push", SourceKind::Push, "push:"),
    ] {
        let spec = parse(text);
        assert_eq!((spec.kind(), spec.to_string().as_str()), (kind, shown), "{text}");
        assert_eq!(parse(&spec.to_string()), spec, "{text}: what is shown reads back as the same source");
    }
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    for (text, hint) in [
        ("", "give a URL"),
        ("camera.local/1", "has no scheme"),
        ("/films/a.mp4", "`file:///films/a.mp4`"),
        ("file://films/a.mp4", "write `file:///films/a.mp4`"),
        ("file:///films/", "names a folder"),
        ("rstp://cam/1", "did you mean `rtsp://`"),
        ("htps://cam/1", "did you mean `https://`"),
        ("rtsp:///1", "needs a host"),
        ("udp://239.0.0.1", "needs a port"),
        ("rtsp://cam:99999/1", "the port is not a number"),
        ("rtsp://user:pa/ss@cam/1", "%2F"),
        ("rtsp://cam/1#transprt=udp", "known: transport=tcp|udp"),
        ("rtsp://cam/1#transport=quic", "use one of: tcp, udp"),
        ("srt://h:1?latncy=120000", "did you mean `latency`"),
        ("srt://h:1?latency=120", "microseconds"),
        ("srt://h:1?mode=rendezvous", "`listener` (we wait)"),
        ("srt://h:1?passphrase=short", "10 to 79"),
        ("rtsp://***@cam/1", "give the real ones"),
        ("rtsp://cam/1?token=***", "give the real ones"),
        ("rtsp://cam/\n1", "control character"),
        ("push:something", "no scheme"),
        ("push://x", "takes nothing"),
    ] {
        let message = error(text);
        assert!(message.contains(hint), "{text}: {message}");
    }
}

#[test]
fn credentials_are_never_shown_and_never_lost() {
    for text in [
        "rtsp://admin:s3cr3t@cam/1",
        "rtsp://admin:s3cr3t@x@cam/1",
        "http://h/live.ts?channel=2&token=s3cr3t",
        "https://h/x.m3u8?Access_Key=s3cr3t&b=1",
        "srt://h:1?passphrase=s3cr3t-s3cr3t&latency=120000",
        "srt://h:1?streamid=read:one:admin:s3cr3t",
        "rtmp://admin:s3cr3t@h/live/one",
    ] {
        let spec = parse(text);
        let json = serde_json::to_string(&spec).unwrap();
        for shown in [spec.to_string(), format!("{spec:?}"), json, format!("{:?}", spec.credentials())] {
            assert!(!shown.contains("s3cr3t"), "{text}: {shown}");
        }
        let back = SourceSpec::stored(&spec.to_string(), spec.credentials_text().as_deref()).unwrap();
        assert_eq!(back, spec);
        let plan = back.open_plan(&SourcePolicy::default(), Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        assert_eq!(plan.url, text);
        assert!(!format!("{plan:?}").contains("s3cr3t"));
        assert!(!plan.scrub(&format!("cannot open {text}")).contains("s3cr3t"), "{}", plan.scrub(text));
    }
}

#[test]
fn errors_never_repeat_credentials() {
    for text in [
        "rstp://admin:s3cr3t@cam/1",
        "rtsp://admin:s3cr3t@cam:x/1",
        "rtsp://admin:s3cr3t/more@cam/1",
        "srt://h:1?passphrase=s3cr3t",
        "udp://admin:s3cr3t@h",
    ] {
        assert!(!error(text).contains("s3cr3t"), "{text}: {}", error(text));
    }
}

#[test]
fn nothing_from_the_network_may_read_this_machines_files() {
    let policy = SourcePolicy::default();
    for text in ["rtsp://h/1", "rtmp://h/1", "srt://h:1", "http://h/1", "http://h/1.m3u8", "udp://:1", "rtp://:1"] {
        let plan = parse(text).open_plan(&policy, Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        let allowed = &plan.options.iter().find(|(name, _)| name == "protocol_whitelist").unwrap().1;
        for forbidden in ["file", "pipe", "concat", "subfile", "data", "unix", "ftp", "gopher"] {
            assert!(!allowed.split(',').any(|p| p == forbidden), "{text} may use {forbidden}");
        }
    }
}

#[test]
fn addresses_in_forbidden_networks_are_refused() {
    let policy = SourcePolicy::new::<_, &str>(&["10.0.0.0/8", "::1/128", "169.254.169.254"], &[]).unwrap();
    for (text, allowed) in [
        ("rtsp://10.1.2.3/1", false),
        ("rtsp://11.1.2.3/1", true),
        ("rtsp://[::1]/1", false),
        ("rtsp://[::ffff:10.0.0.1]/1", false),
        ("http://169.254.169.254/latest", false),
        ("http://camera.local/1", true),
    ] {
        assert_eq!(policy.check(&parse(text)).is_ok(), allowed, "{text}");
    }
    assert!(SourcePolicy::new::<_, &str>(&["10.0.0.0/33"], &[]).is_err());
}

#[test]
fn files_come_only_from_the_folders_the_operator_named() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, outside) = (dir.path().join("films"), dir.path().join("other"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(inside.join("a.mp4"), "x").unwrap();
    std::fs::write(outside.join("b.mp4"), "x").unwrap();
    std::os::unix::fs::symlink(outside.join("b.mp4"), inside.join("link.mp4")).unwrap();
    std::os::unix::fs::symlink(&inside, dir.path().join("alias")).unwrap();
    let policy = SourcePolicy::new::<&str, _>(&[], std::slice::from_ref(&inside)).unwrap();
    let check = |path: &std::path::Path| policy.check(&parse(&format!("file://{}", path.display()))).map_err(|e| e.to_string());

    assert_eq!(check(&inside.join("a.mp4")), Ok(()));
    assert_eq!(check(&dir.path().join("alias/a.mp4")), Ok(()), "the file is inside, whatever leads to it");
    for bad in [outside.join("b.mp4"), inside.join("link.mp4"), inside.join("../other/b.mp4"), "/etc/passwd".into()] {
        assert!(check(&bad).unwrap_err().contains("outside"), "{}", bad.display());
    }
    assert!(check(&inside.join("missing.mp4")).unwrap_err().contains("cannot be read"));
    assert!(check(&inside.join("../other/none.mp4")).unwrap_err().contains("outside"), "existence outside is not told");
    let none = SourcePolicy::default();
    assert!(none.check(&parse("file:///a.mp4")).unwrap_err().to_string().contains("ingest.file_roots"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}", scheme in "(rtsp|srt|file|http|udp|x)://", tail in "[a-z@:/?#%&=\\[\\].0-9*]{0,40}") {
        let _ = SourceSpec::parse(&text);
        if let Ok(spec) = SourceSpec::parse(&format!("{scheme}{tail}")) {
            let stored = SourceSpec::stored(&spec.to_string(), spec.credentials_text().as_deref());
            proptest::prop_assert_eq!(stored, Ok(spec));
        }
    }
}
