//! What can go wrong with media that others made.

use std::ffi::CStr;
use std::net::SocketAddr;

use ffmpeg_next::ffi;

use crate::media::GapCause;

/// A step that failed, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The stop flag was raised.
    #[error("{step}: stopped")]
    Stopped { step: &'static str },
    /// The deadline passed.
    #[error("{step}: no answer in time")]
    TimedOut { step: &'static str },
    /// A code of libav*.
    #[error("{step}: {}", describe(*code))]
    Library { step: &'static str, code: i32 },
    /// Opened, but there is nothing in it that can be recorded.
    #[error("nothing to record: {found}")]
    NoTracks { found: String },
    /// The egress guard refused a connection.
    #[error("{step}: connections to {address} are forbidden (`forbidden_networks`)")]
    Forbidden { step: &'static str, address: SocketAddr },
    /// A format, codec or option that this libav* does not have or that we do not take.
    #[error("{0}")]
    Unsupported(String),
    /// Bytes that are not what they should be, found by our own reading.
    #[error("{0}")]
    Invalid(&'static str),
}

impl Error {
    pub(super) fn library(step: &'static str, code: i32) -> Error {
        Error::Library { step, code }
    }

    /// The other side wants to know who we are, or does not let this one in.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Error::Library { code: ffi::AVERROR_HTTP_UNAUTHORIZED | ffi::AVERROR_HTTP_FORBIDDEN, .. })
    }

    /// The cause of the gap that this error opens.
    pub fn cause(&self) -> GapCause {
        match self {
            Error::Stopped { .. } => GapCause::ServiceStopped,
            Error::TimedOut { .. } => GapCause::SourceUnreachable,
            Error::Forbidden { .. } => GapCause::SourceRefused,
            Error::NoTracks { .. } | Error::Unsupported(_) | Error::Invalid(_) => GapCause::SourceInvalid,
            Error::Library { code, .. } => cause_of_code(*code),
        }
    }
}

fn cause_of_code(code: i32) -> GapCause {
    const REFUSED: [i32; 8] = [
        ffi::AVERROR_HTTP_BAD_REQUEST,
        ffi::AVERROR_HTTP_UNAUTHORIZED,
        ffi::AVERROR_HTTP_FORBIDDEN,
        ffi::AVERROR_HTTP_NOT_FOUND,
        ffi::AVERROR_HTTP_TOO_MANY_REQUESTS,
        ffi::AVERROR_HTTP_OTHER_4XX,
        ffi::AVERROR_HTTP_SERVER_ERROR,
        ffi::AVERROR(libc::ECONNREFUSED),
    ];
    const INVALID: [i32; 7] = [
        ffi::AVERROR_INVALIDDATA,
        ffi::AVERROR_DEMUXER_NOT_FOUND,
        ffi::AVERROR_PROTOCOL_NOT_FOUND,
        ffi::AVERROR_STREAM_NOT_FOUND,
        ffi::AVERROR_PATCHWELCOME,
        ffi::AVERROR(libc::EINVAL),
        // A damaged size asks for more memory than there is.
        ffi::AVERROR(libc::ENOMEM),
    ];
    const ENDED: [i32; 3] = [ffi::AVERROR_EOF, ffi::AVERROR(libc::EPIPE), ffi::AVERROR(libc::ECONNRESET)];
    if REFUSED.contains(&code) || code == ffi::AVERROR(libc::EACCES) || code == ffi::AVERROR(libc::EPERM) {
        GapCause::SourceRefused
    } else if INVALID.contains(&code) {
        GapCause::SourceInvalid
    } else if ENDED.contains(&code) {
        GapCause::SourceEnded
    } else {
        GapCause::SourceUnreachable
    }
}

/// libav*'s own words for a code.
fn describe(code: i32) -> String {
    let mut text = [0 as libc::c_char; 128];
    // SAFETY: the buffer is as long as stated; av_strerror always terminates it.
    let text = unsafe {
        ffi::av_strerror(code, text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr())
    };
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_a_sentence_and_names_its_gap() {
        let refused = Error::library("open the source", ffi::AVERROR(libc::ECONNREFUSED));
        assert_eq!(refused.to_string(), "open the source: Connection refused");
        assert_eq!(refused.cause(), GapCause::SourceRefused);
        assert_eq!(Error::library("read", ffi::AVERROR_INVALIDDATA).cause(), GapCause::SourceInvalid);
        assert_eq!(Error::library("read", ffi::AVERROR(libc::ENOMEM)).cause(), GapCause::SourceInvalid, "a damaged size");
        assert_eq!(Error::library("open", ffi::AVERROR(libc::EHOSTUNREACH)).cause(), GapCause::SourceUnreachable);
    }
}
