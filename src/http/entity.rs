//! Representations with conditions and ranges (RFC 9110 §13, §14): one place for segments, blocks, clips, pictures and
//! the files of the web app.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use super::problem::{Code, Problem};
use crate::playback::range::{self, Ranges};

/// What is known of a representation before its first byte is read.
#[derive(Clone, Debug)]
pub struct Entity {
    pub content_type: HeaderValue,
    /// Strong, with quotes.
    pub etag: HeaderValue,
    pub last_modified: Option<SystemTime>,
    pub cache_control: HeaderValue,
    pub len: u64,
    /// Further headers for 200, 206 and 304.
    pub headers: HeaderMap,
}

/// Never changes under this URL. Only for whom it was made: shared caches see signed URLs.
pub const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
/// The same under a signed URL, which is its own permission: caches in between may keep it.
pub const IMMUTABLE_SHARED: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Ask again each time; the ETag makes that cheap.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

impl Entity {
    /// # Panics
    /// Never: tags are made of letters, digits and dashes.
    pub fn new(content_type: &'static str, etag: &str, len: u64, cache_control: HeaderValue) -> Self {
        Entity {
            content_type: HeaderValue::from_static(content_type),
            etag: HeaderValue::from_str(&format!("\"{etag}\"")).expect("tags are made of letters, digits and dashes"),
            last_modified: None,
            cache_control,
            len,
            headers: HeaderMap::new(),
        }
    }

    /// The answer to a GET or HEAD. `read` gives the body of a range; it is not called for HEAD, 304, 412 and 416.
    pub fn respond(self, method: &Method, request: &HeaderMap, read: impl Fn(Range<u64>) -> Body) -> Response<Body> {
        match self.evaluate(method, request) {
            Decision::NotModified => self.head(StatusCode::NOT_MODIFIED, None),
            Decision::Failed => {
                Problem::new(Code::PreconditionFailed, "This is no longer what the request's conditions ask for.").into_response()
            }
            Decision::Unsatisfiable => {
                let detail = format!("There are {} bytes here, and at most {} ranges in a request.", self.len, range::RANGES_MAX);
                Problem::new(Code::RangeNotSatisfiable, detail)
                    .with("size_bytes", self.len)
                    .header(header::CONTENT_RANGE, ascii(format!("bytes */{}", self.len)))
                    .into_response()
            }
            Decision::Whole => {
                let mut response = self.head(StatusCode::OK, Some(self.len));
                if method != Method::HEAD {
                    *response.body_mut() = read(0..self.len);
                }
                response
            }
            Decision::Parts(parts) => match parts.as_slice() {
                [part] => {
                    let mut response = self.head(StatusCode::PARTIAL_CONTENT, Some(part.end - part.start));
                    response.headers_mut().insert(header::CONTENT_RANGE, ascii(content_range(part, self.len)));
                    *response.body_mut() = read(part.clone());
                    response
                }
                _ => self.multipart(&parts, read),
            },
        }
    }

    /// RFC 9110 §13.2.2, in its order.
    fn evaluate(&self, method: &Method, request: &HeaderMap) -> Decision {
        let modified = self.last_modified.map(whole_seconds);
        if request.contains_key(header::IF_MATCH) {
            if !self.any_tag(request, header::IF_MATCH, Strength::Strong) {
                return Decision::Failed;
            }
        } else if let (Some(since), Some(modified)) = (date(request, header::IF_UNMODIFIED_SINCE), modified)
            && modified > since
        {
            return Decision::Failed;
        }
        if request.contains_key(header::IF_NONE_MATCH) {
            if self.any_tag(request, header::IF_NONE_MATCH, Strength::Weak) {
                return Decision::NotModified;
            }
        } else if let (Some(since), Some(modified)) = (date(request, header::IF_MODIFIED_SINCE), modified)
            && modified <= since
        {
            return Decision::NotModified;
        }
        // §14.2: a Range is for GET only.
        let Some(asked) = request.get(header::RANGE).filter(|_| method == Method::GET) else { return Decision::Whole };
        if !self.still_the_same(request) {
            return Decision::Whole;
        }
        match asked.to_str().map_or(Ranges::Whole, |text| range::parse(text, self.len)) {
            Ranges::Whole => Decision::Whole,
            Ranges::Unsatisfiable => Decision::Unsatisfiable,
            Ranges::Parts(parts) => Decision::Parts(parts),
        }
    }

    /// `If-Range` (§13.1.5): by strong tag, or by an exact date.
    fn still_the_same(&self, request: &HeaderMap) -> bool {
        let Some(condition) = request.get(header::IF_RANGE) else { return true };
        let Ok(text) = condition.to_str() else { return false };
        if text.starts_with('"') || text.starts_with("W/") {
            return condition == self.etag;
        }
        match (httpdate::parse_http_date(text), self.last_modified.map(whole_seconds)) {
            (Ok(date), Some(modified)) => date == modified,
            _ => false,
        }
    }

    fn any_tag(&self, request: &HeaderMap, name: header::HeaderName, strength: Strength) -> bool {
        let own = self.etag.as_bytes();
        request.get_all(name).iter().filter_map(|v| v.to_str().ok()).flat_map(tags).any(|tag| match tag {
            Tag::Any => true,
            Tag::One { weak, text } => text.as_bytes() == own && (!weak || strength == Strength::Weak),
        })
    }

    fn head(&self, status: StatusCode, len: Option<u64>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(8 + self.headers.len());
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        if let Some(modified) = self.last_modified {
            headers.insert(header::LAST_MODIFIED, ascii(httpdate::fmt_http_date(modified)));
        }
        if let Some(len) = len {
            headers.insert(header::CONTENT_TYPE, self.content_type.clone());
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        response
    }

    /// `multipart/byteranges` (§14.6) with its exact length. The boundary may be fixed: whether it occurs in the
    /// bytes does not matter to a reader that goes by `Content-Range`, and those that do not would need it random, 60 letters
    /// long, to be safe.
    fn multipart(&self, parts: &[Range<u64>], read: impl Fn(Range<u64>) -> Body) -> Response<Body> {
        let boundary = "retroview-3f6e1b90c2a74d58-part";
        let content_type = self.content_type.to_str().unwrap_or("application/octet-stream");
        let mut len = 0;
        let mut bodies = Vec::with_capacity(parts.len() * 2 + 1);
        for part in parts {
            let range = content_range(part, self.len);
            let head = format!("\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {range}\r\n\r\n");
            len += head.len() as u64 + (part.end - part.start);
            bodies.push(Body::from(head));
            bodies.push(read(part.clone()));
        }
        let end = format!("\r\n--{boundary}--\r\n");
        len += end.len() as u64;
        bodies.push(Body::from(end));
        let mut response = self.head(StatusCode::PARTIAL_CONTENT, Some(len));
        let content_type = HeaderValue::from_static("multipart/byteranges; boundary=retroview-3f6e1b90c2a74d58-part");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        *response.body_mut() = Body::from_stream(stream::iter(bodies).flat_map(BodyExt::into_data_stream));
        response
    }
}

/// Whether [`Entity::respond`] will answer a GET for this tag with 304: for bodies that are dear to make.
pub fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let entity = Entity::new("application/octet-stream", etag, 0, REVALIDATE);
    matches!(entity.evaluate(&Method::GET, request), Decision::NotModified)
}

enum Decision {
    Whole,
    Parts(Vec<Range<u64>>),
    NotModified,
    Failed,
    Unsatisfiable,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

enum Tag<'a> {
    Any,
    One { weak: bool, text: &'a str },
}

/// The entity tags of a list; tags may hold commas.
fn tags(list: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut rest = list.trim();
    if rest == "*" {
        return vec![Tag::Any];
    }
    while !rest.is_empty() {
        let (weak, after) = rest.strip_prefix("W/").map_or((false, rest), |after| (true, after));
        let Some(end) = after.strip_prefix('"').and_then(|inner| inner.find('"')) else { break };
        found.push(Tag::One { weak, text: &after[..end + 2] });
        rest = after[end + 2..].trim_start_matches([' ', '\t', ',']);
    }
    found
}

fn date(request: &HeaderMap, name: header::HeaderName) -> Option<SystemTime> {
    request.get(name)?.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok())
}

/// HTTP dates have no fraction.
fn whole_seconds(t: SystemTime) -> SystemTime {
    httpdate::parse_http_date(&httpdate::fmt_http_date(t)).unwrap_or(t)
}

fn content_range(part: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end - 1)
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits, dates and dashes are header text")
}

/// The body of a range of bytes that are in memory (or mapped).
pub fn slice_of(bytes: Bytes) -> impl Fn(Range<u64>) -> Body {
    move |range| Body::from(bytes.slice(range.start as usize..range.end as usize))
}

/// The body of a range of what several pieces make together.
pub fn slices_of(pieces: Vec<Bytes>) -> impl Fn(Range<u64>) -> Body {
    move |range| {
        let (mut at, mut parts) = (0, VecDeque::with_capacity(pieces.len()));
        for piece in &pieces {
            let len = piece.len() as u64;
            let (from, to) = (range.start.saturating_sub(at).min(len), range.end.saturating_sub(at).min(len));
            if from < to {
                parts.push_back(piece.slice(from as usize..to as usize));
            }
            at += len;
        }
        Body::new(Pieces(parts))
    }
}

/// A body that is there already, in pieces.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|p| p.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const MODIFIED: &str = "Sun, 03 May 2026 14:00:00 GMT";

    async fn ask(method: Method, request: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
        let bytes = Bytes::from((0..=255u8).cycle().take(1000).collect::<Vec<u8>>());
        let mut entity = Entity::new("video/mp4", "abc-1", 1000, IMMUTABLE);
        entity.last_modified = Some(UNIX_EPOCH + Duration::from_millis(1_777_816_800_400));
        let mut headers = HeaderMap::new();
        for (name, value) in request {
            headers.append(header::HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let response = entity.respond(&method, &headers, slice_of(bytes));
        let (parts, body) = response.into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn conditions_and_ranges_are_weighed_in_the_order_of_rfc_9110() {
        let table: &[(&[(&str, &str)], u16)] = &[
            (&[], 200),
            (&[("range", "bytes=0-9")], 206),
            (&[("range", "bytes=5000-")], 416),
            (&[("range", "garbage")], 200),
            (&[("if-none-match", "\"abc-1\"")], 304),
            (&[("if-none-match", "W/\"abc-1\"")], 304),
            (&[("if-none-match", "\"x,y\", \"abc-1\"")], 304),
            (&[("if-none-match", "*")], 304),
            (&[("if-none-match", "\"other\"")], 200),
            (&[("if-none-match", "abc-1")], 200),
            (&[("if-match", "\"abc-1\"")], 200),
            (&[("if-match", "W/\"abc-1\"")], 412),
            (&[("if-match", "\"other\""), ("range", "bytes=0-9")], 412),
            (&[("if-match", "*")], 200),
            (&[("if-modified-since", MODIFIED)], 304),
            (&[("if-modified-since", "Sun, 03 May 2026 13:59:59 GMT")], 200),
            (&[("if-modified-since", "no date")], 200),
            (&[("if-none-match", "\"other\""), ("if-modified-since", MODIFIED)], 200),
            (&[("if-unmodified-since", "Sun, 03 May 2026 13:59:59 GMT")], 412),
            (&[("if-unmodified-since", MODIFIED)], 200),
            (&[("range", "bytes=0-9"), ("if-range", "\"abc-1\"")], 206),
            (&[("range", "bytes=0-9"), ("if-range", "\"other\"")], 200),
            (&[("range", "bytes=0-9"), ("if-range", "W/\"abc-1\"")], 200),
            (&[("range", "bytes=0-9"), ("if-range", MODIFIED)], 206),
            (&[("range", "bytes=0-9"), ("if-range", "Sun, 03 May 2026 14:00:01 GMT")], 200),
            (&[("range", "bytes=0-9"), ("if-range", "")], 200),
            (&[("range", "bytes=5000-"), ("if-range", "\"other\"")], 200),
            (&[("range", "bytes=0-9"), ("if-none-match", "\"abc-1\"")], 304),
        ];
        for (request, expected) in table {
            let (status, headers, body) = ask(Method::GET, request).await;
            assert_eq!(status, *expected, "{request:?}");
            let len = match status {
                200 => 1000,
                206 => 10,
                304 => 0,
                _ => continue,
            };
            assert_eq!(body.len(), len, "{request:?}");
            assert_eq!(headers["etag"], "\"abc-1\"");
        }
    }

    #[tokio::test]
    async fn head_says_what_get_would_and_sends_nothing() {
        let (status, headers, body) = ask(Method::HEAD, &[("range", "bytes=0-9")]).await;
        assert_eq!((status, body.len()), (200, 0), "a range is for GET only");
        assert_eq!((&headers["content-length"], &headers["accept-ranges"]), (&HeaderValue::from(1000), &HeaderValue::from_static("bytes")));
    }

    #[tokio::test]
    async fn one_part_comes_bare_and_several_in_an_envelope_of_the_announced_length() {
        let (status, headers, body) = ask(Method::GET, &[("range", "bytes=10-19")]).await;
        assert_eq!((status, &headers["content-range"]), (206, &HeaderValue::from_static("bytes 10-19/1000")));
        assert_eq!(&body[..], &(10..20).collect::<Vec<u8>>());

        let (status, headers, body) = ask(Method::GET, &[("range", "bytes=0-1,-2")]).await;
        assert_eq!(status, 206);
        assert_eq!(headers["content-length"], body.len().to_string());
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("Content-Range: bytes 0-1/1000\r\n\r\n\u{0}\u{1}\r\n--"), "{text:?}");
        assert!(text.contains("Content-Range: bytes 998-999/1000\r\n"), "{text:?}");
        assert!(text.ends_with("-part--\r\n"));

        let (status, headers, _) = ask(Method::GET, &[("range", "bytes=2000-")]).await;
        assert_eq!((status, &headers["content-range"]), (416, &HeaderValue::from_static("bytes */1000")));
    }
}
