use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::history::{TaskPage, TaskQuestion};
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::story::Story;

use super::*;
use crate::guard::Guard;
use crate::pages::View;
use crate::sample::{event, live};
use crate::seats::Seats;
use crate::sse::Renderer;
use crate::view::NOW_MS;
use crate::{Health, Records, Sources, Unavailable};

/// Streams ask for no records.
struct NoRecords;

#[async_trait::async_trait]
impl Records for NoRecords {
    async fn tasks(&self, _: &TaskQuestion) -> Result<TaskPage, Unavailable> {
        Err(Unavailable("there is no store".to_owned()))
    }

    async fn story(&self, _: &BeadId) -> Result<Option<Story>, Unavailable> {
        Err(Unavailable("there is no store".to_owned()))
    }

    async fn alerts(&self) -> Result<Overview, Unavailable> {
        Err(Unavailable("there is no store".to_owned()))
    }
}

/// A renderer that runs, what it watches, and where its frames come out.
struct World {
    engine: watch::Sender<Arc<Snapshot>>,
    frames: watch::Receiver<Arc<Frame>>,
    shutdown: CancellationToken,
}

impl World {
    fn new() -> Self {
        let (engine, snapshot) = watch::channel(Arc::new(live(NOW_MS)));
        let sources = Sources {
            snapshot,
            why: watch::channel(Arc::default()).1,
            tree: Arc::new(|| None),
            health: Arc::new(|| Health::Ok),
            metrics: None,
            records: Arc::new(NoRecords),
            clock: Arc::new(|| NOW_MS),
        };
        let (renderer, mut frames) = Renderer::new(sources);
        let shutdown = CancellationToken::new();
        tokio::spawn(renderer.run(shutdown.clone()));
        Self { engine, frames: frames.swap_remove(View::Live as usize), shutdown }
    }

    /// Lets an event happen and waits until it is rendered.
    async fn happens(&mut self, seq: u64) {
        let mut snapshot = Snapshot::clone(&self.engine.borrow());
        snapshot.apply(&event(seq, NOW_MS, "gl-1", EventKind::HumanNeeded { why: "no".to_owned() }));
        self.publish(snapshot).await;
    }

    async fn publish(&mut self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.engine.send_replace(Arc::clone(&snapshot));
        let shown = |frame: &Arc<Frame>| Arc::ptr_eq(&frame.moment.snapshot, &snapshot);
        self.frames.wait_for(shown).await.expect("the renderer runs");
    }

    fn listen(&self, since: Option<&str>) -> Subscriber {
        let seat = Seats::new(&Guard::loopback(1)).take(None).expect("there is room");
        Subscriber::new(self.frames.clone(), since, seat, self.shutdown.clone())
    }
}

/// Returns the next message, without the beats.
async fn message(subscriber: &mut Subscriber) -> String {
    loop {
        let bytes = subscriber.next().await.expect("the stream goes on");
        if &*bytes != BEAT {
            return String::from_utf8(bytes.to_vec()).expect("UTF-8");
        }
    }
}

fn is_whole(message: &str) -> bool {
    message.contains("hx-target=\"#engine\"") && message.contains("hx-swap=\"outerMorph\"><ol class=\"feed\"")
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_gets_everything_and_then_only_changes() {
    let mut world = World::new();
    let mut subscriber = world.listen(None);
    assert!(is_whole(&message(&mut subscriber).await));
    world.happens(100).await;
    assert!(
        is_whole(&message(&mut subscriber).await),
        "nobody listened before: there is nothing to compare with"
    );
    world.happens(101).await;
    let change = message(&mut subscriber).await;
    assert!(change.starts_with("id: boot-101\n"), "{change}");
    assert!(change.contains("<li id=\"e-boot-101\"") && !is_whole(&change), "{change}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_current_gets_no_second_copy_of_itself() {
    let mut world = World::new();
    let mut other = world.listen(None);
    world.happens(100).await;
    world.happens(101).await;
    message(&mut other).await;
    let mut current = world.listen(Some("boot-101"));
    let mut outdated = world.listen(Some("boot-100"));
    let mut unknown = world.listen(Some("another-boot-101"));
    assert_eq!(&*current.next().await.expect("it lives"), BEAT);
    assert!(is_whole(&message(&mut outdated).await));
    assert!(is_whole(&message(&mut unknown).await));
    world.happens(102).await;
    assert!(!is_whole(&message(&mut current).await));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_moves_does_not_make_a_page_stale() {
    let mut world = World::new();
    world.happens(100).await;
    let mut snapshot = Snapshot::clone(&world.engine.borrow());
    snapshot.as_of_ms += 1_000;
    world.publish(snapshot).await;
    assert_eq!(&*world.listen(Some("boot-100")).next().await.expect("it lives"), BEAT);
}

#[tokio::test(start_paused = true)]
async fn a_change_without_an_event_makes_the_same_id_stale() {
    let mut world = World::new();
    world.happens(100).await;
    let mut snapshot = Snapshot::clone(&world.engine.borrow());
    snapshot.queue.completed += 1;
    world.publish(snapshot).await;
    assert!(is_whole(&message(&mut world.listen(Some("boot-100"))).await));
}

#[tokio::test(start_paused = true)]
async fn whoever_lags_gets_the_newest_state_instead_of_a_queue() {
    let mut world = World::new();
    let mut slow = world.listen(None);
    message(&mut slow).await;
    for seq in 100..150 {
        world.happens(seq).await;
    }
    let caught_up = message(&mut slow).await;
    assert!(is_whole(&caught_up) && caught_up.starts_with("id: boot-149\n"));
    world.happens(150).await;
    assert!(!is_whole(&message(&mut slow).await), "after that it is like any other");
}

#[tokio::test(start_paused = true)]
async fn subscribers_share_one_rendering() {
    let mut world = World::new();
    let (mut one, mut two) = (world.listen(None), world.listen(None));
    for subscriber in [&mut one, &mut two] {
        message(subscriber).await;
    }
    world.happens(100).await;
    let (first, second) = (one.next().await.expect("it lives"), two.next().await.expect("it lives"));
    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_beats_every_two_seconds() {
    let mut subscriber = World::new().listen(None);
    message(&mut subscriber).await;
    let begin = tokio::time::Instant::now();
    for beat in 0..3_u32 {
        assert_eq!(&*subscriber.next().await.expect("it lives"), BEAT);
        assert_eq!(begin.elapsed(), BEAT_EVERY * beat);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_token() {
    let world = World::new();
    let mut subscriber = world.listen(None);
    message(&mut subscriber).await;
    world.shutdown.cancel();
    assert_eq!(subscriber.next().await, None);
}
