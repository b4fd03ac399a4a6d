//! The table of keys as people read it: the commented file of `init`, and the table of `docs/configuration.md`.

use std::fmt::Write as _;

use super::keys::{self, KEYS, Key, Reload};

/// Writes a file in which every key stands with its default, commented out, but for those that are given here.
pub(crate) fn commented(set: &[(&str, String)]) -> String {
    let mut text =
        "# How GLITCHLAB works on this repository. A line that begins with # shows a default.\n".to_owned();
    let _ =
        writeln!(text, "# `glitchlab config` says what counts and where it was set.\n\nconfig_version = 1");
    for section in keys::sections() {
        let _ = writeln!(text, "\n[{section}]");
        for key in KEYS.iter().filter(|key| key.section() == section) {
            text.push_str(&line(key, set));
        }
    }
    text
}

fn line(key: &Key, set: &[(&str, String)]) -> String {
    let name = key.own_name();
    let value = match set.iter().find(|(set, _)| *set == key.name) {
        Some((_, value)) => format!("{name} = {value}"),
        None => format!("#{name} = {}", key.default),
    };
    format!("# {}.\n{value}\n", key.doc)
}

/// Writes the table of all keys as Markdown.
pub(crate) fn markdown() -> String {
    let rows = KEYS.iter().map(row).collect::<Vec<_>>().join("\n");
    format!("| key | flag | default | while running | meaning |\n|---|---|---|---|---|\n{rows}")
}

fn row(key: &Key) -> String {
    let flag = key.flag.map(|(name, _)| format!("`--{name}`")).unwrap_or_default();
    let reload = match key.reload {
        Reload::Never => "",
        Reload::Live => "yes",
        Reload::Lowered => "lowered only",
    };
    let ceiling = if key.is_ceiling { "; a value in the user's own file is a ceiling" } else { "" };
    format!("| `{}` | {flag} | `{}` | {reload} | {}{ceiling} |", key.name, key.default, key.doc)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::effective::Effective;
    use crate::config::layer::{self, Layer};

    #[test]
    fn the_commented_file_sets_what_is_given_and_nothing_else() {
        let text = commented(&[("work.test", "\"make test\"".to_owned())]);
        let reading = layer::of_file(Layer::Repository, Path::new("config.toml"), &text);
        assert!(reading.wrong.is_empty(), "{:?}", reading.wrong);
        let set: Vec<&str> = reading.found.iter().map(|found| found.key.name).collect();
        assert_eq!(set, ["config_version", "work.test"]);
    }

    #[test]
    fn the_commented_file_with_every_default_uncommented_says_the_same() {
        let text: String = commented(&[]).lines().map(|line| format!("{}\n", uncommented(line))).collect();
        let reading = layer::of_file(Layer::Repository, Path::new("config.toml"), &text);
        assert!(reading.wrong.is_empty(), "{:?}", reading.wrong);
        assert_eq!(reading.found.len(), KEYS.len());
        let [all, none] = [Effective::of(&reading.found), Effective::of(&[])];
        assert!(crate::config::effective::differ(&all, &none).is_empty());
    }

    fn uncommented(line: &str) -> &str {
        line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)
    }

    #[test]
    fn the_table_in_the_documentation_is_the_present_one() {
        let page = include_str!("../../../../docs/configuration.md");
        assert!(
            page.contains(&markdown()),
            "put the output of `glitchlab config --markdown` into docs/configuration.md"
        );
    }
}
