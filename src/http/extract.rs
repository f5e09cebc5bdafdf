//! axum's extractors, with our answers when they fail.

use axum::extract::{FromRequest, FromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;

use super::problem::{HttpResult, Problem};
use crate::media::{AccountId, Timestamp};

/// A JSON body of at most [`super::JSON_BYTES_MAX`]. Unknown members are refused when the type says so, and it should.
#[derive(Debug, Clone, Copy, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl<T: serde::Serialize> axum::response::IntoResponse for Json<T> {
    fn into_response(self) -> axum::response::Response {
        // What is true now need not be in a moment, and some of it is secret: no cache keeps it.
        ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], axum::Json(self.0)).into_response()
    }
}

/// The query. Unknown parameters are ignored: players add their own, and `token` belongs to `auth`.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// The variable parts of the path. One that cannot be read answers 404: there is nothing of that name.
#[derive(Debug, Clone, Copy, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// A time in a query, if it is there.
///
/// # Errors
/// [`super::Code::InvalidQuery`].
pub fn time(text: Option<&str>, now: Timestamp) -> HttpResult<Option<Timestamp>> {
    Ok(text.filter(|t| !t.is_empty()).map(|t| Timestamp::parse(t, now)).transpose()?)
}

/// What lists that go back in time take, the newest first.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only of this account.
    #[param(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// Only those before the one with this number.
    pub before: Option<i64>,
}
