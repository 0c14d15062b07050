//! Lives: starting, crashing, halting, pausing; and a life's two clocks of its own, timer and disk.

use super::World;
use super::act::Occasion;
use super::idle::IdleWhy;
use super::slot::{Pause, Schedule, Stage, Trap};
use crate::disk::{CrashEffects, Failed};
use crate::env::Env;
use crate::fault::{CrashKind, DiskFailure, PausedClock};
use crate::ids::ProcessId;
use crate::mark::FRAMEWORK;
use crate::process::{Oracle, Process, Violation, Workload};
use crate::queue::{Event, Sequence};
use crate::sometimes;
use crate::time::LocalTime;
use crate::trace::{NO_FILE, RecordKind};

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// The outage is over.
    pub(super) fn handle_restart(&mut self, id: ProcessId, event: Sequence) {
        let slot = &self.slots[id.slot()];
        if event == slot.restart_event && slot.stage == Stage::Down && self.may_recover(id) {
            self.start(id);
        }
    }

    /// Begins a life.
    pub(super) fn start(&mut self, id: ProcessId) {
        self.step += 1;
        let slot = &mut self.slots[id.slot()];
        debug_assert!(slot.process.is_none() && !slot.stays_down);
        slot.life += 1;
        slot.disk.set_now(self.now);
        let mut env = Env {
            id,
            time: self.now,
            local: slot.clock.local(self.now),
            clock: &slot.clock,
            disk: &mut slot.disk,
            effects: &mut self.effects,
            marks: &mut self.user_marks,
        };
        match P::start(&self.setup, id, &mut env) {
            Ok(process) => self.begin_life(id, process),
            Err(reason) => self.refuse_life(id, &reason),
        }
    }

    fn begin_life(&mut self, id: ProcessId, process: P) {
        let slot = &mut self.slots[id.slot()];
        let (life, cause, digest) = (u64::from(slot.life), slot.cause, process.digest());
        slot.process = Some(process);
        slot.stage = Stage::Starting;
        self.record(Some(id), RecordKind::Started, cause, life, 0, digest);
        if let Some(at) = self.effects.wake_at.take() {
            self.set_timer(id, at);
        }
        self.hear_milestones(id);
        self.send_all(id);
        assert!(self.effects.responses.is_empty(), "{id} answered before it was asked anything");
        if let Some(reason) = self.effects.halt.take() {
            return self.halt(id, &reason);
        }
        self.schedule_disk(id);
        if self.slots[id.slot()].disk.is_idle() {
            self.handle_disk_idle(id);
        }
    }

    /// The process did not start: what it began on its disk is left as a crash of the process leaves it.
    fn refuse_life(&mut self, id: ProcessId, reason: &str) {
        self.effects = crate::env::Effects::default();
        let slot = &mut self.slots[id.slot()];
        let failed = slot.disk.failed();
        slot.disk.crash(self.now, CrashKind::Process);
        let (life, cause) = (u64::from(slot.life), slot.cause);
        self.record(Some(id), RecordKind::Halted, cause, life, 0, 0);
        if let Some(failed) = failed {
            sometimes!(self.marks, FRAMEWORK, "a start failed with the disk", true);
            return self.come_back(id, failed);
        }
        self.slots[id.slot()].stays_down = true;
        if !self.oracle.excuses(id, reason) {
            let message = format!("{id} did not start at {}: {reason}", self.now);
            self.violate(Violation { class: "StartFailed", message });
        }
    }

    /// The process ends by its own word. It stays down, but where its disk had failed: that is reason enough, and it comes
    /// back.
    pub(super) fn halt(&mut self, id: ProcessId, reason: &str) {
        let failed = self.slots[id.slot()].disk.failed();
        self.end_life(id, CrashKind::Process);
        let life = u64::from(self.slots[id.slot()].life);
        self.record(Some(id), RecordKind::Halted, self.step, life, 0, 0);
        if let Some(failed) = failed {
            return self.come_back(id, failed);
        }
        self.slots[id.slot()].stays_down = true;
        if !self.oracle.excuses(id, reason) {
            let message = format!("{id} halted at {}: {reason}", self.now);
            self.violate(Violation { class: "Halted", message });
        }
    }

    /// A life that ended over a failure of the disk is followed by another.
    fn come_back(&mut self, id: ProcessId, failed: Failed) {
        let (marks, failure) = (&mut self.marks, failed.failure);
        sometimes!(marks, FRAMEWORK, "a process ended because a read failed", failure == DiskFailure::Read);
        sometimes!(marks, FRAMEWORK, "a process ended because a write failed", failure == DiskFailure::Write);
        sometimes!(marks, FRAMEWORK, "a process ended because a sync failed", failure == DiskFailure::Sync);
        sometimes!(
            marks,
            FRAMEWORK,
            "a process ended because its disk was full",
            failure == DiskFailure::Space
        );
        let slot = &mut self.slots[id.slot()];
        slot.restart_event = self.queue.push(self.now.after(failed.outage_us.max(1)), Event::Restart(id));
        slot.cause = self.step;
    }

    /// The process dies and comes back after the outage. A machine that is down can still lose its power.
    pub(super) fn crash(&mut self, id: ProcessId, kind: CrashKind, outage_us: u64, fault: u32) {
        self.step += 1;
        let is_up = self.slots[id.slot()].process.is_some();
        if is_up {
            self.end_life(id, kind);
        } else if kind == CrashKind::PowerLoss {
            let effects = self.slots[id.slot()].disk.crash(self.now, kind);
            self.mark_crash(&effects);
        }
        let slot = &mut self.slots[id.slot()];
        slot.restart_event = self.queue.push(self.now.after(outage_us), Event::Restart(id));
        slot.cause = self.step;
        let record_kind = match kind {
            CrashKind::Process => RecordKind::Crashed,
            CrashKind::PowerLoss => RecordKind::PowerLost,
        };
        let (life, digest) = (u64::from(slot.life), slot.disk.operations_completed());
        self.record(Some(id), record_kind, 0, u64::from(fault), life, digest);
        let is_all_down = self.slots.iter().all(|slot| slot.process.is_none());
        sometimes!(self.marks, FRAMEWORK, "every process was down", is_all_down);
    }

    fn end_life(&mut self, id: ProcessId, kind: CrashKind) {
        let slot = &mut self.slots[id.slot()];
        slot.process = None;
        slot.stage = Stage::Down;
        slot.held_sends.clear();
        let unsprung = slot.trap.take();
        slot.owes_disk_done = false;
        slot.timer = None;
        slot.timer_schedule = Schedule::default();
        slot.disk_schedule = Schedule::default();
        if slot.pause.take().is_some_and(|pause| pause.is_frozen) {
            slot.clock.thaw(self.now);
        }
        let effects = slot.disk.crash(self.now, kind);
        self.mark_crash(&effects);
        self.oracle.stopped(self.now, id, kind);
        self.empty_inbox(id);
        if let Some(trap) = unsprung {
            self.does_nothing(trap.fault, IdleWhy::TooFewOperations);
        }
    }

    fn mark_crash(&mut self, effects: &CrashEffects) {
        let marks = &mut self.marks;
        let is_pending = effects.operations_lost > 0 || effects.operation_cut;
        sometimes!(marks, FRAMEWORK, "a process crashed with disk operations pending", is_pending);
        sometimes!(marks, FRAMEWORK, "a crash cut a disk operation in two", effects.operation_cut);
        sometimes!(marks, FRAMEWORK, "a power loss tore a page", effects.pages_damaged > 0);
        sometimes!(marks, FRAMEWORK, "a power loss dropped a file's changes", effects.files_dropped > 0);
        sometimes!(marks, FRAMEWORK, "a power loss lost a directory entry", effects.entries_lost > 0);
        let is_grown = effects.growth_without_data > 0;
        sometimes!(marks, FRAMEWORK, "a power loss left a length without its data", is_grown);
        let is_short = effects.data_without_growth > 0;
        sometimes!(marks, FRAMEWORK, "a power loss left data without its length", is_short);
        sometimes!(marks, FRAMEWORK, "a power loss revealed what a failed sync had lost", effects.unkept > 0);
    }

    /// The process takes no part for a while. A pause within a pause makes it longer.
    pub(super) fn pause(&mut self, id: ProcessId, duration_us: u64, clock: PausedClock, fault: u32) {
        let slot = &mut self.slots[id.slot()];
        if slot.process.is_none() {
            return self.does_nothing(fault, IdleWhy::IsDown);
        }
        let asked = self.now.after(duration_us);
        let until = slot.pause.map_or(asked, |pause| pause.until.max(asked));
        let was_frozen = slot.pause.is_some_and(|pause| pause.is_frozen);
        let is_frozen = was_frozen || clock == PausedClock::Frozen;
        if is_frozen && !was_frozen {
            slot.clock.freeze(self.now);
        }
        let event = self.queue.push(until, Event::Resume(id));
        slot.pause = Some(Pause { event, until, is_frozen, fault });
        self.step += 1;
        slot.cause = self.step;
        sometimes!(self.marks, FRAMEWORK, "a process was frozen with its clock", is_frozen);
        self.record(Some(id), RecordKind::Paused, 0, u64::from(fault), 0, 0);
    }

    pub(super) fn handle_resume(&mut self, id: ProcessId, event: Sequence) {
        let is_due = self.slots[id.slot()].pause.is_some_and(|pause| pause.event == event);
        if is_due && self.may_recover(id) {
            self.resume(id);
        }
    }

    /// A paused process goes on: it finds its mail, its disk, and its timer if that has come.
    pub(super) fn resume(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        let Some(pause) = slot.pause.take() else { return };
        if pause.is_frozen {
            slot.clock.thaw(self.now);
        }
        sometimes!(
            self.marks,
            FRAMEWORK,
            "a process was paused while messages waited",
            !slot.inbox.is_empty()
        );
        self.step += 1;
        let cause = slot.cause;
        self.record(Some(id), RecordKind::Resumed, cause, u64::from(pause.fault), 0, 0);
        let slot = &mut self.slots[id.slot()];
        if slot.is_listening() {
            self.empty_inbox(id);
        }
        if core::mem::take(&mut self.slots[id.slot()].owes_disk_done) {
            self.handle_disk_idle(id);
        }
        self.schedule_timer(id);
    }

    /// The process asks to be woken.
    #[inline]
    pub(super) fn set_timer(&mut self, id: ProcessId, at: LocalTime) {
        let slot = &mut self.slots[id.slot()];
        slot.timer = Some(at);
        slot.timer_schedule.cause = self.step;
        // A timer that is moved back, as most are all the time, keeps its entry in the queue: when that
        // comes up, the timer is scheduled anew.
        let due = slot.clock.time_of(at, self.now);
        if slot.timer_schedule.due.is_none_or(|known| due.is_some_and(|due| due < known)) {
            self.schedule_timer(id);
        }
    }

    /// Puts the timer where it belongs in the queue; after it was asked for, and whenever the clock changed.
    pub(super) fn schedule_timer(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        let due = slot.timer.and_then(|at| slot.clock.time_of(at, self.now));
        slot.timer_schedule.due = due;
        if let Some(due) = due {
            slot.timer_schedule.event = self.queue.push(due, Event::Timer(id));
        }
    }

    #[inline]
    pub(super) fn handle_timer(&mut self, id: ProcessId, event: Sequence) {
        let slot = &mut self.slots[id.slot()];
        if event != slot.timer_schedule.event || slot.timer_schedule.due.is_none() {
            return;
        }
        slot.timer_schedule.due = None;
        // A process that does not listen gets its timer when it does.
        let Some(at) = slot.timer.filter(|_| slot.is_listening()) else { return };
        let local = slot.clock.local(self.now);
        if local < at {
            return self.schedule_timer(id);
        }
        slot.timer = None;
        let cause = slot.timer_schedule.cause;
        let occasion = Occasion { kind: RecordKind::TimerFired, cause, a: local.0, b: 0, digest: 0 };
        self.act(id, occasion, P::wake);
    }

    /// Sees to it that the queue holds the completion of the disk's next operation.
    #[inline]
    pub(super) fn schedule_disk(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        let next = slot.disk.next_completion();
        if next == slot.disk_schedule.due {
            return;
        }
        slot.disk_schedule.due = next;
        slot.disk_schedule.cause = self.step;
        if let Some(due) = next {
            slot.disk_schedule.event = self.queue.push(due.max(self.now), Event::Disk(id));
        }
    }

    #[inline]
    pub(super) fn handle_disk(&mut self, id: ProcessId, event: Sequence) {
        let slot = &mut self.slots[id.slot()];
        if event != slot.disk_schedule.event || slot.disk_schedule.due.take().is_none() {
            return;
        }
        let Some(done) = slot.disk.complete(self.now) else { return self.schedule_disk(id) };
        let cause = slot.disk_schedule.cause;
        let completed = slot.disk.operations_completed();
        let trap = slot.trap.take_if(|trap| trap.operations_completed <= completed);
        let is_idle = slot.disk.is_idle();
        self.step += 1;
        let file = done.file.map_or(NO_FILE, |file| u64::from(file.0));
        let extent = done.offset.rotate_left(32) ^ done.len;
        let operation = done.operation as u64;
        self.record(Some(id), RecordKind::DiskCompleted, cause, operation, file, extent);
        if let Some(trap) = trap {
            sometimes!(self.marks, FRAMEWORK, "a process crashed between two disk operations", !is_idle);
            return self.crash(id, trap.kind, trap.outage_us, trap.fault);
        }
        if is_idle {
            self.handle_disk_idle(id);
        } else {
            self.schedule_disk(id);
            self.slots[id.slot()].disk_schedule.cause = cause;
        }
    }

    /// Everything that was issued is done.
    pub(super) fn handle_disk_idle(&mut self, id: ProcessId) {
        let slot = &mut self.slots[id.slot()];
        if slot.pause.is_some() {
            slot.owes_disk_done = true;
            return;
        }
        let was_starting = slot.stage == Stage::Starting;
        slot.stage = Stage::Running;
        if was_starting
            && let Some(process) = &mut slot.process
            && let Err(violation) = self.oracle.started(self.now, id, process, &slot.disk)
        {
            self.violate(violation);
        }
        let slot = &mut self.slots[id.slot()];
        let (cause, operations) = (slot.disk_schedule.cause, slot.disk.operations_completed());
        if was_starting && !slot.held_sends.is_empty() {
            let mut held = core::mem::take(&mut slot.held_sends);
            self.effects.sends.append(&mut held);
            self.send_all(id);
        }
        let occasion = Occasion { kind: RecordKind::DiskIdle, cause, a: operations, b: 0, digest: 0 };
        self.act(id, occasion, P::disk_done);
        if was_starting && self.slots[id.slot()].is_listening() {
            self.empty_inbox(id);
            self.schedule_timer(id);
        }
    }

    /// Arms a crash that waits for the process's disk; a second one replaces the first.
    pub(super) fn set_trap(&mut self, id: ProcessId, operations: u64, mut trap: Trap) {
        let slot = &mut self.slots[id.slot()];
        if slot.process.is_none() {
            return self.does_nothing(trap.fault, IdleWhy::IsDown);
        }
        trap.operations_completed = slot.disk.operations_completed().saturating_add(operations);
        if let Some(replaced) = slot.trap.replace(trap) {
            self.does_nothing(replaced.fault, IdleWhy::IsReplaced);
        }
    }
}
