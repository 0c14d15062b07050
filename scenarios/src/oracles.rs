//! All that is held against the cluster, event by event and at the end of a run.
//!
//! The invariants and the specification see each event of each node; now and then a disk is recovered in earnest;
//! the end of a run judges the clients' history. Every run has all of them on.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_files::Limits;
use squall_sim::anchor::Turn;
use squall_sim::fault::{CrashKind, FaultEvent, Ruin};
use squall_sim::mark::Marks;
use squall_sim::process::{Extent, Oracle, Standing, Violation};
use squall_sim::world::Processes;
use squall_sim::{Draw, ProcessId, ProcessSet, SimDisk, Time, sometimes};

use crate::atlas::{Damage, Rotted};
use crate::client::Call;
use crate::invariants::Invariants;
use crate::log::Detail;
use crate::membership::NodeSet;
use crate::observation::Step;
use crate::rest::Rest;
use crate::server::{BELIEVED, DiskView, Server, Setup, node_id};
use crate::spec::Spec;
use crate::{atlas, core, linearizability, log, marks, recovery};

#[cfg(test)]
mod tests;

/// The oracles of one run.
#[derive(Clone, Debug)]
pub struct Oracles {
    invariants: Invariants,
    spec: Spec,
    /// What the cluster's state machine is, as in the setup.
    files: Option<Limits>,
    /// At which sync group of its life each server's disk is next recovered in earnest.
    check_at_group: Vec<u64>,
    /// No core can go on, and a server may have lost the end of its log.
    head_is_missed: bool,
    rest: Rest,
    /// What fired that neither the invariants nor the specification keep.
    others: Vec<Violation>,
    marks: Marks,
    log: Option<log::Log>,
    /// What was applied since a disk forgot: the client operations.
    applied: BTreeSet<u128>,
    /// What has gone bad on the disks.
    damage: Damage,
    /// The classes of violations that do not count.
    ignored: Arc<[&'static str]>,
}

impl Oracles {
    /// The oracles of such a cluster; so much of what happens is told.
    #[must_use]
    pub fn new(setup: &Setup, log: Detail) -> Self {
        let (nodes, voters) = (setup.nodes(), setup.first_voters());
        let witnesses: NodeSet = setup.witnesses().collect();
        let spec = Spec::new(&nodes, &voters, setup.raft.lease_drift_ppm);
        Self {
            invariants: Invariants::new(&nodes, &voters).with_witnesses(witnesses),
            spec: spec.with_witnesses(witnesses, setup.raft.election_timeout),
            files: setup.files,
            check_at_group: vec![0; nodes.len()],
            head_is_missed: false,
            rest: Rest::default(),
            others: Vec::new(),
            marks: Marks::default(),
            log: log::Log::new(log),
            applied: BTreeSet::new(),
            damage: Damage::default(),
            ignored: Arc::default(),
        }
    }

    /// The same, where violations of these classes do not count.
    #[must_use]
    pub fn ignoring(self, classes: Arc<[&'static str]>) -> Self {
        let invariants = self.invariants.ignoring(Arc::clone(&classes));
        Self { invariants, ignored: classes, ..self }
    }

    /// The classes of everything that fired, in the order in which it did within each oracle.
    #[must_use]
    pub fn fired(&self) -> Vec<&'static str> {
        let all = self.invariants.violations().iter().chain(self.spec.violations()).chain(&self.others);
        all.map(|violation| violation.class).collect()
    }

    /// Judges what a server did in one event.
    fn judge(&mut self, id: ProcessId, server: &mut Server, disk: &SimDisk) -> Result<(), Violation> {
        if self.damage.has_forgotten() {
            for step in &server.observation.steps {
                if let Step::Applied { operation, .. } = step {
                    self.applied.insert(*operation);
                }
            }
            server.observation.clear();
            return Ok(());
        }
        let (observation, node) = (&server.observation, node_id(id));
        for step in &observation.steps {
            if let Step::Truncated { from } = step {
                let is_spread = self.invariants.copies(node, *from) > 1;
                sometimes!(self.marks, marks::NAMES, "an entry on several disks was overwritten", is_spread);
            } else if let Step::Reset { base } = step {
                let is_over = self.invariants.is_in_conflict(node, *base);
                sometimes!(
                    self.marks,
                    marks::NAMES,
                    "a snapshot was installed over a log in conflict",
                    is_over
                );
            } else if let Step::SnapshotTaken(snapshot) = step {
                let is_second = self.invariants.taker(*snapshot).is_some_and(|taker| taker != node);
                sometimes!(self.marks, marks::NAMES, "two servers took the same snapshot", is_second);
            } else if let Step::SnapshotReceived(snapshot) = step {
                let was_lost = self.damage.renewed(id, snapshot.last.index);
                sometimes!(
                    self.marks,
                    marks::NAMES,
                    "a snapshot that had lost bytes is whole again",
                    was_lost
                );
            } else if let Step::Repaired { position, .. } = step {
                self.damage.repaired(id, *position);
            }
        }
        let (identity, is_ruined) = (server.setup().identity(id), self.damage.is_ruined(id));
        let view = DiskView::new(server.storage(), identity, disk).of_ruined(is_ruined);
        let invariants = self.invariants.observe(node, observation, &view);
        let counts = |violation: &Violation| !self.ignored.contains(&violation.class);
        let spec = self
            .spec
            .observe(node, observation)
            .or_else(|broken| if counts(&broken) { Err(broken) } else { Ok(()) });
        server.observation.clear();
        invariants.and(spec)
    }

    /// Recovers a copy of the disk as a power loss would leave it now: what comes out is what was promised.
    fn check_recovery(&mut self, id: ProcessId, server: &Server, disk: &SimDisk) -> Result<(), Violation> {
        if server.groups < self.check_at_group[id.slot()] || self.damage.has_forgotten() {
            return Ok(());
        }
        // A recovery reads the whole log: the longer it is, the rarer the check, so that the cost stays in
        // proportion to the run.
        let length = server.status().last_log.index.0;
        self.check_at_group[id.slot()] = server.groups + server.setup().recovery_check_every + length / 2;
        let result = recovery::check(id, server, disk, &self.invariants, &self.damage);
        self.others.extend(result.clone().err());
        result
    }
}

impl Oracle<Server> for Oracles {
    fn started(
        &mut self,
        now: Time,
        id: ProcessId,
        server: &mut Server,
        disk: &SimDisk,
    ) -> Result<(), Violation> {
        self.check_at_group[id.slot()] = server.setup().recovery_check_every;
        // Its joint configuration and what it led to.
        let missed = self.invariants.changes_committed_after(server.status().last_log.index) >= 2;
        sometimes!(
            self.marks,
            marks::NAMES,
            "a node slept through a whole change of the membership",
            missed && server.status().is_voter
        );
        if let Some(log) = &mut self.log {
            log.started(now, id, &server.status());
        }
        self.judge(id, server, disk)
    }

    fn stopped(&mut self, now: Time, id: ProcessId, kind: CrashKind) {
        if !self.damage.has_forgotten() {
            self.invariants.stopped(node_id(id));
        }
        if let Some(log) = &mut self.log {
            log.stopped(now, id, kind);
        }
    }

    fn after(
        &mut self,
        now: Time,
        id: ProcessId,
        server: &mut Server,
        disk: &SimDisk,
    ) -> Result<(), Violation> {
        if let Some(log) = &mut self.log {
            let (status, steps) = (server.status(), &server.observation.steps);
            log.after(now, id, &status, server.replica().raft().configuration(), steps);
        }
        self.judge(id, server, disk)?;
        self.check_recovery(id, server, disk)
    }

    fn fault_turned(&mut self, now: Time, turn: Turn, event: &FaultEvent) {
        if let Some(log) = &self.log {
            log.fault_turned(now, turn, event);
        }
    }

    /// Whoever lost its disk does not come back under its old name, and whoever's is ruined may know it, but may not
    /// have believed it.
    fn excuses(&mut self, id: ProcessId, reason: &str) -> bool {
        let is_ruined = self.damage.is_ruined(id) && !reason.starts_with(BELIEVED);
        sometimes!(self.marks, marks::NAMES, "a server gave up a disk that was ruined", is_ruined);
        is_ruined || self.damage.lost_disks().contains(id) || self.damage.has_forgotten()
    }

    fn may_ruin(
        &mut self,
        id: ProcessId,
        how: Ruin,
        extents: Vec<Extent>,
        processes: &Processes<'_, Server>,
    ) -> Vec<Vec<Extent>> {
        atlas::may_ruin(id, how, extents, processes, &self.invariants, &self.damage)
    }

    fn ruined(&mut self, id: ProcessId, how: Ruin, extents: &[Extent]) {
        self.damage.note_ruined(id, how);
        self.spec.ruined(node_id(id));
        extents.iter().for_each(|extent| self.rotted(id, extent));
    }

    fn image_restored(&mut self, _id: ProcessId) {
        self.damage.note_forgotten();
    }

    fn may_lose_disk(&mut self, id: ProcessId, processes: &Processes<'_, Server>) -> bool {
        atlas::may_lose_disk(id, processes, &self.invariants, &self.damage)
    }

    fn disk_lost(&mut self, id: ProcessId) {
        self.damage.note_lost_disk(id);
    }

    fn may_rot(
        &self,
        id: ProcessId,
        extents: &[Extent],
        processes: &Processes<'_, Server>,
    ) -> impl Fn(usize) -> bool {
        atlas::may_rot(id, extents, processes, &self.invariants, &self.damage)
    }

    fn rotted(&mut self, id: ProcessId, extent: &Extent) {
        match self.damage.note(id, extent) {
            Some(Rotted::Entry(position)) => self.spec.rotted(node_id(id), position),
            Some(Rotted::Snapshot(last)) => self.spec.snapshot_rotted(node_id(id), last),
            None => {}
        }
    }

    /// Where members come and go, or some are witnesses, a core that can go on whichever of the logs there are prevails.
    fn choose_core(
        &mut self,
        _size: u32,
        is_alone: bool,
        draw: &mut Draw<'_>,
        processes: &Processes<'_, Server>,
    ) -> Option<ProcessSet> {
        self.rest.begin(is_alone);
        let core = core::choose(&self.invariants, is_alone, draw, processes, &self.damage)?;
        self.head_is_missed = core.is_empty() && core::has_uncertain_head(processes, &self.damage);
        let is_bare = core::rests_on_witnesses(&self.invariants, core);
        sometimes!(self.marks, marks::NAMES, "a core rested on a witness", is_bare);
        Some(core)
    }

    /// Whoever lost its disk may be the only one that could say of an entry that nobody has it. And where somebody may have lost
    /// the end of its log, and without its word an entry can neither be given up nor counted as committed, everybody waits
    /// rightly: docs/fault-model.md, "Heads that are uncertain".
    fn excuses_missing_core(&mut self) -> bool {
        let disk_is_lost = !self.damage.lost_disks().is_empty();
        let head_is_missed = !disk_is_lost && self.head_is_missed;
        sometimes!(self.marks, marks::NAMES, "a lost disk left no core that could go on", disk_is_lost);
        sometimes!(
            self.marks,
            marks::NAMES,
            "an uncertain head left no core that could go on",
            head_is_missed
        );
        disk_is_lost || head_is_missed
    }

    /// Where a witness knows what no voter has that could lead.
    fn excuses_stall(&mut self, core: ProcessSet, processes: &Processes<'_, Server>) -> bool {
        let waits = core::waits_for_what_a_witness_knows(&self.invariants, core, processes, &self.damage);
        sometimes!(self.marks, marks::NAMES, "a core waited for what a witness alone knows of", waits);
        waits
    }

    fn standing(&mut self, now: Time, core: ProcessSet, processes: &Processes<'_, Server>) -> Standing {
        if let Some(log) = &mut self.log {
            log.healed(now, core);
        }
        self.rest.standing(now, core, processes)
    }

    fn finished(&mut self, history: &[Call], _processes: &Processes<'_, Server>) -> Result<(), Violation> {
        let applied = self.invariants.applied_operations();
        let result = if self.damage.has_forgotten() {
            let applied = applied.iter().copied().chain(self.applied.iter().copied());
            linearizability::check_nothing_invented(history, applied)
        } else {
            linearizability::check(history, applied, self.files)
        };
        self.others.extend(result.clone().err());
        result
    }

    fn marks(&self) -> Marks {
        let mut marks = self.marks;
        marks.add(self.rest.marks());
        marks
    }
}
