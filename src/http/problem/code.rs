//! Every problem the HTTP side can answer with, in one table: status, stable code, kind sentence.

use axum::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $status:literal $code:literal $title:literal,)*) => {
        /// What is wrong, as a name that never changes. Programs look at this, people at title and detail.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, utoipa::ToSchema)]
        #[schema(as = ProblemCode)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }
            /// The same for every problem of this code.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Code::$name => $status,)* };
                StatusCode::from_u16(status).expect("the table holds valid statuses")
            }
        }
    };
}

codes! {
    InvalidQuery 400 "invalid_query" "A parameter of the address cannot be read",
    InvalidRange 400 "invalid_range" "The range of time is empty or reversed",
    InvalidBody 400 "invalid_body" "The body of the request cannot be read",
    InvalidHeader 400 "invalid_header" "A header of the request cannot be read",
    InvalidId 400 "invalid_id" "This cannot be a name here",

    /// No credentials, or not valid any longer.
    Unauthorized 401 "unauthorized" "Sign in first",
    /// Sign-in was refused. Says nothing about which of the two was wrong.
    BadCredentials 401 "bad_credentials" "User or password is wrong",

    MissingScope 403 "missing_scope" "These credentials may not do this",
    StreamNotCovered 403 "stream_not_covered" "These credentials do not cover this stream",
    TimeNotCovered 403 "time_not_covered" "These credentials do not cover this time",
    /// A signed address that is for something else.
    VerbNotCovered 403 "verb_not_covered" "This address is not for this",
    /// A browser may have been made to send this by another site.
    CrossSite 403 "cross_site" "This request may come from another site",

    UnknownRoute 404 "unknown_route" "There is nothing at this address",
    UnknownStream 404 "unknown_stream" "There is no such stream",
    UnknownRun 404 "unknown_run" "There is no such run",
    UnknownBlock 404 "unknown_block" "There is no such block",
    UnknownSegment 404 "unknown_segment" "No segment begins there",
    UnknownAccount 404 "unknown_account" "There is no such account",
    UnknownHold 404 "unknown_hold" "There is no such hold",
    UnknownKey 404 "unknown_key" "There is no such key",
    UnknownReceipt 404 "unknown_receipt" "There is no such receipt",
    /// None was made of that day.
    NoAttestation 404 "no_attestation" "There is no attestation of that day",
    UnknownBookmark 404 "unknown_bookmark" "There is no such bookmark",
    UnknownShare 404 "unknown_share" "There is no such share",
    UnknownExport 404 "unknown_export" "There is no such export",
    UnknownErasure 404 "unknown_erasure" "There is no such erasure",
    UnknownToken 404 "unknown_token" "There is no such token",
    UnknownUser 404 "unknown_user" "There is no such user",
    UnknownSession 404 "unknown_session" "There is no such session",
    UnknownLink 404 "unknown_link" "There is no such link",
    /// With `previous_end_us` and `next_start_us`.
    NoFootage 404 "no_footage" "There is no footage there",
    /// The footage has no picture, or none that can be decoded.
    NoPicture 404 "no_picture" "There is no picture there",

    MethodNotAllowed 405 "method_not_allowed" "This address does not take this method",
    IdleTimeout 408 "idle_timeout" "Nothing came for too long",

    PublisherPresent 409 "publisher_present" "Somebody else is sending to this stream",
    Paused 409 "paused" "This stream is paused",
    NotPush 409 "not_push" "This stream fetches its source itself",
    /// Of two who changed something at once, the second.
    Changed 409 "changed" "Somebody else has changed this in the meantime",
    AccountExists 409 "account_exists" "There is an account of this name already",
    QuoteOutdated 409 "quote_outdated" "This quote is not good any more",
    /// What the subscription is now does not allow it.
    PlanConflict 409 "plan_conflict" "The subscription does not allow this now",
    UserExists 409 "user_exists" "There is a user of this name already",
    /// Somebody must be able to see to the installation.
    LastOperator 409 "last_operator" "The last operator stays",
    /// Who may not sign in needs no link.
    UserDisabled 409 "user_disabled" "This user may not sign in",
    /// A run of retention is under way.
    RetentionRunning 409 "retention_running" "Retention is at work at this moment",
    /// Retention does not stand still, or what stopped it cannot be confirmed.
    RetentionConflict 409 "retention_conflict" "Retention does not allow this now",
    /// The key signs new addresses.
    KeyInUse 409 "key_in_use" "This key is in use",
    /// What exports may take together is taken, or the disk needs the rest for recording.
    NoRoom 409 "no_room" "There is no room for this export",
    /// An export that is not done.
    NoFile 409 "no_file" "There is no file yet, or not any more",
    TooMany 409 "too_many" "There are too many of these already",
    /// With `holds`.
    Held 409 "held" "A hold keeps this",
    /// With `erasure`.
    BeingErased 409 "being_erased" "This is being erased",
    StreamExists 409 "stream_exists" "There is a stream of this name already",

    ShareRevoked 410 "share_revoked" "This share was revoked",
    ShareExpired 410 "share_expired" "This share has expired",
    /// Whoever made it may not show it any more.
    ShareEnded 410 "share_ended" "This share has ended",
    LinkUsed 410 "link_used" "The link has been used",
    LinkExpired 410 "link_expired" "The link is too old",
    /// Outside the retention window, perhaps deleted. With `reason` (`plan`, `cap`) and `window_start_us`.
    Pruned 410 "pruned" "This footage is gone",
    /// Somebody had it erased.
    Erased 410 "erased" "This footage was erased",
    PreconditionFailed 412 "precondition_failed" "It has changed since",
    BodyTooLarge 413 "body_too_large" "The body of the request is too large",
    UnsupportedMediaType 415 "unsupported_media_type" "This kind of body is not taken here",
    /// With `size_bytes`.
    RangeNotSatisfiable 416 "range_not_satisfiable" "The byte range lies outside the file",

    InvalidSource 422 "invalid_source" "This source cannot be recorded",
    /// Nothing answers there.
    Unreachable 422 "unreachable" "This source cannot be reached",
    Refused 422 "refused" "This source refuses the connection",
    UnauthorizedSource 422 "unauthorized_source" "This source wants another user or password",
    /// It answers, and nothing comes that can be recorded.
    NoMedia 422 "no_media" "This source sends nothing that can be recorded",
    InvalidMedia 422 "invalid_media" "What was sent cannot be recorded",
    InvalidValue 422 "invalid_value" "A value in the request is not allowed",
    /// The range asked for is longer than is served at once.
    RangeTooLong 422 "range_too_long" "The range of time is too long",

    TooManyAttempts 429 "too_many_attempts" "Too many attempts; wait a little",

    Internal 500 "internal" "Something went wrong here",
    /// What is stored does not read back.
    Damaged 500 "damaged" "The stored footage is damaged there",
    Unavailable 503 "unavailable" "Not ready at this moment; try again shortly",
    Timeout 503 "timeout" "This took too long; try again",
    StorageFull 507 "storage_full" "The disk is full",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_errors() {
        let mut names: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
