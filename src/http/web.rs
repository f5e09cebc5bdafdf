//! The web app, embedded in the binary.

/// Whether there is a file of the web app at this path.
pub fn is_file(path: &str) -> bool {
    path == "/"
}
