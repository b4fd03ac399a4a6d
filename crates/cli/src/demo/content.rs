//! The files of the demo, as they are in this program.

/// The beads file, relative to the repository.
pub(super) const BACKLOG: &str = ".beads/issues.jsonl";

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../demo/", $folder, "/", $path)))),+]
    };
}

/// The repository before any work: paths and contents.
pub(super) const FILES: &[(&str, &str)] = files!(
    "almanac":
    ".beads/issues.jsonl",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "src/count.rs",
    "src/date.rs",
    "src/daylight.rs",
    "src/frame.rs",
    "src/grid.rs",
    "src/heading.rs",
    "src/leap.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/month.rs",
    "src/moon.rs",
    "src/ordinal.rs",
    "src/page.rs",
    "src/parse.rs",
    "src/roman.rs",
    "src/season.rs",
    "src/weekday.rs",
);

/// What the model replies, a file for each bead and sub-task.
pub(super) const SCRIPTS: &[(&str, &str)] = files!(
    "script":
    "al-1.1.toml",
    "al-1.2.toml",
    "al-1.3.toml",
    "al-10.toml",
    "al-11.toml",
    "al-2.toml",
    "al-3.toml",
    "al-4.toml",
    "al-5.toml",
    "al-6.s1.toml",
    "al-6.s2.toml",
    "al-6.s3.toml",
    "al-6.toml",
    "al-7.toml",
    "al-8.toml",
    "al-9.toml",
);
