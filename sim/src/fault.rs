//! The resolved faults of one run: what strikes, whom, when, for how long.
//!
//! Everything here is concrete data: a plan draws it, a scenario file states it, the world carries it out. The
//! one thing left open until a fault fires is [`Target::MostProminent`], because "isolate whoever leads" is a
//! sentence about the run and not about a process. docs/fault-model.md: "Network", "Processes", "Clocks".

use crate::anchor::{Anchor, Turn};
use crate::choice::Ratio;
use crate::ids::{Link, ProcessId, ProcessSet};
use crate::time::Time;

/// One fault of a run. Its number stays its own when others are removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultEvent {
    /// The fault's stable number; the draws that it needs are keyed by it.
    pub id: u32,
    /// What it waits for; nothing, where it strikes at a time of its own.
    pub after: Option<Anchor>,
    /// When it strikes; where it waits for something, how long after that.
    pub at: Time,
    /// What it is.
    pub fault: Fault,
}

/// Whom a fault strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// This process.
    Process(ProcessId),
    /// Whoever's `Process::prominence` is highest when the fault fires; among equals the lowest number.
    MostProminent,
}

/// Which directed links a network fault strikes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cut {
    /// All links of one process, in both directions.
    Isolate(Target),
    /// All links to one process: it speaks but does not hear.
    Inbound(Target),
    /// All links from one process: it hears but is not heard.
    Outbound(Target),
    /// All links between these processes and the others.
    Split(ProcessSet),
    /// As `Split`, but one process sees both sides.
    Bridge {
        /// Who sees both sides.
        bridge: ProcessId,
        /// One side; the rest is the other.
        side: ProcessSet,
    },
    /// Every process sees only its two neighbours, in the order of their numbers.
    Ring,
    /// Just these.
    Links(Vec<Link>),
}

/// What a crash leaves of what was written but not synced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CrashKind {
    /// The process dies and the page cache lives on.
    Process,
    /// The machine loses power: only what was synced is certain.
    PowerLoss,
}

/// The moment of a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashWhen {
    /// At once.
    Now,
    /// Just after this many more disk operations of the process have completed; so a crash can fall between
    /// any two operations of one event. At 1 the next completed operation is the last.
    AfterDiskOperations(u64),
}

/// What a paused process's clock does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PausedClock {
    /// It runs on: a virtual machine that migrates.
    Running,
    /// It stands still with the process.
    Frozen,
}

/// Which operations of a disk fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DiskFailure {
    /// Reads.
    Read,
    /// Whatever changes a file or a name; of a write a part may have been done.
    Write,
    /// Syncs, of a file or of the directory: what was to be kept is not, and no later sync says so again.
    Sync,
    /// Whatever needs room: the disk is full.
    Space,
}

/// How a disk is ruined, without a budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ruin {
    /// Something that was durable goes bad.
    Rot,
    /// A write was acknowledged and synced, and never done: nothing stands where it was to go.
    LostWrite,
    /// A write went to another place: both are wrong.
    MisdirectedWrite,
    /// A file ends too early.
    TruncatedFile,
    /// A file is not there.
    MissingFile,
    /// All that was kept twice of one thing is gone at once, as if it had never been.
    LostPair,
}

/// A concrete fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Links are cut: what is sent, and what is in flight, is lost.
    Partition {
        /// Which links.
        cut: Cut,
        /// How long.
        duration_us: u64,
    },
    /// Links are cut and restored again and again.
    Flapping {
        /// Which links.
        cut: Cut,
        /// How long each cut lasts.
        down_us: u64,
        /// How long each recovery lasts.
        up_us: u64,
        /// How long the whole goes on.
        duration_us: u64,
    },
    /// Messages stall; when the clog ends they arrive all together.
    Clog {
        /// Which links.
        cut: Cut,
        /// How long.
        duration_us: u64,
    },
    /// Processes are clogged one after the other (all their links) and freed in another order.
    Swizzle {
        /// Who, in the order in which they are clogged.
        clog: Vec<ProcessId>,
        /// The same processes in the order in which they are freed.
        free: Vec<ProcessId>,
        /// The time between two steps.
        step_us: u64,
    },
    /// A process dies and comes back.
    Crash {
        /// Who.
        process: Target,
        /// What survives.
        kind: CrashKind,
        /// When exactly.
        when: CrashWhen,
        /// How long it stays down.
        outage_us: u64,
    },
    /// Every process dies at once.
    CrashAll {
        /// What survives.
        kind: CrashKind,
        /// How long each stays down.
        outage_us: u64,
    },
    /// A process dies several times in a row.
    CrashLoop {
        /// Who.
        process: Target,
        /// What survives.
        kind: CrashKind,
        /// How often.
        times: u32,
        /// How long it runs in between.
        up_us: u64,
        /// How long it stays down each time.
        outage_us: u64,
    },
    /// A process stops taking part and goes on later as if nothing had happened.
    Pause {
        /// Who.
        process: Target,
        /// How long.
        duration_us: u64,
        /// What its clock does meanwhile.
        clock: PausedClock,
    },
    /// No disk operation of the process completes for a while.
    DiskStall {
        /// Whose disk.
        process: Target,
        /// How long.
        duration_us: u64,
    },
    /// Operations of the process's disk fail. A process that ends its life over it begins another.
    DiskError {
        /// Whose disk.
        process: Target,
        /// Which operations.
        failure: DiskFailure,
        /// So many of them succeed first.
        after: u64,
        /// So many fail then, at most.
        times: u64,
        /// None fails later than so long after the fault struck.
        duration_us: u64,
        /// How long a process stays down that ends its life over it.
        outage_us: u64,
    },
    /// Bytes on the process's disk go bad that were durable: where, and how, is drawn when it strikes.
    Rot {
        /// Whose disk.
        process: Target,
    },
    /// What was durable on the process's disk is ruined; what and where is drawn when it strikes.
    Ruin {
        /// Whose disk.
        process: Target,
        /// In which way.
        how: Ruin,
    },
    /// A copy is made of the process's disk, as a power loss would leave it. Later the process dies, and comes back to that.
    OldImage {
        /// Whose disk.
        process: Target,
        /// How old the copy is when it comes back.
        duration_us: u64,
        /// How long the process stays down.
        outage_us: u64,
    },
    /// A process dies, and comes back to a disk with nothing on it.
    LoseDisk {
        /// Whose.
        process: Target,
        /// How long it stays down.
        outage_us: u64,
    },
    /// An operator's command; its meaning is the process's own.
    Administer {
        /// To whom.
        process: Target,
        /// What.
        command: u64,
    },
    /// The process's clocks run at another rate from now on.
    ClockRate {
        /// Whose clock.
        process: ProcessId,
        /// Local seconds per second.
        rate: Ratio,
    },
    /// The process's wall clock jumps; its monotonic clock does not.
    ClockJump {
        /// Whose clock.
        process: ProcessId,
        /// How far, in either direction.
        wall_delta_us: i64,
    },
    /// The process's clocks stand still while it runs.
    ClockFreeze {
        /// Whose clocks.
        process: ProcessId,
        /// How long.
        duration_us: u64,
    },
}

impl FaultEvent {
    /// Says what of the fault cannot be, in a world of so many processes, if anything.
    ///
    /// # Errors
    /// When it names a process that is not there, or a clock rate that no clock can have.
    pub fn check(&self, processes: u32) -> Result<(), String> {
        if let Fault::ClockRate { rate, .. } = &self.fault
            && !rate.is_clock_rate()
        {
            return Err(format!("a clock runs at 1/1000 to 1000 times the right rate, not at {rate}"));
        }
        match self.processes().into_iter().find(|process| process.0 >= processes) {
            Some(process) => Err(format!("there is no {process} among {processes} processes")),
            None => Ok(()),
        }
    }

    /// Every process that the fault or its anchor names.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessId> {
        let mut named = self.fault.processes();
        if let Some(Anchor::Passed { process, .. }) = &self.after {
            named.extend(*process);
        }
        named
    }

    /// Whether its time comes when a storm of this length is over.
    #[must_use]
    pub(crate) fn is_late(&self, safety_us: u64) -> bool {
        self.after.is_none() && self.at.0 >= safety_us
    }

    /// The turn of another fault that this one waits for, if it does.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        self.after.as_ref().and_then(Anchor::turn)
    }
}

impl Fault {
    /// Every process that the fault names.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessId> {
        let of_target = |target: &Target| match target {
            Target::Process(process) => vec![*process],
            Target::MostProminent => Vec::new(),
        };
        match self {
            Fault::Partition { cut, .. } | Fault::Flapping { cut, .. } | Fault::Clog { cut, .. } => match cut
            {
                Cut::Isolate(target) | Cut::Inbound(target) | Cut::Outbound(target) => of_target(target),
                Cut::Split(side) => side.iter().collect(),
                Cut::Bridge { bridge, side } => side.iter().chain([*bridge]).collect(),
                Cut::Ring => Vec::new(),
                Cut::Links(links) => links.iter().flat_map(|link| [link.from, link.to]).collect(),
            },
            Fault::Swizzle { clog, free, .. } => clog.iter().chain(free).copied().collect(),
            Fault::Crash { process, .. }
            | Fault::CrashLoop { process, .. }
            | Fault::Pause { process, .. }
            | Fault::DiskStall { process, .. }
            | Fault::DiskError { process, .. }
            | Fault::Rot { process }
            | Fault::LoseDisk { process, .. }
            | Fault::Ruin { process, .. }
            | Fault::OldImage { process, .. }
            | Fault::Administer { process, .. } => of_target(process),
            Fault::CrashAll { .. } => Vec::new(),
            Fault::ClockRate { process, .. }
            | Fault::ClockJump { process, .. }
            | Fault::ClockFreeze { process, .. } => vec![*process],
        }
    }

    /// The links that it names one by one.
    pub(crate) fn links(&self) -> &[Link] {
        match self {
            Fault::Partition { cut: Cut::Links(links), .. }
            | Fault::Flapping { cut: Cut::Links(links), .. }
            | Fault::Clog { cut: Cut::Links(links), .. } => links,
            Fault::Partition { .. }
            | Fault::Flapping { .. }
            | Fault::Clog { .. }
            | Fault::Swizzle { .. }
            | Fault::Crash { .. }
            | Fault::CrashAll { .. }
            | Fault::CrashLoop { .. }
            | Fault::Pause { .. }
            | Fault::DiskStall { .. }
            | Fault::DiskError { .. }
            | Fault::Rot { .. }
            | Fault::Ruin { .. }
            | Fault::OldImage { .. }
            | Fault::LoseDisk { .. }
            | Fault::Administer { .. }
            | Fault::ClockRate { .. }
            | Fault::ClockJump { .. }
            | Fault::ClockFreeze { .. } => &[],
        }
    }

    /// Whether it has something under way that the world ends; the others are over as soon as they have struck,
    /// whatever comes of them.
    #[must_use]
    pub fn has_end(&self) -> bool {
        match self {
            Fault::Partition { .. }
            | Fault::Flapping { .. }
            | Fault::Clog { .. }
            | Fault::Swizzle { .. }
            | Fault::CrashLoop { .. }
            | Fault::OldImage { .. }
            | Fault::ClockFreeze { .. } => true,
            Fault::Crash { .. }
            | Fault::CrashAll { .. }
            | Fault::Pause { .. }
            | Fault::DiskStall { .. }
            | Fault::DiskError { .. }
            | Fault::Rot { .. }
            | Fault::Ruin { .. }
            | Fault::LoseDisk { .. }
            | Fault::Administer { .. }
            | Fault::ClockRate { .. }
            | Fault::ClockJump { .. } => false,
        }
    }

    /// A small number for traces; see [`Fault::name`].
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Fault::Partition { .. } => 0,
            Fault::Flapping { .. } => 1,
            Fault::Clog { .. } => 2,
            Fault::Swizzle { .. } => 3,
            Fault::Crash { .. } => 4,
            Fault::CrashAll { .. } => 5,
            Fault::CrashLoop { .. } => 6,
            Fault::Pause { .. } => 7,
            Fault::DiskStall { .. } => 8,
            Fault::Administer { .. } => 9,
            Fault::ClockRate { .. } => 10,
            Fault::ClockJump { .. } => 11,
            Fault::ClockFreeze { .. } => 12,
            Fault::Rot { .. } => 13,
            Fault::DiskError { .. } => 14,
            Fault::LoseDisk { .. } => 15,
            Fault::Ruin { .. } => 16,
            Fault::OldImage { .. } => 17,
        }
    }

    /// The fault's word, as scenarios and logs print it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Fault::NAMES[usize::from(self.kind())]
    }

    /// The words of all faults, by [`Fault::kind`].
    pub const NAMES: [&'static str; 18] = [
        "partition",
        "flapping",
        "clog",
        "swizzle",
        "crash",
        "crash-all",
        "crash-loop",
        "pause",
        "disk-stall",
        "administer",
        "clock-rate",
        "clock-jump",
        "clock-freeze",
        "rot",
        "disk-error",
        "lose-disk",
        "ruin",
        "old-image",
    ];
}
