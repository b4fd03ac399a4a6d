//! What people ask for, and what the gate does, decided over a few rows.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

mod gate;
mod office;
mod question;
mod rounds;
mod verbs;
