//! Spans that arrive, whatever happens to the process or to the receiver.

use std::collections::BTreeSet;
use std::time::Duration;

use glitchlab_domain::gate::GateRules;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::trace::Material;
use glitchlab_models::simulated::Profile;
use glitchlab_store::Reader;
use glitchlab_telemetry::spans::{self, Span};
use glitchlab_testkit::settings::{REPO, Setup};
use glitchlab_testkit::{Act, FakeCollector, Kill, Manner, Place, Ran, Trip, Units, World, beads, check};
use opentelemetry_sdk::trace::SpanData;

fn open(seed: u64, collector: &FakeCollector) -> World {
    // Some plans are too large for their tasks, which are split then.
    let is_small = |setup: &mut Setup| {
        setup.limits.depth = 1;
        setup.limits.size_tokens = [9_000, 30_000, 60_000];
        setup.retry.attempts = 12;
        setup.gate = GateRules { stop_loss: MicroUsd::ZERO, ..GateRules::default() };
    };
    let world = World::seed(seed).backlog(beads::tasks(4)).model(Profile::Realistic).workers(2);
    world.set(is_small).traces(collector)
}

fn willing() -> FakeCollector {
    FakeCollector::new(|_| Manner::Takes)
}

/// Every span that the store's rows have, from the first to the last.
fn stored(ran: &Ran) -> Vec<Span> {
    let reader = Reader::Memory(ran.outside.memory.clone());
    let roots: BTreeSet<_> = ran.tasks.values().map(|task| task.root_key.clone()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let whole = |root| runtime.block_on(reader.whole_trace(REPO, root)).unwrap();
    let material = roots.iter().map(whole).fold(Material::default(), |mut all, of| {
        all.tasks.extend(of.tasks);
        all.attempts.extend(of.attempts);
        all.steps.extend(of.steps);
        all.calls.extend(of.calls);
        all.purses.extend(of.purses);
        all
    });
    spans::all(&material)
}

/// The receiver has each span that ended, as the store has it, and none that lies in one that it has not.
fn arrived(collector: &FakeCollector) -> impl FnOnce(&Ran) -> Result<(), String> {
    let (received, scope) = (collector.spans(), spans::scope());
    move |ran| {
        let stored = stored(ran);
        let names: BTreeSet<&str> =
            stored.iter().map(|span| span.name.split(' ').next().unwrap_or("")).collect();
        check::ensure(names.len() >= 10 && names.contains("decompose"), || {
            format!("only {names:?} happened")
        })?;
        for span in stored {
            check::ensure(span.end_ms.is_some(), || format!("{} still runs", span.name))?;
            let id = span.span_id.to_bytes();
            let parent = span.parent;
            let name = span.name.clone();
            let sent = spans::data(span, &scope).ok_or("it has ended")?;
            let got = received.get(&id).ok_or_else(|| format!("{name} has not arrived"))?;
            check::ensure(*got == sent, || format!("{name} differs:\n{got:?}\n{sent:?}"))?;
            let lies_in = parent.is_none_or(|parent| received.contains_key(&parent.to_bytes()));
            check::ensure(lies_in, || format!("{name} is an orphan"))?;
        }
        Ok(())
    }
}

#[test]
fn every_span_arrives_once_where_nothing_goes_wrong() {
    let collector = willing();
    open(1, &collector).run(1.days()).check(check::all_work_is_completed()).check(arrived(&collector));
    assert_eq!(collector.taken().len(), collector.spans().len(), "each was sent once");
}

#[test]
fn every_reply_is_told_with_its_id_its_model_and_why_it_ended() {
    let collector = willing();
    open(1, &collector).run(1.days()).check(check::all_work_is_completed());
    let spans = collector.spans();
    let text = |span: &SpanData, name: &str| {
        span.attributes.iter().find(|it| it.key.as_str() == name).map(|it| it.value.to_string())
    };
    let chats = spans.values().filter(|span| span.name.starts_with("chat "));
    let (replied, failed): (Vec<_>, Vec<_>) = chats.partition(|span| text(span, "glitchlab.error").is_none());
    assert!(replied.len() > 20 && failed.len() > 2, "{} replies, {} failures", replied.len(), failed.len());
    let ids: BTreeSet<_> = replied.iter().map(|span| text(span, "gen_ai.response.id").unwrap()).collect();
    assert_eq!(ids.len(), replied.len(), "each reply has an id of its own");
    assert!(replied.iter().all(|span| text(span, "gen_ai.response.model").as_deref() == Some("realistic")));
    let ends: BTreeSet<_> =
        replied.iter().map(|span| text(span, "gen_ai.response.finish_reasons").unwrap()).collect();
    assert!(
        ends.contains("[\"stop\"]") && ends.iter().all(|end| end.contains("stop") || end.contains("length"))
    );
    let number = |span: &SpanData, name: &str| text(span, name).and_then(|text| text.parse::<u64>().ok());
    for span in &replied {
        let cached = ["cache_read", "cache_write"]
            .map(|what| number(span, &format!("gen_ai.usage.{what}.input_tokens")));
        let billed = number(span, "gen_ai.usage.input_tokens");
        assert_eq!(cached[0].zip(cached[1]).map(|(read, written)| read + written), billed);
    }
    let has_read = |span: &SpanData| number(span, "gen_ai.usage.cache_read.input_tokens") > Some(0);
    assert!(replied.iter().any(|span| has_read(span)), "a conversation is sent again with what was added");
    assert!(failed.iter().all(|span| text(span, "gen_ai.response.id").is_none()));
}

#[test]
fn what_models_are_asked_and_say_is_told_only_where_it_is_asked_for_and_without_secrets() {
    let told = |keep: Option<Vec<String>>| {
        let collector = willing();
        let world = open(1, &collector).set(move |setup: &mut Setup| setup.keep_prompts = keep.clone());
        world.run(1.days()).check(check::all_work_is_completed());
        let spans = collector.spans().into_values().filter(|span| span.name.starts_with("chat "));
        let words = |span: SpanData, name: &str| {
            let found = span.attributes.into_iter().find(|it| it.key.as_str() == name);
            found.map(|it| it.value.to_string())
        };
        spans
            .map(|span| {
                ["gen_ai.input.messages", "gen_ai.output.messages"].map(|name| words(span.clone(), name))
            })
            .collect::<Vec<_>>()
    };
    assert!(told(None).into_iter().flatten().all(|words| words.is_none()));
    let told = told(Some(vec!["it must be done".to_owned()]));
    let all = format!("{told:?}");
    assert!(all.contains("[redacted]") && !all.contains("it must be done"));
    assert!(
        told.iter().all(|[asked, _]| asked.as_ref().is_some_and(|asked| asked.contains("\"role\":\"user\"")))
    );
    assert!(
        told.iter()
            .any(|[_, said]| said.as_ref().is_some_and(|said| said.contains("\"role\":\"assistant\"")))
    );
}

#[test]
fn a_kill_at_any_touch_of_the_outside_world_leaves_no_gap_and_no_orphan_in_any_trace() {
    let collector = willing();
    let touches = open(3, &collector).run(1.days()).outside.wire.touches();
    assert!(touches > 100, "only {touches} points to kill at");
    for touch in (1..=touches).step_by(31) {
        let collector = willing();
        let ran = open(3, &collector).at_touch(touch, Trip::Kill).run(1.days());
        assert_eq!(ran.boots, 2, "touch {touch} killed nothing");
        ran.check(arrived(&collector));
    }
}

#[test]
fn a_process_killed_around_each_request_sends_what_the_last_one_may_not_have() {
    for place in [Place::Exporting, Place::Exported] {
        let collector = willing();
        let world =
            (1..=8).fold(open(4, &collector), |world, nth| world.at_place(place, nth * 2, Trip::Kill));
        let ran = world.run(1.days());
        assert!(ran.boots > 5, "only {} boots", ran.boots);
        ran.check(check::all_work_is_completed()).check(arrived(&collector));
    }
}

#[test]
fn an_outage_of_the_receiver_delays_spans_and_loses_none() {
    for bad in [Manner::IsBusy, Manner::Hangs] {
        let collector = FakeCollector::new(
            move |passed: Duration| {
                if passed < 40.minutes() { bad } else { Manner::Takes }
            },
        );
        let later = beads::renamed(beads::tasks(1).remove(0), "later");
        open(5, &collector)
            .at(1.hours(), Act::edit(|backlog| backlog.put(later)))
            .run(1.days())
            .check(check::all_work_is_completed())
            .check(arrived(&collector));
    }
}

#[test]
fn processes_that_come_and_go_during_an_outage_lose_no_span_of_any_of_them() {
    let collector = FakeCollector::new(
        |passed: Duration| if passed < 40.minutes() { Manner::IsBusy } else { Manner::Takes },
    );
    let mut world = open(7, &collector).at_place(Place::Exporting, 30, Trip::Kill);
    for n in 1..=6u32 {
        let bead = beads::renamed(beads::tasks(1).remove(0), &format!("later{n}"));
        let at = 6.minutes() * n;
        world = world.at(at, Act::edit(move |backlog| backlog.put(bead)));
        // In order, in the middle of the work, and right after the start.
        world = match n % 3 {
            0 => world.at(at + 3.minutes(), Act::Restart { drain: 1.minutes() }),
            1 => world.at(at + 20.secs(), Kill::Process),
            _ => world.at(at + 3.minutes(), Kill::Process).at(at + 3.minutes() + 50.millis(), Kill::Process),
        };
    }
    let last = beads::renamed(beads::tasks(1).remove(0), "last");
    let ran = world.at(1.hours(), Act::edit(|backlog| backlog.put(last))).run(1.days());
    assert!(ran.boots > 6, "only {} boots", ran.boots);
    ran.check(check::all_work_is_completed()).check(arrived(&collector));
}

#[test]
fn a_receiver_of_small_requests_gets_everything_in_small_requests() {
    let collector = FakeCollector::new(|_| Manner::TakesAtMost(3));
    open(8, &collector).run(1.days()).check(check::all_work_is_completed()).check(arrived(&collector));
}

#[test]
fn work_is_the_same_whatever_the_receiver_does() {
    let work = |manner: Manner| {
        let ran = open(6, &FakeCollector::new(move |_| manner)).run(1.days());
        let mut paid: Vec<_> = ran.account.iter().map(|entry| entry.cost_micro).collect();
        paid.sort_unstable();
        (ran.check(check::all_work_is_completed()).tasks.len(), paid)
    };
    let taken = work(Manner::Takes);
    for manner in [Manner::IsBusy, Manner::Refuses, Manner::Hangs] {
        assert_eq!(work(manner), taken, "{manner:?}");
    }
}
