//! What a process may touch while it is given an event: its clocks, its disk, and words to the others.
//!
//! Nothing acts at once but the disk: what is sent, answered and asked for is gathered, and carried out by the
//! world when the process has returned.

use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::ids::{OperationId, ProcessId};
use crate::mark::{Mark, Marks};
use crate::milestone::{Milestone, Milestones};
use crate::process::Process;
use crate::time::{LocalTime, Time};

/// A process's surroundings during one event.
pub struct Env<'a, P: Process> {
    pub(crate) id: ProcessId,
    pub(crate) time: Time,
    pub(crate) local: LocalTime,
    pub(crate) clock: &'a Clock,
    pub(crate) disk: &'a mut SimDisk,
    pub(crate) effects: &'a mut Effects<P>,
    pub(crate) marks: &'a mut Marks,
}

/// What a process wants done. The buffers are used again for each event.
#[derive(Clone)]
pub(crate) struct Effects<P: Process> {
    pub(crate) sends: Vec<(ProcessId, P::Message)>,
    pub(crate) responses: Vec<(OperationId, P::Response)>,
    pub(crate) wake_at: Option<LocalTime>,
    pub(crate) halt: Option<String>,
    pub(crate) rest_us: Option<u64>,
    pub(crate) passed: Milestones,
}

impl<P: Process> Env<'_, P> {
    /// Who the process is.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// The monotonic clock. It stands still during an event.
    #[must_use]
    pub fn now(&self) -> LocalTime {
        self.local
    }

    /// The wall clock, in microseconds since 1970. It may be wrong, and it jumps.
    #[must_use]
    pub fn wall(&self) -> u64 {
        self.clock.wall_us(self.time)
    }

    /// Sends a message. It may be lost, doubled, late, or overtaken.
    pub fn send(&mut self, to: ProcessId, message: P::Message) {
        self.effects.sends.push((to, message));
    }

    /// Asks to be woken when the monotonic clock reads `at`. A process has one timer: a later call replaces
    /// an earlier one.
    pub fn wake_at(&mut self, at: LocalTime) {
        self.effects.wake_at = Some(at);
    }

    /// Answers a client's operation.
    pub fn respond(&mut self, operation: OperationId, response: P::Response) {
        self.effects.responses.push((operation, response));
    }

    /// The process's disk.
    pub fn disk(&mut self) -> &mut SimDisk {
        self.disk
    }

    /// The process dies of its own accord after this event, such as when a write failed. What it sent in this
    /// event still leaves.
    pub fn halt(&mut self, reason: impl Into<String>) {
        self.effects.halt = Some(reason.into());
    }

    /// The process ends in good order after this event, and a new life begins after so long. What it sent in this event
    /// still leaves.
    pub fn rest(&mut self, outage_us: u64) {
        self.effects.rest_us = Some(outage_us);
    }

    /// Tells that one of [`Process::MILESTONES`] was passed in this event.
    pub fn pass(&mut self, milestone: Milestone) {
        self.effects.passed.add(milestone);
    }

    /// Notes that one of the marks in [`Process::MARKS`] was reached.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.mark(mark);
    }
}

impl<P: Process> Default for Effects<P> {
    fn default() -> Effects<P> {
        Effects {
            sends: Vec::new(),
            responses: Vec::new(),
            wake_at: None,
            halt: None,
            rest_us: None,
            passed: Milestones::default(),
        }
    }
}
