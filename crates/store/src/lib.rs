//! The store: it loads the rows that a command names, calls `domain::decide`, applies the writes it yields with their
//! events in one transaction, and answers queries. There is no policy here: a change of rule is a change in `domain`.

mod batch;
pub mod clock;
mod error;
mod memory;
mod outage;
pub mod query;
mod queue;
mod rows;
mod sqlite;
mod task_list;
pub mod writer;

pub use error::StoreError;
pub use memory::Memory;
pub use query::{Following, Reader};
pub use queue::Queue;
pub use sqlite::Sqlite;
pub use writer::{Backend, Committed, Writer};
