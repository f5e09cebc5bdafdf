//! A receipt as a page to print: one HTML file that needs nothing else, in English or French. Pure.

use std::fmt::Write;

use serde_json::Value;

use crate::audit::Document;
use crate::media::Timestamp;

/// A language of pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    En,
    Fr,
}

impl Language {
    /// `fr`, `fr-CA`; anything else is English.
    pub fn named(name: &str) -> Language {
        let primary = name.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Language::Fr } else { Language::En }
    }

    /// The first language of an `Accept-Language` header that there is; order stands for preference, as browsers send it.
    pub fn accepted(header: &str) -> Language {
        let named = header.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
        let known = |name: &&str| ["en", "fr"].iter().any(|l| name.split('-').next().is_some_and(|p| p.eq_ignore_ascii_case(l)));
        named.into_iter().find(known).map_or(Language::En, Language::named)
    }
}

/// Words of the page: English, French.
const WORDS: &[(&str, &str, &str)] = &[
    ("title.sweep", "Receipt of deleted footage", "Reçu de suppression d’images"),
    ("title.erasure", "Receipt of an erasure on request", "Reçu d’effacement sur demande"),
    ("number.sweep", "Sweep", "Suppression"),
    ("number.erasure", "Erasure", "Effacement"),
    ("account", "Account", "Compte"),
    ("part", "Part", "Partie"),
    ("begun.sweep", "Begun", "Commencée"),
    ("begun.erasure", "Asked for", "Demandé"),
    ("finished", "Finished", "Terminé"),
    ("reason", "Reason", "Motif"),
    ("asked_by", "Asked for by", "Demandé par"),
    ("actor", "Entered by", "Saisi par"),
    ("range", "Range", "Période"),
    ("totals", "In all", "Au total"),
    ("blocks", "blocks", "blocs"),
    ("segments", "segments", "segments"),
    ("bytes", "bytes", "octets"),
    ("stream", "Stream", "Flux"),
    ("from", "From", "De"),
    ("to", "To", "À"),
    ("size", "Bytes", "Octets"),
    ("checksum", "Checksum", "Somme de contrôle"),
    ("block", "Block", "Bloc"),
    ("marked", "Marked", "Marqué"),
    ("due", "Due", "Échéance"),
    ("rule", "Rule", "Règle"),
    ("hidden", "Hidden", "Masqué"),
    ("gone", "Erased", "Effacé"),
    ("rule.plan", "plan {plan} {version}: {months} months", "formule {plan} {version} : {months} mois"),
    ("rule.cap", "own limit: {hours} hours", "limite propre : {hours} heures"),
    ("rule.other", "another rule", "autre règle"),
    ("signature", "Signature (Ed25519)", "Signature (Ed25519)"),
    ("key", "Key", "Clé"),
    (
        "verify",
        "Times are UTC. This page shows a signed document; the proof is the JSON file: retroview audit verify-receipt FILE --key KEY.",
        "Heures UTC. Cette page montre un document signé ; la preuve est le fichier JSON : retroview audit verify-receipt FICHIER --key CLÉ.",
    ),
];

/// Printed on A4 without a scroll bar: names and checksums break, words and rows do not, and the table's head is on every page.
const STYLE: &str = "@page{size:A4 landscape;margin:15mm}\
body{font:10pt/1.4 system-ui,sans-serif;color:#111;background:#fff;max-width:267mm;margin:10mm auto;padding:0 4mm}\
h1{font-size:16pt;margin:0 0 4mm}dl{display:grid;grid-template-columns:max-content 1fr;gap:1mm 6mm;margin:0 0 6mm}dt{color:#555}dd{margin:0;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;font-size:8pt}th,td{text-align:left;padding:1mm 2mm;border-bottom:.2mm solid #bbb;vertical-align:top}td.h{overflow-wrap:anywhere}\
thead{display:table-header-group}tr{break-inside:avoid}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
footer{margin-top:6mm;font-size:8pt;color:#555}footer code{overflow-wrap:anywhere}@media print{body{margin:0;padding:0;max-width:none}}";

/// The whole page.
pub fn receipt_page(receipt: &Document, language: Language) -> String {
    let page = Page { members: &Value::Object(receipt.members().clone()), language };
    let kind = if page.text("of") == "erasure" { "erasure" } else { "sweep" };
    let mut out = String::with_capacity(4096);
    let lang = if language == Language::Fr { "fr" } else { "en" };
    let title = page.word(&format!("title.{kind}"));
    let _ = writeln!(
        out,
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} {}</title><style>{STYLE}</style></head><body><h1>{title}</h1>",
        page.number("number")
    );
    page.push_facts(&mut out, kind);
    page.push_blocks(&mut out, kind);
    let _ = writeln!(
        out,
        "<footer><p>{}</p><p>{}: <code>{}</code><br>{}: <code>{}</code></p></footer></body></html>",
        page.word("verify"),
        page.word("key"),
        escaped(page.text("key")),
        page.word("signature"),
        escaped(page.text("signature"))
    );
    out
}

struct Page<'a> {
    members: &'a Value,
    language: Language,
}

impl Page<'_> {
    fn word(&self, name: &str) -> &'static str {
        let found = WORDS.iter().find(|(known, ..)| *known == name);
        found.map_or("", |(_, en, fr)| if self.language == Language::Fr { fr } else { en })
    }
    fn text(&self, name: &str) -> &str {
        self.members[name].as_str().unwrap_or_default()
    }
    fn number(&self, name: &str) -> i64 {
        self.members[name].as_i64().unwrap_or_default()
    }

    fn push_facts(&self, out: &mut String, kind: &str) {
        let mut facts = vec![
            (self.word(&format!("number.{kind}")), self.number("number").to_string()),
            (self.word("account"), self.text("account").to_owned()),
            (self.word(&format!("begun.{kind}")), time(&self.members["begun_us"])),
            (self.word("finished"), time(&self.members["finished_us"])),
        ];
        if kind == "erasure" {
            facts.extend(["reason", "asked_by", "actor"].map(|name| (self.word(name), self.text(name).to_owned())));
            let (start, end) = (time(&self.members["start_us"]), time(&self.members["end_us"]));
            facts.push((self.word("range"), format!("{start} – {end}")));
        }
        if self.number("parts") > 1 {
            facts.push((self.word("part"), format!("{} / {}", self.number("part"), self.number("parts"))));
        }
        let total = |name: &str| self.members["totals"][name].as_u64().unwrap_or_default();
        let sums = ["blocks", "segments", "bytes"].map(|name| format!("{} {}", grouped(total(name)), self.word(name)));
        facts.push((self.word("totals"), sums.join(", ")));
        out.push_str("<dl>");
        for (name, value) in facts {
            let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
        }
        out.push_str("</dl>\n");
    }

    fn push_blocks(&self, out: &mut String, kind: &str) {
        let Some(blocks) = self.members["blocks"].as_array() else { return };
        let last = if kind == "erasure" { ["hidden", "gone"].as_slice() } else { &["marked", "due", "rule"] };
        out.push_str("<table><thead><tr>");
        for name in ["stream", "from", "to"] {
            let _ = write!(out, "<th>{}</th>", self.word(name));
        }
        let _ = write!(out, "<th class=\"n\">{}</th><th>{}</th><th>{}</th>", self.word("size"), self.word("checksum"), self.word("block"));
        last.iter().for_each(|name| {
            let _ = write!(out, "<th>{}</th>", self.word(name));
        });
        out.push_str("</tr></thead><tbody>\n");
        blocks.iter().for_each(|block| self.push_block(out, block, kind));
        out.push_str("</tbody></table>\n");
    }

    fn push_block(&self, out: &mut String, block: &Value, kind: &str) {
        let text = |name: &str| escaped(block[name].as_str().unwrap_or_default());
        let _ = write!(
            out,
            "<tr><td class=\"h\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"h\">{}</td><td class=\"h\">{}</td>",
            text("stream"),
            time(&block["start_us"]),
            time(&block["end_us"]),
            grouped(block["bytes"].as_u64().unwrap_or_default()),
            text("checksum"),
            text("block")
        );
        let cells = match kind {
            "erasure" => vec![time(&block["hidden_us"]), time(&block["gone_us"])],
            _ => vec![time(&block["marked_us"]), time(&block["due_us"]), escaped(&self.rule(&block["rule"]))],
        };
        cells.iter().for_each(|cell| {
            let _ = write!(out, "<td>{cell}</td>");
        });
        out.push_str("</tr>\n");
    }

    fn rule(&self, rule: &Value) -> String {
        let number = |name: &str| rule[name].as_u64().unwrap_or_default().to_string();
        match rule["reason"].as_str() {
            Some("plan") => {
                let words = self.word("rule.plan").replace("{plan}", rule["plan"].as_str().unwrap_or("?"));
                words.replace("{version}", &number("plan_version")).replace("{months}", &number("months"))
            }
            Some("cap") => self.word("rule.cap").replace("{hours}", &number("hours")),
            _ => self.word("rule.other").to_owned(),
        }
    }
}

fn time(us: &Value) -> String {
    us.as_i64().map_or_else(|| "–".into(), |us| Timestamp::from_micros(us).to_rfc3339(0).replace('T', " ").replace('Z', ""))
}

/// Digits in groups of three, with a space that does not break.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Text that is only text, wherever it stands in a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::{CheckpointKey, KEY_BYTES};

    fn receipt(of: &str) -> Document {
        let Value::Object(members) = json!({
            "of": of, "number": 7, "account": "acme", "part": 1, "parts": 2, "begun_us": 1_777_816_800_000_000_i64, "finished_us": null,
            "reason": "<script>alert(1)</script>", "asked_by": "Mrs \"Miller\" & son", "actor": "user admin", "start_us": 0, "end_us": 5,
            "totals": { "blocks": 1, "segments": 150, "bytes": 1_234_567 },
            "blocks": [{ "block": "01X", "stream": "door", "start_us": 0, "end_us": 1, "bytes": 1_234_567, "checksum": "00ff",
                         "rule": { "reason": "plan", "plan": "basic", "plan_version": 2, "months": 3 } }],
        }) else {
            unreachable!()
        };
        Document::sign(&CheckpointKey::new(&[7; KEY_BYTES]), "receipt", members)
    }

    #[test]
    fn a_page_says_what_went_in_both_languages_and_needs_nothing_else() {
        let page = receipt_page(&receipt("sweep"), Language::En);
        for said in [
            "Receipt of deleted footage",
            "acme",
            "2026-05-03 14:00:00",
            "1\u{202f}234\u{202f}567",
            "plan basic 2: 3 months",
            "1 / 2",
            "00ff",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        let french = receipt_page(&receipt("sweep"), Language::Fr);
        assert!(french.contains("lang=\"fr\"") && french.contains("formule basic 2 : 3 mois") && french.contains("Somme de contrôle"));
        for outside in ["src=", "href=", "url(", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("@page{size:A4"));
    }

    #[test]
    fn what_people_wrote_stays_text() {
        let page = receipt_page(&receipt("erasure"), Language::En);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>"));
        assert!(page.contains("Mrs &quot;Miller&quot; &amp; son"));
    }

    #[test]
    fn every_word_is_there_in_both_languages() {
        for (name, en, fr) in WORDS {
            assert!(!en.is_empty() && !fr.is_empty(), "{name}");
            let places = |text: &str| text.matches('{').count();
            assert_eq!(places(en), places(fr), "{name}");
        }
    }

    #[test]
    fn the_language_is_the_first_that_is_there() {
        for (header, expected) in [("fr-CA,en;q=0.5", Language::Fr), ("de, en-GB;q=0.9, fr;q=0.8", Language::En), ("", Language::En)] {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
        assert_eq!((Language::named("fr"), Language::named("FR_fr"), Language::named("nl")), (Language::Fr, Language::Fr, Language::En));
    }
}
