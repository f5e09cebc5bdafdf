//! Names of things. A stream id is not an account id; a run id is not a block id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that cannot be used as an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("`{0}` is no {1} id: use 1 to 64 of a-z, 0-9, `-` and `_`, starting with a letter or digit")]
    Slug(String, &'static str),
    #[error("`{0}` is not a {1} id: 26 letters and digits (ULID)")]
    Ulid(String, &'static str),
}

macro_rules! slug_id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                if is_slug(s) { Ok($name(s.into())) } else { Err(IdError::Slug(s.chars().take(80).collect(), $word)) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                s.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// From 16 bytes, big-endian, as stored in block files.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(u128::from_be_bytes(bytes))
            }
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
            /// A new id: 48 bits of `now` in milliseconds, 80 random bits given by the caller.
            pub fn new(now: super::Timestamp, random: u128) -> Self {
                let ms = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
                $name(ulid::Ulid::from_parts(ms, random).0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                let err = || IdError::Ulid(s.chars().take(80).collect(), $word);
                let id = ulid::Ulid::from_string(s).map_err(|_| err())?;
                // One spelling per id: URLs and file names are compared as text.
                if id.to_string() == s { Ok($name(id.0)) } else { Err(err()) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                s.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&ulid::Ulid(self.0).to_string())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

slug_id!(
    /// A customer. Names a folder under the media root.
    AccountId,
    "account"
);
slug_id!(
    /// One recorded source. Chosen by the operator, unique in the installation, never changed: it names a
    /// folder, a URL and rows.
    StreamId,
    "stream"
);
ulid_id!(
    /// One unbroken connection with unchanged codec parameters.
    RunId,
    "run"
);
ulid_id!(
    /// One file of consecutive segments.
    BlockId,
    "block"
);

impl AccountId {
    /// The account of an installation that has only one.
    pub fn main() -> Self {
        AccountId("main".into())
    }
}

fn is_slug(s: &str) -> bool {
    let b = s.as_bytes();
    let ok = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-' || *c == b'_';
    (1..=64).contains(&b.len()) && b.iter().all(ok) && b[0].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_safe_as_folder_and_url() {
        for good in ["a", "cam-1", "0_x", &"a".repeat(64)] {
            assert!(good.parse::<StreamId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "_a", "A", "a/b", "a b", "é", &"a".repeat(65), "a\0"] {
            assert!(bad.parse::<StreamId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ulids_have_one_spelling() {
        let id = RunId::new(super::super::Timestamp(1_777_816_800_000_000), 42);
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!(id.to_string().to_lowercase().parse::<RunId>().is_err());
        assert_eq!(RunId::from_bytes(id.to_bytes()), id);
    }
}
