//! A signature over how far the log reached, to be kept where the log is not.
//!
//! A chain proves that nothing inside it was changed; only someone who remembers its end can tell that the end was cut off,
//! or that the whole of it was written anew. A checkpoint is that memory: number and hash of a record, signed with
//! Ed25519 (RFC 8032) by the installation's key. What is signed is the canonical form ([`super`]) of the checkpoint without
//! its signature.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::{Map, Value, json};

use super::canonical;
use super::chain::{Broken, Chain, Hash, Record, hex, unhex};
use crate::media::Timestamp;

/// Name of the installation's secret with which checkpoints and documents are signed.
pub const KEY_NAME: &str = "audit_checkpoint_key";
/// Number of bytes of a private key.
pub const KEY_BYTES: usize = 32;

/// Signs checkpoints.
pub struct CheckpointKey(SigningKey);

impl CheckpointKey {
    pub fn new(secret: &[u8; KEY_BYTES]) -> Self {
        CheckpointKey(SigningKey::from_bytes(secret))
    }
    /// The public key, in hexadecimal: what an auditor writes down once.
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }
    /// A signature over this text, in hexadecimal.
    pub(super) fn sign_text(&self, text: &str) -> String {
        hex(&self.0.sign(text.as_bytes()).to_bytes())
    }
    /// Signs where the log stands.
    pub fn sign(&self, head: Chain, at: Timestamp) -> Checkpoint {
        let mut checkpoint = Checkpoint { n: head.n, hash: head.hash, at, key: self.public(), signature: String::new() };
        checkpoint.signature = self.sign_text(&checkpoint.signed());
        checkpoint
    }
}

impl std::fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CheckpointKey").field(&self.public()).finish()
    }
}

/// How far the log reached, signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Number and hash of the newest record then; 0 and zeros for an empty log.
    pub n: u64,
    pub hash: Hash,
    pub at: Timestamp,
    /// Public key, hexadecimal.
    pub key: String,
    pub signature: String,
}

/// Why a checkpoint says nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("this is no checkpoint: {0}")]
    NotOne(String),
    #[error("the checkpoint's signature does not fit: it was changed, or made up")]
    BadSignature,
    #[error("the checkpoint was signed with key {found}, and the key to trust is {wanted}: it belongs to another installation")]
    OtherKey { found: String, wanted: String },
}

impl Checkpoint {
    pub fn to_json(&self) -> Value {
        let mut object = self.object();
        object.insert("signature".into(), self.signature.clone().into());
        Value::Object(object)
    }

    /// Reads one, and checks its signature. `key`: the public key to trust, in hexadecimal; without it only that somebody
    /// signed it is known.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn read(text: &str, key: Option<&str>) -> Result<Checkpoint, BadCheckpoint> {
        let not_one = |what: &str| BadCheckpoint::NotOne(what.to_owned());
        let value: Value = serde_json::from_str(text).map_err(|e| not_one(&e.to_string()))?;
        let string =
            |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| not_one(&format!("no `{name}`")));
        let checkpoint = Checkpoint {
            n: value.get("n").and_then(Value::as_u64).ok_or_else(|| not_one("no `n`"))?,
            hash: unhex(&string("hash")?).ok_or_else(|| not_one("`hash` is no SHA-256"))?,
            at: value.get("at_us").and_then(Value::as_i64).map(Timestamp::from_micros).ok_or_else(|| not_one("no `at_us`"))?,
            key: string("key")?,
            signature: string("signature")?,
        };
        let fits = verify_text(&checkpoint.key, &checkpoint.signature, &checkpoint.signed()).map_err(not_one)?;
        if !fits {
            return Err(BadCheckpoint::BadSignature);
        }
        match key {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&checkpoint.key) => {
                Err(BadCheckpoint::OtherKey { found: checkpoint.key, wanted: wanted.to_owned() })
            }
            _ => Ok(checkpoint),
        }
    }

    fn object(&self) -> Map<String, Value> {
        let Value::Object(object) = json!({ "at_us": self.at.as_micros(), "hash": hex(&self.hash), "key": self.key, "n": self.n }) else {
            unreachable!("written as an object")
        };
        object
    }

    fn signed(&self) -> String {
        let mut text = String::new();
        canonical::push(&mut text, &Value::Object(self.object()));
        text
    }
}

/// Whether the key (hexadecimal) signed the text.
///
/// # Errors
/// What of both is none.
pub(super) fn verify_text(key: &str, signature: &str, text: &str) -> Result<bool, &'static str> {
    let public = unhex(key).and_then(|k| VerifyingKey::from_bytes(&k).ok()).ok_or("`key` is no key")?;
    let signature = unhex(signature).map(|s| Signature::from_bytes(&s)).ok_or("`signature` is none")?;
    Ok(public.verify_strict(text.as_bytes(), &signature).is_ok())
}

/// Follows an export line by line, and holds it against checkpoints.
#[derive(Debug, Default)]
pub struct Verifier {
    chain: Chain,
    line: u64,
    checkpoints: Vec<Checkpoint>,
}

impl Verifier {
    pub fn new(mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(|c| c.n);
        Verifier { checkpoints, ..Verifier::default() }
    }

    /// Takes the next line of an export.
    ///
    /// # Errors
    /// The first thing that is wrong; what comes after it proves nothing.
    pub fn line(&mut self, line: &str) -> Result<(), Broken> {
        self.line += 1;
        let record = Record::from_line(line).map_err(|why| Broken::NotARecord { line: self.line, why })?;
        self.chain.follow(&record)?;
        match self.checkpoints.iter().find(|c| c.n == record.n) {
            Some(checkpoint) if checkpoint.hash != record.hash => Err(Broken::Rewritten { n: record.n }),
            _ => Ok(()),
        }
    }

    /// After the last line: how far the log reaches.
    ///
    /// # Errors
    /// [`Broken::CutOff`] when a checkpoint has seen more.
    pub fn end(self) -> Result<Chain, Broken> {
        match self.checkpoints.last() {
            Some(last) if last.n > self.chain.n => Err(Broken::CutOff { found: self.chain.n, signed: last.n }),
            _ => Ok(self.chain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Act, Event};

    fn lines(count: u64) -> (Vec<String>, Chain) {
        let mut before = Chain::default();
        let lines = (0..count).map(|i| {
            let record = Record::append((before.n, before.hash), Event::system(Timestamp::from_micros(i as i64), Act("test.line")));
            before = Chain { n: record.n, hash: record.hash };
            record.to_line()
        });
        (lines.collect(), before)
    }

    fn verify(lines: &[String], checkpoints: Vec<Checkpoint>) -> Result<Chain, Broken> {
        let mut verifier = Verifier::new(checkpoints);
        lines.iter().try_for_each(|line| verifier.line(line))?;
        verifier.end()
    }

    #[test]
    fn a_checkpoint_reads_back_and_every_changed_field_is_noticed() {
        let key = CheckpointKey::new(&[7; KEY_BYTES]);
        let checkpoint = key.sign(lines(3).1, Timestamp::from_micros(9));
        let text = checkpoint.to_json().to_string();
        assert_eq!(Checkpoint::read(&text, Some(&key.public())).unwrap(), checkpoint);
        for (name, other) in [("n", json!(4)), ("at_us", json!(8)), ("hash", json!("0".repeat(64)))] {
            let mut changed = checkpoint.to_json();
            changed[name] = other;
            assert_eq!(Checkpoint::read(&changed.to_string(), None), Err(BadCheckpoint::BadSignature), "{name}");
        }
        let foreign = CheckpointKey::new(&[8; KEY_BYTES]).sign(lines(3).1, Timestamp::from_micros(9)).to_json().to_string();
        assert!(matches!(Checkpoint::read(&foreign, Some(&key.public())), Err(BadCheckpoint::OtherKey { .. })));
        assert!(matches!(Checkpoint::read("{}", None), Err(BadCheckpoint::NotOne(_))));
    }

    #[test]
    fn an_end_that_is_cut_off_and_a_log_written_anew_are_found() {
        let key = CheckpointKey::new(&[7; KEY_BYTES]);
        let (whole, head) = lines(9);
        let checkpoint = || vec![key.sign(head, Timestamp::from_micros(9))];
        assert_eq!(verify(&whole, checkpoint()).unwrap(), head);
        assert_eq!(verify(&whole[..8], checkpoint()), Err(Broken::CutOff { found: 8, signed: 9 }));
        assert_eq!(verify(&whole[..8], Vec::new()).unwrap().n, 8, "without a checkpoint nobody can tell");
        // Somebody with the database writes the whole log anew, hashes and all.
        let mut before = Chain::default();
        let rewritten: Vec<String> = (0..9)
            .map(|i| {
                let record = Record::append((before.n, before.hash), Event::system(Timestamp::from_micros(i), Act("test.other")));
                before = Chain { n: record.n, hash: record.hash };
                record.to_line()
            })
            .collect();
        assert_eq!(verify(&rewritten, checkpoint()), Err(Broken::Rewritten { n: 9 }));
        let mut nonsense = whole.clone();
        nonsense[3] = "not a record".into();
        assert!(matches!(verify(&nonsense, checkpoint()), Err(Broken::NotARecord { line: 4, .. })));
    }
}
