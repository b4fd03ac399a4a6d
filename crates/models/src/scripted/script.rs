//! The recorded replies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::money::Price;
use glitchlab_domain::stage::Stage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::port::Request;
use crate::pricing;

/// Recorded replies, and what they cost.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the model charges.
    #[serde(default = "default_price")]
    pub price: Price,
    /// Replies to single questions; the most specific match wins.
    #[serde(default)]
    pub replies: Vec<Entry>,
    /// Replies to whatever [`Script::replies`] leaves out, by stage.
    #[serde(default)]
    pub defaults: BTreeMap<Stage, Recorded>,
}

/// A recorded reply and the questions that it answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Entry {
    /// The task's id; sub-tasks are `<parent>.s1` and so on.
    pub bead: BeadId,
    /// The stage.
    pub stage: Stage,
    /// Only this attempt, counted from 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// Only this step of the attempt, counted from 0.
    #[serde(default)]
    pub step: Option<u32>,
    /// Only this call of the step, counted from 0.
    #[serde(default)]
    pub call: Option<u32>,
    /// The reply.
    #[serde(flatten)]
    pub recorded: Recorded,
}

/// A recorded reply.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Recorded {
    /// The stage's JSON; a string is given out as it is.
    pub reply: Value,
    /// Billed prompt tokens.
    #[serde(default = "default_input")]
    pub input_tokens: u64,
    /// Billed output tokens.
    #[serde(default = "default_output")]
    pub output_tokens: u64,
    /// How long the reply takes.
    #[serde(default)]
    pub latency_ms: u64,
}

const fn default_price() -> Price {
    pricing::SCRIPTED
}

const fn default_input() -> u64 {
    1_000
}

const fn default_output() -> u64 {
    200
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot read the script {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not a script.
    #[error("{place} is not a script of replies: {source}")]
    Parse {
        /// The file, or what else it came from.
        place: String,
        /// What is wrong, with its line.
        source: serde_json::Error,
    },
}

impl Script {
    /// Reads a script from a file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or is not a script.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Read { path: path.to_owned(), source })?;
        let wrong = |source| ScriptError::Parse { place: path.display().to_string(), source };
        serde_json::from_str(&text).map_err(wrong)
    }

    /// Reads a script from its text.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a script.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let wrong = |source| ScriptError::Parse { place: "the given text".to_owned(), source };
        serde_json::from_str(text).map_err(wrong)
    }

    /// Finds the reply to a question.
    #[must_use]
    pub fn find(&self, request: &Request) -> Option<&Recorded> {
        let matching = self.replies.iter().filter(|entry| entry.answers(request));
        // Of equals the first one wins, as people read a list.
        let best = matching.rev().max_by_key(|entry| entry.specificity());
        best.map(|entry| &entry.recorded).or_else(|| self.defaults.get(&request.stage))
    }
}

impl Entry {
    fn answers(&self, request: &Request) -> bool {
        let fits = |wanted: Option<u32>, n| wanted.is_none_or(|wanted| wanted == n);
        self.bead == request.bead_id
            && self.stage == request.stage
            && fits(self.attempt, request.attempt_n)
            && fits(self.step, request.step_n)
            && fits(self.call, request.call_no)
    }

    /// How many of attempt, step and call it names; of equal counts the attempt weighs most.
    fn specificity(&self) -> (usize, bool, bool) {
        let named = [self.attempt, self.step, self.call].iter().flatten().count();
        (named, self.attempt.is_some(), self.step.is_some())
    }
}

impl Recorded {
    /// Returns the text that is given out.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.reply {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_script_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        std::fs::write(&path, "{\n \"replies\": [{}]\n}").unwrap();
        let message = Script::read(&path).unwrap_err().to_string();
        assert!(message.contains("s.json") && message.contains("line 2"), "{message}");
        let missing = Script::read(&dir.path().join("none.json")).unwrap_err().to_string();
        assert!(missing.contains("none.json"), "{missing}");
    }
}
