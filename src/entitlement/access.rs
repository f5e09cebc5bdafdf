//! Signing in, and recognising who comes back.

use std::sync::Arc;
use std::time::Duration;

use super::limiter::SignInLimiter;
use super::password::{self, PasswordGate};
use super::principal::Proof;
use super::recent::Recent;
use super::signing_keys::SigningKeys;
use super::{EntitlementError, Principal, Role, Scope, Scopes, SignedRange, TOKEN_PREFIX, Verb, Verbs, Visible, secret};
use crate::audit::Event;
use crate::clock::SharedClock;
use crate::db::{Db, SessionRow, TokenRow, UserRow};
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// A token's last use is written at most this often: it is for people deciding what to revoke.
const TOUCH_INTERVAL_US: i64 = 60_000_000;
/// Longest name of a user or token that is looked at.
const NAME_CHARS_MAX: usize = 100;

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
    pub lifetime: Duration,
}

/// What is asked for when a bearer token is made.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub account: AccountId,
    pub name: String,
    pub scopes: Scopes,
    /// Empty: all streams of the account.
    pub streams: Vec<StreamId>,
    pub expires_at: Option<Timestamp>,
}

/// The door: everything that turns credentials into a [`Principal`].
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    db: Db,
    clock: SharedClock,
    settings: AccessSettings,
    passwords: PasswordGate,
    limiter: SignInLimiter,
    signing: SigningKeys,
    recent: Recent,
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

    /// Checks a password and starts a session. `address` is where the attempt comes from, for the limit on failures.
    ///
    /// # Errors
    /// [`EntitlementError::BadCredentials`], [`EntitlementError::TooManyAttempts`], [`EntitlementError::Busy`].
    pub async fn sign_in(&self, user: &str, password: String, address: &str) -> Result<Session, EntitlementError> {
        let s = &*self.0;
        let name: String = user.trim().chars().take(NAME_CHARS_MAX).collect();
        let keys = [format!("user {name}"), format!("address {address}")];
        if let Some(retry_after) = s.limiter.wait(&keys, s.clock.monotonic()) {
            return Err(EntitlementError::TooManyAttempts { retry_after });
        }
        let row = s.db.user(&name).await?;
        let right = s.passwords.verify(password, row.as_ref().map(|u| u.password_hash.clone())).await?;
        let Some(row) = row.filter(|_| right) else {
            s.limiter.failed(&keys, s.clock.monotonic());
            return Err(EntitlementError::BadCredentials);
        };
        s.limiter.succeeded(&keys[0]);
        self.start_session(row).await
    }

    async fn start_session(&self, user: UserRow) -> Result<Session, EntitlementError> {
        let s = &*self.0;
        let now = s.clock.now();
        let cookie = secret::fresh()?;
        let id_hash = secret::hash(&cookie).ok_or(EntitlementError::BadCredentials)?;
        s.db.remove_sessions_expired_before(now).await?;
        s.db.add_session(&SessionRow {
            id_hash,
            user: user.name.clone(),
            account: user.account.clone(),
            created_at: now,
            expires_at: now + s.settings.session_lifetime,
        })
        .await?;
        let lifetime = s.settings.session_lifetime;
        Ok(Session { cookie, user: user.name, account: user.account, language: user.language, lifetime })
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
        if let Some(hash) = secret::hash(cookie) {
            self.0.db.remove_session(&hash).await?;
        }
        self.0.recent.forget_all();
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
        let row = s.db.session(&hash).await?.filter(|row| now < row.expires_at).ok_or(EntitlementError::BadCredentials)?;
        let user = s.db.user(&row.user).await?.ok_or(EntitlementError::BadCredentials)?;
        let principal = Principal {
            account: user.account,
            proof: Proof::Session { user: row.user.into() },
            // A role written by a later version grants nothing here.
            scopes: user.role.parse::<Role>().map(Role::scopes).unwrap_or_default(),
            streams: user.streams.map(Into::into),
            window: None,
            verbs: Verbs::ALL,
        };
        s.recent.put(hash, principal.clone(), monotonic, row.expires_at);
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
        let row = s.db.token_by_hash(&hash).await?;
        let row = row.filter(|row| row.expires_at.is_none_or(|t| now < t)).ok_or(EntitlementError::BadCredentials)?;
        if row.last_used_at.is_none_or(|t| now.micros_since(t) >= TOUCH_INTERVAL_US)
            && let Err(error) = s.db.touch_token(&row.id, now).await
        {
            // A disk that is full must not lock out those who could make room.
            tracing::warn!(token = row.id, error = &error as &dyn std::error::Error, "note the last use of a token");
        }
        let principal = Principal {
            account: row.account,
            proof: Proof::Bearer { token_id: row.id.into() },
            // A scope written by a later version grants nothing here.
            scopes: row.scopes.iter().filter_map(|s| s.parse::<Scope>().ok()).collect(),
            streams: (!row.streams.is_empty()).then(|| row.streams.into()),
            window: None,
            verbs: Verbs::ALL,
        };
        s.recent.put(hash, principal.clone(), monotonic, row.expires_at.unwrap_or(Timestamp::MAX));
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
        if principal.proof == Proof::Signed {
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

    /// Makes a bearer token. The token itself is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`EntitlementError::AlreadyExpired`], or the database does not take it.
    pub async fn create_token(&self, new: NewToken) -> Result<(TokenRow, String), EntitlementError> {
        create_token(&self.0.db, self.0.clock.now(), new).await
    }

    /// # Errors
    /// The database does not answer.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, EntitlementError> {
        Ok(self.0.db.tokens().await?)
    }

    /// False when there was none of that id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revoke_token(&self, id: &str) -> Result<bool, EntitlementError> {
        let removed = self.0.db.remove_token(id).await?;
        self.0.recent.forget_all();
        Ok(removed)
    }
}

/// Makes a bearer token without a running service: the command line's way.
///
/// # Errors
/// As [`Access::create_token`].
pub async fn create_token(db: &Db, now: Timestamp, new: NewToken) -> Result<(TokenRow, String), EntitlementError> {
    if new.expires_at.is_some_and(|t| t <= now) {
        return Err(EntitlementError::AlreadyExpired);
    }
    let token = format!("{TOKEN_PREFIX}{}", secret::fresh()?);
    let row = TokenRow {
        id: format!("t{:012x}", u64::from_be_bytes(secret::random()?) >> 16),
        account: new.account,
        name: new.name.trim().chars().take(NAME_CHARS_MAX).collect(),
        hash: secret::hash(&token).ok_or(EntitlementError::BadCredentials)?,
        scopes: new.scopes.names(),
        streams: new.streams,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    db.add_token(&row).await?;
    Ok((row, token))
}

/// Sets a user's password, adding an operator when there is no user of that name.
///
/// # Errors
/// [`EntitlementError::WeakPassword`], or the database does not take it.
pub async fn set_password(db: &Db, now: Timestamp, name: &str, password: &str) -> Result<(), EntitlementError> {
    let known = db.user(name).await?;
    let (password, hashed) = (password.to_owned(), tokio::task::spawn_blocking);
    let password_hash = hashed(move || password::hash_now(&password)).await.map_err(|e| EntitlementError::Hash(e.to_string()))??;
    let fresh = UserRow {
        name: name.to_owned(),
        account: AccountId::main(),
        password_hash: String::new(),
        language: None,
        created_at: now,
        role: Role::Operator.as_str().into(),
        streams: None,
    };
    db.put_user(&UserRow { password_hash, ..known.unwrap_or(fresh) }).await?;
    Ok(())
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
