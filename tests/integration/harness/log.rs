//! The service's log as a test reads it.

use std::path::Path;

/// Lines of level WARN and ERROR whose text holds none of `announced`.
pub fn unannounced(log: &Path, announced: &[String]) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter(|line| {
            let level = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|v| v["level"].as_str().map(str::to_owned));
            match level.as_deref() {
                Some("WARN" | "ERROR") => true,
                Some(_) => false,
                // Not ours: a panic, a sanitizer, a library that writes by itself.
                None => !line.trim().is_empty(),
            }
        })
        .filter(|line| !announced.iter().any(|a| line.contains(a.as_str())))
        .map(str::to_owned)
        .collect()
}

/// What the service said apart from one line for each request.
pub fn without_requests(log: &str) -> String {
    log.lines().filter(|l| !l.contains("\"message\":\"answered\"")).collect::<Vec<_>>().join("\n")
}
