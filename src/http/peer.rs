//! Where a request comes from.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::entitlement::Caller;

/// The other end of the connection; `None` where there is no connection (tests). Behind a proxy this is the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Peer>().copied().unwrap_or(Peer(None)))
    }
}

/// What is known of someone who has no credentials yet.
#[derive(Clone, Debug)]
pub struct Visitor {
    address: String,
    agent: String,
}

impl Visitor {
    pub fn caller(&self) -> Caller<'_> {
        Caller { address: &self.address, agent: &self.agent }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Peer(peer) = Peer::from_request_parts(parts, state).await?;
        let agent = parts.headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("");
        Ok(Visitor { address: peer.map_or_else(String::new, |peer| peer.ip().to_string()), agent: agent.to_owned() })
    }
}
