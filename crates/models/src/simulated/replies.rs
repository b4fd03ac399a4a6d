//! The replies of the simulated models, stage by stage.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::outcome::{Size, SubTask};
use glitchlab_domain::stage::Stage;
use sha2::{Digest, Sha256};

use super::json;
use super::profile::Behaviour;
use crate::draw::Draw;
use crate::port::Request;
use crate::reply::{Action, Decomposition, EditRound, Plan, Review, Triage, Verdict};

/// How an attempt will go, whatever is asked in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Smooth,
    /// One reply, to this stage, cannot be read the first time.
    Garbled(Stage),
    /// The plan can never be read.
    Unreadable,
    Rejected,
}

fn fate(behaviour: &Behaviour, task: &Draw, attempt_n: u32) -> Fate {
    let attempt = task.clone().at(attempt_n);
    let may_fail = attempt_n < behaviour.never_fails_from;
    if may_fail && attempt.happens("unreadable", behaviour.unreadable) {
        Fate::Unreadable
    } else if may_fail && attempt.happens("rejected", behaviour.rejected) {
        Fate::Rejected
    } else if attempt.happens("garbled", behaviour.garbled) {
        Fate::Garbled(
            *attempt.pick("garbled stage", &[Stage::ArchitectTriage, Stage::Planner, Stage::Implement]),
        )
    } else {
        Fate::Smooth
    }
}

/// Returns the reply to a question, or `None` when the stage asks none.
pub(super) fn reply(
    behaviour: &Behaviour,
    task: &Draw,
    question: &Draw,
    request: &Request,
) -> Option<String> {
    let fate = fate(behaviour, task, request.attempt_n);
    let garbled = fate == Fate::Garbled(request.stage) && request.call_no == 0;
    if garbled || (fate == Fate::Unreadable && request.stage == Stage::Planner) {
        return Some("I had a look around and will come back with a proper answer.".to_owned());
    }
    Some(match request.stage {
        Stage::ArchitectTriage => json(triage(task, &request.bead_id)),
        Stage::Planner => json(plan(task, question, request, 1)),
        Stage::Replan => json(plan(task, question, request, 2)),
        Stage::Decompose => json(decomposition(question, &request.bead_id)),
        Stage::Implement | Stage::Debug => json(edit(question, request)),
        Stage::Review => json(review(fate)),
        Stage::BudgetGate | Stage::Test | Stage::PullRequest => return None,
    })
}

/// A size belongs to the task: all its attempts, and all questions of one, judge it alike.
fn size(task: &Draw, bead_id: &BeadId) -> Size {
    match task.between("size", 0, 999) {
        0..40 if !is_subtask(bead_id) => Size::Xl,
        0..540 => Size::S,
        540..840 => Size::M,
        _ => Size::L,
    }
}

/// Sub-tasks of ours are named `<parent>.s1`, or `<parent>.g1s1` when the parent was opened again.
fn is_subtask(bead_id: &BeadId) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((_, last)) = bead_id.as_str().rsplit_once('.') else { return false };
    match last.strip_prefix('g').and_then(|rest| rest.split_once('s')) {
        Some((generation, place)) => digits(generation) && digits(place),
        None => last.strip_prefix('s').is_some_and(digits),
    }
}

fn triage(task: &Draw, bead_id: &BeadId) -> Triage {
    Triage {
        already_done: false,
        evidence: String::new(),
        size: size(task, bead_id),
        notes: "Simulated: judged by chance.".to_owned(),
    }
}

fn plan(task: &Draw, question: &Draw, request: &Request, shrunk: u64) -> Plan {
    let (low, high) = match size(task, &request.bead_id) {
        Size::S => (4_000, 15_000),
        Size::M => (20_000, 50_000),
        Size::L => (50_000, 85_000),
        Size::Xl => (120_000, 400_000),
    };
    let all = ["Read what is there.", "Write the note.", "Check its words.", "Look at the whole once more."];
    let steps = usize::try_from(question.between("steps", 2, all.len() as u64)).unwrap_or(all.len());
    Plan {
        approach: format!("Write down what `{}` asks for in a note of its own (simulated).", request.bead_id),
        steps: all.iter().take(steps).map(ToString::to_string).collect(),
        files: vec![path(&request.bead_id)],
        estimated_tokens: question.between("tokens", low, high) / shrunk,
    }
}

fn decomposition(question: &Draw, bead_id: &BeadId) -> Decomposition {
    let parts = question.between("parts", 2, 4);
    let part = |place: u64| {
        let follows = place > 0 && question.happens(&format!("part {place} follows"), 500);
        let before = usize::try_from(place.saturating_sub(1)).unwrap_or_default();
        SubTask {
            title: format!("Part {} of {parts} of {bead_id}", place + 1),
            description: format!("The part {} of what `{bead_id}` asks for (simulated).", place + 1),
            after: if follows { vec![before] } else { Vec::new() },
        }
    };
    Decomposition { subtasks: (0..parts).map(part).collect() }
}

/// Three of ten implementers look around first. The note differs by what it is written for, so that no two changes of
/// a run are alike and no two touch the same file.
fn edit(question: &Draw, request: &Request) -> EditRound {
    if request.stage == Stage::Implement && request.call_no == 0 && question.happens("looks around", 300) {
        return EditRound { actions: vec![Action::List], done: false, summary: String::new() };
    }
    let note = format!(
        "# {}\n\nSimulated work: {} {}, attempt {}, generation {}.\n",
        request.bead_id,
        request.stage.name(),
        request.step_n,
        request.attempt_n,
        request.generation
    );
    let write = Action::Write { path: path(&request.bead_id), content: note };
    EditRound { actions: vec![write], done: true, summary: "Wrote the note.".to_owned() }
}

fn review(fate: Fate) -> Review {
    if fate == Fate::Rejected {
        let comments = vec!["The note does not say why (simulated).".to_owned()];
        return Review { verdict: Verdict::Reject, comments };
    }
    Review { verdict: Verdict::Approve, comments: vec!["Reads well (simulated).".to_owned()] }
}

/// Names the one file of a task; ids that differ never share it.
fn path(bead_id: &BeadId) -> String {
    let id = bead_id.as_str();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if id.len() <= 100 && id.chars().all(plain) && !id.starts_with(['.', '-']) && !id.contains("..") {
        return format!("simulated/{id}.md");
    }
    let safe: String = id.chars().take(60).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let digest = Sha256::digest(id.as_bytes());
    let hash: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("simulated/x-{safe}-{hash}_.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_subtasks_are_told_from_ids_that_only_look_like_them() {
        for id in ["gl-1.s1", "a.b.s12", "gl-1.g1s2", "gl-1.s1.s2"] {
            assert!(is_subtask(&BeadId::from(id)), "{id}");
        }
        for id in ["gl-1", "gl-1.1", "gl-1.s", "gl-1.sx", "gl-1.gs1", "s1", "gl-1.g1"] {
            assert!(!is_subtask(&BeadId::from(id)), "{id}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_id_has_a_plain_file_of_its_own(a in ".{1,120}", b in ".{1,120}") {
            let (of_a, of_b) = (path(&BeadId::new(&*a)), path(&BeadId::new(&*b)));
            proptest::prop_assert_eq!(a == b, of_a.to_lowercase() == of_b.to_lowercase());
            let name = of_a.strip_prefix("simulated/").unwrap();
            proptest::prop_assert!(name.len() < 140 && !name.contains('/') && !name.starts_with('.'));
        }
    }
}
