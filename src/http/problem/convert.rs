//! Errors of other rooms as problems: who may know what.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};

use super::{Code, Problem};
use crate::accounts::AccountsError;
use crate::bookmarks::BookmarkError;
use crate::db::DbError;
use crate::entitlement::{EntitlementError, Limit};
use crate::exports::ExportError;
use crate::media::{EmptyRange, IdError, TimestampError};
use crate::playback::PlaybackError;
use crate::retention::RetentionError;

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Missing { what: "stream", id } => Problem::unknown_stream(&id),
            DbError::Exists { what: "stream", id } => {
                Problem::new(Code::StreamExists, format!("There is a stream `{id}` already; choose another name."))
            }
            DbError::Held { ref holds } => Problem::new(Code::Held, sentence_of(&error.to_string())).with("holds", holds.clone()),
            DbError::Erasing { erasure } => Problem::new(Code::BeingErased, sentence_of(&error.to_string())).with("erasure", erasure),
            DbError::TooMany { .. } => Problem::new(Code::TooMany, sentence_of(&error.to_string())),
            DbError::Changed { .. } => {
                Problem::new(Code::Changed, "Somebody else changed it in the meantime; look at it again, then decide.")
            }
            DbError::Locked(_) => {
                Problem::new(Code::Unavailable, "The database is in use by another process; try again in a moment.").caused_by(error)
            }
            DbError::Full(_) => Problem::new(Code::StorageFull, "The database's disk is full; make room.").caused_by(error),
            DbError::ReadOnly(_) => Problem::new(Code::Unavailable, "The database cannot be written.").caused_by(error),
            other => Problem::internal(other),
        }
    }
}

/// What a room says, as a sentence.
fn sentence_of(text: &str) -> String {
    format!("{}{}.", text[..1].to_uppercase(), &text[1..])
}

impl From<EntitlementError> for Problem {
    fn from(error: EntitlementError) -> Self {
        let text = error.to_string();
        let sentence = format!("{}{}.", text[..1].to_uppercase(), &text[1..]);
        match error {
            EntitlementError::BadCredentials | EntitlementError::NotASession => Problem::new(Code::Unauthorized, sentence),
            EntitlementError::MissingScope(_) | EntitlementError::SignedCannotSign | EntitlementError::NotOwn => {
                Problem::new(Code::MissingScope, sentence)
            }
            EntitlementError::NoSuchStream(stream) => Problem::unknown_stream(&stream),
            EntitlementError::StreamNotCovered => Problem::new(Code::StreamNotCovered, sentence),
            EntitlementError::TimeNotCovered => Problem::new(Code::TimeNotCovered, sentence),
            EntitlementError::VerbNotCovered(_) => Problem::new(Code::VerbNotCovered, sentence),
            EntitlementError::OutsideWindow => Problem::new(Code::Pruned, sentence),
            EntitlementError::TooManyAttempts { retry_after } => {
                Problem::new(Code::TooManyAttempts, sentence).header(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)))
            }
            EntitlementError::Busy => Problem::new(Code::Unavailable, sentence).header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            EntitlementError::UnknownScope(_)
            | EntitlementError::UnknownRole(_)
            | EntitlementError::UnknownLanguage(_)
            | EntitlementError::UserName
            | EntitlementError::OnlyViewersChoose
            | EntitlementError::TokenName
            | EntitlementError::NoRights
            | EntitlementError::UnknownVerb(_)
            | EntitlementError::WeakPassword
            | EntitlementError::Share(_)
            | EntitlementError::OutlivesMaker(_)
            | EntitlementError::AlreadyExpired => Problem::new(Code::InvalidValue, sentence),
            EntitlementError::UnknownUser(_) => Problem::new(Code::UnknownUser, sentence),
            EntitlementError::UnknownSession(_) => Problem::new(Code::UnknownSession, sentence),
            EntitlementError::UnknownToken(_) => Problem::new(Code::UnknownToken, sentence),
            EntitlementError::UnknownShare => Problem::new(Code::UnknownShare, sentence),
            EntitlementError::ShareRevoked => Problem::new(Code::ShareRevoked, sentence),
            EntitlementError::ShareExpired => Problem::new(Code::ShareExpired, sentence),
            EntitlementError::ShareEnded => Problem::new(Code::ShareEnded, sentence),
            EntitlementError::UnknownLink => Problem::new(Code::UnknownLink, sentence),
            EntitlementError::LinkUsed => Problem::new(Code::LinkUsed, sentence),
            EntitlementError::LinkExpired => Problem::new(Code::LinkExpired, sentence),
            EntitlementError::UserExists(_) => Problem::new(Code::UserExists, sentence),
            EntitlementError::LastOperator => Problem::new(Code::LastOperator, sentence),
            EntitlementError::UserDisabled(_) => Problem::new(Code::UserDisabled, sentence),
            EntitlementError::Db(error) => error.into(),
            EntitlementError::Hash(_) | EntitlementError::Random(_) => Problem::internal(error),
        }
    }
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        use AccountsError as E;
        let code = match error {
            E::Db(error) => return error.into(),
            E::Unknown(_) => Code::UnknownAccount,
            E::Exists(_) => Code::AccountExists,
            E::Changed => Code::Changed,
            E::QuoteOutdated => Code::QuoteOutdated,
            E::SamePlan
            | E::NotUpgrade { .. }
            | E::NotDowngrade { .. }
            | E::AlreadyScheduled { .. }
            | E::NothingScheduled
            | E::Lapsed(_)
            | E::PastDated(_)
            | E::ZoneWhileScheduled
            | E::NotIncluded(_)
            | E::UsedUp { .. } => Code::PlanConflict,
            E::Plan(_) | E::Zone(_) | E::Language(_) | E::Name | E::TermMonths(_) | E::Words | E::Currency { .. } | E::NotMetered(_) => {
                Code::InvalidValue
            }
        };
        let text = error.to_string();
        Problem::new(code, format!("{}{}.", text[..1].to_uppercase(), &text[1..]))
    }
}

impl From<BookmarkError> for Problem {
    fn from(error: BookmarkError) -> Self {
        let code = match error {
            BookmarkError::Db(error) => return error.into(),
            BookmarkError::Entitlement(error) => return error.into(),
            BookmarkError::Unknown(_) => Code::UnknownBookmark,
            BookmarkError::Value(_) => Code::InvalidValue,
        };
        Problem::new(code, sentence_of(&error.to_string()))
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        let code = match error {
            ExportError::Entitlement(error) => return error.into(),
            ExportError::Playback(error) => return error.into(),
            ExportError::Db(error) => return error.into(),
            ExportError::Io { .. } => return Problem::internal(error),
            ExportError::Unknown(_) => Code::UnknownExport,
            ExportError::Value(_) => Code::InvalidValue,
            ExportError::NoFile(_) => Code::NoFile,
            ExportError::Erased => Code::Erased,
            ExportError::NoRoom { .. } => Code::NoRoom,
        };
        Problem::new(code, sentence_of(&error.to_string()))
    }
}

impl From<RetentionError> for Problem {
    fn from(error: RetentionError) -> Self {
        use RetentionError as E;
        let code = match error {
            E::Db(error) => return error.into(),
            E::Accounts(error) => return error.into(),
            E::UnknownStream(stream) => return Problem::unknown_stream(&stream),
            E::UnknownHold(_) => Code::UnknownHold,
            E::Hold(_) | E::CapHours | E::ErasureAhead { .. } | E::ErasureWords => Code::InvalidValue,
            E::Running => Code::RetentionRunning,
            E::NotStopped | E::Unconfirmable { .. } => Code::RetentionConflict,
            E::Store(_) | E::Interrupted(_) | E::Lock { .. } => return Problem::internal(error),
        };
        let text = error.to_string();
        Problem::new(code, format!("{}{}.", text[..1].to_uppercase(), &text[1..]))
    }
}

impl From<PlaybackError> for Problem {
    fn from(error: PlaybackError) -> Self {
        let code = match error {
            PlaybackError::NoFootage { .. } => Code::NoFootage,
            PlaybackError::Gone { limit: Limit::Erased, .. } => Code::Erased,
            PlaybackError::Gone { .. } => Code::Pruned,
            PlaybackError::UnknownStream(stream) => return Problem::unknown_stream(&stream),
            PlaybackError::UnknownRun(_) => Code::UnknownRun,
            PlaybackError::UnknownBlock(_) => Code::UnknownBlock,
            PlaybackError::UnknownSegment(_) => Code::UnknownSegment,
            PlaybackError::NoPicture | PlaybackError::NoThumbnails | PlaybackError::Undecodable(_) => Code::NoPicture,
            PlaybackError::RangeTooLong { .. } => Code::RangeTooLong,
            PlaybackError::MissingRange | PlaybackError::TooFarAhead => Code::InvalidQuery,
            PlaybackError::EmptyRange(error) => return error.into(),
            PlaybackError::NotPermitted(error) => return error.into(),
            PlaybackError::Db(error) => return error.into(),
            PlaybackError::Busy => {
                return Problem::new(Code::Unavailable, sentence(&error.to_string()))
                    .header(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            PlaybackError::Decoder(_) => {
                return Problem::new(Code::Unavailable, "The picture could not be made; try again.").caused_by(error);
            }
            PlaybackError::Store(_) | PlaybackError::Damaged { .. } => {
                return Problem::new(Code::Damaged, "This footage cannot be read back.").caused_by(error);
            }
        };
        let text = error.to_string();
        let problem = Problem::new(code, format!("{}{}.", text[..1].to_uppercase(), &text[1..]));
        match error {
            PlaybackError::NoFootage { previous_end, next_start } => problem
                .with("previous_end_us", previous_end.map(|t| t.as_micros()))
                .with("next_start_us", next_start.map(|t| t.as_micros())),
            PlaybackError::Gone { ref limit, window_start } => {
                let said = serde_json::to_value(limit).unwrap_or_default();
                let fields = said.as_object().cloned().unwrap_or_default();
                let problem = fields.into_iter().fold(problem, |problem, (name, value)| problem.with(&name, value));
                problem.with("window_start_us", window_start.map(|t| t.as_micros()))
            }
            PlaybackError::Undecodable(_) => problem.caused_by(error),
            _ => problem,
        }
    }
}

impl From<TimestampError> for Problem {
    fn from(error: TimestampError) -> Self {
        Problem::new(Code::InvalidQuery, format!("{error}."))
    }
}

impl From<EmptyRange> for Problem {
    fn from(error: EmptyRange) -> Self {
        let detail = format!("The end {} is not after the start {}.", error.end, error.start);
        Problem::new(Code::InvalidRange, detail)
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Problem::new(Code::InvalidId, format!("{error}."))
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::new(Code::InvalidQuery, sentence(&rejection.body_text()))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        // A name that nothing can have is a place where nothing is.
        Problem::new(Code::UnknownRoute, sentence(&rejection.body_text()))
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Problem::new(Code::UnsupportedMediaType, "Send JSON with the header `Content-Type: application/json`.")
            }
            JsonRejection::BytesRejection(bytes) => bytes.into(),
            other => Problem::new(Code::InvalidBody, sentence(&other.body_text())),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Problem::new(Code::BodyTooLarge, "Send less at once.")
            }
            other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "Send less at once."),
            other => Problem::new(Code::InvalidBody, sentence(&other.body_text())),
        }
    }
}

/// What axum says, without its preamble about types of ours: the part after the first colon is what the sender can act on.
fn sentence(text: &str) -> String {
    let said = text.split_once(": ").map_or(text, |(_, rest)| rest).trim_end_matches('.');
    format!("{said}.")
}
