//! The step that reads the licence texts of the dependencies.
//!
//! A manifest's licence name is a claim. What binds is the text beside it, and a text can carry a rider that its name
//! does not tell. So each text must consist of licences that are known here: it may have their words and a few more,
//! for the names and years of the holders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::output_of;

/// Words beyond those of its licences that a text may have. Seen: at most 25, of holders and titles.
const SPARE_WORDS: usize = 40;

/// A part of a licence text, and how it is known.
struct Part {
    /// Words that occur in this part and in no other, in lower case and with single spaces.
    mark: &'static str,
    /// How many words the part has.
    words: usize,
}

const PARTS: [Part; 18] = [
    Part {
        mark: "permission is hereby granted free of charge to any person obtaining a copy of this software and associated",
        words: 163,
    },
    Part { mark: "terms and conditions for use reproduction and distribution", words: 1431 },
    Part { mark: "how to apply the apache license to your work", words: 177 },
    Part { mark: "llvm exceptions to the apache 2 0 license", words: 147 },
    Part { mark: "redistribution and use in source and binary forms", words: 180 },
    Part { mark: "endorse or promote products derived from this software", words: 35 },
    Part { mark: "permission to use copy modify and or distribute this software", words: 115 },
    Part { mark: "this notice may not be removed or altered from any source distribution", words: 140 },
    Part { mark: "free and unencumbered software released into the public domain", words: 200 },
    Part { mark: "unicode license v3", words: 322 },
    Part { mark: "statement of purpose the laws of most jurisdictions throughout the world", words: 1090 },
    Part { mark: "boost software license version 1 0", words: 220 },
    // Short notices that point to a licence instead of repeating it: of atomic-waker, parking and shlex.
    Part {
        mark: "2016 alex crichton copyright c 2017 the tokio authors licensed under the apache license",
        words: 100,
    },
    Part {
        mark: "2014 2020 the rust project developers licensed under the apache license version 2 0 license",
        words: 55,
    },
    // Which licence is whose, of rustls-native-certs and ring; the latter repeats that of Chromium's scripts, which are
    // not linked.
    Part {
        mark: "rustls is distributed under the following three licenses apache license version 2 0",
        words: 45,
    },
    Part { mark: "ring uses an isc license like boringssl used to use for new code files", words: 91 },
    Part {
        mark: "boringssl uses the chromium test infrastructure to run a continuous build trybots etc",
        words: 280,
    },
    Part { mark: "2015 nicholas allegra comex licensed under the apache license version 2 0", words: 85 },
];

/// Reads the texts of all dependencies from the registry; the error names each one that says more than it should.
pub(crate) fn check() -> Result<()> {
    let strange: Vec<String> =
        dependency_folders()?.iter().flat_map(|folder| strange_texts(folder)).collect();
    if !strange.is_empty() {
        bail!(
            "read these licence texts; what may stay gets a part in xtask/src/licences.rs\n  {}",
            strange.join("\n  ")
        );
    }
    Ok(())
}

fn dependency_folders() -> Result<Vec<PathBuf>> {
    let metadata = output_of("cargo", &["metadata", "--format-version", "1", "--locked"])
        .context("`cargo metadata --locked` failed: is Cargo.lock up to date?")?;
    let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` named no packages")?;
    Ok(packages.iter().filter(|package| !package["source"].is_null()).filter_map(folder_of).collect())
}

fn folder_of(package: &Value) -> Option<PathBuf> {
    Some(Path::new(package["manifest_path"].as_str()?).parent()?.to_owned())
}

fn strange_texts(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = entries.filter(|path| path.is_file() && is_licence_file(path));
    texts.filter_map(|path| Some(format!("{}: {}", path.display(), strangeness(&read(&path))?))).collect()
}

fn is_licence_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ["license", "licence", "copying", "unlicense"].iter().any(|start| name.starts_with(start))
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Returns what is wrong with a text, or nothing. A few words without a licence only point to one.
fn strangeness(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let plain = words.join(" ");
    let known: usize = PARTS.iter().filter(|part| plain.contains(part.mark)).map(|part| part.words).sum();
    let extra = words.len().saturating_sub(known);
    (extra > SPARE_WORDS).then(|| format!("{extra} words more than the licences that are known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str) -> String {
        read(&crate::workspace::root().join(name))
    }

    #[test]
    fn the_plain_licences_are_known_one_by_one_and_together() {
        assert_eq!(strangeness(&own("LICENSE-MIT")), None);
        assert_eq!(strangeness(&own("LICENSE-APACHE")), None);
        assert_eq!(strangeness(&(own("LICENSE-APACHE") + &own("LICENSE-MIT"))), None);
        assert_eq!(
            strangeness("Dual-licensed under the terms of MIT or Apache-2.0, see the files beside this."),
            None
        );
    }

    #[test]
    fn a_rider_behind_a_plain_licence_is_seen() {
        let rider = "The permissions above are not granted to the following parties, their affiliates, contractors and \
            agents: those named in the list kept by the author, who may not use, copy, train upon, host or \
            distribute this Software in any form without a separate written agreement with the copyright holder.";
        let found = strangeness(&(own("LICENSE-MIT") + rider)).expect("the text says more than MIT");
        assert!(found.contains("words more"), "{found}");
        assert!(strangeness(&(own("LICENSE-APACHE") + rider)).is_some());
    }

    #[test]
    fn an_unknown_licence_is_seen() {
        let words = "All rights reserved and nothing is granted to anyone. ".repeat(8);
        assert!(strangeness(&words).is_some());
    }

    #[test]
    fn licence_files_are_known_by_the_names_in_use() {
        for name in ["LICENSE", "License-MIT.md", "licence.txt", "COPYING", "UNLICENSE"] {
            assert!(is_licence_file(Path::new(name)), "{name}");
        }
        assert!(!is_licence_file(Path::new("README.md")));
    }
}
