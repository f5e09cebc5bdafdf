//! What the system lets one process have.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Most systems give a process 1,024 open files and let it ask for more; each connection and each block being read takes
/// one, and workers inherit what we have. Failing is no reason not to start: then the fewer connections wait.
pub(super) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_the_system_allows() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
