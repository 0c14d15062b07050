//! Squall's core measured beside its peers, and its own parts by themselves.
//!
//! `cargo run --release -p squall-bench --bin compare` prints the comparison; `cargo bench -p squall-bench`
//! runs the same clusters, and the codec, under criterion. What is compared is the consensus core with
//! everything else equal and free: three nodes in one thread, messages moved by hand, persistence immediate
//! and in memory. It says nothing about disks and networks.

pub mod allocations;
pub mod cluster;
mod load;

pub use load::{ENTRIES_KEPT, ENTRIES_PER_COMPACTION, Load};
