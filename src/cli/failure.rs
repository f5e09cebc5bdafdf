//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

use crate::accounts::AccountsError;
use crate::config::ConfigError;
use crate::db::DbError;
use crate::entitlement::EntitlementError;
use crate::plans::PlanError;

/// Exit codes. Scripts rely on them: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and nothing to report.
    Ok = 0,
    /// It was tried and did not work.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// `check` found something.
    Findings = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// In conflict with what is there, or another process holds what is needed.
    Conflict = 5,
}

impl From<AccountsError> for Failure {
    fn from(error: AccountsError) -> Self {
        use AccountsError as E;
        let (exit, hint) = match &error {
            E::Db(_) => return Failure::from_error(error.into()),
            E::Unknown(_) => (Exit::NotFound, "retroview accounts list"),
            E::Plan(PlanError::Unknown { .. }) => (Exit::NotFound, "retroview plans list"),
            E::Plan(PlanError::VersionTaken { .. } | PlanError::VersionSkipped { .. }) => (Exit::Conflict, "retroview plans list"),
            E::Plan(_) => (Exit::Usage, "retroview plans list --json"),
            E::Exists(_) => (Exit::Conflict, "retroview accounts list"),
            E::Zone(_) | E::Language(_) | E::Name | E::TermMonths(_) => (Exit::Usage, "retroview accounts add --help"),
            E::Words => (Exit::Usage, "retroview subscription --help"),
            _ => (Exit::Conflict, "retroview subscription show ACCOUNT"),
        };
        Failure::new(exit, error.to_string()).hint(hint)
    }
}

impl From<EntitlementError> for Failure {
    fn from(error: EntitlementError) -> Self {
        use EntitlementError as E;
        let (exit, hint) = match &error {
            E::Db(_) | E::Hash(_) | E::Random(_) => return Failure::from_error(error.into()),
            E::UnknownUser(_) => (Exit::NotFound, "retroview users list"),
            E::NoSuchStream(_) => (Exit::NotFound, "retroview streams list --removed"),
            E::UnknownSession(_) => (Exit::NotFound, "retroview users sessions NAME"),
            E::UnknownToken(_) => (Exit::NotFound, "retroview tokens list"),
            E::UserExists(_) | E::LastOperator => (Exit::Conflict, "retroview users list"),
            E::UserDisabled(_) => (Exit::Conflict, "retroview users enable NAME"),
            E::UnknownScope(_) | E::TokenName | E::NoRights | E::AlreadyExpired => (Exit::Usage, "retroview tokens create --help"),
            _ => (Exit::Usage, "retroview users --help"),
        };
        Failure::new(exit, error.to_string()).hint(hint)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What went wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into(), hint: None }
    }
    #[must_use]
    pub fn with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
    /// A command, or a few words, after `Try:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Finds out what an error means for the exit code. A [`Failure`] inside `error` stays as it is.
    pub fn from_error(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Failure>() {
            Ok(failure) => return failure,
            Err(error) => error,
        };
        // Causes that repeat what their parent says already would only make the line longer.
        let mut message = String::new();
        for cause in error.chain().map(ToString::to_string) {
            if !message.contains(&cause) {
                message = if message.is_empty() { cause } else { format!("{message}: {cause}") };
            }
        }
        let db = error.chain().find_map(|e| e.downcast_ref::<DbError>());
        match db {
            Some(DbError::Missing { .. }) => Failure::new(Exit::NotFound, message),
            Some(DbError::Exists { .. } | DbError::Overlap { .. } | DbError::Changed { .. }) => Failure::new(Exit::Conflict, message),
            Some(DbError::Held { .. }) => Failure::new(Exit::Conflict, message).hint("retroview holds list"),
            Some(DbError::Erasing { .. }) => Failure::new(Exit::Conflict, message).hint("retroview erase list"),
            Some(DbError::Locked(_)) => Failure::new(Exit::Conflict, message).hint("the same again in a moment"),
            Some(DbError::ReadOnly(_)) => {
                Failure::new(Exit::Failed, message).hint("running it as the user that owns the data directory (sudo -u …)")
            }
            Some(DbError::Full(_)) => Failure::new(Exit::Failed, message).hint("df -h, then make room"),
            _ => Failure::new(Exit::Failed, message).hint("the same with --log-level debug"),
        }
    }

    /// Says it on stderr and gives the exit code.
    pub fn tell(&self) -> Exit {
        eprintln!("{self}");
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever was in the message.
        let message = self.message.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
        write!(f, "retroview: {message}")?;
        let stop = if message.ends_with(['.', '?', '!']) { "" } else { "." };
        match &self.hint {
            Some(hint) => write!(f, "{stop} Try: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::new(Exit::Usage, error.to_string()).hint("retroview config check")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_one_line_and_end_with_what_to_try() {
        let failure = Failure::new(Exit::Failed, "first\n  second").hint("retroview --help");
        assert_eq!(failure.to_string(), "retroview: first; second. Try: retroview --help");
    }

    #[test]
    fn the_database_s_errors_have_exit_codes_of_their_own() {
        let missing = || DbError::Missing { what: "stream", id: "door".into() };
        let failure = Failure::from_error(anyhow::Error::new(missing()).context("pause `door`"));
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.to_string(), "retroview: pause `door`: stream `door` does not exist");
        let exists = DbError::Exists { what: "stream", id: "door".into() };
        assert_eq!(Failure::from_error(exists.into()).exit, Exit::Conflict);
    }

    #[test]
    fn a_failure_inside_an_error_stays_as_it_is() {
        let inner = Failure::new(Exit::Conflict, "taken").hint("another");
        assert_eq!(Failure::from_error(anyhow::Error::new(inner.clone())), inner);
    }
}
