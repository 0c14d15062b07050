//! Clusters in worlds of their own, for tests that look inside a run.

use squall_scenarios::log::Detail;
use squall_scenarios::oracles::Oracles;
use squall_scenarios::profile::{self, Plan, Profile};
use squall_scenarios::server::Server;
use squall_scenarios::workload::Clients;
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{Choice, World};

pub(crate) type Cluster = World<Server, Oracles, Clients>;

pub(crate) fn storm() -> Profile {
    profile::load("storm").expect("the profile is built in and right")
}

/// A cluster at the beginning of its run.
pub(crate) fn cluster(plan: Plan, choice: Choice) -> Cluster {
    let Plan { setup, parameters, workload, faults } = plan;
    let oracles = Oracles::new(&setup, Detail::Nothing);
    let (clients, wanted) = (parameters.clients.count, parameters.limits.liveness_operations);
    let clients = Clients::new(workload, clients, parameters.processes(), wanted);
    World::new(setup, parameters, faults, choice, oracles, clients, Recorder::new(Keep::Hash))
        .expect("what a profile draws can be simulated")
}
