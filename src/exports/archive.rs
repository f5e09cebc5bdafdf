//! The file that an export writes: a plain MP4, or a zip whose entries are stored as they are.
//!
//! The zip is `zip`'s: it knows zip64, without which an archive ends at 4 GiB, and writes to a file that it can go back in, so that
//! lengths stand in front of entries and every reader copes. (`async_zip` writes streams, with lengths behind.) Footage is compressed
//! already; storing it costs nothing and lets players read entries in place.
//!
//! Blocking: called on threads that may wait.

use std::fs::File;
use std::io::{self, Write};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// From here on an entry needs zip64. Asked for a little early: the length is known, but what is gained by four bytes is nothing.
const LARGE_FROM_BYTES: u64 = 0xf000_0000;
/// So much is written before the disk is made to take it. The kernel would collect gigabytes, and then have recording's next sync wait
/// for all of them. Half costs more syncs; double is a longer wait.
const SYNC_EVERY_BYTES: u64 = 16 * 1024 * 1024;

enum Form {
    Plain(File),
    Zip(Box<ZipWriter<File>>),
}

/// A file that is being written.
pub(super) struct Writer {
    form: Form,
    /// The same file, for syncing.
    file: File,
    entry: Sha256,
    unsynced: u64,
}

impl Writer {
    pub(super) fn plain(file: File) -> io::Result<Writer> {
        Ok(Writer { file: file.try_clone()?, form: Form::Plain(file), entry: Sha256::new(), unsynced: 0 })
    }

    pub(super) fn zip(file: File) -> io::Result<Writer> {
        Ok(Writer { file: file.try_clone()?, form: Form::Zip(Box::new(ZipWriter::new(file))), entry: Sha256::new(), unsynced: 0 })
    }

    /// Begins an entry. A plain file has one, without a name.
    pub(super) fn begin(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.entry = Sha256::new();
        if let Form::Zip(zip) = &mut self.form {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(len >= LARGE_FROM_BYTES)
                .unix_permissions(0o644);
            zip.start_file(name, options)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.entry.update(bytes);
        match &mut self.form {
            Form::Plain(file) => file.write_all(bytes)?,
            Form::Zip(zip) => zip.write_all(bytes)?,
        }
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// SHA-256 of the entry, in hexadecimal.
    pub(super) fn end(&mut self) -> String {
        hex(&std::mem::take(&mut self.entry))
    }

    pub(super) fn finish(self) -> io::Result<()> {
        if let Form::Zip(zip) = self.form {
            zip.finish()?;
        }
        self.file.sync_all()
    }
}

pub(super) fn hex(sum: &Sha256) -> String {
    sum.clone().finalize().iter().map(|b| format!("{b:02x}")).collect()
}
