//! Who is asking. A layer over every route, so a route that forgets about it answers 401.
//!
//! Looked at in this order, and the first that is there decides: `Authorization: Bearer rv_…` (or `Basic` with the token as
//! password, for senders and players that know only that), `token=` in the query (signed playback addresses, or which share's cookie is
//! meant; reading only), the session cookie, the cookie of a share (reading only). Credentials that were sent and are wrong are never
//! passed over for others.
//!
//! A browser sends the cookie without asking its user, also when another site makes it. So with a cookie, whatever
//! is not a plain read needs `X-Retroview: 1`, which another site cannot add without a preflight that we do not
//! answer, and an `Origin`, when there is one, that is our own.

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use http_body::Body as _;

use super::layers::ENDLESS;
use super::problem::{Code, HttpResult, Problem};
use super::state::{AppState, Services};
use super::web;
use crate::entitlement::{EntitlementError, Principal};

pub const SESSION_COOKIE: &str = "retroview_session";
/// The id of the share follows: a browser may have opened several.
pub const SHARE_COOKIE: &str = "retroview_share_";
/// How a `token` begins that picks a share's cookie; its id follows. It is no secret.
pub const SHARE_TOKEN: &str = "share.";
/// The header that proves a request was made by a script of ours.
pub const SCRIPT_HEADER: &str = "x-retroview";

/// All that answers without credentials, besides the files of the web app: method and route.
pub const OPEN: [(Method, &str); 6] = [
    (Method::GET, "/healthz"),
    (Method::GET, "/readyz"),
    (Method::POST, "/v1/session"),
    (Method::POST, "/v1/links/show"),
    (Method::POST, "/v1/links/use"),
    (Method::POST, "/v1/shares/open"),
];

/// The layer. Leaves a [`Principal`] in the request's extensions.
pub async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match identify(&state, &parts).await {
        Ok(principal) => {
            tracing::Span::current().record("who", tracing::field::display(principal.label()));
            let share = principal.share_id().and_then(|_| share_meant(&parts.uri, &parts.headers)).map(str::to_owned);
            parts.extensions.insert(principal);
            if let Some(cookie) = share {
                return shown_as_long(state, cookie, next.run(Request::from_parts(parts, body)).await);
            }
        }
        Err(_) if is_open(&parts) => {}
        Err(problem) => return challenge(problem, &parts).into_response(),
    }
    next.run(Request::from_parts(parts, body)).await
}

/// A body that is sent for minutes breaks off when the share that it is sent for ends: what is recognised is no older than two seconds
/// with each step of it. What is in memory already is as good as sent.
pub fn shown_as_long(state: AppState, cookie: String, response: Response) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let steps = body.into_data_stream().then(move |step| {
            let (state, cookie) = (state.clone(), cookie.clone());
            async move {
                state.access.by_share(&cookie).await.map_err(axum::Error::new)?;
                step
            }
        });
        Body::from_stream(steps)
    })
}

/// Senders such as ffmpeg tell the credentials in their URL only to who asks for `Basic`. Only here: on what a browser reads, it would
/// ask its user with a box of its own, and send the answer along ever after, also when another site makes it.
fn challenge(problem: Problem, parts: &Parts) -> Problem {
    let pushes = matches!(parts.method, Method::POST | Method::PUT)
        && parts.extensions.get::<MatchedPath>().is_some_and(|route| ENDLESS.contains(&route.as_str()));
    if pushes && problem.code() == Code::Unauthorized {
        return problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"retroview\""));
    }
    problem
}

fn is_open(parts: &Parts) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match parts.extensions.get::<MatchedPath>() {
        Some(route) if web::ROUTES.contains(&route.as_str()) => reads,
        Some(route) => {
            let method = if reads { &Method::GET } else { &parts.method };
            OPEN.iter().any(|(open, path)| open == method && *path == route.as_str())
        }
        None => reads && web::is_file(parts.uri.path()),
    }
}

async fn identify(services: &Services, parts: &Parts) -> HttpResult<Principal> {
    let headers = &parts.headers;
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let unreadable = || Problem::new(Code::Unauthorized, "The Authorization header is not `Bearer` and a token.");
        let token = value.to_str().ok().and_then(bearer).ok_or_else(unreadable)?;
        return Ok(services.access.by_bearer(&token).await?);
    }
    if let Some(cookie) = share_meant(&parts.uri, headers).filter(|_| reads) {
        return services.access.by_share(cookie).await.map_err(share_ended);
    }
    if let Some(token) = signed_token(&parts.uri).filter(|_| reads) {
        return Ok(services.access.by_signed(token).await?);
    }
    let Some(cookie) = session_cookie(headers) else {
        let detail = "Send a session cookie, `Authorization: Bearer` with a token, or a signed address.";
        return Err(Problem::new(Code::Unauthorized, detail));
    };
    let principal = services.access.by_session(cookie).await.map_err(|error| match error {
        EntitlementError::BadCredentials => Problem::new(Code::Unauthorized, "The session has ended; sign in again."),
        other => other.into(),
    })?;
    if !reads {
        refuse_cross_site(services, &parts.uri, headers)?;
    }
    Ok(principal)
}

fn bearer(value: &str) -> Option<String> {
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // A browser could be made to send this by another site only if it had been asked for it before, and we never ask.
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    Some(decoded.split_once(':')?.1.to_owned())
}

fn share_ended(error: EntitlementError) -> Problem {
    match error {
        EntitlementError::BadCredentials => Problem::new(Code::Unauthorized, "The share has ended, or its link has to be opened again."),
        other => other.into(),
    }
}

/// The cookie of the share that the request means: the one that `token` names, or, where nobody is signed in, the one that there is. One
/// that is named and not there is an empty one, which is nobody's.
fn share_meant<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match signed_token(uri).map(|token| token.strip_prefix(SHARE_TOKEN)) {
        Some(Some(id)) => Some(share_cookies(headers).find(|(share, _)| *share == id).map_or("", |(_, cookie)| cookie)),
        Some(None) => None,
        None if session_cookie(headers).is_some() => None,
        // The one opened last stands last.
        None => share_cookies(headers).last().map(|(_, cookie)| cookie),
    }
}

/// Cookies of shares, by the share's id.
fn share_cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    cookies(headers).filter_map(|(name, value)| Some((name.strip_prefix(SHARE_COOKIE)?, value)))
}

/// The value of `token=`, the first of several. Signed tokens are made of letters that need no escaping, so the raw query
/// will do.
fn signed_token(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token=")).filter(|token| !token.is_empty())
}

/// The session cookie's value.
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    cookies(headers).find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn refuse_cross_site(services: &Services, uri: &Uri, headers: &HeaderMap) -> HttpResult<()> {
    if headers.get(SCRIPT_HEADER).is_none_or(|v| v != "1") {
        let detail = "With a session cookie, add the header `X-Retroview: 1`; or use a bearer token.";
        return Err(Problem::new(Code::CrossSite, detail));
    }
    require_own_origin(services, uri, headers)
}

/// Refuses a request whose `Origin` is another site.
///
/// # Errors
/// [`Code::CrossSite`].
pub fn require_own_origin(services: &Services, uri: &Uri, headers: &HeaderMap) -> HttpResult<()> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("");
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).or(uri.authority().map(|a| a.as_str()));
    let ours = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    let public = services.settings.public_url.as_deref();
    if ours || public.is_some_and(|url| url == origin || url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'))) {
        return Ok(());
    }
    let detail = "The Origin header names another site than Host; behind a proxy, pass Host on or set `server.public_url`.";
    Err(Problem::new(Code::CrossSite, detail))
}

/// The signed token the request came with, for repeating it in what the answer names.
#[derive(Clone, Debug)]
pub struct SignedToken(pub Option<String>);

impl SignedToken {
    /// Whether the address alone opens what it names. Which share is meant is no secret: its cookie opens it.
    pub fn opens(&self) -> bool {
        self.0.as_ref().is_some_and(|token| !token.starts_with(SHARE_TOKEN))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedToken {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Beside other credentials the token was not what let the request in.
        let used = !parts.headers.contains_key(header::AUTHORIZATION);
        Ok(SignedToken(signed_token(&parts.uri).filter(|_| used).map(str::to_owned)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> HttpResult<Self> {
        let nobody = || Problem::new(Code::Unauthorized, "Sign in first.");
        parts.extensions.get::<Principal>().cloned().ok_or_else(nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_where_clients_put_them() {
        assert_eq!(bearer("Bearer rv_x").as_deref(), Some("rv_x"));
        assert_eq!(bearer("bearer  rv_x ").as_deref(), Some("rv_x"));
        assert_eq!(bearer("Basic dXNlcjpydl94").as_deref(), Some("rv_x"));
        for bad in ["", "Bearer", "Digest x", "Basic !!", "Basic dXNlcg=="] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
        let uri: Uri = "/x?start=1&token=v1.a.b&token=v1.c.d".parse().unwrap();
        assert_eq!(signed_token(&uri), Some("v1.a.b"));
        assert_eq!(signed_token(&"/x?atoken=1".parse().unwrap()), None);
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b".parse().unwrap());
        headers.append(header::COOKIE, "c=d; retroview_session=xyz; retroview_session=other".parse().unwrap());
        assert_eq!(session_cookie(&headers), Some("xyz"));

        headers.append(header::COOKIE, "retroview_share_h1=one; retroview_share_h2=two".parse().unwrap());
        fn meant(uri: &str, headers: &HeaderMap) -> Option<String> {
            share_meant(&uri.parse().unwrap(), headers).map(str::to_owned)
        }
        assert_eq!(meant("/x?token=share.h1", &headers).as_deref(), Some("one"));
        assert_eq!(meant("/x?token=share.h3", &headers).as_deref(), Some(""), "not passed over for others");
        assert_eq!(meant("/x?token=v1.a.b", &headers), None);
        assert_eq!(meant("/x", &headers), None, "somebody is signed in");
        let mut visitor = HeaderMap::new();
        assert_eq!(meant("/x", &visitor), None);
        visitor.append(header::COOKIE, "retroview_share_h1=one; retroview_share_h2=two".parse().unwrap());
        assert_eq!(meant("/x", &visitor).as_deref(), Some("two"));
    }
}
