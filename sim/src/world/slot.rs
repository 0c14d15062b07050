//! A process's place in the world: what outlives it (disk, clock, name), and what it is in at the moment.

use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::fault::CrashKind;
use crate::ids::{Link, ProcessId};
use crate::network::Network;
use crate::parameters::ClockParameters;
use crate::process::Process;
use crate::queue::Sequence;
use crate::time::{LocalTime, Time};

/// One process's place.
#[derive(Clone)]
pub(super) struct Slot<P: Process> {
    /// The life that it lives. Invariant: `None` exactly when the stage is `Down`.
    pub(super) process: Option<P>,
    pub(super) stage: Stage,
    /// It has ended for good, rightly or not.
    pub(super) stays_down: bool,
    /// Lives are counted from 1.
    pub(super) life: u32,
    pub(super) pause: Option<Pause>,
    /// Mail that waits until the process listens.
    pub(super) inbox: Vec<u32>,
    /// What it sent when it started, until its disk is done.
    pub(super) held_sends: Vec<(ProcessId, P::Message)>,

    pub(super) disk: SimDisk,
    /// A copy of it from before, for who is to come back to that.
    pub(super) image: Option<Box<SimDisk>>,
    pub(super) disk_schedule: Schedule,
    /// All operations are done and the process, being paused, does not know.
    pub(super) owes_disk_done: bool,
    pub(super) trap: Option<Trap>,

    pub(super) clock: Clock,
    /// What the process asked for, if it has not come yet.
    pub(super) timer: Option<LocalTime>,
    pub(super) timer_schedule: Schedule,

    pub(super) restart_event: Sequence,
    /// The step that will have caused the next restart or resumption.
    pub(super) cause: u64,
}

/// Where a process stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Down,
    /// It has started, and its first disk operations are not done.
    Starting,
    Running,
}

/// A process that takes no part for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pause {
    /// The valid entry of the queue for its end.
    pub(super) event: Sequence,
    pub(super) until: Time,
    /// Whether its clock stands still meanwhile.
    pub(super) is_frozen: bool,
    pub(super) fault: u32,
}

/// A crash that waits for a disk operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trap {
    /// It springs when so many operations of the disk have completed.
    pub(super) operations_completed: u64,
    pub(super) kind: CrashKind,
    pub(super) outage_us: u64,
    pub(super) fault: u32,
}

/// The one valid entry of the queue for something that is often moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Schedule {
    pub(super) event: Sequence,
    /// When it is due; `None` when none is valid.
    pub(super) due: Option<Time>,
    /// The step that asked for it.
    pub(super) cause: u64,
}

impl<P: Process> Slot<P> {
    pub(super) fn new(disk: SimDisk, clock: &ClockParameters) -> Slot<P> {
        Slot {
            process: None,
            stage: Stage::Down,
            stays_down: false,
            life: 0,
            pause: None,
            inbox: Vec::new(),
            held_sends: Vec::new(),
            disk,
            image: None,
            disk_schedule: Schedule::default(),
            owes_disk_done: false,
            trap: None,
            clock: Clock::new(clock),
            timer: None,
            timer_schedule: Schedule::default(),
            restart_event: Sequence::default(),
            cause: 0,
        }
    }

    /// Whether the process takes events.
    #[inline]
    pub(super) fn is_listening(&self) -> bool {
        self.stage == Stage::Running && self.pause.is_none()
    }
}

/// The processes of a world and their disks, to look at.
pub struct Processes<'a, P: Process> {
    slots: &'a [Slot<P>],
    network: &'a Network,
    setup: &'a P::Setup,
}

impl<'a, P: Process> Processes<'a, P> {
    pub(super) fn new(slots: &'a [Slot<P>], network: &'a Network, setup: &'a P::Setup) -> Processes<'a, P> {
        Processes { slots, network, setup }
    }

    /// What each of them is started with.
    #[must_use]
    pub fn setup(&self) -> &'a P::Setup {
        self.setup
    }

    /// Whether nothing passes on this link at the moment. In the liveness phase that is for good.
    #[must_use]
    pub fn is_cut(&self, link: Link) -> bool {
        let state = self.network.link(link);
        state.is_cut() || state.is_clogged()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.slots.len() as u32
    }

    /// A process, if it is up. It may be paused, or still starting.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> Option<&'a P> {
        self.slots.get(id.slot())?.process.as_ref()
    }

    /// A process's disk.
    ///
    /// # Panics
    /// When the world has no such process.
    #[must_use]
    pub fn disk(&self, id: ProcessId) -> &'a SimDisk {
        &self.slots[id.slot()].disk
    }

    /// Whether the process is up, not paused, and through with its start.
    #[must_use]
    pub fn is_running(&self, id: ProcessId) -> bool {
        self.slots.get(id.slot()).is_some_and(Slot::is_listening)
    }

    /// Whether the process is up, and what it did to its disk when it started is not done.
    #[must_use]
    pub fn is_starting(&self, id: ProcessId) -> bool {
        self.slots.get(id.slot()).is_some_and(|slot| slot.stage == Stage::Starting)
    }

    /// Whether the process did not start, or halted, and that was excused: it never comes back.
    #[must_use]
    pub fn is_gone(&self, id: ProcessId) -> bool {
        self.slots.get(id.slot()).is_some_and(|slot| slot.stays_down)
    }

    /// How many lives the process has begun.
    #[must_use]
    pub fn life(&self, id: ProcessId) -> u32 {
        self.slots.get(id.slot()).map_or(0, |slot| slot.life)
    }
}
