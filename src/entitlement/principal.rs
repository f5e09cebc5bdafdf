//! Who sends a request, and what of it they may have.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::EntitlementError;
use crate::media::{AccountId, StreamId, TimeRange};

/// One right. `Admin` includes the others of the account; `Operate` is included in none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Play footage and look at streams.
    View,
    /// Push media into a stream.
    Ingest,
    /// Add, change and remove streams, tokens and users.
    Admin,
    /// Plans, ledger, requests and records of the account. No footage.
    Audit,
    /// See to the installation: all accounts, and what is sold.
    Operate,
}

impl Scope {
    pub const ALL: [Scope; 5] = [Scope::View, Scope::Ingest, Scope::Admin, Scope::Audit, Scope::Operate];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::View => "view",
            Scope::Ingest => "ingest",
            Scope::Admin => "admin",
            Scope::Audit => "audit",
            Scope::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = EntitlementError;
    fn from_str(text: &str) -> Result<Self, EntitlementError> {
        let known = Scope::ALL.into_iter().find(|s| s.as_str() == text);
        known.ok_or_else(|| EntitlementError::UnknownScope(text.chars().take(32).collect()))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    pub fn has(self, scope: Scope) -> bool {
        let admin = if scope == Scope::Operate { 0 } else { 1 << Scope::Admin as u8 };
        self.0 & (1 << scope as u8 | admin) != 0
    }
    /// The names, in a fixed order.
    pub fn names(self) -> Vec<String> {
        Scope::ALL.into_iter().filter(|s| self.0 & (1 << *s as u8) != 0).map(|s| s.as_str().to_owned()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().fold(0, |bits, s| bits | 1 << s as u8))
    }
}

/// How a principal proved who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A session cookie: a browser sends it by itself, so state-changing requests need more (`http`).
    Session {
        user: Arc<str>,
        /// Its public name.
        id: Arc<str>,
    },
    Bearer {
        token_id: Arc<str>,
    },
    Signed,
    /// The person at the machine: whoever can open the database may do anything anyway.
    CommandLine,
}

/// Someone who proved who they are. Made by this room only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    pub(super) account: AccountId,
    pub(super) proof: Proof,
    pub(super) scopes: Scopes,
    /// `None`: every stream of the account.
    pub(super) streams: Option<Arc<[StreamId]>>,
    /// `None`: any time.
    pub(super) window: Option<TimeRange>,
}

impl Principal {
    /// For commands that work on the database itself.
    pub fn command_line(account: AccountId) -> Self {
        let scopes = Scope::ALL.into_iter().collect();
        Principal { account, proof: Proof::CommandLine, scopes, streams: None, window: None }
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }
    /// The signed-in user; `None` for programs and signed URLs.
    pub fn user(&self) -> Option<&str> {
        match &self.proof {
            Proof::Session { user, .. } => Some(user),
            Proof::Bearer { .. } | Proof::Signed | Proof::CommandLine => None,
        }
    }
    /// The signed-in user, and the public name of their session.
    pub fn signed_in(&self) -> Option<(&str, &str)> {
        match &self.proof {
            Proof::Session { user, id } => Some((user, id)),
            Proof::Bearer { .. } | Proof::Signed | Proof::CommandLine => None,
        }
    }
    /// The bearer token that was sent.
    pub fn token_id(&self) -> Option<&str> {
        match &self.proof {
            Proof::Bearer { token_id } => Some(token_id),
            Proof::Session { .. } | Proof::Signed | Proof::CommandLine => None,
        }
    }
    /// For the log: `user admin`, `token t0123456789ab`, `signed cam1`.
    pub fn label(&self) -> String {
        match &self.proof {
            Proof::Session { user, .. } => format!("user {user}"),
            Proof::Bearer { token_id } => format!("token {token_id}"),
            Proof::Signed => format!("signed {}", self.streams.iter().flat_map(|s| s.iter()).map(|s| s.as_str()).collect::<String>()),
            Proof::CommandLine => "command line".into(),
        }
    }
    /// Whether a browser would send this proof without being asked to.
    pub fn is_ambient(&self) -> bool {
        matches!(self.proof, Proof::Session { .. })
    }
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
    /// The only time that can be seen, when the proof covers no more than that.
    pub fn window(&self) -> Option<TimeRange> {
        self.window
    }
    pub fn covers_stream(&self, stream: &StreamId) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.contains(stream))
    }

    /// # Errors
    /// [`EntitlementError::MissingScope`].
    pub fn require(&self, scope: Scope) -> Result<(), EntitlementError> {
        if self.scopes.has(scope) { Ok(()) } else { Err(EntitlementError::MissingScope(scope)) }
    }

    /// Scope and stream at once.
    ///
    /// # Errors
    /// [`EntitlementError::MissingScope`], [`EntitlementError::StreamNotCovered`].
    pub fn require_on(&self, scope: Scope, stream: &StreamId) -> Result<(), EntitlementError> {
        self.require(scope)?;
        if self.covers_stream(stream) { Ok(()) } else { Err(EntitlementError::StreamNotCovered) }
    }

    /// What has no stream or reaches over all of them: lists of tokens, new streams.
    ///
    /// # Errors
    /// As [`Principal::require`]; also for credentials that cover only some streams.
    pub fn require_everywhere(&self, scope: Scope) -> Result<(), EntitlementError> {
        self.require(scope)?;
        if self.streams.is_none() { Ok(()) } else { Err(EntitlementError::StreamNotCovered) }
    }

    /// Whether something of this account may be asked for at all: one's own, or any with `Operate`. Who may not hears the same
    /// as of an account that does not exist.
    pub fn covers_account(&self, account: &AccountId) -> bool {
        self.account == *account || self.scopes.has(Scope::Operate)
    }

    /// What is given away must be had: no credentials make others that open more.
    ///
    /// # Errors
    /// [`EntitlementError::MissingScope`].
    pub fn require_all(&self, scopes: Scopes) -> Result<(), EntitlementError> {
        Scope::ALL.into_iter().filter(|s| scopes.has(*s)).try_for_each(|s| self.require(s))
    }

    /// The part of `asked` of `stream` that may be seen.
    ///
    /// # Errors
    /// No right to view, another stream, or nothing of the range may be seen.
    pub fn permit(&self, stream: &StreamId, asked: TimeRange) -> Result<PermittedRange, EntitlementError> {
        self.require_on(Scope::View, stream)?;
        let range = self.window.unwrap_or(TimeRange::ALL).intersection(asked).ok_or(EntitlementError::TimeNotCovered)?;
        Ok(PermittedRange { account: self.account.clone(), stream: stream.clone(), range })
    }
}

/// The part of a request that its sender may have. There is no other way to footage: what reads it asks for
/// one of these, and only [`Principal::permit`] makes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PermittedRange {
    account: AccountId,
    stream: StreamId,
    range: TimeRange,
}

impl PermittedRange {
    /// Whose footage it must be.
    pub fn account(&self) -> &AccountId {
        &self.account
    }
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }
    pub fn range(&self) -> TimeRange {
        self.range
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;

    fn range(start_s: i64, end_s: i64) -> TimeRange {
        TimeRange::new(Timestamp::from_secs(start_s), Timestamp::from_secs(end_s)).unwrap()
    }

    fn principal(scopes: &[Scope], streams: Option<&[&str]>, window: Option<TimeRange>) -> Principal {
        Principal {
            account: AccountId::main(),
            proof: Proof::Signed,
            scopes: scopes.iter().copied().collect(),
            streams: streams.map(|s| s.iter().map(|s| s.parse().unwrap()).collect()),
            window,
        }
    }

    #[test]
    fn what_may_be_seen_is_what_was_asked_for_inside_what_is_covered() {
        let cam = "cam1".parse().unwrap();
        let p = principal(&[Scope::View], Some(&["cam1"]), Some(range(100, 200)));
        assert_eq!(p.permit(&cam, range(150, 300)).unwrap().range(), range(150, 200));
        assert!(matches!(p.permit(&cam, range(200, 300)), Err(EntitlementError::TimeNotCovered)));
        assert!(matches!(p.permit(&"cam2".parse().unwrap(), range(150, 160)), Err(EntitlementError::StreamNotCovered)));
        let pusher = principal(&[Scope::Ingest], None, None);
        assert!(matches!(pusher.permit(&cam, range(0, 1)), Err(EntitlementError::MissingScope(Scope::View))));
    }

    #[test]
    fn an_admin_may_do_everything_but_one_for_some_streams_does_not_reach_the_rest() {
        let all = principal(&[Scope::Admin], None, None);
        for scope in [Scope::View, Scope::Ingest, Scope::Admin, Scope::Audit] {
            assert!(all.require_everywhere(scope).is_ok());
        }
        assert!(all.require(Scope::Operate).is_err());
        assert!(!all.covers_account(&"acme".parse().unwrap()) && all.covers_account(&AccountId::main()));
        assert!(principal(&[Scope::Operate], None, None).covers_account(&"acme".parse().unwrap()));
        let some = principal(&[Scope::Admin], Some(&["cam1"]), None);
        assert!(some.require_on(Scope::Admin, &"cam1".parse().unwrap()).is_ok());
        assert!(some.require_everywhere(Scope::Admin).is_err());
    }
}
