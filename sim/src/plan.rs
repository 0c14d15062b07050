//! Draws the faults of a run: what strikes whom, when, and for how long.
//!
//! Every class draws its own events, the gaps between them exponentially distributed; each event is keyed by
//! its class and its number there, so that switching one class off leaves the events of all others as they
//! were. What a fault does once it strikes is the world's business. docs/fault-model.md: "Network", "Processes", "Clocks".

#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::choice::{Choice, Draw, Purpose, Ratio};
use crate::fault::{CrashKind, CrashWhen, Cut, DiskFailure, Fault, FaultEvent, PausedClock, Ruin, Target};
use crate::ids::{Link, ProcessId, ProcessSet};
use crate::profile::{Between, Numbers, Partitions, Ratios};
use crate::time::Time;

/// No class strikes more often in one run: ten processes, each at the least gap that a profile may ask for, for a quarter of an
/// hour.
const EVENTS_PER_CLASS_MAX: u64 = 100_000;

/// A disk's operation that fails is among so many of its sort.
const FAILS_AFTER_MAX: u64 = 12;

/// The number of a class's last fault.
const LAST: u64 = u64::MAX;

/// The resolved rates and durations of the faults of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "a recurring fault is the class that its field is named after")]
pub struct PlanParameters {
    /// How many processes there are.
    pub processes: u32,
    /// Faults begin before this time.
    pub length_us: u64,
    pub partition: Recurring,
    pub flapping: Recurring,
    pub clog: Recurring,
    /// `lasts_us` is each step.
    pub swizzle: Recurring,
    /// `lasts_us` is the outage, as in the other crashes.
    pub crash: Recurring,
    pub crash_all: Recurring,
    pub crash_loop: Recurring,
    pub pause: Recurring,
    pub disk_stall: Recurring,
    pub clock_rate: Recurring,
    pub clock_jump: Recurring,
    pub clock_freeze: Recurring,
    pub administer: Recurring,
    pub rot: Recurring,
    /// `lasts_us` is how long operations fail, and the outage of a process that ends its life over it.
    pub disk_error: Recurring,
    /// `lasts_us` is the outage.
    pub lost_disk: Recurring,
    pub ruin: Recurring,
    /// `lasts_us` is how far disks go back in time.
    pub amnesia: Recurring,
    /// The weight of each shape of a partition, also of flapping and clogged links.
    pub shapes: Partitions,
    /// How many faults on one process strike the most prominent one.
    pub prominent: Ratio,
    /// How many crashes are power losses.
    pub power_loss: Ratio,
    /// How many crashes wait for disk operations.
    pub at_disk_operation: Ratio,
    /// How many they wait for; at least one.
    pub disk_operations: Numbers,
    /// How many of the classes that last have one more fault, so late that it outlasts the storm.
    pub last: Ratio,
    /// How often a process dies in a crash loop.
    pub crash_loop_times: Numbers,
    /// How many pauses freeze the clock too.
    pub frozen: Ratio,
    /// The rates that clocks take.
    pub clock_rates: Ratios,
    /// How far wall clocks jump.
    pub jump_us_max: u64,
    /// How many different commands an operator has; with none, there is no operator.
    pub commands: u64,
}

/// A fault that comes again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recurring {
    /// The mean time from one to the next; 0 is never.
    pub every_us_mean: u64,
    /// How long each lasts.
    pub lasts_us: Numbers,
}

impl Recurring {
    /// It does not come.
    pub const NEVER: Self = Self { every_us_mean: 0, lasts_us: Between::only(0) };
}

impl Default for PlanParameters {
    /// A plan without faults.
    fn default() -> Self {
        let never = Recurring::NEVER;
        Self {
            processes: 0,
            length_us: 0,
            partition: never,
            flapping: never,
            clog: never,
            swizzle: never,
            crash: never,
            crash_all: never,
            crash_loop: never,
            pause: never,
            disk_stall: never,
            clock_rate: never,
            clock_jump: never,
            clock_freeze: never,
            administer: never,
            rot: never,
            disk_error: never,
            lost_disk: never,
            ruin: never,
            amnesia: never,
            shapes: Partitions::default(),
            prominent: Ratio::ZERO,
            power_loss: Ratio::ONE,
            at_disk_operation: Ratio::ZERO,
            disk_operations: Between::only(1),
            last: Ratio::ZERO,
            crash_loop_times: Between::only(2),
            frozen: Ratio::ZERO,
            clock_rates: Between::only(Ratio::ONE),
            jump_us_max: 0,
            commands: 0,
        }
    }
}

/// The classes, in the order of their keys: a new one is added at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Partition,
    Flapping,
    Clog,
    Swizzle,
    Crash,
    CrashAll,
    CrashLoop,
    Pause,
    DiskStall,
    ClockRate,
    ClockJump,
    ClockFreeze,
    Administer,
    Rot,
    DiskError,
    LostDisk,
    Ruin,
    Amnesia,
}

impl Class {
    const ALL: [Self; 18] = [
        Self::Partition,
        Self::Flapping,
        Self::Clog,
        Self::Swizzle,
        Self::Crash,
        Self::CrashAll,
        Self::CrashLoop,
        Self::Pause,
        Self::DiskStall,
        Self::ClockRate,
        Self::ClockJump,
        Self::ClockFreeze,
        Self::Administer,
        Self::Rot,
        Self::DiskError,
        Self::LostDisk,
        Self::Ruin,
        Self::Amnesia,
    ];

    /// Those whose faults may outlast the storm.
    const OUTLASTING: [Self; 5] = [Self::Partition, Self::Clog, Self::Crash, Self::Pause, Self::DiskStall];
}

/// Draws the faults of a run, in the order of their times and numbered from 1.
#[must_use]
pub fn draw(parameters: &PlanParameters, choice: &mut Choice) -> Vec<FaultEvent> {
    let mut events = Vec::new();
    for class in Class::ALL {
        draw_class(class, parameters, choice, &mut events);
    }
    events.extend(Class::OUTLASTING.into_iter().filter_map(|class| draw_last(class, parameters, choice)));
    events.sort_by_key(|event| event.at);
    (1..).zip(&mut events).for_each(|(id, event)| event.id = id);
    events
}

fn draw_class(class: Class, parameters: &PlanParameters, choice: &mut Choice, events: &mut Vec<FaultEvent>) {
    let recurring = parameters.recurring(class);
    if !parameters.can_strike(class) {
        return;
    }
    let is_seeded = choice.is_seeded();
    let mut at = Time::START;
    for number in 0..EVENTS_PER_CLASS_MAX {
        let mut draw = choice.draw(Purpose::Plan, class as u64, number);
        let gap_us = draw.exponential("gap", recurring.every_us_mean, u64::MAX);
        at = at.after(gap_us);
        // No gap at all is what a source without decisions gives: the class ends, and the world is calm.
        if (gap_us == 0 && !is_seeded) || at >= Time(parameters.length_us).min(Time::END) {
            break;
        }
        let lasts_us = draw.range("lasts", recurring.lasts_us.low, recurring.lasts_us.high);
        let fault = Drawing { parameters, draw }.fault(class, lasts_us);
        events.push(FaultEvent { id: 0, after: None, at, fault });
    }
}

/// One more of a class, so late that it outlasts the storm.
fn draw_last(class: Class, parameters: &PlanParameters, choice: &mut Choice) -> Option<FaultEvent> {
    let Between { low, high } = parameters.recurring(class).lasts_us;
    let mut draw = choice.draw(Purpose::Plan, class as u64, LAST);
    if !parameters.can_strike(class) || !draw.chance("is-there", parameters.last) {
        return None;
    }
    let lasts_us = draw.range("lasts", low, high);
    let end = Time(parameters.length_us).min(Time::END);
    let before_end_us = draw.range("before-end", 1, lasts_us.max(1));
    let at = Time(end.0.saturating_sub(before_end_us));
    Some(FaultEvent { id: 0, after: None, at, fault: Drawing { parameters, draw }.fault(class, lasts_us) })
}

impl PlanParameters {
    const fn recurring(&self, class: Class) -> Recurring {
        match class {
            Class::Partition => self.partition,
            Class::Flapping => self.flapping,
            Class::Clog => self.clog,
            Class::Swizzle => self.swizzle,
            Class::Crash => self.crash,
            Class::CrashAll => self.crash_all,
            Class::CrashLoop => self.crash_loop,
            Class::Pause => self.pause,
            Class::DiskStall => self.disk_stall,
            Class::ClockRate => self.clock_rate,
            Class::ClockJump => self.clock_jump,
            Class::ClockFreeze => self.clock_freeze,
            Class::Administer => self.administer,
            Class::Rot => self.rot,
            Class::DiskError => self.disk_error,
            Class::LostDisk => self.lost_disk,
            Class::Ruin => self.ruin,
            Class::Amnesia => self.amnesia,
        }
    }

    fn can_strike(&self, class: Class) -> bool {
        let has_victims = match class {
            Class::Partition | Class::Flapping | Class::Clog | Class::Swizzle => self.processes > 1,
            Class::Administer => self.processes > 0 && self.commands > 0,
            Class::Crash
            | Class::CrashAll
            | Class::CrashLoop
            | Class::Pause
            | Class::DiskStall
            | Class::ClockRate
            | Class::ClockJump
            | Class::ClockFreeze
            | Class::Rot
            | Class::DiskError
            | Class::LostDisk
            | Class::Ruin
            | Class::Amnesia => self.processes > 0,
        };
        has_victims && self.recurring(class).every_us_mean > 0
    }
}

/// The decisions on one fault.
struct Drawing<'a> {
    parameters: &'a PlanParameters,
    draw: Draw<'a>,
}

impl Drawing<'_> {
    fn fault(mut self, class: Class, lasts_us: u64) -> Fault {
        match class {
            Class::Partition => Fault::Partition { cut: self.cut(), duration_us: lasts_us },
            Class::Flapping => self.flapping(lasts_us),
            Class::Clog => Fault::Clog { cut: self.cut(), duration_us: lasts_us },
            Class::Swizzle => self.swizzle(lasts_us),
            Class::Crash => Fault::Crash {
                process: self.target(),
                kind: self.crash_kind(),
                when: self.crash_when(),
                outage_us: lasts_us,
            },
            Class::CrashAll => Fault::CrashAll { kind: self.crash_kind(), outage_us: lasts_us },
            Class::CrashLoop => self.crash_loop(lasts_us),
            Class::Pause => {
                let process = self.target();
                let frozen = self.draw.chance("frozen", self.parameters.frozen);
                let clock = if frozen { PausedClock::Frozen } else { PausedClock::Running };
                Fault::Pause { process, duration_us: lasts_us, clock }
            }
            Class::DiskStall => Fault::DiskStall { process: self.target(), duration_us: lasts_us },
            Class::ClockRate => {
                let process = self.process();
                let step = self.draw.range("rate", 0, Ratios::STEPS);
                Fault::ClockRate { process, rate: self.parameters.clock_rates.at(step) }
            }
            Class::ClockJump => self.clock_jump(),
            Class::ClockFreeze => Fault::ClockFreeze { process: self.process(), duration_us: lasts_us },
            Class::Rot => Fault::Rot { process: self.target() },
            Class::DiskError => self.disk_error(lasts_us),
            Class::Ruin => self.ruin(),
            Class::Amnesia => self.amnesia(lasts_us),
            Class::LostDisk => Fault::LoseDisk { process: self.target(), outage_us: lasts_us },
            Class::Administer => Fault::Administer {
                process: self.target(),
                command: self.draw.range("command", 0, self.parameters.commands - 1),
            },
        }
    }

    fn process(&mut self) -> ProcessId {
        let last = u64::from(self.parameters.processes) - 1;
        ProcessId(u32::try_from(self.draw.range("process", 0, last)).expect("processes have 32 bits"))
    }

    fn target(&mut self) -> Target {
        let process = self.process();
        let prominent = self.draw.chance("prominent", self.parameters.prominent);
        if prominent { Target::MostProminent } else { Target::Process(process) }
    }

    fn crash_kind(&mut self) -> CrashKind {
        let power_loss = self.draw.chance("power-loss", self.parameters.power_loss);
        if power_loss { CrashKind::PowerLoss } else { CrashKind::Process }
    }

    fn crash_when(&mut self) -> CrashWhen {
        let Between { low, high } = self.parameters.disk_operations;
        if !self.draw.chance("at-disk-operation", self.parameters.at_disk_operation) {
            return CrashWhen::Now;
        }
        CrashWhen::AfterDiskOperations(self.draw.range("disk-operations", low, high).max(1))
    }

    fn crash_loop(&mut self, lasts_us: u64) -> Fault {
        let Between { low, high } = self.parameters.crash_loop_times;
        let Between { low: up_low, high: up_high } = self.parameters.crash_loop.lasts_us;
        Fault::CrashLoop {
            process: self.target(),
            kind: self.crash_kind(),
            times: u32::try_from(self.draw.range("times", low, high)).unwrap_or(u32::MAX),
            up_us: self.draw.range("up", up_low, up_high),
            outage_us: lasts_us,
        }
    }

    /// One operation that fails among the next few of its sort, or all of them for a while.
    fn disk_error(&mut self, lasts_us: u64) -> Fault {
        const SORTS: [DiskFailure; 4] =
            [DiskFailure::Read, DiskFailure::Write, DiskFailure::Sync, DiskFailure::Space];
        let Between { low, high } = self.parameters.disk_error.lasts_us;
        let process = self.target();
        let failure = SORTS[self.draw.pick("failure", &[2, 2, 3, 1])];
        let goes_on = self.draw.pick("goes-on", &[3, 1]) == 1;
        let (after, times) =
            (self.draw.range("after", 0, FAILS_AFTER_MAX), if goes_on { u64::MAX } else { 1 });
        // One alone has time to come.
        let duration_us = if goes_on { lasts_us } else { lasts_us.saturating_mul(FAILS_AFTER_MAX) };
        let outage_us = self.draw.range("outage", low, high).max(1);
        Fault::DiskError { process, failure, after, times, duration_us, outage_us }
    }

    fn ruin(&mut self) -> Fault {
        const WAYS: [Ruin; 5] =
            [Ruin::Rot, Ruin::LostWrite, Ruin::MisdirectedWrite, Ruin::TruncatedFile, Ruin::MissingFile];
        let process = self.target();
        Fault::Ruin { process, how: WAYS[self.draw.pick("how", &[8, 5, 4, 1, 1])] }
    }

    /// An old image, or what no checksum can tell from what was never written.
    fn amnesia(&mut self, lasts_us: u64) -> Fault {
        let process = self.target();
        if self.draw.pick("how", &[1, 1]) == 0 {
            return Fault::Ruin { process, how: Ruin::LostPair };
        }
        let outage_us = self.draw.range("outage", 0, lasts_us);
        Fault::OldImage { process, duration_us: lasts_us, outage_us }
    }

    fn clock_jump(&mut self) -> Fault {
        let process = self.process();
        let far = self.draw.range("far", 0, self.parameters.jump_us_max);
        let far = i64::try_from(far).unwrap_or(i64::MAX);
        let back = self.draw.chance("back", Ratio::new(1, 2));
        Fault::ClockJump { process, wall_delta_us: if back { -far } else { far } }
    }

    fn flapping(&mut self, lasts_us: u64) -> Fault {
        let cut = self.cut();
        let (short, long) = ((lasts_us / 20).max(1), (lasts_us / 3).max(1));
        let down_us = self.draw.range("down", short, long);
        let up_us = self.draw.range("up", short, long);
        Fault::Flapping { cut, down_us, up_us, duration_us: lasts_us }
    }

    fn swizzle(&mut self, step_us: u64) -> Fault {
        let clog = self.some_processes("clog", self.parameters.processes);
        let order = self.draw.bits("free");
        let mut free = clog.clone();
        shuffle(&mut free, order, |process| u64::from(process.0));
        Fault::Swizzle { clog, free, step_us }
    }

    fn cut(&mut self) -> Cut {
        let Partitions { isolate, inbound, outbound, split, bridge, ring, links } = self.parameters.shapes;
        let processes = self.parameters.processes;
        // A bridge needs somebody on either side; a ring of three cuts nothing.
        let bridge = if processes > 2 { bridge } else { 0 };
        let ring = if processes > 3 { ring } else { 0 };
        let weights = [isolate, inbound, outbound, split, bridge, ring, links];
        let weights = if weights == [0; 7] { [1, 0, 0, 0, 0, 0, 0] } else { weights };
        match self.draw.pick("shape", &weights) {
            0 => Cut::Isolate(self.target()),
            1 => Cut::Inbound(self.target()),
            2 => Cut::Outbound(self.target()),
            3 => Cut::Split(self.some_processes("side", processes - 1).into_iter().collect()),
            4 => {
                let mut side = self.some_processes("side", processes - 1);
                let bridge = side.pop().expect("at least one process is drawn");
                if side.is_empty() {
                    side.push(ProcessId((bridge.0 + 1) % processes));
                }
                Cut::Bridge { bridge, side: side.into_iter().collect::<ProcessSet>() }
            }
            5 => Cut::Ring,
            _ => Cut::Links(self.some_links()),
        }
    }

    /// From one up to `count_max` different processes, in an order of their own.
    fn some_processes(&mut self, field: &'static str, count_max: u32) -> Vec<ProcessId> {
        let mut all: Vec<ProcessId> = (0..self.parameters.processes).map(ProcessId).collect();
        let count = self.draw.range("count", 1, u64::from(count_max));
        shuffle(&mut all, self.draw.bits(field), |process| u64::from(process.0));
        all.truncate(usize::try_from(count).expect("processes are few"));
        all
    }

    /// From one up to as many directed links as there are processes.
    fn some_links(&mut self) -> Vec<Link> {
        let all = (0..self.parameters.processes).map(ProcessId);
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| Link { from, to }));
        let mut links: Vec<Link> = pairs.filter(|link| link.from != link.to).collect();
        let count = self.draw.range("count", 1, u64::from(self.parameters.processes));
        shuffle(&mut links, self.draw.bits("links"), |link| link.word());
        links.truncate(usize::try_from(count).expect("links are few"));
        links.sort_unstable();
        links
    }
}

/// Puts things into the order that the drawn bits give them.
fn shuffle<T>(things: &mut [T], bits: u64, name: impl Fn(&T) -> u64) {
    things.sort_by_cached_key(|thing| (xxh3_64_with_seed(&name(thing).to_le_bytes(), bits), name(thing)));
}
