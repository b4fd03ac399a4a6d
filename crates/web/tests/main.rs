//! The dashboard from outside: what it answers, what it refuses, and how its streams behave.

mod answers;
mod budget;
mod history;
mod hostile;
mod records;
mod sample;
mod site;
mod stream;
