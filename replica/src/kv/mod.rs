//! A small key-value state machine: what a storm needs to see every way in which a replicated machine goes wrong.
//!
//! Not a database: no ranges, no expiry, no transactions.

mod codec;
mod command;
mod image;
mod machine;
mod pages;
mod reply;
#[cfg(test)]
mod tests;

pub use codec::DecodeError;
pub use command::Command;
pub use image::{KeyValueImage, KeyValueLoader};
pub use machine::KeyValue;
pub use reply::Reply;
