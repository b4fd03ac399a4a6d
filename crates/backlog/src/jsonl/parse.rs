//! The whole file, line by line; a bad line costs itself and nothing else.

use std::collections::HashMap;

use glitchlab_domain::bead::{Bead, BeadId};

use super::issue::{Line, Named};
use crate::fault::{FaultKind, LineFault};

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Every issue, each id once, in the order of the file.
    pub beads: Vec<Bead>,
    /// What could not be taken, in the order of lines.
    pub faults: Vec<LineFault>,
    /// The header's `_schema`, as it was written.
    pub schema: Option<String>,
}

/// Reads a file's content, whatever it is.
///
/// Blank lines, a byte order mark, CRLF, a `_schema` header and records of other types (`_type`) are passed over in
/// silence. Of two issues with one id the later counts, which is reported.
#[must_use]
pub fn parse(content: &[u8]) -> Parsed {
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    let mut reader = Reader::default();
    for (index, line) in content.split_inclusive(|&byte| byte == b'\n').enumerate() {
        reader.line = index + 1;
        reader.take(line.trim_ascii(), line.ends_with(b"\n"));
    }
    reader.parsed
}

#[derive(Default)]
struct Reader {
    line: usize,
    parsed: Parsed,
    /// Where each id was last seen: its line, and its place among the beads.
    seen: HashMap<BeadId, (usize, usize)>,
}

impl Reader {
    fn take(&mut self, line: &[u8], is_whole: bool) {
        if line.is_empty() {
            return;
        }
        match read(line, is_whole) {
            Ok(Record::Issue(bead)) => self.add(*bead),
            Ok(Record::Schema(schema)) => self.parsed.schema = Some(schema),
            Ok(Record::Other) => {}
            Err(kind) => self.report(kind),
        }
    }

    fn add(&mut self, bead: Bead) {
        let Some((earlier, place)) = self.seen.get_mut(&bead.id) else {
            self.seen.insert(bead.id.clone(), (self.line, self.parsed.beads.len()));
            self.parsed.beads.push(bead);
            return;
        };
        let earlier = std::mem::replace(earlier, self.line);
        let id = bead.id.clone();
        self.parsed.beads[*place] = bead;
        self.report(FaultKind::Duplicate { id, earlier });
    }

    fn report(&mut self, kind: FaultKind) {
        self.parsed.faults.push(LineFault { line: self.line, kind });
    }
}

enum Record {
    Issue(Box<Bead>),
    Schema(String),
    Other,
}

/// Reads one line; `is_whole` says that its end is in the file.
fn read(line: &[u8], is_whole: bool) -> Result<Record, FaultKind> {
    let text = std::str::from_utf8(line).map_err(|error| match error.error_len() {
        None if !is_whole => FaultKind::CutShort,
        _ => FaultKind::NotUtf8 { column: error.valid_up_to() + 1 },
    })?;
    if text.starts_with('[') {
        return Err(FaultKind::NotAnIssue {
            id: None,
            what: "it is a list; write one issue a line".to_owned(),
        });
    }
    let line: Line = serde_json::from_str(text).map_err(|error| refusal(text, &error, is_whole))?;
    if line.is_issue() {
        let bead = line.into_bead().map_err(|what| FaultKind::NotAnIssue { id: id_of(text), what })?;
        return Ok(Record::Issue(Box::new(bead)));
    }
    Ok(line.schema.map_or(Record::Other, |schema| Record::Schema(schema.to_string())))
}

fn refusal(text: &str, error: &serde_json::Error, is_whole: bool) -> FaultKind {
    if error.is_data() {
        FaultKind::NotAnIssue { id: id_of(text), what: without_line(error) }
    } else if error.is_eof() && !is_whole {
        FaultKind::CutShort
    } else {
        FaultKind::NotJson { what: without_line(error) }
    }
}

/// The parser sees one line and counts it as the first; only its column means something here.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

fn id_of(text: &str) -> Option<BeadId> {
    let named: Named = serde_json::from_str(text).ok()?;
    (!named.id.trim().is_empty()).then(|| BeadId::new(named.id))
}
