//! Records, each tied to the one before.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::canonical;
use super::event::Event;
use crate::media::{AccountId, StreamId, TimeRange, Timestamp};

/// SHA-256.
pub type Hash = [u8; 32];

/// What the first record names as the one before.
pub const NOTHING_BEFORE: Hash = [0; 32];

/// An event in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// From 1, without a hole.
    pub n: u64,
    pub event: Event,
    pub prev: Hash,
    pub hash: Hash,
}

/// What is wrong with a record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    #[error("record {n} is not what it was: its hash does not fit")]
    Changed { n: u64 },
    #[error("record {expected} is missing: {found} comes in its place")]
    Missing { expected: u64, found: u64 },
    #[error("record {n} does not follow the one before it: one of them was put there or moved")]
    Detached { n: u64 },
    #[error("line {line} is no record: {why}")]
    NotARecord { line: u64, why: String },
    #[error("the log ends with record {found}, and the checkpoint was made after record {signed}: its end has been cut off")]
    CutOff { found: u64, signed: u64 },
    #[error("record {n} is another one than the checkpoint was made after: this is another log, or a rewritten one")]
    Rewritten { n: u64 },
}

impl Record {
    /// The record of `event` behind the one with number and hash `before`.
    pub fn append(before: (u64, Hash), event: Event) -> Record {
        let (n, prev) = (before.0 + 1, before.1);
        let mut record = Record { n, event, prev, hash: NOTHING_BEFORE };
        record.hash = record.computed_hash();
        record
    }

    pub fn computed_hash(&self) -> Hash {
        let mut text = String::with_capacity(512);
        self.push_canonical(&mut text);
        Sha256::digest(text.as_bytes()).into()
    }

    /// As [`canonical`] writes [`Record::object`], without making that: verifying a log of years is mostly this.
    fn push_canonical(&self, out: &mut String) {
        let e = &self.event;
        out.push_str("{\"account\":");
        push_text(out, e.account.as_ref().map(AccountId::as_str));
        out.push_str(",\"act\":");
        push_text(out, Some(&e.act));
        out.push_str(",\"actor\":");
        push_text(out, Some(&e.actor));
        out.push_str(",\"at_us\":");
        push_number(out, Some(e.at.as_micros()));
        out.push_str(",\"details\":");
        canonical::push_object(out, &e.details);
        out.push_str(",\"end_us\":");
        push_number(out, e.range.map(|r| r.end().as_micros()));
        out.push_str(",\"n\":");
        push_number(out, Some(self.n));
        out.push_str(",\"prev\":\"");
        push_hex(out, &self.prev);
        out.push_str("\",\"start_us\":");
        push_number(out, e.range.map(|r| r.start().as_micros()));
        out.push_str(",\"stream\":");
        push_text(out, e.stream.as_ref().map(StreamId::as_str));
        out.push('}');
    }

    /// One line of an export, without its end.
    pub fn to_line(&self) -> String {
        let mut object = self.object();
        object.insert("hash".into(), hex(&self.hash).into());
        let mut text = String::with_capacity(320);
        canonical::push(&mut text, &Value::Object(object));
        text
    }

    /// # Errors
    /// What the line lacks.
    pub fn from_line(line: &str) -> Result<Record, String> {
        let object: Map<String, Value> = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let text = |key: &str| match object.get(key) {
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(format!("no `{key}`")),
        };
        let time = |key: &str| match object.get(key) {
            Some(Value::Null) => Ok(None),
            Some(v) => v.as_i64().map(|us| Some(Timestamp::from_micros(us))).ok_or_else(|| format!("`{key}` is no time")),
            None => Err(format!("no `{key}`")),
        };
        let needed = |value: Option<String>, key: &str| value.ok_or_else(|| format!("no `{key}`"));
        let hash = |key: &str| unhex(&needed(text(key)?, key)?).ok_or_else(|| format!("`{key}` is no SHA-256"));
        let range = match (time("start_us")?, time("end_us")?) {
            (Some(start), Some(end)) => Some(TimeRange::new(start, end).map_err(|e| e.to_string())?),
            _ => None,
        };
        let id = |key: &str| text(key);
        Ok(Record {
            n: object.get("n").and_then(Value::as_u64).ok_or("no `n`")?,
            event: Event {
                at: time("at_us")?.ok_or("no `at_us`")?,
                account: id("account")?.map(|a| a.parse::<AccountId>()).transpose().map_err(|e| e.to_string())?,
                actor: needed(text("actor")?, "actor")?,
                act: needed(text("act")?, "act")?,
                stream: id("stream")?.map(|s| s.parse::<StreamId>()).transpose().map_err(|e| e.to_string())?,
                range,
                details: object.get("details").and_then(Value::as_object).ok_or("no `details`")?.clone(),
            },
            prev: hash("prev")?,
            hash: hash("hash")?,
        })
    }

    fn object(&self) -> Map<String, Value> {
        let e = &self.event;
        let Value::Object(object) = json!({
            "n": self.n,
            "prev": hex(&self.prev),
            "at_us": e.at.as_micros(),
            "account": e.account.as_ref().map(AccountId::as_str),
            "actor": e.actor,
            "act": e.act,
            "stream": e.stream.as_ref().map(StreamId::as_str),
            "start_us": e.range.map(|r| r.start().as_micros()),
            "end_us": e.range.map(|r| r.end().as_micros()),
            "details": e.details,
        }) else {
            unreachable!("written as an object")
        };
        object
    }
}

/// Follows a chain from its beginning, or from a record that is known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    pub n: u64,
    pub hash: Hash,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { n: 0, hash: NOTHING_BEFORE }
    }
}

impl Chain {
    /// Takes the next record.
    ///
    /// # Errors
    /// [`Broken`] says what is wrong with it.
    pub fn follow(&mut self, record: &Record) -> Result<(), Broken> {
        let expected = self.n + 1;
        if record.computed_hash() != record.hash {
            return Err(Broken::Changed { n: record.n });
        }
        if record.n != expected {
            return Err(Broken::Missing { expected, found: record.n });
        }
        if record.prev != self.hash {
            return Err(Broken::Detached { n: record.n });
        }
        *self = Chain { n: record.n, hash: record.hash };
        Ok(())
    }
}

fn push_text(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => canonical::push_string(out, text),
        None => out.push_str("null"),
    }
}

fn push_number(out: &mut String, number: Option<impl std::fmt::Display>) {
    match number {
        Some(number) => write!(out, "{number}").expect("a string takes everything"),
        None => out.push_str("null"),
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    push_hex(&mut out, bytes);
    out
}

pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Act;

    fn log(len: u64) -> Vec<Record> {
        let mut before = (0, NOTHING_BEFORE);
        (0..len)
            .map(|i| {
                let at = Timestamp::from_micros(1_777_816_800_000_000 + i as i64);
                let stream = "door".parse().unwrap();
                let event = Event::system(at, Act("stream.paused")).by("user admin").on_stream(&stream).with("i", i);
                let record = Record::append(before, event);
                before = (record.n, record.hash);
                record
            })
            .collect()
    }

    fn follow(records: &[Record]) -> Result<Chain, Broken> {
        let mut chain = Chain::default();
        records.iter().try_for_each(|r| chain.follow(r))?;
        Ok(chain)
    }

    #[test]
    fn the_canonical_form_and_its_hash_are_what_the_documentation_says() {
        let record = &log(1)[0];
        let line = record.to_line();
        let (canonical, _) = (line.replace(&format!(r#""hash":"{}","#, hex(&record.hash)), ""), ());
        assert_eq!(
            canonical,
            format!(
                r#"{{"account":null,"act":"stream.paused","actor":"user admin","at_us":1777816800000000,"details":{{"i":0}},"end_us":null,"n":1,"prev":"{}","start_us":null,"stream":"door"}}"#,
                "0".repeat(64)
            )
        );
        assert_eq!(<Hash>::from(Sha256::digest(canonical.as_bytes())), record.hash);
    }

    #[test]
    fn a_line_reads_back_as_it_was() {
        let range = TimeRange::new(Timestamp::from_micros(1), Timestamp::from_micros(2)).unwrap();
        let event = Event::system(Timestamp::from_micros(5), Act("x.y")).of_account(&AccountId::main()).over(range).with("é", "ü\n");
        let record = Record::append((41, [7; 32]), event);
        assert_eq!(Record::from_line(&record.to_line()).unwrap(), record);
        let mut canonical_form = String::new();
        canonical::push(&mut canonical_form, &Value::Object(record.object()));
        let mut quick = String::new();
        record.push_canonical(&mut quick);
        assert_eq!(quick, canonical_form);
        for broken in ["", "{}", r#"{"n":1}"#, "[]"] {
            assert!(Record::from_line(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn every_kind_of_tampering_is_found() {
        let whole = log(9);
        assert_eq!(follow(&whole).unwrap(), Chain { n: 9, hash: whole[8].hash });

        let mut changed = whole.clone();
        changed[4].event.actor = "user mallory".into();
        assert_eq!(follow(&changed), Err(Broken::Changed { n: 5 }));
        // Whoever can write can also hash.
        changed[4].hash = changed[4].computed_hash();
        assert_eq!(follow(&changed), Err(Broken::Detached { n: 6 }));

        let mut removed = whole.clone();
        removed.remove(4);
        assert_eq!(follow(&removed), Err(Broken::Missing { expected: 5, found: 6 }));

        let mut swapped = whole.clone();
        swapped.swap(3, 4);
        assert_eq!(follow(&swapped), Err(Broken::Missing { expected: 4, found: 5 }));
    }
}
