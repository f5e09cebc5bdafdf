//! The canonical form: see [`super`].

use serde_json::{Map, Value};

/// Appends `value`: keys in byte order, no white space, strings as RFC 8785 writes them. A number that is no integer is
/// written as its text in quotes, because floating point has no one form.
pub(super) fn push(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) if n.is_i64() || n.is_u64() => out.push_str(&n.to_string()),
        Value::Number(n) => push_string(out, &n.to_string()),
        Value::String(s) => push_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => push_object(out, map),
    }
}

pub(super) fn push_object(out: &mut String, map: &Map<String, Value>) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_unstable();
    out.push('{');
    for (i, key) in keys.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_string(out, key);
        out.push(':');
        push(out, &map[key]);
    }
    out.push('}');
}

pub(super) fn push_string(out: &mut String, s: &str) {
    // serde_json escapes what RFC 8785 §3.2.2.2 wants escaped, the same way.
    out.push_str(&serde_json::to_string(s).expect("a string is JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_value_has_one_form() {
        let value = json!({ "b": [1, -2, true, null], "a": { "é": "x\"\\\n\u{1}", "Z": 18_446_744_073_709_551_615_u64 }, "f": 0.5 });
        let mut out = String::new();
        push(&mut out, &value);
        assert_eq!(out, r#"{"a":{"Z":18446744073709551615,"é":"x\"\\\n\u0001"},"b":[1,-2,true,null],"f":"0.5"}"#);
    }
}
