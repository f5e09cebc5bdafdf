//! Which room may use which. Dependencies point one way; a `use crate::…` that is not in the table fails here,
//! so the picture in ARCHITECTURE.md stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A room, and the rooms it may name.
const ALLOWED: [(&str, &[&str]); 22] = [
    ("media", &[]),
    ("audit", &["media"]),
    ("plans", &["media"]),
    ("clock", &["media"]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("ffmpeg", &["media", "clock"]),
    ("segment", &["media", "ffmpeg"]),
    ("store", &["media"]),
    ("db", &["media", "audit"]),
    ("index", &["media", "audit", "clock", "db", "store", "telemetry"]),
    ("entitlement", &["media", "audit", "clock", "db"]),
    ("accounts", &["media", "audit", "db", "plans"]),
    ("retention", &["media", "audit", "clock", "store", "db", "index", "entitlement", "accounts"]),
    ("bookmarks", &["media", "audit", "db", "entitlement"]),
    ("playback", &["media", "audit", "clock", "store", "db", "index", "entitlement", "ffmpeg"]),
    ("exports", &["media", "audit", "clock", "db", "index", "entitlement", "playback"]),
    ("ingest", &["media", "audit", "clock", "ffmpeg", "segment", "store", "db", "index", "telemetry"]),
    (
        "http",
        &[
            "media",
            "audit",
            "clock",
            "db",
            "store",
            "index",
            "entitlement",
            "plans",
            "accounts",
            "bookmarks",
            "retention",
            "playback",
            "exports",
            "ingest",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "media",
            "audit",
            "clock",
            "config",
            "telemetry",
            "db",
            "store",
            "index",
            "entitlement",
            "plans",
            "accounts",
            "retention",
            "playback",
            "exports",
            "ingest",
            "http",
            "ffmpeg",
        ],
    ),
    (
        "cli",
        &[
            "media",
            "audit",
            "clock",
            "config",
            "telemetry",
            "ffmpeg",
            "db",
            "store",
            "index",
            "entitlement",
            "plans",
            "accounts",
            "bookmarks",
            "retention",
            "playback",
            "ingest",
            "app",
        ],
    ),
    ("main", &["cli"]),
];

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            // What tests lean on is not what the product leans on.
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem == "testing" || stem == "contract" || stem == "tests" || stem.ends_with("_tests") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("sources lie in src");
    let first = below.components().next().expect("a file has a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms a file names through `crate::`: plain paths, and the names inside `use crate::{…}`.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut named = BTreeSet::new();
    let identifier = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            named.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    named.insert(identifier(item.trim()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        named.insert(identifier(item.trim()));
    }
    named.remove("");
    named
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut strays = Vec::new();
    for path in sources() {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let Some(may) = allowed.get(room.as_str()) else {
            strays.push(format!("{}: the room `{room}` is not in the table", path.display()));
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("a source can be read");
        for other in rooms_named(&text) {
            if other != room && allowed.contains_key(other.as_str()) && !may.contains(&other.as_str()) {
                strays.push(format!("{}: `{room}` may not use `{other}`", path.display()));
            }
        }
    }
    assert!(strays.is_empty(), "\n{}\n", strays.join("\n"));
}

/// Below the waist nothing knows HTTP; SQL stays in `db`; foreign bytes meet C code in `ffmpeg` only.
#[test]
fn outside_words_stay_in_their_rooms() {
    let homes: [(&str, &[&str]); 4] = [("axum", &["http"]), ("sqlx", &["db"]), ("ffmpeg_next", &["ffmpeg"]), ("clap", &["cli"])];
    for path in sources() {
        let text = std::fs::read_to_string(&path).expect("a source can be read");
        for (word, rooms) in homes {
            let named = text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(&format!("{word}::")));
            assert!(!named || rooms.contains(&room_of(&path).as_str()), "{}: names `{word}`", path.display());
        }
    }
}

#[test]
fn the_reader_of_uses_sees_groups_and_paths() {
    let text = "use crate::{a::B, c::{self, D}, e};\nfn f() { crate::g::h() } // crate::no";
    let named: Vec<_> = rooms_named(text).into_iter().collect();
    assert_eq!(named, ["a", "c", "e", "g"]);
}
