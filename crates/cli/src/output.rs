//! What a command says on stdout. A reader that has gone (`| head`) is no reason to fail, and even less to panic.

use std::io::Write as _;

/// Writes a line, or several.
pub(crate) fn say(text: &str) {
    let _the_reader_may_be_gone = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a remark to stderr, beside what is said.
pub(crate) fn remark(text: &str) {
    let _the_reader_may_be_gone = writeln!(std::io::stderr().lock(), "{text}");
}

/// Makes hostile text one plain line, so that it cannot forge a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_unseen(c) { ' ' } else { c }).collect()
}

/// Tells whether a character changes how its neighbours are read and shows nothing itself: directions, joiners, marks of
/// byte order.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_title_with_line_breaks_and_escapes_stays_one_plain_line() {
        assert_eq!(super::one_line("a\nb\u{1b}[31mc"), "a b [31mc");
        assert_eq!(super::one_line("gl-1\u{202e}2-lg\u{feff}"), "gl-1 2-lg ");
    }
}
