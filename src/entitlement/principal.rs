//! Who sends a request, and what of it they may have.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::visible::Visible;
use super::{EntitlementError, Rights, Role};
use crate::db::{TokenRow, UserRow};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

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

/// What is done with footage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verb {
    /// Played: playlists and what they name, coverage.
    View,
    /// Looked at in single pictures.
    Thumbnail,
    /// Taken away as a file: clips and blocks.
    Export,
}

impl Verb {
    pub const ALL: [Verb; 3] = [Verb::View, Verb::Thumbnail, Verb::Export];

    pub fn as_str(self) -> &'static str {
        match self {
            Verb::View => "view",
            Verb::Thumbnail => "thumbnail",
            Verb::Export => "export",
        }
    }
}

impl FromStr for Verb {
    type Err = EntitlementError;
    fn from_str(text: &str) -> Result<Self, EntitlementError> {
        let known = Verb::ALL.into_iter().find(|v| v.as_str() == text);
        known.ok_or_else(|| EntitlementError::UnknownVerb(text.chars().take(32).collect()))
    }
}

/// A set of verbs. As a number it stands in signed tokens: bits never change their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verbs(u8);

impl Verbs {
    pub const ALL: Verbs = Verbs(0b111);

    pub fn has(self, verb: Verb) -> bool {
        self.0 & 1 << verb as u8 != 0
    }
    pub(super) fn bits(self) -> u8 {
        self.0
    }
    /// `None` for a set that holds nothing, or something that this version does not know.
    pub(super) fn from_bits(bits: u8) -> Option<Verbs> {
        (bits != 0 && bits & !Verbs::ALL.0 == 0).then_some(Verbs(bits))
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        Verbs(verbs.into_iter().fold(0, |bits, v| bits | 1 << v as u8))
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
    /// A link that somebody with an account made; its cookie is sent by browsers by themselves, and good for reading only.
    Shared {
        /// Its public name.
        id: Arc<str>,
    },
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
    /// Narrower than everything only for signed addresses.
    pub(super) verbs: Verbs,
}

impl Principal {
    /// For commands that work on the database itself.
    pub fn command_line(account: AccountId) -> Self {
        let scopes = Scope::ALL.into_iter().collect();
        Principal { account, proof: Proof::CommandLine, scopes, streams: None, window: None, verbs: Verbs::ALL }
    }

    /// A user, as their row says now. `session`: the public name of theirs.
    pub(super) fn of_user(user: UserRow, session: &str) -> Self {
        Principal {
            account: user.account,
            proof: Proof::Session { user: user.name.into(), id: session.into() },
            // A role written by a later version grants nothing here.
            scopes: user.role.parse::<Role>().map(Role::scopes).unwrap_or_default(),
            streams: user.streams.map(Into::into),
            window: None,
            verbs: Verbs::ALL,
        }
    }

    /// Whoever holds this token.
    pub(super) fn of_token(token: TokenRow) -> Self {
        Principal {
            scopes: Rights::of(&token).scopes(),
            account: token.account,
            proof: Proof::Bearer { token_id: token.id.into() },
            streams: (!token.streams.is_empty()).then(|| token.streams.into()),
            window: None,
            verbs: Verbs::ALL,
        }
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }
    /// The signed-in user; `None` for programs and signed URLs.
    pub fn user(&self) -> Option<&str> {
        match &self.proof {
            Proof::Session { user, .. } => Some(user),
            Proof::Bearer { .. } | Proof::Signed | Proof::Shared { .. } | Proof::CommandLine => None,
        }
    }
    /// The signed-in user, and the public name of their session.
    pub fn signed_in(&self) -> Option<(&str, &str)> {
        match &self.proof {
            Proof::Session { user, id } => Some((user, id)),
            Proof::Bearer { .. } | Proof::Signed | Proof::Shared { .. } | Proof::CommandLine => None,
        }
    }
    /// The bearer token that was sent.
    pub fn token_id(&self) -> Option<&str> {
        match &self.proof {
            Proof::Bearer { token_id } => Some(token_id),
            Proof::Session { .. } | Proof::Signed | Proof::Shared { .. } | Proof::CommandLine => None,
        }
    }
    /// For the log: `user admin`, `token t0123456789ab`, `signed cam1`, `share h0123456789ab`.
    pub fn label(&self) -> String {
        match &self.proof {
            Proof::Session { user, .. } => format!("user {user}"),
            Proof::Bearer { token_id } => format!("token {token_id}"),
            Proof::Signed => format!("signed {}", self.streams.iter().flat_map(|s| s.iter()).map(|s| s.as_str()).collect::<String>()),
            Proof::Shared { id } => format!("share {id}"),
            Proof::CommandLine => "command line".into(),
        }
    }
    /// Whether a browser would send this proof without being asked to.
    pub fn is_ambient(&self) -> bool {
        matches!(self.proof, Proof::Session { .. } | Proof::Shared { .. })
    }
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
    /// The only time that can be seen, when the proof covers no more than that.
    pub fn window(&self) -> Option<TimeRange> {
        self.window
    }
    /// The streams it covers, when not all of the account.
    pub fn streams(&self) -> Option<&[StreamId]> {
        self.streams.as_deref()
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

    /// Whether they only hold an address or a link that somebody made for them.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.proof, Proof::Signed | Proof::Shared { .. })
    }
    /// The share they hold.
    pub fn share_id(&self) -> Option<&str> {
        match &self.proof {
            Proof::Shared { id } => Some(id),
            Proof::Session { .. } | Proof::Bearer { .. } | Proof::Signed | Proof::CommandLine => None,
        }
    }

    /// What belongs to people and programs of the account, and is not footage: not for those who only hold an address that was made for
    /// them.
    ///
    /// # Errors
    /// [`EntitlementError::NotOwn`].
    pub fn require_own(&self) -> Result<(), EntitlementError> {
        if self.is_shown() { Err(EntitlementError::NotOwn) } else { Ok(()) }
    }

    /// What is given away must be had: no credentials make others that open more.
    ///
    /// # Errors
    /// [`EntitlementError::MissingScope`].
    pub fn require_all(&self, scopes: Scopes) -> Result<(), EntitlementError> {
        Scope::ALL.into_iter().filter(|s| scopes.has(*s)).try_for_each(|s| self.require(s))
    }

    /// Whether holds may be seen, and the footage that only they keep: part of seeing to an account, unlike watching alone.
    pub fn sees_holds(&self) -> bool {
        self.scopes.has(Scope::Audit)
    }

    /// The part of `asked` of a stream that may be had in this way, where `visible` says what there is to be seen of it.
    ///
    /// # Errors
    /// No right to view, another stream, another verb, another time, or [`EntitlementError::OutsideWindow`].
    pub fn permit(&self, verb: Verb, asked: TimeRange, visible: &Arc<Visible>) -> Result<PermittedRange, EntitlementError> {
        self.require_on(Scope::View, &visible.stream)?;
        if !self.covers_account(&visible.account) {
            return Err(EntitlementError::StreamNotCovered);
        }
        if !self.verbs.has(verb) {
            return Err(EntitlementError::VerbNotCovered(verb));
        }
        let asked = self.window.unwrap_or(TimeRange::ALL).intersection(asked).ok_or(EntitlementError::TimeNotCovered)?;
        let with_held = self.sees_holds();
        let range = visible.reach(asked, with_held).ok_or(EntitlementError::OutsideWindow)?;
        Ok(PermittedRange { visible: Arc::clone(visible), with_held, range })
    }
}

/// The part of a request that its sender may have. There is no other way to footage: what reads it asks for
/// one of these, and only [`Principal::permit`] makes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PermittedRange {
    visible: Arc<Visible>,
    with_held: bool,
    range: TimeRange,
}

impl PermittedRange {
    pub fn visible(&self) -> &Visible {
        &self.visible
    }
    /// Whose footage it is.
    pub fn account(&self) -> &AccountId {
        &self.visible.account
    }
    pub fn stream(&self) -> &StreamId {
        &self.visible.stream
    }
    /// All that is shown lies inside, but not all inside is shown: see [`PermittedRange::shows`].
    pub fn range(&self) -> TimeRange {
        self.range
    }
    /// Where what is shown begins at the earliest.
    pub fn start(&self) -> Timestamp {
        self.parts().first().map_or(self.range.start(), |part| part.start())
    }
    /// Whether all of it is shown.
    pub fn is_whole(&self) -> bool {
        let inside = self.visible.window_start().is_none_or(|from| from < self.range.start());
        inside && self.visible.erasing.iter().all(|r| !r.overlaps(self.range))
    }
    /// Whether the segment over `segment` is shown.
    pub fn shows(&self, segment: TimeRange) -> bool {
        self.visible.shows(segment, self.with_held)
    }
    /// The times shown, in order.
    pub fn parts(&self) -> Vec<TimeRange> {
        self.visible.parts(self.range, self.with_held)
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
            verbs: Verbs::ALL,
        }
    }

    fn all(stream: &str) -> Arc<Visible> {
        Arc::new(Visible::all(stream.parse().unwrap(), AccountId::main()))
    }

    #[test]
    fn what_may_be_seen_is_what_was_asked_for_inside_what_is_covered() {
        let cam = all("cam1");
        let p = principal(&[Scope::View], Some(&["cam1"]), Some(range(100, 200)));
        let view = |asked| p.permit(Verb::View, asked, &cam).map(|permitted| permitted.range());
        assert_eq!(view(range(150, 300)).unwrap(), range(150, 200));
        assert!(matches!(view(range(200, 300)), Err(EntitlementError::TimeNotCovered)));
        assert!(matches!(p.permit(Verb::View, range(150, 160), &all("cam2")), Err(EntitlementError::StreamNotCovered)));
        let pusher = principal(&[Scope::Ingest], None, None);
        assert!(matches!(pusher.permit(Verb::View, range(0, 1), &cam), Err(EntitlementError::MissingScope(Scope::View))));
        let looker = Principal { verbs: [Verb::View].into_iter().collect(), ..p };
        assert!(matches!(looker.permit(Verb::Export, range(150, 160), &cam), Err(EntitlementError::VerbNotCovered(Verb::Export))));
        let theirs = Arc::new(Visible::all("cam1".parse().unwrap(), "acme".parse().unwrap()));
        assert!(matches!(looker.permit(Verb::View, range(150, 160), &theirs), Err(EntitlementError::StreamNotCovered)));
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
