//! All that is held against the stranger: the invariants that judge Squall's own servers, the same question whether a
//! healed core comes to rest, and the same check of the clients' history.
//!
//! The specification oracle is one of Squall's core, and the recovery of a copy of the disk in earnest one of its storage:
//! neither stands here.

use squall_files::Limits;
use squall_scenarios::invariants::Invariants;
use squall_scenarios::linearizability;
use squall_scenarios::rest::Rest;
use squall_scenarios::server::{DiskView, Setup, node_id};
use squall_sim::fault::CrashKind;
use squall_sim::mark::Marks;
use squall_sim::process::{Oracle, Standing, Violation};
use squall_sim::world::Processes;
use squall_sim::{Call, Draw, ProcessId, ProcessSet, SimDisk, Time};

use crate::server::TikvServer;

/// The oracles of one run.
#[derive(Clone, Debug)]
pub struct Oracles {
    invariants: Invariants,
    rest: Rest,
    /// What the cluster's state machine is, as in the setup.
    files: Option<Limits>,
    others: Vec<Violation>,
}

impl Oracles {
    /// The oracles of such a cluster.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        Self {
            invariants: Invariants::new(&setup.nodes(), &setup.first_voters()),
            rest: Rest::default(),
            files: setup.files,
            others: Vec::new(),
        }
    }

    /// The classes of everything that fired.
    #[must_use]
    pub fn fired(&self) -> Vec<&'static str> {
        self.invariants.violations().iter().chain(&self.others).map(|violation| violation.class).collect()
    }

    fn judge(&mut self, id: ProcessId, server: &mut TikvServer, disk: &SimDisk) -> Result<(), Violation> {
        let view = DiskView::new(&server.storage, server.setup.identity(id), disk);
        let result = self.invariants.observe(node_id(id), &server.observation, &view);
        server.observation.clear();
        result
    }
}

impl Oracle<TikvServer> for Oracles {
    fn started(
        &mut self,
        _now: Time,
        id: ProcessId,
        server: &mut TikvServer,
        disk: &SimDisk,
    ) -> Result<(), Violation> {
        self.judge(id, server, disk)
    }

    fn stopped(&mut self, _now: Time, id: ProcessId, _kind: CrashKind) {
        self.invariants.stopped(node_id(id));
    }

    fn after(
        &mut self,
        _now: Time,
        id: ProcessId,
        server: &mut TikvServer,
        disk: &SimDisk,
    ) -> Result<(), Violation> {
        self.judge(id, server, disk)
    }

    /// Any majority will do: no disk is damaged, and nobody comes or goes.
    fn choose_core(
        &mut self,
        _size: u32,
        is_alone: bool,
        _draw: &mut Draw<'_>,
        _processes: &Processes<'_, TikvServer>,
    ) -> Option<ProcessSet> {
        self.rest.begin(is_alone);
        None
    }

    fn standing(&mut self, now: Time, core: ProcessSet, processes: &Processes<'_, TikvServer>) -> Standing {
        self.rest.standing(now, core, processes)
    }

    fn finished(
        &mut self,
        history: &[Call<TikvServer>],
        _processes: &Processes<'_, TikvServer>,
    ) -> Result<(), Violation> {
        let result = linearizability::check(history, self.invariants.applied_operations(), self.files);
        self.others.extend(result.clone().err());
        result
    }

    fn marks(&self) -> Marks {
        self.rest.marks()
    }
}
