//! The JSON Schema of a configuration file, for editors.

use serde_json::{Map, Value, json};

use super::effective::default_value;
use super::keys::{self, KEYS, Key};

/// Writes the schema.
pub(crate) fn schema() -> Value {
    let mut properties = section("");
    for name in keys::sections() {
        properties.insert(name.to_owned(), object(name, &section(name)));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "GLITCHLAB configuration",
        "description": "The file .glitchlab/config.toml of a repository, and the user's own glitchlab/config.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Writes the schema as the text of a file.
pub(crate) fn text() -> String {
    format!("{:#}", schema())
}

fn section(name: &str) -> Map<String, Value> {
    let keys = KEYS.iter().filter(|key| key.section() == name);
    keys.map(|key| (key.own_name().to_owned(), property(key))).collect()
}

fn object(name: &str, properties: &Map<String, Value>) -> Value {
    let mut object = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if name == "budget" {
        object["if"] =
            json!({ "required": ["billing"], "properties": { "billing": { "const": "subscription" } } });
        object["then"] =
            json!({ "required": ["tokens_per_day"], "properties": { "tokens_per_day": { "minimum": 1 } } });
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = key.kind.schema();
    property["description"] = json!(key.doc);
    property["default"] = json!(default_value(key));
    property
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::effective::Effective;
    use crate::config::layer::{self, Layer};

    #[test]
    fn the_schema_in_the_documentation_is_the_present_one() {
        let written = include_str!("../../../../docs/config.schema.json");
        assert!(written.trim() == text(), "run `glitchlab config --schema > docs/config.schema.json`");
    }

    /// A judge of the keywords that our schema uses; any other is a fault of this test.
    fn accepts(schema: &Value, value: &Value) -> bool {
        let keywords = schema.as_object().expect("a schema is an object");
        keywords.iter().all(|(keyword, rule)| match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "then" => true,
            "type" => is_type(rule.as_str().expect("a type"), value),
            "const" => value == rule,
            "enum" => rule.as_array().expect("a list").contains(value),
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().expect("a number")),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().expect("a number")),
            "minItems" => {
                value.as_array().is_none_or(|list| list.len() as u64 >= rule.as_u64().expect("a number"))
            }
            "maxItems" => {
                value.as_array().is_none_or(|list| list.len() as u64 <= rule.as_u64().expect("a number"))
            }
            "items" => value.as_array().is_none_or(|list| list.iter().all(|item| accepts(rule, item))),
            "pattern" => value.as_str().is_none_or(|text| matches(rule.as_str().expect("a pattern"), text)),
            "properties" => {
                of_fields(value).all(|(name, field)| rule.get(name).is_none_or(|rule| accepts(rule, field)))
            }
            "additionalProperties" => {
                of_fields(value).all(|(name, _)| schema["properties"].get(name).is_some())
            }
            "required" => rule
                .as_array()
                .expect("a list")
                .iter()
                .all(|name| value.get(name.as_str().expect("a name")).is_some()),
            "if" => !accepts(rule, value) || accepts(&schema["then"], value),
            other => panic!("the judge does not know `{other}`"),
        })
    }

    fn is_type(name: &str, value: &Value) -> bool {
        match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            other => panic!("the judge does not know the type `{other}`"),
        }
    }

    fn of_fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    fn matches(pattern: &str, text: &str) -> bool {
        fancy_regex::Regex::new(pattern).expect(pattern).is_match(text).expect("it ends")
    }

    fn reader_accepts(text: &str) -> bool {
        let reading = layer::of_file(Layer::Repository, Path::new("config.toml"), text);
        reading.wrong.is_empty() && Effective::of(&reading.found).check().is_ok()
    }

    /// Values of every type, on and beyond the edge of what some key takes.
    const VALUES: &[&str] = &[
        "0",
        "1",
        "2",
        "3",
        "-1",
        "256",
        "257",
        "1000000",
        "1000001",
        "1000000000001",
        "1.5",
        "true",
        "false",
        r#""""#,
        r#"" ""#,
        r#""0""#,
        r#""1""#,
        r#""0.00""#,
        r#""5.00""#,
        r#""$5""#,
        r#""5.""#,
        r#"".5""#,
        r#""5.0000001""#,
        r#""0.000001""#,
        r#""999999999999""#,
        r#""1000000000000""#,
        r#""five""#,
        r#""-5""#,
        r#""99ms""#,
        r#""100ms""#,
        r#""0100ms""#,
        r#""0ms""#,
        r#""1s""#,
        r#""5m""#,
        r#""2h""#,
        r#""1d""#,
        r#""999999999h""#,
        r#""1000000000h""#,
        r#""5 m""#,
        r#""5GiB""#,
        r#""5 GiB""#,
        r#""5GB""#,
        r#""1B""#,
        r#""999999TiB""#,
        r#""1000000TiB""#,
        r#""hour""#,
        r#""day""#,
        r#""metered""#,
        r#""never""#,
        r#""when_green""#,
        r#""Never""#,
        r#""none""#,
        r#""plan""#,
        r#""size:L""#,
        "[]",
        r#"["a"]"#,
        r#"["a", 1]"#,
        "[1]",
        "[1, 2, 3]",
        "[0, 2, 3]",
        "[1, 2, 3, 4]",
        "[3, 2, 1]",
        "[1, 2, 1000000001]",
        "{}",
        r#"[{ url_env = "HOOK" }]"#,
        r#"[{ url_env = "HOOK", secret_env = "SECRET", format = "json" }]"#,
        r#"[{ url_env = "HOOK", format = "pigeon" }]"#,
        r#"[{ url_env = "not a name" }]"#,
        r#"[{ url_env = "HOOK", url = "x" }]"#,
        "[{}]",
    ];

    fn both(text: &str) -> Option<bool> {
        let value: toml::Value = toml::from_str(text).ok()?;
        let json = serde_json::to_value(value).expect("it is plain data");
        let (by_schema, by_reader) = (accepts(&schema(), &json), reader_accepts(text));
        assert_eq!(by_schema, by_reader, "schema {by_schema}, reader {by_reader}:\n{text}");
        Some(by_reader)
    }

    #[test]
    fn the_schema_accepts_what_the_reader_accepts_for_every_key_and_value() {
        let (mut sound, mut unsound) = (0, 0);
        for key in KEYS {
            let head =
                if key.section().is_empty() { String::new() } else { format!("[{}]\n", key.section()) };
            for value in VALUES {
                match both(&format!("{head}{} = {value}\n", key.own_name())) {
                    Some(true) => sound += 1,
                    Some(false) => unsound += 1,
                    None => panic!("{value} is no TOML"),
                }
            }
        }
        assert!(sound > 200 && unsound > 1_000, "{sound} sound, {unsound} unsound");
    }

    #[test]
    fn the_schema_and_the_reader_agree_on_keys_that_go_together_or_are_not_known() {
        let texts = [
            ("[budget]\nbilling = \"subscription\"\n", false),
            ("[budget]\nbilling = \"subscription\"\ntokens_per_day = 0\n", false),
            ("[budget]\nbilling = \"subscription\"\ntokens_per_day = 5\n", true),
            ("[budget]\nbilling = \"metered\"\n", true),
            ("[agent]\nkind = \"acp\"\n", false),
            ("[work]\nwrokers = 1\n", false),
            ("work = 1\n", false),
            ("workers = 1\n", false),
            ("config_version = 1\n[work]\n[budget]\n", true),
            ("", true),
        ];
        for (text, is_sound) in texts {
            assert_eq!(both(text), Some(is_sound), "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn the_schema_and_the_reader_agree_on_any_text_that_looks_like_an_amount_or_a_time(
            text in r"\$?[0-9]{0,13}(\.[0-9]{0,7})?(ms|s|m|h|d|B|KiB|TiB)?",
        ) {
            for key in KEYS.iter().filter(|key| !key.section().is_empty()) {
                both(&format!("[{}]\n{} = \"{text}\"\n", key.section(), key.own_name()));
            }
        }
    }
}
