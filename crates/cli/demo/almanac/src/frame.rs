//! A frame around lines of text.

/// Draws a frame around some lines, as wide as the widest.
pub fn frame(lines: &[String]) -> String {
    let width = lines.iter().map(|line| line.len()).max().unwrap_or(0);
    let edge = "─".repeat(width + 2);
    let mut text = format!("╭{edge}╮\n");
    for line in lines {
        text += &format!("│ {line:<width$} │\n");
    }
    text + &format!("╰{edge}╯\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(lines: &[&str]) -> String {
        frame(&lines.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_frame_is_as_wide_as_its_widest_line() {
        assert_eq!(framed(&["a", "abc"]), "╭─────╮\n│ a   │\n│ abc │\n╰─────╯\n");
    }

    #[test]
    #[ignore = "red until al-9 is done"]
    fn a_moon_is_no_wider_than_a_letter() {
        assert_eq!(framed(&["●○"]), "╭────╮\n│ ●○ │\n╰────╯\n");
    }
}
