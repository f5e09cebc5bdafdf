//! Unix sockets with paths of any length.
//!
//! The kernel takes 107 bytes; a data directory may be deeper. `/proc/self/fd/<folder>/<name>` is always short.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A short path to `path`, valid while the folder is held.
fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let folder = File::open(path.parent().ok_or_else(invalid)?)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(path.file_name().ok_or_else(invalid)?);
    Ok((folder, short))
}

/// # Errors
/// Nobody listens there.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = short(path)?;
    UnixStream::connect(short)
}

/// # Errors
/// The path is taken or its folder cannot be written.
pub fn listen(path: &Path) -> io::Result<tokio::net::UnixListener> {
    let (_folder, short) = short(path)?;
    tokio::net::UnixListener::bind(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_path_longer_than_the_kernel_takes_works() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("p1.sock");
        let listener = listen(&path).unwrap();
        let reader = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            connect(&path).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"hello").await.unwrap();
        drop(socket);
        assert_eq!(reader.await.unwrap(), "hello");
    }
}
