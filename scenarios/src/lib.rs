//! Raft in the storm: what is observed of a node, and the oracles that judge it.

pub mod branch;
pub mod classes;
pub mod client;
pub mod invariants;
pub mod linearizability;
pub mod log;
pub mod machine;
pub mod marks;
pub mod membership;
pub mod milestones;
pub mod model;
pub mod observation;
pub mod oracles;
pub mod profile;
pub mod rest;
pub mod run;
pub mod script;
pub mod search;
pub mod server;
pub mod spec;
pub mod workload;

mod atlas;
mod core;
mod holdings;
mod recovery;
#[cfg(test)]
mod small_world;
#[cfg(test)]
mod stage;

pub use squall_sim::Violation;
