//! What of a source URL must never be seen again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SourceError, SourceKind};

/// Stands where a credential was.
pub(super) const HIDDEN: &str = "***";

/// The secret pieces of a source URL, as they stood in it (still percent-encoded).
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceCredentials {
    /// `user:password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<String>,
    /// Query values, each with the name that is still in the URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
}

impl SourceCredentials {
    /// JSON, or `None` when there is nothing.
    pub fn to_text(&self) -> Option<String> {
        let empty = self.userinfo.is_none() && self.query.is_empty();
        (!empty).then(|| serde_json::to_string(self).expect("texts are always JSON"))
    }

    /// # Errors
    /// [`SourceError::Credentials`]; the text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, SourceError> {
        serde_json::from_str(text).map_err(|_| SourceError::Credentials)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Everything that must not appear in a message, longest first; also percent-decoded.
    pub fn secrets(&self) -> Vec<String> {
        let user = self.userinfo.iter().flat_map(|u| {
            let password = u.split_once(':').map(|(_, p)| p.to_string());
            std::iter::once(u.clone()).chain(password)
        });
        let mut all: Vec<String> = user.chain(self.query.iter().map(|(_, v)| v.clone())).collect();
        all.extend(all.iter().map(|s| super::url::decode(s)).collect::<Vec<_>>());
        all.retain(|s| s.len() >= 3);
        all.sort_by_key(|s| std::cmp::Reverse(s.len()));
        all.dedup();
        all
    }
}

impl fmt::Debug for SourceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceCredentials(***)")
    }
}

/// Whether a query value is to be hidden. Errs on the side of hiding: what is hidden is still used, a secret
/// that is shown is lost.
pub(super) fn is_secret(kind: SourceKind, name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let telling = ["pass", "pwd", "token", "secret", "auth", "sig", "key", "cred", "jwt", "session", "hash"];
    if kind == SourceKind::Srt && name == "streamid" {
        // MediaMTX and others put `read:path:user:password` in here.
        let lower = value.to_ascii_lowercase();
        return value.matches(':').count() >= 3 || telling.iter().any(|word| lower.contains(word));
    }
    // Key *length* is a setting.
    name != "pbkeylen" && telling.iter().any(|word| name.contains(word))
}
