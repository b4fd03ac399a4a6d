//! Traces that travel with messages.

use std::cell::Cell;
use std::sync::{Arc, Mutex, Once};

use glitchlab_runtime::{
    Actor, ChildSpec, Context, Failure, Handle, MessageKind, MessageSpan, Propagator, Strategy, TraceContext,
    install_propagator,
};

use crate::probe::{Log, Probe, ProbeMsg, settle, spec, start, until_restarted};

thread_local! {
    /// The span that the test pretends to be in.
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

static RECEIVED: Mutex<Vec<(TraceContext, String, &'static str)>> = Mutex::new(Vec::new());

struct Pretended;

impl Propagator for Pretended {
    fn capture(&self) -> Option<TraceContext> {
        CURRENT.get()
    }

    fn receive(&self, sender: TraceContext, path: &Arc<str>, kind: &'static str) -> Box<dyn MessageSpan> {
        RECEIVED.lock().expect("no test panics here").push((sender, path.to_string(), kind));
        Box::new(PretendedSpan(TraceContext { span_id: [2; 8], ..sender }))
    }
}

struct PretendedSpan(TraceContext);

impl MessageSpan for PretendedSpan {
    fn enter(&mut self, work: &mut dyn FnMut()) {
        let before = CURRENT.replace(Some(self.0));
        work();
        CURRENT.set(before);
    }
}

/// Installs the propagator, which sees nothing of the tests that pretend nothing.
fn pretend() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| install_propagator(Box::new(Pretended)).expect("it is the only one"));
}

fn received(trace_id: [u8; 16]) -> Vec<(String, &'static str)> {
    let all = RECEIVED.lock().expect("no test panics here");
    let of_trace = all.iter().filter(|(context, _, _)| context.trace_id == trace_id);
    of_trace.map(|(_, path, kind)| (path.clone(), *kind)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_handled_in_the_trace_of_its_sender_when_that_is_sampled() {
    pretend();
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, mut events) = start(spec(Strategy::OneForOne, 9, [one.spec()])).await;
    let sampled = TraceContext { trace_id: [0xab; 16], span_id: [1; 8], flags: 1 };

    CURRENT.set(Some(TraceContext { flags: 0, ..sampled }));
    one.tell(ProbeMsg::Stop);
    CURRENT.set(None);
    until_restarted(&mut events, "root/one").await;
    assert!(received(sampled.trace_id).is_empty(), "an unsampled message pays nothing");

    CURRENT.set(Some(sampled));
    one.tell(ProbeMsg::Fail("crash"));
    CURRENT.set(None);
    settle().await;
    assert_eq!(received(sampled.trace_id), [("root/one".to_owned(), "fail")]);
    let error = tree.snapshot().root.children[0].activity.clone().unwrap().last_error.unwrap();
    assert_eq!(error.trace_id, Some("ab".repeat(16)));
}

/// Hands on what it is told.
struct Relay {
    to: Handle<ProbeMsg>,
}

struct Go;

impl MessageKind for Go {
    fn kind(&self) -> &'static str {
        "go"
    }
}

impl Actor for Relay {
    type Msg = Go;
    type Arguments = ();
    type State = ();

    async fn start(&self, _: &Context<Go>, (): ()) -> Result<(), Failure> {
        Ok(())
    }

    async fn handle(&self, _: &Context<Go>, Go: Go, (): &mut ()) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        Ok(self.to.send(ProbeMsg::Stop)?)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_sends_after_an_await_is_sent_in_the_span_of_its_message() {
    pretend();
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (relay, to) = (Handle::new("relay"), one.handle.clone());
    let child = ChildSpec::worker("relay", &relay, move |_child| (Relay { to: to.clone() }, ()));
    let (_tree, mut events) = start(spec(Strategy::OneForOne, 9, [one.spec(), child])).await;
    let sampled = TraceContext { trace_id: [0xcd; 16], span_id: [1; 8], flags: 1 };
    CURRENT.set(Some(sampled));
    relay.send(Go).unwrap();
    CURRENT.set(None);
    until_restarted(&mut events, "root/one").await;
    let went = |path: &str, kind| (path.to_owned(), kind);
    assert_eq!(received(sampled.trace_id), [went("root/relay", "go"), went("root/one", "stop")]);
    let all = RECEIVED.lock().expect("no test panics here");
    let senders = all.iter().filter(|(context, ..)| context.trace_id == sampled.trace_id);
    assert_eq!(senders.map(|(context, ..)| context.span_id).collect::<Vec<_>>(), [[1; 8], [2; 8]]);
    assert_eq!(CURRENT.get(), None, "the span is left with its message");
}

#[test]
fn a_second_propagator_is_refused() {
    pretend();
    assert!(install_propagator(Box::new(Pretended)).is_err());
}
