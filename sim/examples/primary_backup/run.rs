//! The system as the simulator runs it: two servers, their oracles, their clients, and the weather.

use squall_sim::System;
use squall_sim::profile::{Profile, Shape};

use super::oracle::Promises;
use super::process::{Bug, Replica};
use super::workload::Clients;

/// The two servers, with or without a bug, in the weather of `storm.toml`.
pub(crate) fn system(bug: Option<Bug>) -> System<Replica, Promises, Clients> {
    System {
        setup: bug,
        oracle: Promises::default(),
        workload: Clients,
        shape: Shape { processes: 2, core_size: 2, timeout_us: 200_000 },
        profile: Profile::parse(include_str!("storm.toml"), "storm.toml").expect("a test reads it"),
    }
}
