//! Small clusters in worlds of their own, for tests of what looks at whole servers and their disks.

use squall_sim::World;
use squall_sim::scenario;
use squall_sim::trace::{Keep, Recorder};

use crate::log::Detail;
use crate::oracles::Oracles;
use crate::profile::Plan;
use crate::script;
use crate::server::Server;
use crate::workload::Clients;

pub(crate) type Cluster = World<Server, Oracles, Clients>;

/// A cluster at the beginning of the run that the lines of a scenario state.
pub(crate) fn cluster(lines: &str) -> Cluster {
    let scenario = scenario::parse(&format!("squall-scenario 1\n{lines}"), "test").expect("it can be read");
    let plan = script::plan_of(&scenario).expect("it makes sense");
    let Plan { setup, parameters, workload, faults } = plan;
    let oracles = Oracles::new(&setup, Detail::Nothing);
    let (clients, wanted) = (parameters.clients.count, parameters.limits.liveness_operations);
    let clients = Clients::new(workload, clients, parameters.processes(), wanted);
    let recorder = Recorder::new(Keep::Hash);
    World::new(setup, parameters, faults, scenario.choice(), oracles, clients, recorder)
        .expect("it can be simulated")
}
