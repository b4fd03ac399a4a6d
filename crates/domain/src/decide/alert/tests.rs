use proptest::prelude::*;

use super::*;
use crate::alert::delivery::Answer;
use crate::alert::format::Format;
use crate::command::{BootBearer, Command};
use crate::decide::decide;
use crate::event::EventId;
use crate::id::{BootId, Fence};
use crate::rows::ProcessRow;

/// A store of one repository, and what it decides.
struct Desk {
    rows: Rows,
    now_ms: i64,
    told: Vec<&'static str>,
    about: Vec<About>,
}

fn boot() -> BootBearer {
    BootBearer { boot_id: BootId::from("b"), fence: Fence::from("f") }
}

fn endpoint(address: &str) -> Endpoint {
    Endpoint::new("HOOK", address, Format::Json)
}

impl Desk {
    fn new() -> Self {
        let BootBearer { boot_id, fence } = boot();
        let process = ProcessRow {
            boot_id,
            fence,
            host: String::new(),
            pid: 1,
            start_ticks: 1,
            repo_id: "r".to_owned(),
            scope: String::new(),
            listen: "127.0.0.1:3000".to_owned(),
            started_ms: 0,
            lease_until_ms: i64::MAX,
            alive: true,
            rules: None,
            backlog: String::new(),
            begun: Vec::new(),
        };
        let mut rows = Rows::default();
        rows.apply(Write::Process(process));
        Self { rows, now_ms: 0, told: Vec::new(), about: Vec::new() }
    }

    fn ask(&mut self, command: &Command) -> Reply {
        let stamp = Stamp { now_ms: self.now_ms, nonce: String::new(), entropy: 0 };
        let writes = decide(&self.rows, command, &stamp).expect("the boot is alive");
        writes.rows.into_iter().for_each(|row| self.rows.apply(row));
        self.told.extend(writes.events.iter().map(|(_, kind)| kind.name()));
        self.about.extend(writes.events.into_iter().map(|(about, _)| about));
        writes.reply
    }

    fn look(&mut self, events: &[Event], endpoints: &[Endpoint]) -> Reply {
        self.now_ms = events.last().map_or(self.now_ms, |event| event.at_ms.max(self.now_ms));
        let command = evaluation(events, endpoints);
        self.ask(&command)
    }

    fn answered(&mut self, webhook_id: &str, n: u32, code: u16) {
        self.ask(&Command::Deliver(Box::new(Deliver {
            by: boot(),
            repo_id: "r".to_owned(),
            webhook_id: webhook_id.to_owned(),
            n,
            endpoint: endpoint("http://a"),
            answer: Answer::Status { code, retry_after_ms: None },
        })));
    }

    fn outbox(&self) -> Vec<(Told, OutboxState, u32)> {
        let mut rows: Vec<_> = self.rows.outbox.values().collect();
        rows.sort_by_key(|row| (row.created_ms, row.ord));
        rows.into_iter().map(|row| (row.told, row.state, row.tries)).collect()
    }

    fn first_id(&self) -> String {
        self.rows.outbox.values().find(|row| row.ord == 0).expect("a beginning").webhook_id.clone()
    }
}

fn evaluation(events: &[Event], endpoints: &[Endpoint]) -> Command {
    Command::Evaluate(Box::new(Evaluate {
        by: boot(),
        repo_id: "r".to_owned(),
        repository: "glitch".to_owned(),
        of: BootId::from("b"),
        events: events.to_vec(),
        through: events.last().map_or(0, |event| event.id.seq),
        facts: None,
        endpoints: endpoints.to_vec(),
    }))
}

fn event(seq: u64, at_ms: i64, task: &str, kind: EventKind) -> Event {
    let about = About { bead_id: Some(task.into()), ..About::default() };
    Event { id: EventId { boot_id: BootId::from("b"), seq }, at_ms, about, kind }
}

fn needs(seq: u64, task: &str) -> Event {
    let at_ms = i64::try_from(seq).unwrap_or(0) * 10;
    event(seq, at_ms, task, EventKind::HumanNeeded { why: "no".to_owned() })
}

fn goes_on(seq: u64, task: &str) -> Event {
    let at_ms = i64::try_from(seq).unwrap_or(0) * 10;
    event(seq, at_ms, task, EventKind::TaskReopened { why: "yes".to_owned() })
}

#[test]
fn events_that_were_taken_in_before_change_nothing() {
    let mut desk = Desk::new();
    let hook = [endpoint("http://a")];
    let first = desk.look(&[needs(3, "t")], &hook);
    assert_eq!(first, Reply::Evaluated { firing: Firing { warning: 1, ..Firing::default() }, due_ms: None });
    let (alerts, outbox) = (desk.rows.alerts.clone(), desk.rows.outbox.clone());
    assert_eq!(desk.look(&[needs(3, "t")], &hook), first);
    assert_eq!((&desk.rows.alerts, &desk.rows.outbox), (&alerts, &outbox));
    assert_eq!(desk.told, ["alert.firing"]);
    assert_eq!(desk.outbox(), [(Told::Firing, OutboxState::Queued, 0)]);
    let body = &outbox.values().next().expect("it is queued").body;
    assert!(body.contains("http://127.0.0.1:3000/why"), "{body}");
}

#[test]
fn an_incident_of_one_task_is_told_with_the_task_and_its_trace_and_one_of_the_engine_with_neither() {
    let mut desk = Desk::new();
    let mut event = needs(1, "t");
    event.about.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
    desk.look(&[event.clone(), goes_on(2, "t")], &[]);
    let about = About { task_key: None, ..event.about.clone() };
    assert_eq!(desk.about, [about.clone(), about], "from its beginning to its end");
    event.id.seq = 3;
    event.about = About::default();
    desk.look(&[event], &[]);
    assert_eq!(desk.about[2], About::default());
}

#[test]
fn a_beginning_that_nobody_took_is_dropped_when_its_end_is_queued() {
    let mut desk = Desk::new();
    let hook = [endpoint("http://a")];
    desk.look(&[needs(1, "t")], &hook);
    let id = desk.first_id();
    desk.answered(&id, 1, 500);
    desk.look(&[goes_on(2, "t")], &hook);
    let dropped = (Told::Firing, OutboxState::Dropped, 1);
    assert_eq!(desk.outbox(), [dropped, (Told::Resolved, OutboxState::Queued, 0)]);
    desk.answered(&id, 2, 200);
    assert_eq!(desk.outbox()[0], dropped, "what needs no sending any more is as it was");
}

#[test]
fn the_same_answer_said_again_counts_once_and_a_refusal_is_told() {
    let mut desk = Desk::new();
    desk.look(&[needs(1, "t")], &[endpoint("http://a")]);
    let id = desk.first_id();
    desk.answered(&id, 1, 500);
    desk.answered(&id, 1, 500);
    assert_eq!(desk.outbox(), [(Told::Firing, OutboxState::Queued, 1)]);
    desk.answered(&id, 2, 400);
    assert_eq!(desk.outbox(), [(Told::Firing, OutboxState::Dead, 2)]);
    assert_eq!(desk.told, ["alert.firing", "alert.undelivered"]);
}

#[test]
fn a_receiver_that_is_gone_is_asked_again_only_at_another_address() {
    let mut desk = Desk::new();
    desk.look(&[needs(1, "t"), needs(2, "u")], &[endpoint("http://a")]);
    let id = desk.first_id();
    desk.answered(&id, 1, 410);
    assert!(desk.outbox().iter().all(|(_, state, _)| *state == OutboxState::Dead));
    desk.look(&[needs(3, "v")], &[endpoint("http://a")]);
    assert!(desk.outbox().iter().all(|(_, state, _)| *state == OutboxState::Dead));
    desk.look(&[needs(4, "w")], &[endpoint("http://b")]);
    assert_eq!(desk.outbox()[3], (Told::Firing, OutboxState::Queued, 0));
}

#[test]
fn what_is_queued_for_a_receiver_that_is_no_more_is_given_up() {
    let mut desk = Desk::new();
    desk.look(&[needs(1, "t")], &[endpoint("http://a")]);
    desk.look(&[needs(2, "u")], &[]);
    assert_eq!(desk.outbox(), [(Told::Firing, OutboxState::Dead, 0)]);
}

/// What is left of events that are taken in in portions, some of them again, as after an answer that was lost.
fn left_of(events: &[Event], cuts: &[usize]) -> Vec<String> {
    let mut desk = Desk::new();
    let hook = [endpoint("http://a")];
    let (mut from, mut to) = (0, 0);
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        to = cut.min(events.len()).max(to);
        desk.look(&events[from..to], &hook);
        // Some are handed in again.
        from = to.saturating_sub(cut % 3);
    }
    let mut left: Vec<String> = desk.rows.alerts.values().map(|row| format!("{row:?}")).collect();
    let outbox = desk.rows.outbox.values();
    left.extend(outbox.map(|row| format!("{} {:?} {:?} {}", row.webhook_id, row.told, row.state, row.body)));
    left.push(format!("{:?}", desk.told));
    left
}

proptest! {
    #[test]
    fn portions_and_repetitions_leave_the_same_incidents_and_messages(
        steps in proptest::collection::vec((0..3_usize, any::<bool>()), 0..30),
        mut cuts in proptest::collection::vec(0..30_usize, 0..8),
    ) {
        cuts.sort_unstable();
        let tasks = ["t", "u", "v"];
        let event = |(seq, (task, needed)): (u64, &(usize, bool))| {
            if *needed { needs(seq, tasks[*task]) } else { goes_on(seq, tasks[*task]) }
        };
        let events: Vec<Event> = (1..).zip(&steps).map(event).collect();
        prop_assert_eq!(left_of(&events, &[]), left_of(&events, &cuts));
    }
}
