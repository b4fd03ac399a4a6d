//! What the settings mean once they are put together.

use std::path::PathBuf;

use glitchlab_domain::policy::{Limits, RetryRules, WorkFilter};

use super::effective::Sources;
use super::flags::Flags;
use super::*;

struct Case {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Case {
    fn new(repo: &str, user: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("the file is written");
            Some(path)
        };
        let sources = Sources {
            repo_file: file("repo.toml", repo),
            user_file: file("user.toml", user),
            flags: Flags::default().or("store.url", "/state.db"),
            ..Sources::default()
        };
        Self { folder, sources }
    }

    fn read(&self) -> anyhow::Result<Config> {
        Config::read(self.sources.clone(), self.folder.path().to_owned())
    }
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_domain() {
    let config = Case::new("", "").read().expect("sound");
    assert_eq!(config.filter, WorkFilter::default());
    assert_eq!(config.retry, RetryRules::default());
    assert_eq!(config.limits, Limits::default());
    let protected = glitchlab_pipeline::workspace::protect::Protected::new(&config.protected);
    assert_eq!(protected, glitchlab_pipeline::workspace::protect::Protected::default());
}

#[test]
fn the_origin_of_each_value_is_its_flag_its_variable_or_its_line() {
    let mut case = Case::new(
        "[work]\nworkers = 3\nattempts = 5\n",
        "# mine\n[work]\nattempts = 4\nauthor = \"a <b>\"\n",
    );
    case.sources.flags = case.sources.flags.or("work.workers", "7");
    case.sources.environment = vec![("GLITCHLAB_WORK_TEST".to_owned(), "make test".to_owned())];
    let config = case.read().expect("sound");
    let origin = |key: &str| config.effective.get(key).origin.to_string();
    assert_eq!((config.workers, origin("work.workers")), (7, "flag --workers".to_owned()));
    assert_eq!(origin("work.test"), "environment GLITCHLAB_WORK_TEST");
    assert!(origin("work.attempts").ends_with("repo.toml:3"), "{}", origin("work.attempts"));
    assert!(origin("work.author").ends_with("user.toml:4"), "{}", origin("work.author"));
    assert_eq!(origin("work.base"), "default");
}

#[test]
fn the_day_is_eight_hours_caps_unless_it_is_set() {
    let caps = |text: &str| Case::new(text, "").read().map(|config| config.per_day.micro()).expect("sound");
    assert_eq!(caps("[budget]\nper_hour = \"2\"\n"), 16_000_000);
    assert_eq!(caps("[budget]\nper_day = \"3\"\n"), 3_000_000);
}

#[test]
fn a_path_in_a_file_begins_at_the_repository_and_on_the_command_line_where_the_person_stands() {
    let mut case = Case::new("[backlog]\npath = \"work/beads.jsonl\"\n", "");
    let top = case.folder.path().to_owned();
    assert_eq!(case.read().expect("sound").backlog, Some(top.join("work/beads.jsonl")));
    case.sources.flags = case.sources.flags.or("backlog.path", "beads.jsonl");
    let here = std::path::absolute("beads.jsonl").expect("a path");
    assert_eq!(case.read().expect("sound").backlog, Some(here));
}

#[test]
fn an_amount_that_is_none_names_its_key_and_its_flag() {
    let mut case = Case::new("", "");
    case.sources.flags = case.sources.flags.or("budget.per_hour", "five");
    let error = case.read().expect_err("five is no amount").to_string();
    assert!(error.contains("budget.per_hour (--budget-per-hour)") && error.contains("5.00"), "{error}");
}

#[test]
fn a_database_server_is_refused_with_the_reason() {
    let error = store_of(None, Some("mysql://somewhere/db".to_owned())).expect_err("not supported");
    assert!(error.to_string().contains("not supported yet"));
}

#[test]
fn a_missing_file_sets_nothing() {
    let sources =
        Sources { repo_file: Some(PathBuf::from("/nonexistent/config.toml")), ..Sources::default() };
    assert!(
        sources
            .read()
            .expect("nothing is set")
            .settings
            .iter()
            .all(|setting| setting.origin.layer == Layer::Default)
    );
}
