//! A small key-value state machine: what a storm needs to see every way in which a replicated machine goes wrong.
//!
//! Not a database: no ranges, no expiry, no transactions.

mod command;
mod machine;
mod reply;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use machine::{KeyValue, KeyValueLoader};
pub use reply::Reply;
