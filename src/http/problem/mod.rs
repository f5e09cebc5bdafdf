//! What goes wrong, as RFC 9457 problem details: `application/problem+json` with a stable `code`, a kind `title`
//! and a `detail` that says what to do.
//!
//! The detail is for the one who asked. What only an operator should read (paths, SQL, errors of the system) travels
//! beside the answer in a [`Cause`] and is logged with the request's id by the outermost layer, never sent.

mod code;
mod convert;

use std::error::Error;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use code::Code;

pub type HttpResult<T> = Result<T, Problem>;

/// An answer that is not the one hoped for.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

// Boxed: results carry it through every handler, and most of the time it is not there.
#[derive(Debug)]
struct Parts {
    code: Code,
    detail: String,
    extras: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// Why, for the log. Found in the extensions of a response.
#[derive(Clone, Debug)]
pub struct Cause(pub Arc<dyn Error + Send + Sync>);

impl Problem {
    /// `detail`: a sentence for the one who asked; it must hold nothing they may not know.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem(Box::new(Parts { code, detail: detail.into(), extras: Map::new(), headers: Vec::new(), cause: None }))
    }

    /// Something that should not happen. The cause is logged and not told.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Problem::new(Code::Internal, "The log has the details, under this answer's X-Request-Id.").caused_by(cause)
    }

    pub fn unknown_stream(stream: &impl std::fmt::Display) -> Self {
        Problem::new(Code::UnknownStream, format!("There is no stream `{stream}`."))
    }

    /// One more member of the JSON object.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extras.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Cause(Arc::new(cause)));
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { code, detail, extras, headers, cause } = *self.0;
        let mut object = extras;
        object.insert("type".into(), json!(format!("urn:retroview:problem:{}", code.as_str())));
        object.insert("title".into(), json!(code.title()));
        object.insert("status".into(), json!(code.status().as_u16()));
        object.insert("code".into(), json!(code.as_str()));
        object.insert("detail".into(), json!(detail));
        let mut response = (code.status(), Value::Object(object).to_string()).into_response();
        let to = response.headers_mut();
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // An answer about this moment: footage may come, credentials be renewed.
        to.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code.status() == axum::http::StatusCode::UNAUTHORIZED {
            // Not `Basic`: browsers would ask with a box of their own.
            to.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"retroview\""));
        }
        to.extend(headers);
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// The shape of a problem, for the OpenAPI document.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem, description = "Problem details (RFC 9457).")]
pub struct ProblemSchema {
    /// `urn:retroview:problem:` and the code.
    pub r#type: String,
    /// The same for every problem of this code.
    pub title: String,
    pub status: u16,
    pub code: Code,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// With `no_footage`: where the footage before ends.
    #[schema(required = false)]
    pub previous_end_us: Option<i64>,
    /// With `no_footage`: where the footage after begins.
    #[schema(required = false)]
    pub next_start_us: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_problem_tells_what_to_do_and_keeps_the_cause_to_itself() {
        let cause = std::io::Error::other("/srv/secret/path: permission denied");
        let problem = Problem::new(Code::NoFootage, "Nothing was recorded then.").with("next_start_us", 7).caused_by(cause);
        let response = problem.into_response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.extensions().get::<Cause>().is_some());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({
            "type": "urn:retroview:problem:no_footage",
            "title": "There is no footage there",
            "status": 404,
            "code": "no_footage",
            "detail": "Nothing was recorded then.",
            "next_start_us": 7,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn who_is_not_known_is_told_how_to_sign_in() {
        let response = Problem::new(Code::Unauthorized, "").into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"retroview\"");
    }
}
