//! `[audit]`: where proofs are kept.

use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::values;

#[derive(Clone, Debug)]
pub struct Audit {
    pub checkpoints: PathBuf,
}

impl Audit {
    pub(super) fn read(r: &mut Reader, data_dir: &Path) -> Audit {
        let folder = data_dir.join("checkpoints").display().to_string();
        let help = "A signed checkpoint of the audit log is written here every day. Best on another machine's disk.";
        Audit { checkpoints: r.get("audit.checkpoints", &folder, help, values::path) }
    }
}
