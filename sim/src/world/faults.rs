//! Carrying out the fault plan, and ending what it began. docs/fault-model.md: "Network", "Processes", "Clocks".

use std::sync::Arc;

use super::World;
use super::act::Occasion;
use super::idle::{Idle, IdleWhy};
use super::slot::Trap;
use crate::anchor::Turn;
use crate::choice::Ratio;
use crate::disk::ArmedFailure;
use crate::fault::{CrashKind, CrashWhen, Cut, Fault, Target};
use crate::ids::{Link, ProcessId, ProcessSet};
use crate::mark::FRAMEWORK;
use crate::process::{Oracle, Process, Workload};
use crate::queue::Event;
use crate::sometimes;
use crate::time::Time;
use crate::trace::RecordKind;

/// A fault that takes its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ActiveFault {
    id: u32,
    until: Time,
    course: Course,
}

impl ActiveFault {
    /// The number of its event, where all that it does comes at its end.
    pub(super) fn only_prepared(&self) -> Option<u32> {
        matches!(self.course, Course::OldImage { .. }).then_some(self.id)
    }
}

/// What a fault has under way.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Course {
    /// These links are cut.
    Cut(Vec<Link>),
    /// These links are cut and restored by turns.
    Flap { links: Vec<Link>, is_cut: bool, down_us: u64, up_us: u64 },
    /// These links are clogged.
    Clog(Vec<Link>),
    /// Processes are clogged one by one, then freed one by one.
    Swizzle(Swizzle),
    /// A process is to crash so many times more.
    CrashLoop { process: ProcessId, kind: CrashKind, crashes_left: u32, up_us: u64, outage_us: u64 },
    /// A clock stands still.
    Freeze(ProcessId),
    /// A process is to come back to a copy of its disk.
    OldImage { process: ProcessId, outage_us: u64 },
}

/// How far a swizzle has come.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Swizzle {
    clog: Vec<ProcessId>,
    free: Vec<ProcessId>,
    step_us: u64,
    steps: usize,
    clogged: ProcessSet,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// Schedules one fault of the plan that strikes at a time of its own. Only the next one is ever in the queue, which
    /// stays small that way.
    pub(super) fn schedule_fault(&mut self, place: u32) {
        self.next_fault = place;
        if let Some(event) = self.plan.get(place as usize).filter(|event| event.after.is_none()) {
            self.queue.push(event.at.max(self.now), Event::Fault(place));
        }
    }

    pub(super) fn handle_fault(&mut self, place: u32) {
        if !self.is_stormy() {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let event = &plan[place as usize];
        let id = event.id;
        let cause = match event.after {
            None => {
                self.schedule_fault(place + 1);
                0
            }
            Some(_) => self.anchors.strikes(place),
        };
        self.step += 1;
        self.record(None, RecordKind::FaultBegan, cause, u64::from(id), 0, u64::from(event.fault.kind()));
        self.turn(Turn::Begins(id));
        self.strike(id, &event.fault);
    }

    fn strike(&mut self, id: u32, fault: &Fault) {
        match fault {
            Fault::Partition { cut, duration_us } => {
                let links = self.links_of(id, cut);
                self.cut(&links);
                self.begin(id, *duration_us, *duration_us, Course::Cut(links));
            }
            Fault::Flapping { cut, down_us, up_us, duration_us } => {
                let links = self.links_of(id, cut);
                self.cut(&links);
                let course = Course::Flap { links, is_cut: true, down_us: *down_us, up_us: *up_us };
                self.begin(id, *duration_us, *down_us, course);
            }
            Fault::Clog { cut, duration_us } => {
                let links = self.links_of(id, cut);
                self.clog(links.iter().copied());
                self.begin(id, *duration_us, *duration_us, Course::Clog(links));
            }
            Fault::Swizzle { clog, free, step_us } => {
                let (clog, free, clogged) = (clog.clone(), free.clone(), ProcessSet::EMPTY);
                let course = Course::Swizzle(Swizzle { clog, free, step_us: *step_us, steps: 0, clogged });
                self.begin(id, u64::MAX, 0, course);
            }
            Fault::Crash { process, kind, when, outage_us } => {
                let trap = Trap { operations_completed: 0, kind: *kind, outage_us: *outage_us, fault: id };
                self.strike_one(id, *process, |world, process| world.crash_when(process, *when, trap));
            }
            Fault::CrashAll { kind, outage_us } => {
                for number in 0..self.parameters.processes() {
                    self.crash(ProcessId(number), *kind, *outage_us, id);
                }
            }
            Fault::CrashLoop { process, kind, times, up_us, outage_us } => {
                let (kind, crashes_left, up_us, outage_us) = (*kind, *times, *up_us, *outage_us);
                self.strike_one(id, *process, |world, process| {
                    let course = Course::CrashLoop { process, kind, crashes_left, up_us, outage_us };
                    world.begin(id, u64::MAX, 0, course);
                });
            }
            Fault::Pause { process, duration_us, clock } => {
                self.strike_one(id, *process, |world, process| {
                    world.pause(process, *duration_us, *clock, id);
                });
            }
            Fault::DiskStall { process, duration_us } => {
                self.strike_one(id, *process, |world, process| world.stall_disk(process, *duration_us));
            }
            Fault::DiskError { process, failure, after, times, duration_us, outage_us } => {
                let (failure, after, times, outage_us) = (*failure, *after, *times, *outage_us);
                let until = self.now.after(*duration_us);
                let armed = ArmedFailure { event: id, failure, after, times, until, outage_us };
                self.strike_one(id, *process, |world, process| world.slots[process.slot()].disk.arm(armed));
            }
            Fault::Rot { process } => {
                self.strike_one(id, *process, |world, process| world.rot(process, id));
            }
            Fault::Ruin { process, how } => {
                let how = *how;
                self.strike_one(id, *process, |world, process| world.ruin(process, how, id));
            }
            Fault::OldImage { process, duration_us, outage_us } => {
                let (duration_us, outage_us) = (*duration_us, *outage_us);
                self.strike_one(id, *process, |world, process| {
                    world.keep_image(process);
                    world.begin(id, duration_us, duration_us, Course::OldImage { process, outage_us });
                });
            }
            Fault::LoseDisk { process, outage_us } => {
                let outage_us = *outage_us;
                self.strike_one(id, *process, |world, process| world.lose_disk(process, outage_us, id));
            }
            Fault::Administer { process, command } => {
                self.strike_one(id, *process, |world, process| world.administer(process, *command, id));
            }
            Fault::ClockRate { process, rate } => self.set_clock_rate(*process, *rate),
            Fault::ClockJump { process, wall_delta_us } => {
                self.slots[process.slot()].clock.jump_wall(*wall_delta_us);
                sometimes!(self.marks, FRAMEWORK, "a wall clock jumped", true);
            }
            Fault::ClockFreeze { process, duration_us } => {
                self.slots[process.slot()].clock.freeze(self.now);
                self.schedule_timer(*process);
                self.begin(id, *duration_us, *duration_us, Course::Freeze(*process));
            }
        }
    }

    fn strike_one(&mut self, id: u32, target: Target, strike: impl FnOnce(&mut Self, ProcessId)) {
        match self.target(target) {
            Some(process) => strike(self, process),
            None => self.does_nothing(id, IdleWhy::NobodyIsUp),
        }
    }

    /// A fault's turn came, and nothing comes of it.
    pub(super) fn does_nothing(&mut self, event: u32, why: IdleWhy) {
        self.idle.push(Idle { event, why });
    }

    fn crash_when(&mut self, id: ProcessId, when: CrashWhen, trap: Trap) {
        match when {
            CrashWhen::Now | CrashWhen::AfterDiskOperations(0) => {
                self.crash(id, trap.kind, trap.outage_us, trap.fault);
            }
            CrashWhen::AfterDiskOperations(operations) => self.set_trap(id, operations, trap),
        }
    }

    fn stall_disk(&mut self, id: ProcessId, duration_us: u64) {
        self.slots[id.slot()].disk.stall_until(self.now.after(duration_us));
        self.schedule_disk(id);
        sometimes!(self.marks, FRAMEWORK, "a disk stalled", true);
    }

    fn set_clock_rate(&mut self, id: ProcessId, rate: Ratio) {
        self.slots[id.slot()].clock.set_rate(self.now, rate);
        self.schedule_timer(id);
        sometimes!(self.marks, FRAMEWORK, "a clock ran at another rate", rate.num != rate.den);
    }

    /// Whom a target means now: nobody, where the most prominent is sought and nobody is up.
    fn target(&mut self, target: Target) -> Option<ProcessId> {
        match target {
            Target::Process(process) => Some(process),
            Target::MostProminent => {
                let prominence = |(slot, number)| Some((P::prominence(slot), core::cmp::Reverse(number)));
                let up = self.slots.iter().zip(0_u32..);
                let most = up.filter_map(|(slot, number)| prominence((slot.process.as_ref()?, number))).max();
                sometimes!(
                    self.marks,
                    FRAMEWORK,
                    "a fault struck the most prominent process",
                    most.is_some()
                );
                most.map(|(_, core::cmp::Reverse(number))| ProcessId(number))
            }
        }
    }

    fn links_of(&mut self, id: u32, cut: &Cut) -> Vec<Link> {
        let (target, without) = match cut {
            Cut::Isolate(target) | Cut::Inbound(target) | Cut::Outbound(target) => {
                (self.target(*target), IdleWhy::NobodyIsUp)
            }
            Cut::Split(_) | Cut::Bridge { .. } | Cut::Ring | Cut::Links(_) => (None, IdleWhy::NoLink),
        };
        let links = self.network.resolve(cut, target);
        if links.is_empty() {
            self.does_nothing(id, if target.is_some() { IdleWhy::NoLink } else { without });
        }
        links
    }

    fn administer(&mut self, id: ProcessId, command: u64, fault: u32) {
        if self.slots[id.slot()].is_listening() {
            let (a, b) = (u64::from(fault), command);
            let occasion = Occasion { kind: RecordKind::Administered, cause: self.step, a, b, digest: 0 };
            self.act(id, occasion, |process, env| process.administer(command, env));
        } else {
            self.does_nothing(fault, IdleWhy::IsDown);
        }
    }

    pub(super) fn cut(&mut self, links: &[Link]) {
        for link in links {
            self.network.link_mut(*link).cut();
        }
    }

    fn restore(&mut self, links: &[Link]) {
        for link in links {
            self.network.link_mut(*link).restore();
        }
    }

    fn clog(&mut self, links: impl IntoIterator<Item = Link>) {
        for link in links {
            self.network.link_mut(link).clog();
        }
    }

    fn unclog(&mut self, links: impl IntoIterator<Item = Link>) {
        for link in links {
            self.network.link_mut(link).unclog();
            self.release(link);
        }
    }

    fn begin(&mut self, id: u32, duration_us: u64, first_step_us: u64, course: Course) {
        let fault = ActiveFault { id, until: self.now.after(duration_us), course };
        let place = self.active.iter().position(Option::is_none).unwrap_or(self.active.len());
        if place == self.active.len() {
            self.active.push(None);
        }
        self.go_on(place, first_step_us, fault);
    }

    fn go_on(&mut self, place: usize, after_us: u64, fault: ActiveFault) {
        let place_number = u32::try_from(place).expect("fewer faults than that fit into memory");
        self.queue.push(self.now.after(after_us).min(fault.until), Event::FaultStep(place_number));
        self.active[place] = Some(fault);
    }

    pub(super) fn handle_fault_step(&mut self, place: u32) {
        if !self.is_stormy() {
            return;
        }
        let place = place as usize;
        let mut fault = self.active[place].take().expect("a step belongs to a fault that goes on");
        self.step += 1;
        match self.advance(&mut fault) {
            Some(after_us) => self.go_on(place, after_us, fault),
            None => {
                self.record(None, RecordKind::FaultEnded, 0, u64::from(fault.id), 0, 0);
                self.turn(Turn::Ends(fault.id));
            }
        }
    }

    /// Takes a fault's next step; in how long the one after it is due, or `None` at the end.
    fn advance(&mut self, fault: &mut ActiveFault) -> Option<u64> {
        let is_over = self.now >= fault.until;
        match &mut fault.course {
            Course::Cut(links) => {
                self.restore(links);
                None
            }
            Course::Flap { links, is_cut, down_us, up_us } => {
                match *is_cut {
                    true => self.restore(links),
                    false if is_over => {}
                    false => self.cut(links),
                }
                *is_cut = !*is_cut;
                // At least a microsecond, or a file could stop time.
                let next_us = if *is_cut { *down_us } else { *up_us };
                (!is_over).then_some(next_us.max(1))
            }
            Course::Clog(links) => {
                self.unclog(links.iter().copied());
                None
            }
            Course::Swizzle(swizzle) => self.advance_swizzle(swizzle),
            Course::CrashLoop { process, kind, crashes_left, up_us, outage_us } => {
                if *crashes_left == 0 {
                    return None;
                }
                *crashes_left -= 1;
                self.crash(*process, *kind, *outage_us, fault.id);
                Some(outage_us.saturating_add(*up_us))
            }
            Course::OldImage { process, outage_us } => {
                self.restore_image(*process, *outage_us, fault.id);
                None
            }
            Course::Freeze(process) => {
                self.slots[process.slot()].clock.thaw(self.now);
                self.schedule_timer(*process);
                None
            }
        }
    }

    fn advance_swizzle(&mut self, swizzle: &mut Swizzle) -> Option<u64> {
        let Swizzle { clog, free, step_us, steps, clogged } = swizzle;
        let step = *steps;
        *steps += 1;
        // A list may name a process twice, or one that the other list does not: what is not clogged cannot
        // be freed, and what is left at the end is freed then.
        if let Some(process) = clog.get(step) {
            if !clogged.contains(*process) {
                *clogged = clogged.with(*process);
                self.clog(self.network.links_of(*process));
            }
            return Some(*step_us);
        }
        if let Some(process) = free.get(step - clog.len()) {
            if clogged.contains(*process) {
                *clogged = clogged.without(*process);
                self.unclog(self.network.links_of(*process));
            }
            return Some(*step_us);
        }
        for process in clogged.iter() {
            self.unclog(self.network.links_of(process));
        }
        None
    }
}
