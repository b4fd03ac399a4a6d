//! A provider's own account of what it billed, which the ledger is compared with.
//!
//! It knows nothing of the ledger, and a call is in it before its reply is given out.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use glitchlab_domain::command::Paid;
use glitchlab_domain::id::TryKey;
use glitchlab_domain::money::MicroUsd;
use serde::{Deserialize, Serialize};

/// Tells the time, ms UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One billed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which try, as `attempt/step/call/try`.
    pub key: String,
    /// The model.
    pub model: String,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// The price, in micro-dollars.
    pub cost_micro: i64,
    /// When it was billed, ms UTC.
    pub at_ms: i64,
}

enum Keep {
    File(File),
    Memory(Mutex<Vec<Entry>>),
}

/// Where a provider keeps its account. Clones share it.
#[derive(Clone)]
pub struct Account {
    keep: Arc<Keep>,
    clock: Clock,
}

impl Account {
    /// Appends to a file, one JSON line for each call; several processes may share it.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened for appending.
    pub fn file(path: &Path, clock: Clock) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { keep: Arc::new(Keep::File(file)), clock })
    }

    /// Keeps the account in memory.
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self { keep: Arc::new(Keep::Memory(Mutex::default())), clock }
    }

    /// Returns the entries that are kept in memory, in order; none for a file.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        match &*self.keep {
            Keep::File(_) => Vec::new(),
            Keep::Memory(entries) => entries.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Returns when how much was billed, as `(at_ms, micro-dollars)`, of an account in memory.
    #[must_use]
    pub fn spent(&self) -> Vec<(i64, i64)> {
        self.entries().iter().map(|entry| (entry.at_ms, entry.cost_micro)).collect()
    }

    /// Adds a call. The line goes out in one write, so that no other process writes in its middle.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written; the call must then not be answered.
    pub fn append(&self, key: &TryKey, model: &str, bill: &Bill) -> io::Result<()> {
        let entry = Entry {
            key: key.to_string(),
            model: model.to_owned(),
            input_tokens: bill.input_tokens,
            output_tokens: bill.output_tokens,
            cost_micro: bill.cost_micro,
            at_ms: (self.clock)(),
        };
        match &*self.keep {
            Keep::File(file) => {
                let mut line = serde_json::to_vec(&entry)?;
                line.push(b'\n');
                let mut file: &File = file;
                file.write_all(&line)
            }
            Keep::Memory(entries) => {
                entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
                Ok(())
            }
        }
    }
}

/// What a provider bills for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// The price, in micro-dollars.
    pub cost_micro: i64,
}

/// What the provider tells the caller about its bill.
impl From<Bill> for Paid {
    fn from(bill: Bill) -> Self {
        Self {
            cost: MicroUsd::new(bill.cost_micro),
            input_tokens: bill.input_tokens,
            output_tokens: bill.output_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use glitchlab_domain::id::AttemptId;

    use super::*;

    fn key(try_no: u32) -> TryKey {
        TryKey { attempt_id: AttemptId::new("a"), step_n: 1, call_no: 2, try_no }
    }

    #[test]
    fn each_call_is_one_line_of_a_file_that_is_only_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("account.jsonl");
        for try_no in 0..2 {
            let account = Account::file(&path, Arc::new(|| 42)).unwrap();
            account
                .append(&key(try_no), "m", &Bill { input_tokens: 3, output_tokens: 4, cost_micro: 5 })
                .unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let entries: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
            ["a/1/2/0", "a/1/2/1"]
        );
        assert!(entries.iter().all(|entry| entry.at_ms == 42 && entry.cost_micro == 5));
    }

    #[test]
    fn an_account_in_memory_tells_when_how_much_was_billed() {
        let account = Account::memory(Arc::new(|| 7));
        let twin = account.clone();
        twin.append(&key(0), "m", &Bill { input_tokens: 1, output_tokens: 1, cost_micro: 9 }).unwrap();
        assert_eq!(account.spent(), [(7, 9)]);
    }
}
