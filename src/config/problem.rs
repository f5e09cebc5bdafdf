//! What is wrong with a configuration, and where.

use super::reader::Origin;

/// One thing wrong, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// A configuration that cannot be used: at least one problem, in the order they were found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub(super) Vec<Problem>);

impl ConfigError {
    pub(super) fn one(origin: Origin, message: String) -> Self {
        ConfigError(vec![Problem { origin, message }])
    }
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}
