//! The edit loop over model calls: list, read, search, replace, write, remove, run the tests.
//!
//! The edits stay in a [`Draft`] until the step is over, so the same replies over the same worktree give the same
//! conversation however often it is interrupted, and no reply is paid twice. That is also why a round that asks for
//! the tests ends the step: the tests need the edits in the worktree, and the worktree gets them only from the log.

use glitchlab_models::Turn;
use glitchlab_models::reply::{Action, EditRound};

use super::draft::Draft;
use super::{Assignment, Edited};
use crate::attempt::Job;
use crate::call::Conversation;
use crate::ending::Stop;
use crate::prompt;
use crate::trouble;
use crate::workspace::WorkspaceError;

/// How much of one result, and of all results of a round, goes back to the model.
const RESULT_BYTES: usize = 16 * 1024;
const RESULTS_BYTES: usize = 64 * 1024;
/// The most actions of one round.
const ACTIONS: usize = 50;

pub(super) async fn edit(job: &Job, assignment: Assignment<'_>) -> Result<Edited, Stop> {
    let Assignment { at, stage, step_n, turns, rounds: most } = assignment;
    let mut talk = Conversation::new(job, stage, step_n, turns);
    let mut draft = Draft::new(job.workspace.as_ref(), at);
    let mut rounds = 0;
    loop {
        let round: EditRound = talk.ask(check).await?;
        rounds += 1;
        let tests = job.settings.test.is_some();
        let results = act_all(&mut draft, &round.actions, tests).await?;
        let asks_for_tests = tests && round.actions.contains(&Action::RunTests);
        let done = round.done || rounds >= most;
        talk.turns.push(Turn::user(results));
        if done || asks_for_tests {
            let turns = if done { Vec::new() } else { talk.turns };
            return Ok(Edited { made: draft.into_made(), done, rounds, summary: round.summary, turns });
        }
    }
}

fn check(round: &EditRound) -> Result<(), String> {
    if round.actions.len() > ACTIONS {
        return Err(format!("{} actions in one round; {ACTIONS} are allowed", round.actions.len()));
    }
    if round.actions.is_empty() && !round.done {
        return Err("a round needs `actions`, or `done`".to_owned());
    }
    Ok(())
}

/// Does the actions in order and writes down what came of each.
async fn act_all(draft: &mut Draft<'_>, actions: &[Action], tests: bool) -> Result<String, Stop> {
    let mut results = String::new();
    for (n, action) in (1..).zip(actions) {
        let result = match act(draft, action, tests).await {
            Ok(result) => result,
            Err(error) if is_told(&error) => format!("refused: {error}"),
            Err(error) => return Err(trouble::workspace(error)),
        };
        results.push_str(&format!("{n}. {}: {}\n", name(action), prompt::cut(&result, RESULT_BYTES)));
    }
    Ok(prompt::cut(&results, RESULTS_BYTES))
}

async fn act(draft: &mut Draft<'_>, action: &Action, tests: bool) -> Result<String, WorkspaceError> {
    Ok(match action {
        Action::List => prompt::quote(&draft.list().await?.join("\n")),
        Action::Read { path } => prompt::quote(&prompt::cut(&draft.read(path).await?, RESULT_BYTES - 100)),
        Action::Search { pattern } => {
            let hits = draft.search(pattern).await?;
            let lines = hits.iter().map(|hit| format!("{}:{}: {}", hit.path, hit.line, hit.text));
            prompt::quote(&lines.collect::<Vec<_>>().join("\n"))
        }
        Action::Write { path, content } => done(draft.write(path, content).await?),
        Action::Replace { path, old, new } => done(draft.replace(path, old, new).await?),
        Action::Remove { path } => done(draft.remove(path).await?),
        Action::RunTests if tests => "the tests run after this round".to_owned(),
        Action::RunTests => "there is no test command; say `done` when the work is".to_owned(),
    })
}

fn done((): ()) -> String {
    "done".to_owned()
}

fn name(action: &Action) -> String {
    match action {
        Action::List => "list".to_owned(),
        Action::Read { path } => format!("read {path:?}"),
        Action::Search { pattern } => format!("search {pattern:?}"),
        Action::Write { path, .. } => format!("write {path:?}"),
        Action::Replace { path, .. } => format!("replace in {path:?}"),
        Action::Remove { path } => format!("remove {path:?}"),
        Action::RunTests => "run_tests".to_owned(),
    }
}

/// What the model can do something about is told to it; all else is not its affair.
const fn is_told(error: &WorkspaceError) -> bool {
    matches!(
        error,
        WorkspaceError::Outside { .. }
            | WorkspaceError::Protected { .. }
            | WorkspaceError::NotFound { .. }
            | WorkspaceError::NotAFile { .. }
            | WorkspaceError::TooLarge { .. }
            | WorkspaceError::Binary { .. }
            | WorkspaceError::Shrinks { .. }
            | WorkspaceError::NotOnce { .. }
            | WorkspaceError::Pattern { .. }
    )
}
