//! What a command says on stdout. A reader that has gone (`| head`) is no reason to fail, and even less to panic.

use std::io::Write as _;

/// Writes a line, or several.
pub(crate) fn say(text: &str) {
    let _the_reader_may_be_gone = writeln!(std::io::stdout().lock(), "{text}");
}
