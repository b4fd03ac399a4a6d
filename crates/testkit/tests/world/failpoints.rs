//! A panic at every actor, at every task beside one and in every stage, each in a run of its own. What follows is compared
//! with the last table of `docs/supervision.md`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};
use std::time::Duration;

use glitchlab_domain::event::EventKind;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::stage::Stage;
use glitchlab_runtime::Moment;
use glitchlab_testkit::account::paid_again;
use glitchlab_testkit::check::{all_work_is_completed, ensure};
use glitchlab_testkit::{
    Act, Failures, FakeCollector, FakeReceiver, Kill, Manner, Often, Point, Ran, Reaction, Units, World,
    beads,
};

use crate::promises::{Promise, general, promised};

const ROOT: &str = "glitchlab";
const WORKER: &str = "glitchlab/work/workers/worker-N";
/// From here on attempts run.
const WORKS: Duration = Duration::from_secs(10);

/// A small engine in which an attempt comes to every stage: plans are too large for their tasks, tests are red at first,
/// and their time keeps both workers busy.
fn world(failures: &Failures) -> World {
    let red = std::sync::atomic::AtomicBool::new(true);
    let other_settings = Act::look(|engine| async move {
        let poll_interval = engine.live.borrow().poll_interval + 1.secs();
        let live = glitchlab_actors::Live { poll_interval, ..engine.live.borrow().clone() };
        engine.take_live(&live);
        let mut why = engine.why.subscribe();
        tokio::spawn(async move { while why.changed().await.is_ok() {} });
    });
    World::seed(1)
        .backlog(beads::tasks(4))
        .workers(2)
        .tests(7.secs(), move |_| !red.swap(false, std::sync::atomic::Ordering::Relaxed))
        .tells(&FakeReceiver::new(|_, _| Reaction::Answers(204)))
        .traces(&FakeCollector::new(|_| Manner::Takes))
        .starts_again()
        .at(WORKS + 1.secs(), other_settings)
        .set(|setup| {
            setup.has_pages = true;
            setup.retry.attempts = 12;
            setup.limits.depth = 1;
            setup.limits.size_tokens = [9_000, 30_000, 60_000];
            setup.gate = GateRules { stop_loss: MicroUsd::ZERO, ..GateRules::default() };
        })
        .fails(failures)
}

/// A run of its own.
#[derive(Clone, Debug)]
struct Case {
    point: Point,
    from: Duration,
    often: Often,
    /// What panics before, and from when on, so that the point is reached at all.
    after: Vec<(Point, Duration)>,
    /// An actor that is killed first.
    killed: Option<String>,
}

impl Case {
    fn new(point: &Point, from: Duration) -> Self {
        Self { point: point.clone(), from, often: Often::Times(1), after: Vec::new(), killed: None }
    }

    /// The same place again and again: a stage as often as an attempt may crash, anything else as long as its process
    /// lives.
    fn again(&self) -> Self {
        let often = if is_stage(&self.point.place) { Often::Times(3) } else { Often::AsLongAsItLives };
        Self { often, ..self.clone() }
    }

    /// A point that this run came to and no other had. What a supervisor does about a kill needs no other failure.
    fn then(&self, point: Point) -> Self {
        let follows_a_kill = matches!(point.moment, Moment::Handling("kill" | "kill expired" | "exit"));
        let needs_own = self.killed.is_none() || !follows_a_kill;
        let own = needs_own.then(|| (self.point.clone(), self.from));
        Self { point, after: self.after.iter().cloned().chain(own).collect(), ..self.clone() }
    }

    fn run(&self) -> (Ran, Failures) {
        let planned = self.after.iter().fold(Failures::default(), |failures, (point, from)| {
            failures.at(point.clone(), *from, Often::Times(1))
        });
        let failures = planned.at(self.point.clone(), self.from, self.often);
        let mut world = world(&failures);
        if let Some(path) = &self.killed {
            world = world.at(WORKS, Kill::actor(path));
        }
        if self.often == Often::AsLongAsItLives {
            // Somebody starts it again with the fault mended.
            world = world.at(10.minutes(), Act::Restart { drain: 1.secs() });
        }
        (world.run(1.days()), failures)
    }

    /// Runs it, and returns what is not as promised, and the points that were not known.
    fn check(&self, promised: &BTreeMap<String, Promise>) -> (Result<(), String>, Failures) {
        match catch_unwind(AssertUnwindSafe(|| self.run())) {
            Ok((ran, failures)) => {
                let checked = promised
                    .get(&general(&self.point.place))
                    .ok_or_else(|| "the page says nothing of it".to_owned())
                    .and_then(|promise| self.compare(promise, promised, &ran, &failures));
                (checked, failures)
            }
            Err(panic) => (Err(text(panic.as_ref())), Failures::default()),
        }
    }

    fn compare(
        &self,
        promise: &Promise,
        promised: &BTreeMap<String, Promise>,
        ran: &Ran,
        failures: &Failures,
    ) -> Result<(), String> {
        ensure(failures.panics() > 0, || "nothing panicked".to_owned())?;
        all_work_is_completed()(ran)?;
        crashes_are_counted(ran)?;
        breaches_are_told(ran)?;
        if self.from.is_zero() && is_start(self.point.moment) {
            let came_up = ran.boots == 2 && restarted(ran).is_empty();
            return ensure(came_up, || format!("{} processes for a start that fails once", ran.boots));
        }
        if self.often != Often::Times(1) {
            return self.compare_again(promise, ran, failures.panics());
        }
        self.compare_restarts(promise, promised, ran, failures.came_last())?;
        let of = |(point, _): &(Point, Duration)| promised.get(&general(&point.place));
        let undisturbed = self.after.iter().filter_map(of).all(|promise| promise.undisturbed);
        compare_attempts(undisturbed && promise.undisturbed, ran)
    }

    fn compare_restarts(
        &self,
        promise: &Promise,
        promised: &BTreeMap<String, Promise>,
        ran: &Ran,
        came_last: bool,
    ) -> Result<(), String> {
        let ended = u32::from(self.point.place == ROOT && !came_last);
        ensure(ran.boots == 1 + ended, || format!("{} processes", ran.boots))?;
        let of = |(point, _): &(Point, Duration)| promised.get(&general(&point.place));
        let before = self.after.iter().filter_map(of).flat_map(|promise| promise.restarted.clone());
        let before: BTreeSet<String> = before.chain(self.killed.as_deref().map(general)).collect();
        // The last thing an engine does is to stop everything; what fails then is not started again.
        let due = if came_last { BTreeSet::new() } else { promise.restarted.clone() };
        // A supervisor begins with all its children anew; it has none to restart.
        let below = format!("{}/", self.point.place);
        let least: BTreeSet<String> =
            due.iter().chain(before.iter().filter(|path| !path.starts_with(&below))).cloned().collect();
        let restarted = restarted(ran);
        let is_right = restarted.is_superset(&least) && restarted.is_subset(&(&due | &before));
        ensure(is_right, || format!("restarted {restarted:?} instead of {least:?}"))
    }

    fn compare_again(&self, promise: &Promise, ran: &Ran, panics: u32) -> Result<(), String> {
        let gave_up = gave_up(ran);
        let known = &promise.gives_up;
        ensure(gave_up.is_subset(known), || format!("{gave_up:?} gave up, and only {known:?} may"))?;
        let times = restarts(ran).filter(|path| promise.restarted.contains(path)).count();
        let is_down = self.point.place == ROOT || panics == 1;
        ensure(is_down || times > 1 || !gave_up.is_empty(), || format!("{times} restarts, {panics} panics"))
    }
}

/// Attempts that go on pay at most the try in flight again.
fn compare_attempts(undisturbed: bool, ran: &Ran) -> Result<(), String> {
    let disturbed = ran.events_named("attempt.resumed").count();
    ensure(disturbed == 0 || !undisturbed, || format!("{disturbed} attempts were taken over"))?;
    let again = paid_again(&ran.account);
    ensure(again <= usize::from(!undisturbed), || format!("{again} tries were paid again"))
}

fn is_stage(place: &str) -> bool {
    !place.starts_with(ROOT)
}

fn is_start(moment: Moment) -> bool {
    matches!(moment, Moment::Starting | Moment::Started)
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

fn restarts(ran: &Ran) -> impl Iterator<Item = String> {
    ran.events_named("actor.restarted").filter_map(|event| match &event.kind {
        EventKind::ActorRestarted { path, .. } => Some(general(path)),
        _ => None,
    })
}

fn restarted(ran: &Ran) -> BTreeSet<String> {
    restarts(ran).collect()
}

/// The supervisors that gave up, from what is durable and from how processes ended.
fn gave_up(ran: &Ran) -> BTreeSet<String> {
    let told = ran.events_named("supervisor.breach").filter_map(|event| match &event.kind {
        EventKind::SystemicFailure { supervisor, .. } => Some(supervisor.clone()),
        _ => None,
    });
    let ended = ran.outside.breaches.iter().filter_map(|why| why.strip_prefix("breach: "));
    told.chain(ended.filter_map(|why| why.split(' ').next()).map(ToOwned::to_owned)).collect()
}

/// An attempt that crashed as often as it may has failed as that, and no other has.
fn crashes_are_counted(ran: &Ran) -> Result<(), String> {
    let limit = ran.outside.setup.retry.crashes;
    let wrong = ran
        .attempts
        .iter()
        .find(|attempt| (attempt.crashes >= limit) != (attempt.failure == Some(FailureKind::Crashed)));
    wrong.map_or(Ok(()), |attempt| Err(format!("{} crashes and {:?}", attempt.crashes, attempt.failure)))
}

/// What is durable of a breach is an alert, which has ended when everything works again.
fn breaches_are_told(ran: &Ran) -> Result<(), String> {
    let count = |name| ran.events_named(name).count();
    let is_told = (count("supervisor.breach") > 0) == (count("alert.firing") > 0);
    ensure(is_told, || {
        format!("{} breaches and {} alerts", count("supervisor.breach"), count("alert.firing"))
    })
}

/// Each point that a run without a failure reaches: once, and most again and again; an actor's start also after a kill.
fn cases(reached: &BTreeMap<Point, Duration>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (point, at) in reached.iter().filter(|(point, _)| !point.place.contains("worker-2")) {
        let case = Case::new(point, if *at > WORKS { WORKS } else { Duration::ZERO });
        if is_start(point.moment) {
            let killed = Some(point.place.clone());
            cases.push(Case { from: WORKS, killed, ..case.clone() });
        } else if matches!(point.moment, Moment::Handling(_) | Moment::Begun | Moment::Midway | Moment::Done)
        {
            cases.push(case.again());
        }
        cases.push(case);
    }
    cases
}

/// Runs cases on all processors; points that only a failure leads to are cases as well, behind that failure.
fn run(cases: Vec<Case>, mut known: BTreeSet<Point>, promised: &BTreeMap<String, Promise>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut due = cases;
    while !due.is_empty() {
        let mut next = Vec::new();
        for (case, (checked, failures)) in all_at_once(due, promised) {
            wrong.extend(checked.err().map(|why| format!("{case:?}\n    {why}")));
            for point in failures.reached().into_keys() {
                if case.often == Often::Times(1) && known.insert(point.clone()) {
                    next.push(case.then(point));
                }
            }
        }
        due = next;
    }
    wrong
}

type Checked = (Case, (Result<(), String>, Failures));

fn all_at_once(due: Vec<Case>, promised: &BTreeMap<String, Promise>) -> Vec<Checked> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (queue, done) = (Mutex::new(VecDeque::from(due)), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = { queue.lock().unwrap().pop_front() } {
                    let checked = case.check(promised);
                    done.lock().unwrap().push((case, checked));
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// Hundreds of panics are meant here, and say nothing.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|text| text.starts_with("a failpoint")) {
                tell(info);
            }
        }));
    });
}

fn reached() -> BTreeMap<Point, Duration> {
    let failures = Failures::default();
    let ran = world(&failures).run(1.days()).check(all_work_is_completed());
    assert_eq!(paid_again(&ran.account), 0, "what is paid again elsewhere is paid because of a panic");
    failures.reached()
}

#[test]
fn every_actor_task_and_stage_has_its_row() {
    let reached: BTreeSet<String> = reached().into_keys().map(|point| general(&point.place)).collect();
    let rows: BTreeSet<String> = promised().into_keys().collect();
    assert_eq!(reached, rows);
    let stages = rows.iter().filter(|place| is_stage(place)).map(String::as_str);
    assert_eq!(stages.collect::<BTreeSet<_>>(), Stage::ALL.map(Stage::name).into());
}

#[test]
fn a_panic_at_any_point_leads_to_what_the_page_says() {
    quiet();
    let (reached, promised) = (reached(), promised());
    let cases = cases(&reached);
    assert!(cases.len() > 180, "{} cases", cases.len());
    let wrong = run(cases, reached.into_keys().collect(), &promised);
    assert!(wrong.is_empty(), "{} points differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn one_worker_is_like_the_other() {
    let places: BTreeSet<String> = reached().into_keys().map(|point| point.place).collect();
    let of = |worker: &str| -> BTreeSet<String> {
        places.iter().filter(|place| place.contains(worker)).map(|place| general(place)).collect()
    };
    assert_eq!(of("worker-1"), of("worker-2"));
    assert!(of("worker-1").contains(WORKER));
}
