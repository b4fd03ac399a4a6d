//! The file as a source: found, read when it changed, never written.

use std::io::Write;
use std::path::{Path, PathBuf};

use glitchlab_backlog::{Capabilities, JsonlSource, Poll, Polled, Source, SourceError};
use tempfile::TempDir;

fn file(content: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("issues.jsonl");
    std::fs::write(&path, content).expect("a file that can be written");
    (directory, path)
}

async fn changed(source: &JsonlSource) -> Poll {
    match source.poll(None).await.expect("a file that can be read") {
        Polled::Changed(poll) => poll,
        Polled::Unchanged => panic!("nobody has seen this revision"),
    }
}

fn error(repo: &Path, named: Option<&Path>) -> String {
    JsonlSource::discover(repo, named).expect_err("no backlog").to_string()
}

#[test]
fn the_file_of_the_repository_is_found_unless_another_is_named() {
    let repo = tempfile::tempdir().unwrap();
    std::fs::create_dir(repo.path().join(".beads")).unwrap();
    std::fs::write(repo.path().join(".beads/issues.jsonl"), "").unwrap();
    let (_other, named) = file("");
    let found = JsonlSource::discover(repo.path(), None).unwrap();
    assert_eq!(found.path(), repo.path().join(".beads/issues.jsonl"));
    assert_eq!(JsonlSource::discover(repo.path(), Some(&named)).unwrap().path(), named);
}

#[test]
fn a_backlog_that_is_not_there_is_refused_with_what_to_do() {
    let repo = tempfile::tempdir().unwrap();
    let at = repo.path().display();
    assert_eq!(
        error(repo.path(), None),
        format!(
            "found no backlog at {at}/.beads/issues.jsonl; run `bd export -o {at}/.beads/issues.jsonl` in the \
             repository, or name a file with `--backlog PATH`"
        )
    );
    assert_eq!(
        error(repo.path(), Some(&repo.path().join("no.jsonl"))),
        format!("there is no file {at}/no.jsonl; check the path given with `--backlog`")
    );
    assert_eq!(
        error(repo.path(), Some(repo.path())),
        format!("{at} is a directory, not a file; name the `.jsonl` file itself with `--backlog PATH`")
    );
}

#[tokio::test]
async fn a_poll_brings_issues_faults_and_the_size_of_the_file() {
    let (_directory, path) = file("{\"_schema\":2}\n{\"id\":\"a\"}\nnonsense\n{\"id\":\"b\"}\n");
    let poll = changed(&JsonlSource::new(path)).await;
    assert_eq!(poll.beads.iter().map(|bead| bead.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(poll.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [3]);
    assert_eq!((poll.schema.as_deref(), poll.bytes), (Some("2"), 45));
    assert!(!poll.is_complete());
}

#[tokio::test]
async fn an_unchanged_file_is_not_brought_again_and_a_changed_one_is() {
    let (_directory, path) = file("{\"id\":\"a\"}\n");
    let source = JsonlSource::new(path.clone());
    let first = changed(&source).await;
    for _ in 0..3 {
        assert_eq!(source.poll(Some(&first.revision)).await.unwrap(), Polled::Unchanged);
    }
    let mut appended = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    appended.write_all(b"{\"id\":\"b\"}\n").unwrap();
    let Polled::Changed(second) = source.poll(Some(&first.revision)).await.unwrap() else {
        panic!("the file has another line")
    };
    assert_eq!(second.beads.len(), 2);
    assert_ne!(second.revision, first.revision);
    assert!(second.is_complete());
}

#[tokio::test]
async fn a_write_of_the_same_length_right_after_the_first_poll_is_seen() {
    let (_directory, path) = file("{\"id\":\"a\"}\n");
    let source = JsonlSource::new(path.clone());
    let first = changed(&source).await;
    std::fs::write(&path, "{\"id\":\"b\"}\n").unwrap();
    assert!(matches!(source.poll(Some(&first.revision)).await.unwrap(), Polled::Changed(_)));
}

#[tokio::test]
async fn a_file_that_is_replaced_by_a_rename_is_read_anew() {
    let (directory, path) = file("{\"id\":\"a\"}\n");
    let source = JsonlSource::new(path.clone());
    let first = changed(&source).await;
    let next = directory.path().join("next");
    std::fs::write(&next, "{\"id\":\"c\"}\n").unwrap();
    std::fs::rename(&next, &path).unwrap();
    let Polled::Changed(second) = source.poll(Some(&first.revision)).await.unwrap() else {
        panic!("the file is another one")
    };
    assert_eq!(second.beads[0].id.as_str(), "c");
}

#[tokio::test]
async fn a_revision_names_the_content_across_lives_of_the_process() {
    let (_directory, path) = file("{\"id\":\"a\"}\n");
    let seen = changed(&JsonlSource::new(path.clone())).await.revision;
    assert_eq!(JsonlSource::new(path).poll(Some(&seen)).await.unwrap(), Polled::Unchanged);
}

#[tokio::test]
async fn a_half_written_file_is_taken_as_far_as_it_goes_and_known_to_be_incomplete() {
    let (_directory, path) = file("{\"id\":\"a\"}\n{\"id\":\"b\",\"ti");
    let poll = changed(&JsonlSource::new(path)).await;
    assert_eq!(poll.beads.len(), 1);
    assert!(!poll.is_complete());
    assert_eq!(
        poll.faults[0].to_string(),
        "line 2: skipped, the file ends in the middle of it; export again if nothing is writing the file"
    );
}

#[tokio::test]
async fn a_file_that_vanished_is_an_error_and_its_return_is_read() {
    let (_directory, path) = file("{\"id\":\"a\"}\n");
    let source = JsonlSource::new(path.clone());
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(source.poll(None).await, Err(SourceError::NoSuchFile { .. })));
    std::fs::write(&path, "{\"id\":\"a\"}\n").unwrap();
    assert_eq!(changed(&source).await.beads.len(), 1);
}

#[tokio::test]
async fn the_source_takes_no_writes_and_says_where_results_go() {
    let (_directory, path) = file("{\"id\":\"a\"}\n");
    let source: Box<dyn Source> = Box::new(JsonlSource::new(path.clone()));
    assert_eq!(source.capabilities(), Capabilities { writes: false });
    let refused = source.close(&"a".into(), "done").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "can't close an issue: the jsonl source is only read; the result is kept in the engine's own store"
    );
    assert!(matches!(source.claim(&"a".into(), "me").await, Err(SourceError::ReadOnly { .. })));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{\"id\":\"a\"}\n");
}
