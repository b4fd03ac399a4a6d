//! Real receivers of every manner and by every way.

mod case;
mod encrypted;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod manners;
#[path = "../../../../tests/support/receiver.rs"]
mod receiver;
