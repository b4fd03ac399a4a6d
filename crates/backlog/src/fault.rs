//! What was wrong with one line of a backlog.

use std::fmt;

use glitchlab_domain::bead::BeadId;

/// A line that could not be taken as it is. It never hides another line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// The line's number, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not text in UTF-8; the line is skipped.
    NotUtf8 {
        /// The first bad byte of the line, counted from 1.
        column: usize,
    },
    /// It is not JSON; the line is skipped.
    NotJson {
        /// What the parser said.
        what: String,
    },
    /// It is JSON, but no issue that can be understood; the line is skipped.
    NotAnIssue {
        /// The issue's id, when that much could be read.
        id: Option<BeadId>,
        /// What is wrong.
        what: String,
    },
    /// The last line ends in the middle: the file is being written, or was cut off. The line is skipped, and what the
    /// caller knew of its issue stays true until a poll brings it whole; more issues may have followed.
    CutShort,
    /// Another line has the same id; this later one counts.
    Duplicate {
        /// The id of both.
        id: BeadId,
        /// The earlier line, counted from 1.
        earlier: usize,
    },
}

impl FaultKind {
    /// Says whether an issue of the source is missing from the poll because of this.
    #[must_use]
    pub fn hides_an_issue(&self) -> bool {
        !matches!(self, Self::Duplicate { .. })
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            FaultKind::NotUtf8 { column } => {
                write!(f, "skipped, byte {column} is not UTF-8; save the file as UTF-8")
            }
            FaultKind::NotJson { what } => {
                write!(f, "skipped, it is not JSON ({}); mend it or export again", Shown(what))
            }
            FaultKind::NotAnIssue { id: Some(id), what } => {
                write!(f, "skipped, issue {}: {}", Shown(id.as_str()), Shown(what))
            }
            FaultKind::NotAnIssue { id: None, what } => write!(f, "skipped, {}", Shown(what)),
            FaultKind::CutShort => f.write_str(
                "skipped, the file ends in the middle of it; export again if nothing is writing the file",
            ),
            FaultKind::Duplicate { id, earlier } => {
                let id = Shown(id.as_str());
                write!(f, "issue {id} is in line {earlier} too; this later line counts, remove one of them")
            }
        }
    }
}

/// Text of a stranger, made fit for one line of a log: its beginning, without control characters.
struct Shown<'a>(&'a str);

impl Shown<'_> {
    const CHARACTERS: usize = 150;
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(Self::CHARACTERS) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        f.write_str(if self.0.chars().nth(Self::CHARACTERS).is_some() { ".." } else { "" })
    }
}
