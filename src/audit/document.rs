//! Statements that can be handed out: a JSON object with a signature in it.
//!
//! What is signed is the canonical form ([`super`]) of the object without its member `signature`, by the key that signs checkpoints.
//! The member `kind` says what it is (`receipt`, `attestation`), so that one cannot be taken for another; a checkpoint has none.
//! It can be verified with any implementation of Ed25519: see `retroview audit verify-receipt`.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::canonical;
use super::chain::hex;
use super::checkpoint::{CheckpointKey, verify_text};

/// A signed statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Document(Map<String, Value>);

/// Why a document proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadDocument {
    #[error("this is no signed document: {0}")]
    NotOne(String),
    #[error("the signature does not fit: something in it was changed, or it was made up")]
    BadSignature,
    #[error("it was signed with key {found}, and the key to trust is {wanted}: it belongs to another installation")]
    OtherKey { found: String, wanted: String },
}

impl Document {
    /// Signs these members, of which `kind`, `key` and `signature` are set here.
    pub fn sign(key: &CheckpointKey, kind: &str, mut members: Map<String, Value>) -> Document {
        members.insert("kind".into(), kind.into());
        members.insert("key".into(), key.public().into());
        members.remove("signature");
        let signature = key.sign_text(&canonical_text(&members));
        members.insert("signature".into(), signature.into());
        Document(members)
    }

    /// Reads one and checks its signature. `key`: the public key to trust, in hexadecimal; without it only that somebody signed it is
    /// known.
    ///
    /// # Errors
    /// [`BadDocument`].
    pub fn read(text: &str, key: Option<&str>) -> Result<Document, BadDocument> {
        let not_one = |why: &str| BadDocument::NotOne(why.to_owned());
        let members: Map<String, Value> = serde_json::from_str(text).map_err(|e| not_one(&e.to_string()))?;
        let string = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let (found, signature) = (string("key").ok_or_else(|| not_one("no `key`"))?, string("signature"));
        let signature = signature.ok_or_else(|| not_one("no `signature`"))?;
        string("kind").ok_or_else(|| not_one("no `kind`"))?;
        let mut signed = members.clone();
        signed.remove("signature");
        if !verify_text(&found, &signature, &canonical_text(&signed)).map_err(not_one)? {
            return Err(BadDocument::BadSignature);
        }
        match key {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&found) => Err(BadDocument::OtherKey { found, wanted: wanted.to_owned() }),
            _ => Ok(Document(members)),
        }
    }

    /// One that was signed here and kept: read without a look at the signature.
    ///
    /// # Errors
    /// It is no object.
    pub fn kept(text: &str) -> Result<Document, BadDocument> {
        serde_json::from_str(text).map(Document).map_err(|e| BadDocument::NotOne(e.to_string()))
    }

    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }
    /// Canonical, with its signature.
    pub fn to_text(&self) -> String {
        canonical_text(&self.0)
    }
    /// SHA-256 of [`Document::to_text`], in hexadecimal: what the audit log has of it.
    pub fn hash(&self) -> String {
        hex(&<[u8; 32]>::from(Sha256::digest(self.to_text().as_bytes())))
    }
}

fn canonical_text(members: &Map<String, Value>) -> String {
    let mut text = String::new();
    canonical::push(&mut text, &Value::Object(members.clone()));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::{Checkpoint, KEY_BYTES};

    fn document() -> (CheckpointKey, Document) {
        let key = CheckpointKey::new(&[7; KEY_BYTES]);
        let Value::Object(members) = json!({ "b": [1, { "z": "x", "a": null }], "a": 5 }) else { unreachable!() };
        let document = Document::sign(&key, "receipt", members);
        (key, document)
    }

    #[test]
    fn what_was_signed_reads_back_and_every_change_is_noticed() {
        let (key, signed) = document();
        let text = signed.to_text();
        assert_eq!(Document::read(&text, Some(&key.public())).unwrap(), signed);
        assert_eq!(
            Document::read(&serde_json::to_string_pretty(signed.members()).unwrap(), None).unwrap(),
            signed,
            "however it is laid out"
        );
        for (from, to) in [("\"a\":5", "\"a\":6"), ("\"x\"", "\"y\""), ("[1,", "[1,2,"), ("receipt", "attestation"), ("\"a\":5,", "")] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert_eq!(Document::read(&changed, None), Err(BadDocument::BadSignature), "{from} → {to}");
        }
        let added = text.replacen('{', "{\"more\":1,", 1);
        assert_eq!(Document::read(&added, None), Err(BadDocument::BadSignature));
        let foreign = Document::sign(&CheckpointKey::new(&[8; KEY_BYTES]), "receipt", signed.members().clone());
        assert!(matches!(Document::read(&foreign.to_text(), Some(&key.public())), Err(BadDocument::OtherKey { .. })));
        for nothing in ["", "[]", "{}", "{\"key\":\"x\",\"kind\":\"receipt\",\"signature\":\"y\"}"] {
            assert!(matches!(Document::read(nothing, None), Err(BadDocument::NotOne(_))), "{nothing}");
        }
    }

    #[test]
    fn a_document_and_a_checkpoint_cannot_be_taken_for_one_another() {
        let (key, signed) = document();
        assert!(Checkpoint::read(&signed.to_text(), None).is_err());
        let checkpoint = key.sign(crate::audit::Chain::default(), crate::media::Timestamp(1)).to_json().to_string();
        assert!(matches!(Document::read(&checkpoint, None), Err(BadDocument::NotOne(_))));
    }
}
