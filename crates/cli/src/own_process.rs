//! What the watchdog does to this process when nothing else helps: it is replaced by a new one of the same program, with
//! the same arguments, on the same address. Under a service manager it ends instead, and is started again by it.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;

use glitchlab_actors::watchdog::{OwnProcess, Said};
use sd_notify::NotifyState;

use crate::config;
use crate::exit::Code;
use crate::exports::Exports;

/// This program as the kernel knows it, also when its file was replaced or removed since.
const PROGRAM: &str = "/proc/self/exe";

/// This process.
pub(crate) struct ThisProcess {
    arguments: Vec<OsString>,
    /// Who started it starts it again.
    is_managed: bool,
    /// What telemetry still waits is sent before it ends.
    exports: Arc<Exports>,
}

impl ThisProcess {
    /// Describes this process, which serves its pages at `address`.
    pub(crate) fn new(address: SocketAddr, exports: Arc<Exports>) -> Self {
        let arguments = on_address(config::own_arguments(), address);
        Self { arguments, is_managed: config::is_managed_service(), exports }
    }
}

impl OwnProcess for ThisProcess {
    fn restart(&self) -> io::Error {
        if self.is_managed {
            tracing::error!(
                event = "engine.restarting",
                "ending, so that the service manager starts it again"
            );
            self.exports.end();
            std::process::exit(Code::Stalled as i32);
        }
        tracing::error!(event = "engine.restarting", "the process replaces itself");
        self.exports.end();
        // Files and sockets close with it; what was paid, and what was not, is in the store.
        Command::new(PROGRAM).arg0("glitchlab").args(&self.arguments).exec()
    }

    #[expect(clippy::print_stderr, reason = "this is where the program speaks to the person who started it")]
    fn give_up(&self, why: &str) {
        eprintln!("error: {why}");
        self.exports.end();
        std::process::exit(Code::Breach as i32);
    }

    fn say(&self, said: Said<'_>) {
        // Nobody may be listening, which is no matter.
        let _ = match said {
            Said::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Said::Alive(line) => sd_notify::notify(&[NotifyState::Watchdog, NotifyState::Status(line)]),
            Said::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        };
    }
}

/// Puts the address in which was found free, in place of the one that was asked for.
fn on_address(given: Vec<OsString>, address: SocketAddr) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        match argument.to_str() {
            Some("--listen") => drop(given.next()),
            Some(text) if text.starts_with("--listen=") => {}
            _ => kept.push(argument),
        }
    }
    kept.extend(["--listen".into(), address.to_string().into()]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_was_found_replaces_every_one_that_was_asked_for() {
        let address = SocketAddr::from(([127, 0, 0, 1], 3007));
        for given in [
            vec!["continuous", "--listen", "127.0.0.1:0", "--repo", "."],
            vec!["continuous", "--listen=127.0.0.1:0", "--repo", "."],
            vec!["continuous", "--repo", "."],
        ] {
            let given = given.into_iter().map(OsString::from).collect();
            let expected = ["continuous", "--repo", ".", "--listen", "127.0.0.1:3007"].map(OsString::from);
            assert_eq!(on_address(given, address), expected);
        }
    }
}
