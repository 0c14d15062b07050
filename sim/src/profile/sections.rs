//! The sections of a profile, and the storm of the fault model as their defaults.
//!
//! Durations that matter in proportion to the protocol's patience (`lasts`, `outage`) are multiples of its
//! timeout; all others are microseconds, as their names say.

use serde::{Deserialize, Deserializer, de};

use super::range::{Between, Chances, NOTHING_TO_PICK, Numbers, Probability, Rate, Rates, Ratios, Weights};
use crate::choice::Ratio;

/// How likely each fault class is to be part of a run at all.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is the chance of the class that it is named after")]
pub struct Swarm {
    pub tail: Probability,
    pub loss: Probability,
    pub duplication: Probability,
    pub fifo: Probability,
    pub capacity: Probability,
    pub ghosts: Probability,
    pub corruption: Probability,
    pub partition: Probability,
    pub flapping: Probability,
    pub clog: Probability,
    pub swizzle: Probability,
    pub crash: Probability,
    pub crash_all: Probability,
    pub crash_loop: Probability,
    pub pause: Probability,
    pub disk_latency: Probability,
    pub slow_disk: Probability,
    pub disk_stall: Probability,
    /// Bytes that were durable go bad.
    pub rot: Probability,
    /// Operations of a disk fail.
    pub disk_error: Probability,
    /// Disks are lost, with all that is on them.
    pub lost_disk: Probability,
    /// Disks are ruined in every way that can be told.
    pub ruin: Probability,
    /// Disks forget.
    pub amnesia: Probability,
    pub clock_offset: Probability,
    /// Clocks that run a little fast or slow, as real ones do.
    pub clock_drift: Probability,
    /// Clocks that run at rates no quartz has.
    pub wild_clock: Probability,
    pub clock_jump: Probability,
    pub clock_freeze: Probability,
    pub administer: Probability,
    /// How many of the classes that last have a fault so late that it outlasts the storm.
    pub last: Probability,
}

impl Swarm {
    /// Every class of faults by its name, with its chance.
    pub fn classes(&mut self) -> [(&'static str, &mut Probability); 30] {
        [
            ("tail", &mut self.tail),
            ("loss", &mut self.loss),
            ("duplication", &mut self.duplication),
            ("fifo", &mut self.fifo),
            ("capacity", &mut self.capacity),
            ("ghosts", &mut self.ghosts),
            ("corruption", &mut self.corruption),
            ("partition", &mut self.partition),
            ("flapping", &mut self.flapping),
            ("clog", &mut self.clog),
            ("swizzle", &mut self.swizzle),
            ("crash", &mut self.crash),
            ("crash_all", &mut self.crash_all),
            ("crash_loop", &mut self.crash_loop),
            ("pause", &mut self.pause),
            ("disk_latency", &mut self.disk_latency),
            ("slow_disk", &mut self.slow_disk),
            ("disk_stall", &mut self.disk_stall),
            ("rot", &mut self.rot),
            ("disk_error", &mut self.disk_error),
            ("lost_disk", &mut self.lost_disk),
            ("ruin", &mut self.ruin),
            ("amnesia", &mut self.amnesia),
            ("clock_offset", &mut self.clock_offset),
            ("clock_drift", &mut self.clock_drift),
            ("wild_clock", &mut self.wild_clock),
            ("clock_jump", &mut self.clock_jump),
            ("clock_freeze", &mut self.clock_freeze),
            ("administer", &mut self.administer),
            ("last", &mut self.last),
        ]
    }
}

/// A fault that comes again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurring {
    /// The mean time from one to the next; the gaps themselves are exponentially distributed.
    #[serde(deserialize_with = "gap")]
    pub every_us: Numbers,
    /// How long each lasts, in timeouts of the protocol.
    pub lasts: Ratios,
}

/// No class of faults strikes more often: what is meant to be off is off by its chance.
const GAP_US_MIN: u64 = 100_000;

fn gap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Numbers, D::Error> {
    let gap = Numbers::deserialize(deserializer)?;
    if gap.low < GAP_US_MIN {
        let low = gap.low;
        return Err(de::Error::custom(format!(
            "every {low} us is too often; expected at least {GAP_US_MIN} (whether it happens at all is said in [swarm])"
        )));
    }
    Ok(gap)
}

/// Links between processes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// No message takes less.
    pub delay_us_min: Numbers,
    /// The mean of the rest.
    pub delay_us_mean: Numbers,
    /// How many messages take far longer.
    pub tail: Chances,
    /// How much longer those take, at most.
    pub tail_factor_max: Numbers,
    /// How many messages are lost.
    pub loss: Chances,
    /// How many messages arrive twice.
    pub duplication: Chances,
    /// The mean of the second copy's own delay.
    pub duplicate_delay_us_mean: Numbers,
    /// How many messages a link holds.
    pub capacity: Numbers,
    /// How many messages come again much later.
    pub ghosts: Chances,
    /// A ghost comes within this time.
    pub ghost_delay_us_max: Numbers,
    /// How many encoded messages are damaged.
    pub corruption: Chances,
    /// Links that are cut.
    pub partition: Recurring,
    /// Links that are cut and restored again and again.
    pub flapping: Recurring,
    /// Links whose messages stall and then arrive together.
    pub clog: Recurring,
    /// Processes that are clogged one after the other; `lasts` is each step.
    pub swizzle: Recurring,
    /// The weight of each shape of a partition.
    #[serde(deserialize_with = "some_shape")]
    pub shapes: Partitions,
}

/// The weight of each shape of a partition. What strikes one process strikes the most prominent one as often
/// as `process.prominent` says.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is the weight of the shape that it is named after")]
pub struct Partitions {
    pub isolate: u32,
    pub inbound: u32,
    pub outbound: u32,
    pub split: u32,
    pub bridge: u32,
    pub ring: u32,
    pub links: u32,
}

/// Crashes, pauses and an operator's commands.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// A process dies and comes back; `every_us` is each process's mean time between failures.
    pub crash: Recurring,
    /// All processes die at once.
    pub crash_all: Recurring,
    /// A process dies several times in a row; `lasts` is each outage and each time in between.
    pub crash_loop: Recurring,
    /// How often it dies then.
    pub crash_loop_times: Numbers,
    /// A process stops taking part and goes on later; `every_us` is each process's.
    pub pause: Recurring,
    /// How many crashes are power losses.
    pub power_loss: Chances,
    /// How many crashes wait for disk operations, and so strike while writes are pending.
    pub at_disk_operation: Chances,
    /// How many disk operations they wait for.
    pub disk_operations: Numbers,
    /// How many pauses freeze the clock too.
    pub frozen: Chances,
    /// How many faults on one process strike the most prominent one.
    pub prominent: Chances,
    /// The mean time between two of an operator's commands.
    #[serde(deserialize_with = "gap")]
    pub administer_every_us: Numbers,
    /// How many different commands there are, from 0 up; with none, no operator.
    pub commands: Numbers,
}

/// Disks.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// Mean time of a read.
    pub read_us_mean: Numbers,
    /// Mean time of what changes a file.
    pub write_us_mean: Numbers,
    /// Mean time of a sync.
    pub sync_us_mean: Numbers,
    /// No operation takes longer.
    pub latency_us_max: Numbers,
    /// How many times slower one process's disk is.
    pub slow_factor: Numbers,
    /// No operation of a disk completes for a while; `every_us` is each process's.
    pub stall: Recurring,
    /// Bytes that were durable go bad; the mean time between two such places, each process's.
    #[serde(deserialize_with = "gap")]
    pub rot_every_us: Numbers,
    /// Operations fail; `every_us` is each process's, `lasts` how long it may go on, and the outage of a process that ends
    /// its life over it.
    pub error: Recurring,
    /// A process comes back to an empty disk; `every_us` is each process's, `lasts` the outage.
    pub lost: Recurring,
    /// What was durable is ruined, without a budget; the mean time between two such events, each process's.
    #[serde(deserialize_with = "gap")]
    pub ruin_every_us: Numbers,
    /// A disk forgets, so that nobody can tell; `every_us` is each process's, `lasts` how far it goes back in time.
    pub amnesia: Recurring,
    /// Weights of a file's unsynced changes at a power loss: kept, dropped, torn.
    pub file: Weights<3>,
    /// Weights of a page of a torn file: kept, dropped, damaged.
    pub page: Weights<3>,
    /// Weights of a sector of a damaged page: new, old, garbage.
    pub sector: Weights<3>,
    /// Weights of how much of such a sector is not new: whole, prefix, suffix.
    pub extent: Weights<3>,
    /// Weights of where a file grew without its data: zeros, garbage.
    pub growth: Weights<2>,
    /// Weights of unsynced names: kept, ordered, scattered.
    pub directory: Weights<3>,
}

/// The clock of each process.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// How far a wall clock is off, in either direction.
    pub offset_us_max: Numbers,
    /// Local seconds per second of a clock that drifts.
    pub drift: Rates,
    /// Local seconds per second of a wild clock.
    pub wild: Rates,
    /// The mean time after which a process's clock takes another rate.
    #[serde(deserialize_with = "gap")]
    pub rate_every_us: Numbers,
    /// The mean time between two jumps of a process's wall clock.
    #[serde(deserialize_with = "gap")]
    pub jump_every_us: Numbers,
    /// How far it jumps, in either direction.
    pub jump_us_max: Numbers,
    /// A process's clocks stand still while it runs; `every_us` is each process's.
    pub freeze: Recurring,
}

/// Clients and their links.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clients {
    /// How many there are.
    pub count: Numbers,
    /// No request or answer takes less.
    pub delay_us_min: Numbers,
    /// The mean of the rest.
    pub delay_us_mean: Numbers,
    /// How many requests and answers are lost.
    pub loss: Chances,
}

/// The length of a run.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The length of the safety phase.
    pub safety_us: Numbers,
    /// How long the healed core may take; 0 leaves the phase out.
    pub liveness_us: Numbers,
    /// How many runs heal a core that is cut off from all others.
    pub core_alone: Probability,
    /// How long a message takes on a healed link, in timeouts of the protocol.
    pub healed_delay: Chances,
    /// How many fresh answers each client must get then.
    pub liveness_operations: Numbers,
    /// How many events a run may take.
    pub events: Numbers,
}

/// Shapes of which at least one can be picked.
fn some_shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Partitions, D::Error> {
    let none = Partitions { isolate: 0, inbound: 0, outbound: 0, split: 0, bridge: 0, ring: 0, links: 0 };
    let shapes = Partitions::deserialize(deserializer)?;
    if shapes == none { Err(de::Error::custom(NOTHING_TO_PICK)) } else { Ok(shapes) }
}

const SECOND_US: u64 = 1_000_000;

const fn numbers(low: u64, high: u64) -> Numbers {
    Between { low, high }
}

const fn ratios(low: (u32, u32), high: (u32, u32)) -> Ratios {
    Between { low: Ratio::new(low.0, low.1), high: Ratio::new(high.0, high.1) }
}

const fn chances(low: (u32, u32), high: (u32, u32)) -> Chances {
    Between { low: Probability::new(low.0, low.1), high: Probability::new(high.0, high.1) }
}

const fn every(low_us: u64, high_us: u64, lasts: Ratios) -> Recurring {
    Recurring { every_us: numbers(low_us, high_us), lasts }
}

impl Swarm {
    /// Every class with the same chance.
    #[must_use]
    pub const fn all(chance: Probability) -> Self {
        Self {
            tail: chance,
            loss: chance,
            duplication: chance,
            fifo: chance,
            capacity: chance,
            ghosts: chance,
            corruption: chance,
            partition: chance,
            flapping: chance,
            clog: chance,
            swizzle: chance,
            crash: chance,
            crash_all: chance,
            crash_loop: chance,
            pause: chance,
            disk_latency: chance,
            slow_disk: chance,
            disk_stall: chance,
            rot: chance,
            disk_error: chance,
            lost_disk: chance,
            ruin: chance,
            amnesia: chance,
            clock_offset: chance,
            clock_drift: chance,
            wild_clock: chance,
            clock_jump: chance,
            clock_freeze: chance,
            administer: chance,
            last: chance,
        }
    }
}

impl Default for Swarm {
    fn default() -> Self {
        let rare = Probability::new(1, 5);
        Self {
            fifo: rare,
            ghosts: rare,
            corruption: rare,
            flapping: rare,
            swizzle: Probability::new(3, 10),
            crash_all: rare,
            crash_loop: rare,
            wild_clock: rare,
            clock_freeze: rare,
            // Only who can repair its data outlasts it.
            rot: Probability::new(0, 1),
            // Only who ends its life in good order.
            disk_error: Probability::new(0, 1),
            // Only where the others can do without.
            lost_disk: Probability::new(0, 1),
            // Only where next to nothing is promised.
            ruin: Probability::new(0, 1),
            amnesia: Probability::new(0, 1),
            ..Self::all(Probability::new(1, 2))
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay_us_min: numbers(0, 10_000),
            delay_us_mean: numbers(1_000, 80_000),
            tail: chances((1, 10_000), (1, 500)),
            tail_factor_max: numbers(2, 100),
            loss: chances((0, 1), (3, 10)),
            duplication: chances((0, 1), (3, 10)),
            duplicate_delay_us_mean: numbers(1_000, 2 * SECOND_US),
            capacity: numbers(2, 64),
            ghosts: chances((1, 10_000), (1, 100)),
            ghost_delay_us_max: numbers(SECOND_US, 30 * SECOND_US),
            corruption: chances((1, 1_000), (1, 20)),
            partition: every(SECOND_US, 20 * SECOND_US, ratios((3, 10), (5, 1))),
            flapping: every(5 * SECOND_US, 40 * SECOND_US, ratios((1, 1), (10, 1))),
            clog: every(2 * SECOND_US, 30 * SECOND_US, ratios((3, 10), (5, 1))),
            swizzle: every(5 * SECOND_US, 40 * SECOND_US, ratios((1, 20), (1, 1))),
            shapes: Partitions::default(),
        }
    }
}

impl Default for Partitions {
    fn default() -> Self {
        Self { isolate: 4, inbound: 2, outbound: 2, split: 4, bridge: 2, ring: 1, links: 2 }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self {
            crash: every(5 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (5, 1))),
            crash_all: every(10 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (2, 1))),
            crash_loop: every(10 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (1, 1))),
            crash_loop_times: numbers(2, 5),
            pause: every(5 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (5, 1))),
            power_loss: chances((0, 1), (1, 1)),
            at_disk_operation: chances((1, 2), (10, 11)),
            disk_operations: numbers(1, 12),
            frozen: chances((0, 1), (1, 1)),
            prominent: chances((1, 10), (1, 2)),
            administer_every_us: numbers(2 * SECOND_US, 20 * SECOND_US),
            commands: Between::only(0),
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            read_us_mean: numbers(0, 1_000),
            write_us_mean: numbers(0, 2_000),
            sync_us_mean: numbers(0, 50_000),
            latency_us_max: numbers(50_000, SECOND_US),
            slow_factor: numbers(2, 20),
            stall: every(10 * SECOND_US, 60 * SECOND_US, ratios((1, 2), (20, 1))),
            rot_every_us: numbers(SECOND_US, 20 * SECOND_US),
            error: every(5 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (5, 1))),
            ruin_every_us: numbers(3 * SECOND_US, 100 * SECOND_US),
            amnesia: every(5 * SECOND_US, 100 * SECOND_US, ratios((1, 1), (50, 1))),
            lost: every(20 * SECOND_US, 200 * SECOND_US, ratios((1, 10), (5, 1))),
            file: Weights::new([numbers(0, 2), numbers(0, 3), numbers(1, 7)]),
            page: Weights::new([numbers(0, 2), numbers(0, 2), numbers(1, 2)]),
            sector: Weights::new([numbers(0, 2), numbers(1, 3), numbers(0, 3)]),
            extent: Weights::new([Between::only(1); 3]),
            growth: Weights::new([numbers(1, 3), numbers(0, 1)]),
            directory: Weights::new([numbers(0, 1), numbers(0, 1), numbers(1, 2)]),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset_us_max: numbers(0, 10 * SECOND_US),
            drift: Between { low: Rate::new(9_998, 10_000), high: Rate::new(10_002, 10_000) },
            wild: Between { low: Rate::new(1, 2), high: Rate::new(2, 1) },
            rate_every_us: numbers(5 * SECOND_US, 60 * SECOND_US),
            jump_every_us: numbers(5 * SECOND_US, 60 * SECOND_US),
            jump_us_max: numbers(1_000, 60 * SECOND_US),
            freeze: every(10 * SECOND_US, 60 * SECOND_US, ratios((1, 10), (5, 1))),
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            count: numbers(1, 8),
            delay_us_min: numbers(0, 1_000),
            delay_us_mean: numbers(100, 20_000),
            loss: chances((0, 1), (1, 10)),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            safety_us: numbers(10 * SECOND_US, 60 * SECOND_US),
            liveness_us: Between::only(60 * SECOND_US),
            core_alone: Probability::new(1, 2),
            healed_delay: chances((0, 1), (1, 8)),
            liveness_operations: Between::only(3),
            events: Between::only(5_000_000),
        }
    }
}
