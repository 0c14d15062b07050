//! The world seen from outside: each fault acts as the fault model says, and equal worlds run equally.

mod anchors;
mod beacon;
mod clocks;
mod determinism;
mod files;
mod long_histories;
mod network;
mod phases;
mod primary_backup;
mod processes;
mod tickets;
