//! The web app, embedded in the binary: the files of `web/dist` as they were when it was compiled (debug builds read
//! them from there each time).
//!
//! Open to everyone: the page holds nothing but itself, and asks for credentials before it shows anything. It keeps its own
//! places behind `#`, so no address but `/` leads to it, and streams' aliases (`/{stream}/index.m3u8`) stay free.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::{Code, Problem};
use super::state::AppState;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// Routes of their own, so that `/{stream}/{file}` does not take them. A stream called `assets` has no aliases.
pub const ROUTES: [&str; 2] = ["/", "/assets/{*file}"];

/// Only what came from here runs or shows. `blob:` is how hls.js hands media to the browser and the list of streams its
/// pictures; nothing runs from there.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The names of these change with their content.
const HASHED_FOLDER: &str = "assets/";

pub fn routes() -> Router<AppState> {
    ROUTES.into_iter().fold(Router::new(), |router, path| router.route(path, get(serve)))
}

/// Whether there is a file of the web app at this path.
pub fn is_file(path: &str) -> bool {
    Dist::get(name_of(path)).is_some()
}

/// A file of the web app; a problem where there is none.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    let name = name_of(path);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match Dist::get(name) {
        Some(file) if reads => send(name, file, request.headers()),
        None if reads && path == "/" => not_built(),
        _ => Problem::new(Code::UnknownRoute, "See /v1/openapi.json for what there is.").into_response(),
    }
}

fn name_of(path: &str) -> &str {
    let name = path.trim_start_matches('/');
    if name.is_empty() { "index.html" } else { name }
}

fn send(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let etag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = HeaderValue::try_from(format!("\"{etag}\"")).expect("hexadecimal digits are header characters");
    let cache = if name.starts_with(HASHED_FOLDER) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = request.get_all(header::IF_NONE_MATCH).iter().any(|tags| {
        // Compression makes our strong tag a weak one on the way; either means the same file.
        tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == etag.as_bytes()))
    });
    let headers = [(header::ETAG, etag), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let body = Body::from(bytes::Bytes::from_owner(file.data));
    let mut response = (headers, body).into_response();
    let content_type = content_type(name);
    if content_type == "text/html; charset=utf-8" {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream"),
    }
}

fn not_built() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Retroview</title>\
        <h1>The web app is not in this build</h1>\
        <p>The recorder itself works, and so does its API under <code>/v1</code>. To have the page here:\
        <pre>npm --prefix web ci &amp;&amp; npm --prefix web run build\ncargo build --release</pre></html>\n";
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &'static str) -> EmbeddedFile {
        let metadata = rust_embed::Metadata::__rust_embed_new([7; 32], None, None);
        EmbeddedFile { data: text.as_bytes().into(), metadata }
    }

    #[test]
    fn what_is_hashed_is_kept_for_ever_and_the_page_asked_for_again() {
        let none = HeaderMap::new();
        let page = send("index.html", file("<html>"), &none);
        assert_eq!(page.headers()["cache-control"], "no-cache");
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        let script = send("assets/index-1a2b.js", file("x"), &none);
        assert_eq!(script.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    }

    #[test]
    fn a_browser_that_has_the_file_is_not_sent_it_again() {
        let etag = send("index.html", file("x"), &HeaderMap::new()).headers()["etag"].clone();
        for tags in [etag.to_str().unwrap().to_owned(), format!("\"other\", W/{}", etag.to_str().unwrap())] {
            let request = HeaderMap::from_iter([(header::IF_NONE_MATCH, tags.parse().unwrap())]);
            assert_eq!(send("index.html", file("x"), &request).status(), 304, "{tags}");
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_a_file_of_the_app() {
        for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/assets/../../Cargo.toml", "//etc/passwd", "/assets", "/nothing"] {
            assert!(!is_file(path), "{path}");
        }
    }
}
