//! Files that may not be there any longer.

use std::io::ErrorKind;
use std::path::Path;

use super::desk::event;
use super::{ExportError, ExportResult, Exports, io};
use crate::audit::acts;
use crate::db::ExportRow;

/// Rows looked at in one go.
const BATCH: u32 = 100;
/// What stands in place of a file that was taken back.
const ERASED: &str = "Footage in it was erased after it was exported; export what is left.";

impl Exports {
    /// Takes away what is over, and what holds footage that somebody had erased.
    pub(super) async fn sweep(&self) -> ExportResult<()> {
        let now = self.clock.now();
        loop {
            let due = self.db.exports_due(now, BATCH).await?;
            for row in &due {
                self.unlink(&row.export.id).await?;
                self.db.remove_export(&row.export.id, event(&row.export, acts::EXPORT_EXPIRED, now)).await?;
            }
            if due.len() < BATCH as usize {
                break;
            }
        }
        let mut after = String::new();
        loop {
            let rows = self.db.exports_with_file(&after, BATCH).await?;
            for row in &rows {
                self.withdraw_if_erased(row).await?;
            }
            match rows.last() {
                Some(last) if rows.len() == BATCH as usize => after.clone_from(&last.export.id),
                _ => return Ok(()),
            }
        }
    }

    /// Takes the file back when footage in it is being erased, or was: what is erased is nowhere. True when it is gone.
    pub(super) async fn withdraw_if_erased(&self, row: &ExportRow) -> ExportResult<bool> {
        let job = &row.export;
        // What was erased before it was begun is not in it.
        let since = row.started_at.unwrap_or(job.created_at);
        let mut erased = false;
        for stream in &job.streams {
            erased |= self.db.erasure_since(stream, job.range, since).await?;
        }
        if erased {
            self.unlink(&job.id).await?;
            let now = self.clock.now();
            self.db.withdraw_export(&job.id, ERASED, event(job, acts::EXPORT_WITHDRAWN, now)).await?;
        }
        Ok(erased)
    }

    /// A file that is gone already is no error.
    pub(super) async fn unlink(&self, id: &str) -> ExportResult<()> {
        for path in [self.path(id), self.half_path(id)] {
            remove(&path).await?;
        }
        Ok(())
    }

    /// What a service that was cut short left behind: half-written files, and files that no row leads to.
    pub(super) async fn tidy(&self) -> ExportResult<()> {
        let step = "look through the exports' folder";
        let mut entries = match tokio::fs::read_dir(&self.settings.folder).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io(step)(error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(io(step))? {
            let name = entry.file_name();
            // Names that are not ours are somebody's.
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
            let kept = self.db.export(name).await?.is_some_and(|row| row.file.is_some());
            if !kept {
                remove(&entry.path()).await?;
            }
        }
        Ok(())
    }
}

fn is_ours(name: &str) -> bool {
    let id = name.strip_suffix(".half").unwrap_or(name);
    id.len() == 13 && id.starts_with('e') && id[1..].bytes().all(|b| b.is_ascii_hexdigit())
}

async fn remove(path: &Path) -> Result<(), ExportError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove an export's file")(error)),
        _ => Ok(()),
    }
}
