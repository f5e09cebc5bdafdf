//! What kinds of users there are.

use std::fmt;
use std::str::FromStr;

use super::{EntitlementError, Scope, Scopes};
use crate::db::TokenRow;

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

/// What a token opens: what a role does, or single scopes. Not both: a list beside a role would be read as more, or as less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rights {
    /// Also what the role will open in later versions.
    Role(Role),
    Scopes(Scopes),
}

impl Rights {
    /// Of a stored token. A role or scope written by a later version grants nothing here.
    pub fn of(token: &TokenRow) -> Rights {
        match &token.role {
            Some(role) => role.parse().map_or(Rights::Scopes(Scopes::default()), Rights::Role),
            None => Rights::Scopes(token.scopes.iter().filter_map(|s| s.parse::<Scope>().ok()).collect()),
        }
    }

    pub fn scopes(self) -> Scopes {
        match self {
            Rights::Role(role) => role.scopes(),
            Rights::Scopes(scopes) => scopes,
        }
    }

    pub fn role(self) -> Option<Role> {
        match self {
            Rights::Role(role) => Some(role),
            Rights::Scopes(_) => None,
        }
    }
}

/// A role's name, or scopes: `view,ingest`.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rights::Role(role) => role.fmt(f),
            Rights::Scopes(scopes) => f.write_str(&scopes.names().join(",")),
        }
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
