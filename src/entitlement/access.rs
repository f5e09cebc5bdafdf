//! Signing in, and recognising who comes back.

use std::sync::Arc;
use std::time::Duration;

use super::limiter::SignInLimiter;
use super::password::{self, PasswordGate};
use super::principal::Proof;
use super::recent::Recent;
use super::signing_keys::SigningKeys;
use super::{Directory, EntitlementError, Principal, Role, Scope, SignedRange, TOKEN_PREFIX, Verb, Verbs, Visible, secret};
use crate::audit::{Event, acts};
use crate::clock::SharedClock;
use crate::db::{Db, SessionRow, UserRow};
use crate::media::{AccountId, TimeRange, Timestamp};

/// The last use of a session or token is written at most this often: it is for people deciding what to revoke.
const TOUCH_INTERVAL_US: i64 = 60_000_000;
/// Longest name of a user that is looked at.
const NAME_CHARS_MAX: usize = 100;
/// As much of what a browser calls itself is kept: enough to tell a phone from the office.
const AGENT_CHARS_MAX: usize = 200;

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    pub session_lifetime: Duration,
}

impl Default for AccessSettings {
    fn default() -> Self {
        AccessSettings { session_lifetime: Duration::from_secs(30 * 86_400) }
    }
}

/// A browser that has just signed in. `cookie` is shown to it once and not kept.
#[derive(Clone, Debug)]
pub struct Session {
    pub cookie: String,
    pub user: String,
    pub account: AccountId,
    pub language: Option<String>,
    pub role: String,
    pub lifetime: Duration,
}

/// Where somebody who is not known yet comes from.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// For the limit on failures; behind a proxy the proxy's.
    pub address: &'a str,
    /// What the browser calls itself, for people to know their sessions by.
    pub agent: &'a str,
}

impl Caller<'_> {
    /// What failures are counted under.
    pub(super) fn key(&self) -> String {
        format!("address {}", self.address)
    }
}

/// The door: everything that turns credentials into a [`Principal`].
#[derive(Clone)]
pub struct Access(Arc<Inner>);

pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) clock: SharedClock,
    settings: AccessSettings,
    pub(super) passwords: PasswordGate,
    limiter: SignInLimiter,
    signing: SigningKeys,
    pub(super) recent: Recent,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the keys of signed addresses from the database, or puts a fresh one there.
    ///
    /// # Errors
    /// The database does not answer, or the system has no random numbers.
    pub async fn open(db: Db, clock: SharedClock, settings: AccessSettings) -> Result<Self, EntitlementError> {
        let signing = SigningKeys::open(&db, &clock).await?;
        Ok(Access(Arc::new(Inner {
            db,
            clock,
            settings,
            passwords: PasswordGate::new()?,
            limiter: SignInLimiter::default(),
            signing,
            recent: Recent::new(),
        })))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Users, links, sessions and tokens, whose changes hold here at once.
    pub fn directory(&self) -> Directory {
        Directory::of_service(self.0.db.clone(), self.0.recent.clone())
    }

    /// # Errors
    /// [`EntitlementError::TooManyAttempts`].
    pub(super) fn wait_for(&self, keys: &[String]) -> Result<(), EntitlementError> {
        match self.0.limiter.wait(keys, self.0.clock.monotonic()) {
            Some(retry_after) => Err(EntitlementError::TooManyAttempts { retry_after }),
            None => Ok(()),
        }
    }

    /// Counts a failure, and records when it closed a door. `user`: whom it was tried with, if there is such a user: what else is
    /// typed there may be a password in the wrong field.
    pub(super) async fn failed(&self, keys: &[String], user: Option<&UserRow>) -> Result<(), EntitlementError> {
        let s = &*self.0;
        for closed in s.limiter.failed(keys, s.clock.monotonic()) {
            let refused = Event::system(s.clock.now(), acts::SESSION_REFUSED);
            let event = match (closed.strip_prefix("address "), user) {
                (Some(address), _) => refused.with("address", address),
                (None, Some(user)) => refused.of_account(&user.account).with("user", user.name.as_str()),
                (None, None) => continue,
            };
            s.db.audit(event).await?;
        }
        Ok(())
    }

    /// Checks a password and starts a session.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`], [`EntitlementError::TooManyAttempts`], [`EntitlementError::Busy`].
    pub async fn sign_in(&self, user: &str, password: String, caller: Caller<'_>) -> Result<Session, EntitlementError> {
        let s = &*self.0;
        let name: String = user.trim().chars().take(NAME_CHARS_MAX).collect();
        let row = self.check_password(&name, password, caller).await?;
        s.limiter.succeeded(&user_key(&name));
        self.start_session(row, caller).await
    }

    /// The user, if that is their password and they may sign in.
    async fn check_password(&self, name: &str, password: String, caller: Caller<'_>) -> Result<UserRow, EntitlementError> {
        let s = &*self.0;
        let keys = [user_key(name), caller.key()];
        self.wait_for(&keys)?;
        let row = s.db.user(name).await?;
        let stored = row.as_ref().filter(|u| u.disabled_at.is_none()).map(|u| u.password_hash.clone());
        if s.passwords.verify(password, stored).await?
            && let Some(row) = row
        {
            return Ok(row);
        }
        self.failed(&keys, row.as_ref()).await?;
        Err(EntitlementError::BadCredentials)
    }

    async fn start_session(&self, user: UserRow, caller: Caller<'_>) -> Result<Session, EntitlementError> {
        let s = &*self.0;
        let now = s.clock.now();
        let cookie = secret::fresh()?;
        let row = SessionRow {
            id_hash: secret::hash(&cookie).ok_or(EntitlementError::BadCredentials)?,
            id: secret::public_id('s')?,
            user: user.name.clone(),
            account: user.account.clone(),
            created_at: now,
            expires_at: now + s.settings.session_lifetime,
            seen_at: Some(now),
            address: caller.address.to_owned(),
            agent: caller.agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect(),
        };
        s.db.remove_sessions_expired_before(now).await?;
        let started = Event::system(now, acts::SESSION_STARTED)
            .by(format!("user {}", row.user))
            .of_account(&row.account)
            .with("session", row.id.as_str())
            .with("address", row.address.as_str())
            .with("agent", row.agent.as_str());
        if !s.db.recording(started).add_session(&row, &user.password_hash).await? {
            // It was changed while this one was being checked.
            return Err(EntitlementError::BadCredentials);
        }
        let lifetime = s.settings.session_lifetime;
        Ok(Session { cookie, user: user.name, account: user.account, language: user.language, role: user.role, lifetime })
    }

    /// The user's row: who is asking, for the page.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn user(&self, name: &str) -> Result<Option<UserRow>, EntitlementError> {
        Ok(self.0.db.user(name).await?)
    }

    /// Ends the session of this cookie; one that is not there has ended already.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), EntitlementError> {
        let s = &*self.0;
        let row = match secret::hash(cookie) {
            Some(hash) => s.db.session(&hash).await?,
            None => None,
        };
        if let Some(row) = row {
            let ended = Event::system(s.clock.now(), acts::SESSION_ENDED)
                .by(format!("user {}", row.user))
                .of_account(&row.account)
                .with("session", row.id.as_str());
            s.db.recording(ended).remove_session(&row.id_hash).await?;
        }
        s.recent.forget_all();
        Ok(())
    }

    /// Replaces the password of the one who asks, who says the old one, too: a browser left open must not be enough. Their
    /// other sessions end.
    ///
    /// # Errors
    /// [`EntitlementError::NotASession`], [`EntitlementError::BadCredentials`], [`EntitlementError::WeakPassword`],
    /// [`EntitlementError::TooManyAttempts`].
    pub async fn change_password(
        &self,
        who: &Principal,
        cookie: &str,
        current: String,
        chosen: &str,
        caller: Caller<'_>,
    ) -> Result<(), EntitlementError> {
        let s = &*self.0;
        let (name, _) = who.signed_in().ok_or(EntitlementError::NotASession)?;
        let row = self.check_password(name, current, caller).await?;
        let password_hash = s.passwords.hash(chosen).await?;
        let set = Event::system(s.clock.now(), acts::USER_PASSWORD_SET).by(who.label()).of_account(&row.account).with("user", name);
        s.db.recording(set).set_user_password(name, &password_hash, secret::hash(cookie)).await?;
        s.recent.forget_all();
        Ok(())
    }

    /// Who sends this session cookie.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`] also when it has expired.
    pub async fn by_session(&self, cookie: &str) -> Result<Principal, EntitlementError> {
        let s = &*self.0;
        let hash = secret::hash(cookie).ok_or(EntitlementError::BadCredentials)?;
        let (now, monotonic) = (s.clock.now(), s.clock.monotonic());
        if let Some(known) = s.recent.get(&hash, monotonic, now) {
            return Ok(known);
        }
        let looked_up = s.recent.generation();
        let row = s.db.session(&hash).await?.filter(|row| now < row.expires_at).ok_or(EntitlementError::BadCredentials)?;
        let user = s.db.user(&row.user).await?.filter(|u| u.disabled_at.is_none()).ok_or(EntitlementError::BadCredentials)?;
        if row.seen_at.is_none_or(|t| now.micros_since(t) >= TOUCH_INTERVAL_US)
            && let Err(error) = s.db.touch_session(&hash, now).await
        {
            tracing::warn!(session = row.id, error = &error as &dyn std::error::Error, "note the last use of a session");
        }
        let principal = Principal::of_user(user, &row.id);
        s.recent.put(hash, principal.clone(), monotonic, row.expires_at, looked_up);
        Ok(principal)
    }

    /// Who sends this bearer token.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`] also when it has expired.
    pub async fn by_bearer(&self, token: &str) -> Result<Principal, EntitlementError> {
        let s = &*self.0;
        let hash = secret::hash(token).filter(|_| token.starts_with(TOKEN_PREFIX)).ok_or(EntitlementError::BadCredentials)?;
        let (now, monotonic) = (s.clock.now(), s.clock.monotonic());
        if let Some(known) = s.recent.get(&hash, monotonic, now) {
            return Ok(known);
        }
        let looked_up = s.recent.generation();
        let row = s.db.token_by_hash(&hash).await?;
        let row = row.filter(|row| row.expires_at.is_none_or(|t| now < t)).ok_or(EntitlementError::BadCredentials)?;
        if row.last_used_at.is_none_or(|t| now.micros_since(t) >= TOUCH_INTERVAL_US)
            && let Err(error) = s.db.touch_token(&row.id, now).await
        {
            // A disk that is full must not lock out those who could make room.
            tracing::warn!(token = row.id, error = &error as &dyn std::error::Error, "note the last use of a token");
        }
        let expires_at = row.expires_at.unwrap_or(Timestamp::MAX);
        let principal = Principal::of_token(row);
        s.recent.put(hash, principal.clone(), monotonic, expires_at, looked_up);
        Ok(principal)
    }

    /// Who holds this signed playback token: someone who may have one stream over one range.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`] also when it has expired, or its key was removed.
    pub async fn by_signed(&self, token: &str) -> Result<Principal, EntitlementError> {
        let s = &*self.0;
        let signer = s.signing.signer(&s.db, &s.clock).await;
        let granted = signer.verify(token, s.clock.now()).ok_or(EntitlementError::BadCredentials)?;
        Ok(Principal {
            account: granted.account,
            proof: Proof::Signed,
            scopes: [Scope::View].into_iter().collect(),
            streams: Some([granted.stream].into()),
            window: Some(granted.range),
            verbs: granted.verbs,
        })
    }

    /// A token for what `principal` may have in these ways of `asked`, good until `expires_at`. What leaves the window, leaves it
    /// for its holder too.
    ///
    /// # Errors
    /// As [`Principal::permit`]; [`EntitlementError::AlreadyExpired`], [`EntitlementError::SignedCannotSign`].
    pub async fn sign(
        &self,
        principal: &Principal,
        visible: &Arc<Visible>,
        asked: TimeRange,
        verbs: Verbs,
        expires_at: Timestamp,
    ) -> Result<(String, SignedRange), EntitlementError> {
        let s = &*self.0;
        if expires_at <= s.clock.now() {
            return Err(EntitlementError::AlreadyExpired);
        }
        if principal.is_shown() {
            return Err(EntitlementError::SignedCannotSign);
        }
        for verb in Verb::ALL.into_iter().filter(|v| verbs.has(*v)) {
            principal.permit(verb, asked, visible)?;
        }
        let (account, stream) = (visible.account.clone(), visible.stream.clone());
        let granted = SignedRange { account, stream, range: asked, verbs, expires_at };
        Ok((s.signing.signer(&s.db, &s.clock).await.sign(&granted), granted))
    }

    /// Keys of signed addresses, oldest first, as number and moment; the last one signs.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn signing_keys(&self) -> Result<Vec<(u16, Timestamp)>, EntitlementError> {
        let s = &*self.0;
        let keys = s.db.signing_keys(&secret::random::<32>()?, s.clock.now()).await?;
        Ok(keys.into_iter().map(|k| (k.id, k.created_at)).collect())
    }

    /// Signs with a new key from now on; what is signed already stays good. `event` is recorded with it.
    ///
    /// # Errors
    /// The database does not take it.
    pub async fn rotate_signing_key(&self, event: Event) -> Result<u16, EntitlementError> {
        let s = &*self.0;
        let row = s.db.recording(event).add_signing_key(&secret::random::<32>()?, s.clock.now()).await?;
        s.signing.forget();
        Ok(row.id)
    }

    /// What this key signed opens nothing any more.
    ///
    /// # Errors
    /// [`DbError::Missing`](crate::db::DbError::Missing), or it is the one that signs.
    pub async fn remove_signing_key(&self, id: u16, event: Event) -> Result<(), EntitlementError> {
        let s = &*self.0;
        s.db.recording(event).remove_signing_key(id).await?;
        s.signing.forget();
        Ok(())
    }
}

fn user_key(name: &str) -> String {
    format!("user {name}")
}

/// Sets a user's password, adding an operator when there is no user of that name: how an installation comes by its first.
///
/// # Errors
/// [`EntitlementError::WeakPassword`], or the database does not take it.
pub async fn set_password(db: &Db, now: Timestamp, name: &str, password: &str) -> Result<(), EntitlementError> {
    let password_hash = password::hash_apart(password).await?;
    let event = |act| Event::system(now, act).of_account(&AccountId::main()).with("user", name);
    if db.user(name).await?.is_some() {
        return Ok(db.recording(event(acts::USER_PASSWORD_SET)).set_user_password(name, &password_hash, None).await?);
    }
    let role = Role::Operator.as_str();
    let fresh = UserRow {
        name: name.to_owned(),
        account: AccountId::main(),
        password_hash,
        language: None,
        created_at: now,
        role: role.into(),
        streams: None,
        disabled_at: None,
    };
    Ok(db.recording(event(acts::USER_ADDED).with("role", role)).add_user(&fresh).await?)
}

/// Sees to it that somebody can sign in: when there is no user yet, adds `admin` with the password the operator chose, or
/// one made up, which is returned for printing once.
///
/// # Errors
/// [`EntitlementError::WeakPassword`] for the operator's choice, or the database does not take it.
pub async fn ensure_admin(db: &Db, clock: &SharedClock, chosen: Option<&str>) -> Result<Option<String>, EntitlementError> {
    if db.user_count().await? > 0 {
        return Ok(None);
    }
    let made_up = if chosen.is_none() { Some(secret::readable_password()?) } else { None };
    let password = made_up.as_deref().or(chosen).unwrap_or_default();
    set_password(db, clock.now(), "admin", password).await?;
    Ok(made_up)
}
