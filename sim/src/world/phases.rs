//! The two phases of a run: a storm in which nothing bad may happen, then a healed core in which something
//! good must. docs/fault-model.md: "Two phases".
//!
//! When the second phase begins, the core is put right and every other fault freezes as it stands: who was
//! down stays down, what was cut stays cut, a disk that hung goes on hanging, and the links between the core and
//! the others lose and delay as before, or are cut for good.

use super::faults::ActiveFault;
use super::idle::{Idle, IdleWhy};
use super::slot::Processes;
use super::{Verdict, World};
use crate::choice::Purpose;
use crate::client::ClientState;
use crate::disk::DiskLatency;
use crate::fault::Cut;
use crate::ids::{ClientId, Link, ProcessId, ProcessSet};
use crate::parameters::Limits;
use crate::process::{Oracle, Process, Standing, Violation, Workload};
use crate::time::Time;
use crate::trace::RecordKind;

/// How fast the disks of the healed core are.
const HEALED_DISK: DiskLatency =
    DiskLatency { read_us_mean: 50, write_us_mean: 10, sync_us_mean: 1_000, us_max: 5_000 };

/// A core that only comes further, and does not settle, is given up after so many times the phase's length.
const ADVANCING_PHASES_MAX: u64 = 20;

/// The oracle is asked whether the core has settled once in so many steps.
const STEPS_BETWEEN_QUESTIONS: u64 = 16;

/// Of so many clients that were not served it is told what they got.
const CLIENTS_TOLD: usize = 4;

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Everything may fail.
    Safety,
    /// The core is healed; it must settle and serve. `progress` is when it last served a client, came further than
    /// `furthest`, or began.
    Liveness { core: ProcessSet, began: Time, progress: Time, furthest: u64 },
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// When the phase ends at the latest. A core that goes on serving, however slowly, may take its time.
    #[inline]
    pub(super) fn phase_end(&self) -> Time {
        match self.phase {
            Phase::Safety => Time::START.after(self.parameters.limits.safety_us),
            Phase::Liveness { progress, .. } => progress.after(self.parameters.limits.liveness_us),
        }
    }

    /// Whether faults still strike and end.
    #[inline]
    pub(super) fn is_stormy(&self) -> bool {
        self.phase == Phase::Safety
    }

    /// The healed core, if there is one.
    #[inline]
    pub(super) fn core(&self) -> Option<ProcessSet> {
        match self.phase {
            Phase::Safety => None,
            Phase::Liveness { core, .. } => Some(core),
        }
    }

    /// Whether a process that is down or paused may come back by itself.
    pub(super) fn may_recover(&self, id: ProcessId) -> bool {
        self.core().is_none_or(|core| core.contains(id)) && !self.slots[id.slot()].stays_down
    }

    /// The phase has come to its end.
    pub(super) fn end_phase(&mut self) {
        self.step += 1;
        self.give_up_what_waits();
        match self.phase {
            Phase::Safety if self.parameters.limits.liveness_us == 0 => self.finish(),
            Phase::Safety => self.begin_liveness(),
            Phase::Liveness { core, .. } => {
                let processes = Processes::new(&self.slots, &self.network, &self.setup);
                if self.oracle.excuses_stall(core, &processes) {
                    return self.finish();
                }
                let length = Time(self.parameters.limits.liveness_us);
                self.fail_liveness(core, &format!("and served nobody for {length}"));
            }
        }
    }

    /// The run has used up its events. A storm may be too much to simulate; a healed core that spins never comes to
    /// rest.
    pub(super) fn run_out_of_events(&mut self) {
        let events = self.parameters.limits.events;
        match self.phase {
            Phase::Safety => {
                self.conclude(Verdict::Inconclusive(format!("more than {events} events by {}", self.now)));
            }
            Phase::Liveness { core, .. } => {
                self.fail_liveness(core, &format!("before the run's {events} events were used up"));
            }
        }
    }

    fn fail_liveness(&mut self, core: ProcessSet, how: &str) {
        let message = self.explain_stall(core, how);
        self.violate(Violation { class: "Liveness", message });
        if self.verdict.is_none() {
            // It does not count, or all that fires is asked for: then what was served is judged, too.
            self.finish();
        }
    }

    /// The crashes that are still waited for do not come, nor do old images of disks.
    fn give_up_what_waits(&mut self) {
        let unsprung = self.slots.iter_mut().filter_map(|slot| slot.trap.take());
        let unsprung = unsprung.map(|trap| Idle { event: trap.fault, why: IdleWhy::TooFewOperations });
        let halves = self.active.iter().flatten().filter_map(ActiveFault::only_prepared);
        let halves = halves.map(|event| Idle { event, why: IdleWhy::StormIsOver });
        self.idle.extend(unsprung.chain(halves));
    }

    fn begin_liveness(&mut self) {
        self.safety_us = self.now.0;
        let Some(core) = self.choose_core() else {
            if self.oracle.excuses_missing_core() {
                return self.finish();
            }
            let size = self.parameters.limits.core_size;
            return self
                .conclude(Verdict::Inconclusive(format!("fewer than {size} processes can be healed")));
        };
        self.phase = Phase::Liveness { core, began: self.now, progress: self.now, furthest: 0 };
        self.record(None, RecordKind::PhaseBegan, 0, 1, core.0, 0);
        self.active.clear();
        self.clients.iter_mut().for_each(|client| client.first_fresh = client.number + 1);
        self.workload.healed(core);
        for id in (0..self.parameters.processes()).map(ProcessId) {
            if core.contains(id) {
                self.heal_process(id);
            } else {
                self.slots[id.slot()].disk.freeze(self.now);
                self.schedule_disk(id);
            }
        }
        for from in core.iter() {
            for to in core.iter() {
                let link = Link { from, to };
                self.network.link_mut(link).heal();
                self.release(link);
            }
        }
        if self.parameters.limits.core_is_alone {
            let links = self.network.resolve(&Cut::Split(core), None);
            self.cut(&links);
        }
    }

    fn heal_process(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        slot.disk.heal(self.now, HEALED_DISK);
        // A pause that froze the clock ends first: its thaw belongs to it.
        self.resume(id);
        self.slots[id.slot()].clock.heal(self.now);
        self.schedule_disk(id);
        if self.slots[id.slot()].process.is_some() {
            self.schedule_timer(id);
        } else {
            self.start(id);
        }
    }

    /// The oracle's choice, or one drawn among those that can be healed.
    fn choose_core(&mut self) -> Option<ProcessSet> {
        let Limits { core_size: size, core_is_alone: is_alone, .. } = self.parameters.limits;
        let mut draw = self.choice.draw(Purpose::Core, 1, 0);
        let processes = Processes::new(&self.slots, &self.network, &self.setup);
        let chosen = self.oracle.choose_core(size, is_alone, &mut draw, &processes);
        if let Some(core) = chosen {
            let is_possible = |id: ProcessId| self.slots.get(id.slot()).is_some_and(|slot| !slot.stays_down);
            return Some(core).filter(|core| !core.is_empty() && core.iter().all(is_possible));
        }
        let mut candidates: Vec<ProcessId> = (0..self.parameters.processes())
            .map(ProcessId)
            .filter(|id| !self.slots[id.slot()].stays_down)
            .collect();
        let mut core = ProcessSet::EMPTY;
        for number in 0..size {
            let last = (candidates.len() as u64).checked_sub(1)?;
            let mut draw = self.choice.draw(Purpose::Core, 0, u64::from(number));
            core = core.with(candidates.swap_remove(draw.range("member", 0, last) as usize));
        }
        Some(core)
    }

    /// Notes an answer to a client's present operation, if it was thought of in the liveness phase.
    pub(super) fn count_fresh_answer(&mut self, id: ClientId) {
        let client = &mut self.clients[id.slot()];
        if let Phase::Liveness { progress, .. } = &mut self.phase
            && client.number >= client.first_fresh
        {
            // An answer that nobody waits for is no progress: the phase must end.
            if client.fresh_answers < self.parameters.limits.liveness_operations {
                *progress = self.now;
            }
            client.fresh_answers += 1;
        }
    }

    /// Ends the liveness phase once the clients have been served and the oracle is content.
    #[inline]
    pub(super) fn maybe_settle(&mut self) {
        let Phase::Liveness { core, began, progress, furthest } = &mut self.phase else { return };
        if !self.step.is_multiple_of(STEPS_BETWEEN_QUESTIONS) || self.verdict.is_some() {
            return;
        }
        match self.oracle.standing(self.now, *core, &Processes::new(&self.slots, &self.network, &self.setup))
        {
            Standing::AtRest => {
                if (0..self.parameters.clients.count).all(|number| self.is_served(ClientId(number))) {
                    self.finish();
                }
            }
            Standing::Advancing(reached) => {
                let patience_us = self.parameters.limits.liveness_us.saturating_mul(ADVANCING_PHASES_MAX);
                if reached > *furthest && self.now < began.after(patience_us) {
                    (*furthest, *progress) = (reached, self.now);
                }
            }
        }
    }

    fn is_served(&self, id: ClientId) -> bool {
        let client = &self.clients[id.slot()];
        client.fresh_answers >= self.parameters.limits.liveness_operations
            || matches!(client.state, ClientState::Finished)
    }

    fn explain_stall(&mut self, core: ProcessSet, how: &str) -> String {
        let members: Vec<String> = core.iter().map(|id| id.to_string()).collect();
        let mut message = format!("the healed core {} did not come to rest {how}", members.join(" "));
        message.push_str(&self.explain_unserved());
        let standing =
            self.oracle.standing(self.now, core, &Processes::new(&self.slots, &self.network, &self.setup));
        if standing != Standing::AtRest {
            message.push_str("; the oracle says that it has not settled");
        }
        message
    }

    /// How many clients were not served, and what the first of them got.
    fn explain_unserved(&self) -> String {
        let clients = self.parameters.clients.count;
        let unserved: Vec<ClientId> = (0..clients).map(ClientId).filter(|id| !self.is_served(*id)).collect();
        if unserved.is_empty() {
            return String::new();
        }
        let got = |id: &ClientId| format!("{id} {}", self.clients[id.slot()].fresh_answers);
        let told: Vec<String> = unserved.iter().take(CLIENTS_TOLD).map(got).collect();
        let more = if unserved.len() > CLIENTS_TOLD { ", ..." } else { "" };
        format!(
            "; {} of {clients} clients got fewer than {} fresh answers: {}{more}",
            unserved.len(),
            self.parameters.limits.liveness_operations,
            told.join(", "),
        )
    }

    /// The run has ended well so far: what is checked over the whole of it.
    fn finish(&mut self) {
        if let Err(violation) =
            self.oracle.finished(&self.history, &Processes::new(&self.slots, &self.network, &self.setup))
        {
            self.violate(violation);
        }
        self.conclude(Verdict::Passed);
    }
}
