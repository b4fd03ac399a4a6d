//! Language models: one port, their prices, and one file per provider.
//!
//! A call takes a [`Reservation`]: money that was set aside for this one try and that can't be copied. What comes back
//! is [`Spent`], which carries the same money until the store has written what was paid. Dropped anywhere on its way
//! (cancelled, aborted, lost in a `select!`) it calls its hook once, so that the try is settled at its bound.
//!
//! A call without money set aside does not compile:
//!
//! ```compile_fail,E0308
//! # use glitchlab_models::{Model, Request, Spent};
//! async fn free_of_charge(model: &dyn Model, request: &Request) -> Spent {
//!     model.call((), request).await
//! }
//! ```
//!
//! Nor does a second call for the same money:
//!
//! ```compile_fail,E0382
//! # use glitchlab_models::{Model, Request, Reservation, Spent};
//! async fn twice(model: &dyn Model, money: Reservation, request: &Request) -> (Spent, Spent) {
//!     (model.call(money, request).await, model.call(money, request).await)
//! }
//! ```
//!
//! With it, it does:
//!
//! ```
//! # use glitchlab_models::{Model, Request, Reservation, Spent};
//! async fn paid(model: &dyn Model, money: Reservation, request: &Request) -> Spent {
//!     model.call(money, request).await
//! }
//! ```

pub mod account;
mod answer;
pub mod catalog;
mod draw;
mod error;
mod port;
pub mod pricing;
mod prompts;
pub mod reply;
mod reservation;
pub mod scripted;
pub mod simulated;

pub use account::Account;
pub use answer::Answer;
pub use error::{ErrorKind, ModelError};
pub use port::{Model, Request, Role, Turn, Who, prompt_bound};
pub use prompts::{Prompts, hash_turn};
pub use reservation::{Reservation, Settlement, Spent};
