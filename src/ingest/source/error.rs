//! What can be wrong with a source, each with what to do about it. No message repeats user info or query
//! values.

/// A text that is no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("the source is empty; give a URL such as `rtsp://camera.local/stream1`, or `push:`")]
    Empty,
    #[error("the source has no scheme; write it as a URL such as `rtsp://camera.local/stream1`, or `push:`")]
    NoScheme,
    #[error("`{scheme}://` cannot be recorded; did you mean `{nearest}://`? (rtsp, rtmp, srt, http, https, udp, rtp, file, or `push:`)")]
    Scheme { scheme: String, nearest: &'static str },
    #[error("a file is written `{url}`")]
    BareFile { url: String },
    #[error("`file://{path}` is not a full path; write `file:///{path}` with three slashes and the path from the root")]
    RelativeFile { path: String },
    #[error("the source names a folder; name a file: `file:///folder/film.mp4`")]
    NoFile,
    #[error("`{scheme}://` needs a host: `{scheme}://camera.local:1234`")]
    NoHost { scheme: String },
    #[error("`{scheme}://` needs a port: `{scheme}://camera.local:1234`")]
    NoPort { scheme: String },
    #[error("the port is not a number from 1 to 65535; write `/`, `?` and `#` in a password as %2F, %3F and %23")]
    Port,
    #[error(
        "the host is not a name or address; put IPv6 addresses in brackets, and write `/`, `?` and `#` in a password as %2F, %3F and %23"
    )]
    Host,
    #[error("the source contains a control character; remove line breaks and tabs")]
    Control,
    #[error("the source is longer than 4096 bytes")]
    TooLong,
    #[error("the credentials of this source are hidden (`***`); give the real ones")]
    Hidden,
    #[error("`push:` takes nothing after the colon; senders post to /v1/streams/{{stream}}/ingest")]
    PushTakesNothing,
    #[error("`{name}` is not a setting of `{scheme}://` sources (known: {known})")]
    Setting { name: String, scheme: String, known: &'static str },
    #[error("`{value}` is no value for `{name}`; use one of: {allowed}")]
    Value { name: &'static str, value: String, allowed: &'static str },
    #[error("`{name}` is not understood in the query of this source; did you mean `{nearest}`? (known: {known})")]
    Query { name: String, nearest: &'static str, known: String },
    #[error("`{name}` {what}")]
    QueryValue { name: &'static str, what: &'static str },
    #[error("the credentials stored for this source are damaged; set the source anew")]
    Credentials,
}

/// The URL somebody meant who wrote a path.
pub(super) fn nearest_file_url(text: &str) -> String {
    let path = text.trim_start_matches("file:").trim_start_matches("./").trim_start_matches('/');
    format!("file:///{path}")
}
