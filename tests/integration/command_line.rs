//! The command line is fit for scripts.

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::BINARY;

fn retroview(data: &Path, args: &[&str]) -> Output {
    Command::new(BINARY).args(args).env("RETROVIEW_DATA_DIR", data).output().expect("the binary starts")
}

fn stdout(out: &Output) -> String {
    assert!(out.status.success(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}

/// A failure fit for scripts: this code, nothing on stdout, one line on stderr.
fn fails(out: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{said}");
    assert!(out.stdout.is_empty() && said.lines().count() == 1, "{out:?}");
    said.trim_end().to_owned()
}

#[test]
fn wrong_usage_is_one_line_with_what_to_try_and_code_2() {
    let dir = tempfile::tempdir().unwrap();
    for args in
        [&["nonsense"][..], &["config", "shwo"], &["streams", "list", "--jsno"], &[], &["streams"], &["streams", "add", "Door!", "push:"]]
    {
        let line = fails(&retroview(dir.path(), args), 2);
        assert!(line.starts_with("retroview: ") && line.contains(" Try: retroview"), "{args:?}: {line}");
    }
}

#[test]
fn what_is_missing_and_what_is_taken_have_codes_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&retroview(dir.path(), &["streams", "add", "door", "push:"]));
    fails(&retroview(dir.path(), &["streams", "add", "door", "push:"]), 5);
    for args in
        [&["streams", "show", "dor"][..], &["streams", "pause", "dor"], &["tokens", "revoke", "t0"], &["url", "dor", "--start", "-60"]]
    {
        let line = fails(&retroview(dir.path(), args), 4);
        assert!(line.contains("there is no"), "{args:?}: {line}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_every_command_with_file_line_and_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("retroview.toml");
    std::fs::write(&file, "[server]\nlistne = '127.0.0.1:1'\n").unwrap();
    for command in [&["config", "show"][..], &["config", "check"], &["serve"], &["streams", "list"]] {
        let line = fails(&retroview(dir.path(), &[command, &["--config", file.to_str().unwrap()]].concat()), 2);
        assert!(line.contains("retroview.toml:2: `server.listne` is not a setting; the nearest is `server.listen`"), "{line}");
    }
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let dir = tempfile::tempdir().unwrap();
    let shown = stdout(&retroview(dir.path(), &["config", "show", "--json", "--set", "log.level=debug"]));
    let settings: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let of = |key: &str| settings.as_array().unwrap().iter().find(|s| s["key"] == key).unwrap().clone();
    assert_eq!(of("data_dir")["origin"], "RETROVIEW_DATA_DIR");
    assert_eq!(of("log.level")["origin"], "--set log.level");
    assert_eq!(of("server.listen")["origin"], "default");
    assert_eq!(of("media.root")["value"], dir.path().join("media").to_str().unwrap());
}

#[test]
fn credentials_of_a_source_are_never_shown_again() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&retroview(dir.path(), &["streams", "add", "door", "rtsp://viewer:hunter2@192.0.2.7/1"]));
    for args in [&["streams", "list"][..], &["streams", "list", "--json"], &["streams", "show", "door"]] {
        let shown = stdout(&retroview(dir.path(), args));
        assert!(shown.contains("192.0.2.7") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn version_and_help_are_answers_not_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(stdout(&retroview(dir.path(), &["--version"])), format!("retroview {}", env!("CARGO_PKG_VERSION")));
    let help = stdout(&retroview(dir.path(), &["--help"]));
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    assert!(stdout(&retroview(dir.path(), &["streams", "add", "--help"])).contains("retroview streams add door"));
}
