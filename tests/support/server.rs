//! A program that we did not write, listening on this machine for as long as a scenario lasts.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{LIMIT, get, wait_for};

/// The program; it ends with this.
pub(crate) struct Server {
    child: Child,
    written: PathBuf,
    pub(crate) address: String,
}

impl Server {
    /// Starts a program that will listen at an address, and waits until it does; none where it is not installed. What it
    /// writes is kept in a file.
    pub(crate) fn start(mut command: Command, address: String, written: PathBuf) -> Option<Self> {
        let out = File::create(&written).expect("a file");
        let err = out.try_clone().expect("the same file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().ok()?;
        let server = Self { child, written, address };
        let listens = || TcpStream::connect(&server.address).ok();
        assert!(wait_for(LIMIT, listens).is_some(), "it does not start: {}", server.text());
        Some(server)
    }

    /// Waits until a path is answered with 200.
    pub(crate) fn ready_at(self, path: &str) -> Self {
        let answers = || get(&self.address, path).starts_with("HTTP/1.1 200").then_some(());
        assert!(wait_for(LIMIT, answers).is_some(), "it is not ready: {}", self.text());
        self
    }

    /// Returns what it has written so far.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.written).unwrap_or_default()
    }

    /// Returns the JSON at a path; null when there is none.
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = get(&self.address, path);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        // A short answer comes whole, a long one in chunks.
        let (from, to) = (body.find(['{', '[']), body.rfind(['}', ']']));
        let json = from.zip(to).and_then(|(from, to)| body.get(from..=to)).unwrap_or_default();
        serde_json::from_str(json).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an address of this machine that nobody listens at.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}
