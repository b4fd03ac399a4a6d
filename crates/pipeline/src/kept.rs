//! What is kept of a prompt for those who read traces: without secrets, and never much.

use std::fmt::Write as _;

use glitchlab_domain::response::Message;
use glitchlab_models::Turn;

use crate::process::redact::Redactor;

/// The most bytes of one prompt that are kept; each of its turns has the same share.
const MOST_BYTES: usize = 32 * 1024;

/// Returns what is kept of a prompt. Secrets are taken out first: one that is cut is not known any more.
pub(crate) fn kept(turns: &[Turn], redactor: &Redactor) -> Vec<Message> {
    let share = MOST_BYTES / turns.len().max(1);
    let message = |turn: &Turn| Message {
        role: turn.who.name().to_owned(),
        text: cut(redactor.redact(&turn.text), share),
    };
    turns.iter().map(message).collect()
}

fn cut(mut text: String, most: usize) -> String {
    let whole = text.len();
    if whole > most {
        text.truncate(text.floor_char_boundary(most));
        let left = whole - text.len();
        // Writing to a string cannot fail.
        let _ = write!(text, "… ({left} bytes are left out)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_keeps_its_beginning_and_says_how_much_is_left_out() {
        let turns = [Turn::system("short"), Turn::user("é".repeat(20_000))];
        let kept = kept(&turns, &Redactor::default());
        assert_eq!((kept[0].role.as_str(), kept[0].text.as_str()), ("system", "short"));
        assert_eq!(kept[1].role, "user");
        assert!(kept[1].text.ends_with("é… (23616 bytes are left out)"), "{}", &kept[1].text[16_380..]);
    }

    #[test]
    fn a_secret_is_taken_out_before_it_could_be_cut_to_pieces() {
        let secret = "correct-horse-battery";
        let redactor = Redactor::new([secret.to_owned()]);
        let text = format!("{}{secret}", "x".repeat(MOST_BYTES - 10));
        let kept = kept(&[Turn::user(text)], &redactor);
        assert!(!kept[0].text.contains("correct"), "{}", &kept[0].text[MOST_BYTES - 20..]);
    }
}
