//! The beads and their replies, as the engine would meet them.

use std::collections::BTreeSet;

use glitchlab_backlog::jsonl::parse;
use glitchlab_domain::bead::{Bead, BeadId};
use glitchlab_domain::outcome::Size;
use glitchlab_domain::policy::WorkFilter;
use glitchlab_domain::readiness::{Node, Overlay, full};
use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::{Action, Decomposition, EditRound, Review, Triage};
use glitchlab_models::scripted::Script;
use glitchlab_models::{Request, Role};
use serde::de::DeserializeOwned;

use super::super::{content, script};

/// The beads of the demo.
pub(super) struct Backlog {
    beads: Vec<Bead>,
}

impl Backlog {
    pub(super) fn read() -> Self {
        let (_, text) = content::FILES.iter().find(|(path, _)| *path == content::BACKLOG).unwrap();
        let parsed = parse(text.as_bytes());
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        Self { beads: parsed.beads }
    }

    /// Returns every task and sub-task in an order in which one worker would do them.
    pub(super) fn work_order(&self) -> Vec<BeadId> {
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        while let Some(next) = self.next(&done) {
            let parts = Replies::of(&next).parts();
            order.push(next.clone());
            order.extend(parts);
            done.insert(next);
        }
        order
    }

    /// Names what is never done.
    pub(super) fn left_over(&self) -> Vec<String> {
        let done: BTreeSet<_> = self.work_order().into_iter().collect();
        let left = self.beads.iter().filter(|bead| !self.is_closed(bead, &done));
        left.map(|bead| bead.id.to_string()).collect()
    }

    fn next(&self, done: &BTreeSet<BeadId>) -> Option<BeadId> {
        let nodes: Vec<_> = self.beads.iter().map(|bead| Node::new(bead, self.overlay(bead, done))).collect();
        let ready = full(&nodes, 0);
        let work = self.beads.iter().filter(|bead| ready.contains(&&bead.id) && is_work(bead));
        work.min_by_key(|bead| (bead.priority, bead.created_ms)).map(|bead| bead.id.clone())
    }

    fn overlay(&self, bead: &Bead, done: &BTreeSet<BeadId>) -> Overlay {
        if self.is_closed(bead, done) { Overlay::Closed } else { Overlay::None }
    }

    /// An epic closes with the last of its children.
    fn is_closed(&self, bead: &Bead, done: &BTreeSet<BeadId>) -> bool {
        let mut children = self.beads.iter().filter(|child| child.parent() == Some(&bead.id)).peekable();
        if bead.issue_type == "epic" {
            children.peek().is_some() && children.all(|child| done.contains(&child.id))
        } else {
            done.contains(&bead.id)
        }
    }
}

fn is_work(bead: &Bead) -> bool {
    let filter = WorkFilter::default();
    filter.types.contains(&bead.issue_type)
        && !bead.labels.iter().any(|label| filter.exclude_labels.contains(label))
}

/// The step of the first edit: triage, planner and gate come before it.
const FIRST_EDIT: u32 = 3;

/// Where in an attempt a question is asked.
#[derive(Clone, Copy)]
struct Place {
    step: u32,
    call: u32,
}

/// The replies about one task.
pub(super) struct Replies {
    id: BeadId,
    script: Script,
}

impl Replies {
    pub(super) fn of(id: &BeadId) -> Self {
        Self { id: id.clone(), script: script::script().unwrap() }
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.script.replies.iter().any(|entry| entry.bead == self.id && entry.stage == stage)
    }

    /// Returns all replies of a stage, in the order of the file.
    pub(super) fn all<T: DeserializeOwned>(&self, stage: Stage) -> Vec<T> {
        let mine = self.script.replies.iter().filter(|entry| entry.bead == self.id && entry.stage == stage);
        mine.map(|entry| serde_json::from_value(entry.recorded.reply.clone()).unwrap()).collect()
    }

    pub(super) fn triage(&self) -> Triage {
        self.ask(Stage::ArchitectTriage, 1, Place { step: 0, call: 0 })
    }

    pub(super) fn review(&self, attempt: u32) -> Review {
        self.ask(Stage::Review, attempt, Place { step: 0, call: 0 })
    }

    /// Returns the rounds of an edit loop, up to the one that says that it is done. A round that asks for the tests
    /// ends its step; the tests are the next one.
    pub(super) fn rounds(&self, stage: Stage, attempt: u32) -> Vec<EditRound> {
        let mut place =
            Place { step: if stage == Stage::Implement { FIRST_EDIT } else { FIRST_EDIT + 2 }, call: 0 };
        let mut rounds: Vec<EditRound> = Vec::new();
        while rounds.last().is_none_or(|round| !round.done) {
            assert!(rounds.len() < 5, "{} never ends", self.id);
            let round: EditRound = self.ask(stage, attempt, place);
            place = match round.actions.contains(&Action::RunTests) {
                true => Place { step: place.step + 2, call: 0 },
                false => Place { call: place.call + 1, ..place },
            };
            rounds.push(round);
        }
        rounds
    }

    /// Names the sub-tasks, which come in an order in which they can be done.
    pub(super) fn parts(&self) -> Vec<BeadId> {
        let Some(split) = self.all::<Decomposition>(Stage::Decompose).pop() else { return Vec::new() };
        let parts = split.subtasks.into_iter().enumerate().map(|(place, part)| {
            assert!(part.after.iter().all(|&before| before < place), "{} is out of order", part.title);
            BeadId::new(format!("{}.s{}", self.id, place + 1))
        });
        parts.collect()
    }

    /// Returns the stages of this task that ask the model at least once.
    pub(super) fn stages_that_ask(&self) -> Vec<Stage> {
        let triage = self.triage();
        match triage.size {
            _ if triage.already_done => vec![Stage::ArchitectTriage],
            Size::Xl => vec![Stage::ArchitectTriage, Stage::Planner, Stage::Decompose],
            Size::S | Size::M | Size::L => {
                vec![Stage::ArchitectTriage, Stage::Planner, Stage::Implement, Stage::Review]
            }
        }
    }

    /// Names the stages that have replies.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let mine = self.script.replies.iter().filter(|entry| entry.bead == self.id);
        mine.map(|entry| entry.stage).collect()
    }

    fn ask<T: DeserializeOwned>(&self, stage: Stage, attempt: u32, place: Place) -> T {
        let request = Request {
            bead_id: self.id.clone(),
            generation: 0,
            stage,
            attempt_n: attempt,
            step_n: place.step,
            call_no: place.call,
            role: Role::of(stage),
            turns: Vec::new(),
            max_out: 0,
        };
        let found = self.script.find(&request);
        let recorded = found.unwrap_or_else(|| panic!("{}: no reply for {}", self.id, stage.name()));
        serde_json::from_value(recorded.reply.clone()).unwrap_or_else(|error| {
            panic!("{}: the reply for {} cannot be read: {error}", self.id, stage.name())
        })
    }
}
