//! What kinds of users there are.

use std::fmt;
use std::str::FromStr;

use super::{EntitlementError, Scope, Scopes};

/// A user's place in an account, as the scopes it comes with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Watches chosen streams.
    Viewer,
    /// Sees to the account: its streams, users, tokens, holds.
    Manager,
    /// Windows, ledger, holds, receipts. Never footage.
    Auditor,
    /// Sees to the installation and every account in it.
    Operator,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Manager, Role::Auditor, Role::Operator];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Manager => "manager",
            Role::Auditor => "auditor",
            Role::Operator => "operator",
        }
    }

    pub fn scopes(self) -> Scopes {
        let scopes: &[Scope] = match self {
            Role::Viewer => &[Scope::View],
            Role::Manager => &[Scope::View, Scope::Ingest, Scope::Admin, Scope::Audit],
            Role::Auditor => &[Scope::Audit],
            Role::Operator => &Scope::ALL,
        };
        scopes.iter().copied().collect()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = EntitlementError;
    fn from_str(text: &str) -> Result<Self, EntitlementError> {
        let known = Role::ALL.into_iter().find(|r| r.as_str() == text);
        known.ok_or_else(|| EntitlementError::UnknownRole(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_it_is_for_and_no_more() {
        let may = |role: Role| Scope::ALL.into_iter().filter(|s| role.scopes().has(*s)).map(Scope::as_str).collect::<Vec<_>>().join(" ");
        assert_eq!(may(Role::Viewer), "view");
        assert_eq!(may(Role::Manager), "view ingest admin audit");
        assert_eq!(may(Role::Auditor), "audit");
        assert_eq!(may(Role::Operator), "view ingest admin audit operate");
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        assert!("root".parse::<Role>().is_err());
    }
}
