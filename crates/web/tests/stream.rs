//! The live stream over a real socket.

use std::time::{Duration, Instant};

use glitchlab_domain::snapshot::Snapshot;
use glitchlab_web::{Guard, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sample::live;
use crate::site::{NOW_MS, Site};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    site: Site,
    port: u16,
    served: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(snapshot: Snapshot) -> Self {
        let site = Site::new(snapshot);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let serving = serve(listener, site.sources.clone(), Guard::loopback(port), site.shutdown.clone());
        Self { port, served: tokio::spawn(serving), site }
    }

    async fn open(&self, path: &str, headers: &str) -> Client {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\n", self.port);
        socket.write_all(request.as_bytes()).await.expect("the server reads");
        let mut client = Client { socket, seen: String::new() };
        client.read_until(|seen| seen.contains("\r\n\r\n")).await;
        client
    }

    /// Stops the server and returns how long that took.
    async fn stop(self) -> Duration {
        let begin = Instant::now();
        self.site.shutdown.cancel();
        timeout(PATIENCE, self.served).await.expect("it ends").expect("no panic").expect("no error");
        begin.elapsed()
    }
}

struct Client {
    socket: TcpStream,
    /// Everything read and not yet taken.
    seen: String,
}

impl Client {
    async fn read_until(&mut self, done: impl Fn(&str) -> bool) {
        while !done(&self.seen) {
            assert!(self.read().await > 0, "the stream ended: {}", self.seen);
        }
    }

    async fn read(&mut self) -> usize {
        let mut buffer = vec![0; 65_536];
        let n = timeout(PATIENCE, self.socket.read(&mut buffer)).await.expect("it goes on").unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        n
    }

    /// Waits for a message with this id and tells how many regions it has.
    async fn regions_of(&mut self, id: &str) -> usize {
        let head = format!("id: {id}\n");
        self.read_until(|seen| seen.find(&head).is_some_and(|at| seen[at..].contains("\n\n"))).await;
        let at = self.seen.find(&head).expect("just seen");
        let message = self.seen[at..].split("\n\n").next().expect("a message");
        message.matches("hx-swap=\"outerMorph\"").count()
    }

    async fn until_the_end(mut self) -> String {
        while self.read().await > 0 {}
        self.seen
    }
}

#[tokio::test]
async fn a_stream_begins_with_everything_goes_on_with_changes_and_resumes_by_its_id() {
    let server = Server::start(live(NOW_MS)).await;
    server.site.happens(100);
    let mut first = server.open("/events", "").await;
    assert!(
        first.seen.starts_with("HTTP/1.1 200 OK\r\n")
            && first.seen.contains("content-type: text/event-stream")
    );
    first.regions_of("boot-100").await;
    server.site.happens(101);
    first.regions_of("boot-101").await;
    server.site.happens(102);
    assert_eq!(first.regions_of("boot-102").await, 0, "a new row is no whole region");

    let mut current = server.open("/events?since=boot-1", "Last-Event-ID: boot-102\r\n").await;
    let mut outdated = server.open("/events?since=boot-102", "Last-Event-ID: boot-101\r\n").await;
    assert_eq!(outdated.regions_of("boot-102").await, 9);
    current.read_until(|seen| seen.contains("event: beat\n")).await;
    assert!(!current.seen.contains("id: boot-102"), "what it saw last wins over what its page was made from");
    server.site.happens(103);
    assert_eq!(current.regions_of("boot-103").await, 0);
    assert!(server.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn the_actors_page_has_a_stream_of_its_own() {
    let server = Server::start(live(NOW_MS)).await;
    let mut client = server.open("/events/actors", "").await;
    client.read_until(|seen| seen.contains("hx-target=\"#tree\"")).await;
    assert!(!client.seen.contains("hx-target=\"#feed\""));
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_streams_end_with_the_server_within_a_second() {
    let server = Server::start(live(NOW_MS)).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(server.open("/events", "").await);
    }
    let full = server.open("/events", "").await;
    assert!(
        full.seen.starts_with("HTTP/1.1 503 ") && full.seen.contains("retry-after: 5\r\n"),
        "{}",
        full.seen
    );
    assert!(server.stop().await < Duration::from_secs(1));
    for client in clients {
        assert!(client.until_the_end().await.ends_with("0\r\n\r\n"), "the body was cut off");
    }
}

#[tokio::test]
async fn a_browser_with_five_streams_is_told_so_and_gets_the_place_of_one_that_it_closes() {
    let server = Server::start(live(NOW_MS)).await;
    let cookie = "Cookie: glitchlab_browser=00000000-0000-4000-8000-000000000000\r\n";
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.open("/events", cookie).await);
    }
    assert!(server.open("/events", cookie).await.seen.starts_with("HTTP/1.1 503 "));
    assert!(server.open("/events", "").await.seen.starts_with("HTTP/1.1 200 "), "another browser has room");
    clients.pop();
    let freed = async {
        while !server.open("/events", cookie).await.seen.starts_with("HTTP/1.1 200 ") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, freed).await.expect("the seat is free again");
    server.stop().await;
}

#[tokio::test]
async fn a_stalled_client_delays_no_one_and_does_not_keep_the_server() {
    let mut snapshot = live(NOW_MS);
    snapshot.lanes[0].task.as_mut().expect("busy").title = "long ".repeat(40_000);
    let server = Server::start(snapshot).await;
    let _stalled = server.open("/events", "").await;
    let mut reader = server.open("/events", "").await;
    for seq in 100..140 {
        // Each state is new in its largest region, so that the buffers of the one that does not read fill up.
        let mut snapshot = Snapshot::clone(&server.site.engine.borrow());
        snapshot.lanes[0].task.as_mut().expect("busy").n = u32::try_from(seq).expect("small");
        server.site.engine.send_replace(snapshot.into());
        server.site.happens(seq);
        reader.seen.clear();
        reader.regions_of(&format!("boot-{seq}")).await;
    }
    assert!(server.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_renderer_that_panics_ends_the_server_so_that_it_can_be_restarted() {
    let mut site = Site::new(live(NOW_MS));
    let shown = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let works = std::sync::Arc::clone(&shown);
    site.sources.clock = std::sync::Arc::new(move || {
        assert!(works.load(std::sync::atomic::Ordering::SeqCst), "the clock is broken");
        NOW_MS
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let served =
        tokio::spawn(serve(listener, site.sources.clone(), Guard::loopback(1), site.shutdown.clone()));
    tokio::task::yield_now().await;
    shown.store(false, std::sync::atomic::Ordering::SeqCst);
    site.happens(100);
    let error =
        timeout(PATIENCE, served).await.expect("it ends").expect("no panic here").expect_err("it fails");
    assert!(error.to_string().contains("renderer has panicked"), "{error}");
}
