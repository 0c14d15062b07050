//! A stranger in the storm: the `raft` crate of TiKV (0.7) as processes of Squall's simulator, judged by the invariants
//! that judge Squall's own servers, under the same profiles.
//!
//! What was run and what it found stands in `docs/stranger.md`. Outside the default members, so that nobody who builds
//! Squall builds its peers.

mod disk;
pub mod limits;
mod log;
mod messages;
mod observe;
pub mod oracles;
mod reads;
mod recover;
pub mod run;
pub mod server;
pub mod setup;
mod snapshots;
#[cfg(test)]
mod stale_read;
pub mod sweep;
#[cfg(test)]
mod tests;
mod timeouts;
