//! File systems of a test's own. Needs root, as in CI; elsewhere the tests say so and stop.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory, gone with the value.
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// `None` where we may not mount.
    pub fn mount(place: &Path, mib: u32) -> Option<SmallDisk> {
        std::fs::create_dir_all(place).ok()?;
        let size = format!("size={mib}m");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).status().ok()?;
        status.success().then(|| SmallDisk { place: place.to_path_buf() })
    }

    /// From now on nothing can be written to it.
    pub fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.place).status();
        assert!(status.expect("mount has run before").success(), "remount read-only");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It goes with the machine at the latest.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
