//! The core from outside: golden scripts, the paper's tables, and random schedules.

mod bounds;
mod certainty;
mod cluster;
mod config;
mod fetched;
mod forward;
mod golden;
mod hostile;
mod membership;
mod offices;
mod paper;
mod random;
mod reads;
mod repair;
mod slow_disks;
mod snapshots;
mod state;
mod transfers;
mod witnesses;
