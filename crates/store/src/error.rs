//! What can go wrong with the store itself.

/// Why the store did not answer. Nothing of the batch was applied, unless the commit's answer was lost: then sending
/// the same command again finds out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk has no room.
    #[error("the disk of the store is full: make room on it")]
    Full,
    /// The disk does not read or write.
    #[error("the disk of the store fails: {0}")]
    Io(String),
    /// The file or its disk refuses writes.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// Another process held the store for too long.
    #[error("the store is busy: another process holds it")]
    Busy,
    /// The schema is newer than this program.
    #[error(
        "the store at {path} has schema {found}, this program knows {known}: use a newer glitchlab, nothing was written"
    )]
    NewerSchema {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest schema that we know.
        known: i64,
    },
    /// The file is no store of ours, or is damaged.
    #[error("the store at {path} cannot be opened: {what}")]
    Unusable {
        /// The file.
        path: String,
        /// What the database said.
        what: String,
    },
    /// A row cannot be read.
    #[error("a row of table {table} cannot be read: {what}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The writer has ended.
    #[error("the writer of the store has ended")]
    Closed,
    /// Anything else the database said.
    #[error("the store failed: {0}")]
    Database(String),
}

impl StoreError {
    /// Tells whether no command can be written now and the same one may succeed later. Anything that is not known to be
    /// so is the fault of one command, which must not hold up all others.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_) | Self::ReadOnly(_) | Self::Busy)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|c| c.parse::<i32>().ok());
        match code {
            None if matches!(error, sqlx::Error::Io(_)) => Self::Io(error.to_string()),
            code => Self::of_code(code, error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| error.extended_code);
        Self::of_code(code, error.to_string())
    }
}

impl StoreError {
    /// Tells an error of SQLite by its extended code.
    fn of_code(code: Option<i32>, text: String) -> Self {
        match code.map(|code| code & 0xff) {
            Some(13) => Self::Full,
            Some(8 | 14) => Self::ReadOnly(text),
            // 15: two processes could not agree on the locks of the journal.
            Some(5 | 6 | 15) => Self::Busy,
            Some(10) if text.contains("full") || code == Some(778) => Self::Full,
            Some(10) => Self::Io(text),
            _ => Self::Database(text),
        }
    }
}
