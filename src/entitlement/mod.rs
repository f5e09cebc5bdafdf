//! Who may do what, and which part of a request a viewer may have.
//!
//! A request proves who sends it in one of four ways, and each ends in a [`Principal`]:
//!
//! | proof | made by | covers |
//! |---|---|---|
//! | session cookie | signing in with a password (argon2id) | what the user's role grants; a viewer's streams |
//! | bearer token `rv_…` | `POST /v1/tokens`, `retroview tokens create` | its role, or its scopes; perhaps only some streams |
//! | cookie of a share | opening its link; `POST /v1/shares` makes one | viewing streams over one range, as long as its maker may |
//! | signed playback token | `POST /v1/streams/{stream}/urls` | viewing, pictures or files of one stream over one range until it expires |
//!
//! Passwords are chosen by those who use them, with a one-time link that somebody who sees to the account makes for them
//! ([`Directory::make_link`], [`Access::use_link`]). Users, links, sessions and tokens are the [`Directory`]'s; recognising who
//! comes with them is the [`Access`]'s.
//!
//! Leaves to others: HTTP (cookies, headers, the rule against forged cross-site requests are `http`'s), and what
//! the range holds (`playback`).
//!
//! A right is not all: footage leaves the retention window, is held, or is being erased. [`Visible`] says what of a stream is
//! there to be seen at a moment ([`Windows`], filled by `retention`), and a permitted range shows no segment beyond it.
//!
//! **Invariants.** Only this room can make a [`PermittedRange`], and only from a [`Principal`] and a [`Visible`]. Passwords,
//! session cookies, links and bearer tokens are kept as hashes: who reads the database cannot sign in with what is
//! there. Secrets are compared in constant time or looked up by their hash, so the time of an answer says
//! nothing about how much of a guess was right. Password hashing is bounded in memory and in number.
//!
//! **When things fail.** Every error that a stranger can cause says the same thing: the credentials are not
//! good. A database that does not answer is an error of its own and never lets anyone in.

mod access;
mod directory;
mod limiter;
mod links;
mod maker;
mod password;
mod principal;
mod recent;
mod role;
mod secret;
mod shares;
mod signed;
mod signing_keys;
mod visible;

use std::time::Duration;

use crate::db::DbError;
use crate::media::{StreamId, Timestamp};

pub use access::{Access, AccessSettings, Caller, Session, ensure_admin, set_password};
pub use directory::{Directory, FreshLink, FreshShare, LinkKind, NewShare, NewToken, NewUser, UserChange};
pub use links::OpenLink;
pub use maker::on_behalf_of;
pub use password::MIN_PASSWORD_CHARS;
pub use principal::{PermittedRange, Principal, Scope, Scopes, Verb, Verbs};
pub use role::{Rights, Role};
pub use secret::{TOKEN_PREFIX, public_id, readable_password};
pub use shares::OpenShare;
pub use signed::SignedRange;
pub use visible::{Everything, Limit, Visible, Windows};

/// Why someone does not get in, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum EntitlementError {
    /// No such user, wrong password, unknown or expired session or token, bad signature: never told apart.
    #[error("the credentials are not valid, or no longer")]
    BadCredentials,
    #[error("too many attempts to sign in; try again in {} s", retry_after.as_secs().max(1))]
    TooManyAttempts { retry_after: Duration },
    /// Password checks take memory; beyond a bound they wait, and beyond that they are refused.
    #[error("too many people are signing in at this moment; try again shortly")]
    Busy,
    #[error("this needs the scope `{0}`")]
    MissingScope(Scope),
    /// The stream is not among those the credentials are for. Said the same way whether it exists or not.
    #[error("the credentials do not cover this stream")]
    StreamNotCovered,
    #[error("the credentials do not cover this time")]
    TimeNotCovered,
    #[error("this address is not for this (`{}`); ask for one that is", .0.as_str())]
    VerbNotCovered(Verb),
    /// All of it has left the window. Whether there was anything is another question.
    #[error("all of this time has left the retention window")]
    OutsideWindow,
    /// Its own end would mean nothing if it could make another that ends later.
    #[error("a signed address cannot make another; use a session or a bearer token")]
    SignedCannotSign,
    /// Footage was shown to somebody, and nothing else.
    #[error("an address that was made for somebody does not reach this; use a session or a bearer token")]
    NotOwn,
    #[error("`{0}` is not a scope: view, ingest, admin, audit and operate are")]
    UnknownScope(String),
    #[error("`{0}` is nothing to allow: view, thumbnail and export are")]
    UnknownVerb(String),
    #[error("`{0}` is not a role: viewer, manager, auditor and operator are")]
    UnknownRole(String),
    #[error("a password needs at least {MIN_PASSWORD_CHARS} characters")]
    WeakPassword,
    #[error("there is no user `{0}`")]
    UnknownUser(String),
    /// Perhaps of another account: names are one of their kind in the installation.
    #[error("the name `{0}` is taken; choose another")]
    UserExists(String),
    #[error("a user's name has 1 to 64 letters and digits, between them . _ - @ +")]
    UserName,
    #[error("`{0}` is not a language of this program: en and fr are")]
    UnknownLanguage(String),
    #[error("only a viewer watches chosen streams; the other roles see to all of the account")]
    OnlyViewersChoose,
    /// Of this account.
    #[error("there is no stream `{0}` in this account")]
    NoSuchStream(StreamId),
    #[error("this is the last operator who can sign in; make another first")]
    LastOperator,
    #[error("`{0}` may not sign in; let them first, then make a link")]
    UserDisabled(String),
    #[error("there is no such link; a newer one may have taken its place: ask for another")]
    UnknownLink,
    #[error("the link has been used; ask for another if it was not you")]
    LinkUsed,
    #[error("the link is too old; ask for another")]
    LinkExpired,
    #[error("there is no such share; check that the link is whole")]
    UnknownShare,
    #[error("this share was revoked")]
    ShareRevoked,
    #[error("this share has expired; ask for another")]
    ShareExpired,
    /// Their account, their right to watch, or their token is gone.
    #[error("whoever made this share may not show it any more")]
    ShareEnded,
    #[error("{0}")]
    Share(String),
    #[error("there is no session `{0}`")]
    UnknownSession(String),
    #[error("these credentials are a program's, not a session")]
    NotASession,
    #[error("there is no token `{0}`")]
    UnknownToken(String),
    #[error("give the token a name, to know it by")]
    TokenName,
    #[error("give a role (viewer, manager, auditor, operator), or at least one scope (view, ingest, admin, audit, operate)")]
    NoRights,
    #[error("a token does not outlive the one that makes it; let it end on {0} at the latest")]
    OutlivesMaker(Timestamp),
    #[error("this must end in the future")]
    AlreadyExpired,
    #[error("hash the password: {0}")]
    Hash(String),
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error("look up who this is")]
    Db(#[from] DbError),
}
