//! From ranges to one run: draws the parameters of a world and of its fault plan.
//!
//! A draw is keyed by the names of section and field, so that a seed gives a parameter the same value
//! however many others are added beside it.

use xxhash_rust::xxh3::xxh3_64;

use super::range::{Between, Chances, Numbers, Probability, Ratios, Weights};
use super::{Clock, Disk, Network, Process, Profile, Recurring};
use crate::choice::{Choice, Draw, Purpose, Ratio};
use crate::disk::{
    CrashWeights, DirectoryWeights, DiskLatency, DiskParameters, ExtentWeights, FileWeights, GrowthWeights,
    PageWeights, SectorWeights,
};
use crate::parameters::{ClientParameters, ClockParameters, Limits, NetworkParameters, Parameters};
use crate::plan::{self, PlanParameters};

/// What a profile does not say, since it is not weather.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// How many processes there are.
    pub processes: u32,
    /// How many of them are healed for the liveness phase.
    pub core_size: u32,
    /// The protocol's timeout, in which a profile measures how long faults last.
    pub timeout_us: u64,
}

/// One draw from a profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// What the world is built from.
    pub parameters: Parameters,
    /// What its faults are drawn from.
    pub plan: PlanParameters,
}

impl Profile {
    /// Draws one run's parameters.
    #[must_use]
    pub fn resolve(&self, choice: &mut Choice, shape: Shape) -> Resolved {
        let clock_rates = self.resolve_clock_rates(choice);
        let parameters = Parameters {
            network: self.resolve_network(choice),
            disks: self.resolve_disks(choice, shape.processes),
            clocks: self.resolve_clocks(choice, shape.processes, clock_rates),
            clients: self.resolve_clients(choice),
            limits: self.resolve_limits(choice, shape),
        };
        let length_us = parameters.limits.safety_us;
        let plan = PlanParameters { length_us, ..self.resolve_plan(choice, shape, clock_rates) };
        Resolved { parameters, plan }
    }

    /// The rates that this run's clocks may have, if any but the right one.
    fn resolve_clock_rates(&self, choice: &mut Choice) -> Option<Ratios> {
        let swarm = &mut Resolver::new(choice, "swarm");
        let drift = swarm.chance("clock_drift", self.swarm.clock_drift);
        let wild = swarm.chance("wild_clock", self.swarm.wild_clock);
        let rates = if wild { Some(self.clock.wild) } else { drift.then_some(self.clock.drift) };
        rates.map(|rates| Between { low: rates.low.0, high: rates.high.0 })
    }

    fn resolve_network(&self, choice: &mut Choice) -> NetworkParameters {
        let swarm = &mut Resolver::new(choice, "swarm");
        let on = &self.swarm;
        let [tail, loss, duplication, fifo, capacity, ghosts, corruption] = [
            swarm.chance("tail", on.tail),
            swarm.chance("loss", on.loss),
            swarm.chance("duplication", on.duplication),
            swarm.chance("fifo", on.fifo),
            swarm.chance("capacity", on.capacity),
            swarm.chance("ghosts", on.ghosts),
            swarm.chance("corruption", on.corruption),
        ];
        let draw = &mut Resolver::new(choice, "network");
        let ranges: &Network = &self.network;
        let rare = |draw: &mut Resolver<'_>, is_on, field, range| {
            if is_on { draw.probability(field, range) } else { Ratio::ZERO }
        };
        NetworkParameters {
            delay_us_min: draw.number("delay_us_min", ranges.delay_us_min),
            delay_us_mean: draw.number("delay_us_mean", ranges.delay_us_mean),
            tail: rare(draw, tail, "tail", ranges.tail),
            tail_factor_max: draw.number("tail_factor_max", ranges.tail_factor_max).max(1),
            loss: rare(draw, loss, "loss", ranges.loss),
            duplication: rare(draw, duplication, "duplication", ranges.duplication),
            duplicate_delay_us_mean: draw.number("duplicate_delay_us_mean", ranges.duplicate_delay_us_mean),
            fifo,
            capacity: if capacity { draw.small("capacity", ranges.capacity) } else { 0 },
            ghosts: rare(draw, ghosts, "ghosts", ranges.ghosts),
            ghost_delay_us_max: draw.number("ghost_delay_us_max", ranges.ghost_delay_us_max),
            codec: corruption,
            corruption: rare(draw, corruption, "corruption", ranges.corruption),
        }
    }

    fn resolve_disks(&self, choice: &mut Choice, processes: u32) -> Vec<DiskParameters> {
        let swarm = &mut Resolver::new(choice, "swarm");
        let latency = swarm.chance("disk_latency", self.swarm.disk_latency);
        let slow = swarm.chance("slow_disk", self.swarm.slow_disk);
        let draw = &mut Resolver::new(choice, "disk");
        let ranges: &Disk = &self.disk;
        let common = DiskParameters {
            latency: if latency { resolve_latency(ranges, draw) } else { DiskLatency::default() },
            crash: resolve_weights(ranges, draw),
        };
        let mut disks = vec![common; processes as usize];
        if slow && processes > 0 {
            let process = draw.number("slow_process", Between { low: 0, high: u64::from(processes) - 1 });
            let factor = draw.number("slow_factor", ranges.slow_factor);
            let latency = &mut disks[usize::try_from(process).expect("it is one of the processes")].latency;
            let DiskLatency { read_us_mean, write_us_mean, sync_us_mean, us_max } = latency;
            for us in [read_us_mean, write_us_mean, sync_us_mean, us_max] {
                *us = us.saturating_mul(factor);
            }
        }
        disks
    }

    fn resolve_clocks(
        &self,
        choice: &mut Choice,
        processes: u32,
        rates: Option<Ratios>,
    ) -> Vec<ClockParameters> {
        let offset = Resolver::new(choice, "swarm").chance("clock_offset", self.swarm.clock_offset);
        let of_process = |process| {
            let draw = &mut Resolver::of(choice, "clock", u64::from(process));
            let size = if offset { draw.number("offset_us_max", self.clock.offset_us_max) } else { 0 };
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let back = draw.chance("offset_back", Probability::new(1, 2));
            ClockParameters {
                wall_offset_us: if back { -size } else { size },
                rate: rates.map_or(Ratio::ONE, |rates| draw.ratio("rate", rates)),
            }
        };
        (0..processes).map(of_process).collect()
    }

    fn resolve_clients(&self, choice: &mut Choice) -> ClientParameters {
        let draw = &mut Resolver::new(choice, "clients");
        let ranges = &self.clients;
        ClientParameters {
            count: draw.small("count", ranges.count),
            delay_us_min: draw.number("delay_us_min", ranges.delay_us_min),
            delay_us_mean: draw.number("delay_us_mean", ranges.delay_us_mean),
            loss: draw.probability("loss", ranges.loss),
        }
    }

    fn resolve_limits(&self, choice: &mut Choice, shape: Shape) -> Limits {
        let draw = &mut Resolver::new(choice, "limits");
        let ranges = &self.limits;
        Limits {
            safety_us: draw.number("safety_us", ranges.safety_us),
            liveness_us: draw.number("liveness_us", ranges.liveness_us),
            core_size: shape.core_size,
            core_is_alone: draw.chance("core_alone", ranges.core_alone),
            healed_delay_us: times(draw.probability("healed_delay", ranges.healed_delay), shape.timeout_us),
            liveness_operations: draw.number("liveness_operations", ranges.liveness_operations),
            events: draw.number("events", ranges.events),
        }
    }

    fn resolve_plan(&self, choice: &mut Choice, shape: Shape, clock_rates: Option<Ratios>) -> PlanParameters {
        let on = &self.swarm;
        let (network, process, clock): (&Network, &Process, &Clock) =
            (&self.network, &self.process, &self.clock);
        let each = u64::from(shape.processes.max(1));
        let mut recurring = |field, chance, ranges: &Recurring, processes: u64| {
            if !Resolver::new(choice, "swarm").chance(field, chance) {
                return plan::Recurring::NEVER;
            }
            let every_us = Resolver::new(choice, "every").number(field, ranges.every_us) / processes;
            plan::Recurring {
                every_us_mean: every_us.max(1),
                lasts_us: scale(ranges.lasts, shape.timeout_us),
            }
        };
        let instant = |every_us| Recurring { every_us, lasts: Between::only(Ratio::ZERO) };
        let plan = PlanParameters {
            processes: shape.processes,
            partition: recurring("partition", on.partition, &network.partition, 1),
            flapping: recurring("flapping", on.flapping, &network.flapping, 1),
            clog: recurring("clog", on.clog, &network.clog, 1),
            swizzle: recurring("swizzle", on.swizzle, &network.swizzle, 1),
            crash: recurring("crash", on.crash, &process.crash, each),
            crash_all: recurring("crash_all", on.crash_all, &process.crash_all, 1),
            crash_loop: recurring("crash_loop", on.crash_loop, &process.crash_loop, 1),
            pause: recurring("pause", on.pause, &process.pause, each),
            disk_stall: recurring("disk_stall", on.disk_stall, &self.disk.stall, each),
            rot: recurring("rot", on.rot, &instant(self.disk.rot_every_us), each),
            ruin: recurring("ruin", on.ruin, &instant(self.disk.ruin_every_us), each),
            amnesia: recurring("amnesia", on.amnesia, &self.disk.amnesia, each),
            lost_disk: recurring("lost_disk", on.lost_disk, &self.disk.lost, each),
            disk_error: recurring("disk_error", on.disk_error, &self.disk.error, each),
            clock_freeze: recurring("clock_freeze", on.clock_freeze, &clock.freeze, each),
            clock_rate: match clock_rates {
                Some(_) => {
                    recurring("clock_rate", Probability::new(1, 1), &instant(clock.rate_every_us), each)
                }
                None => plan::Recurring::NEVER,
            },
            clock_jump: recurring("clock_jump", on.clock_jump, &instant(clock.jump_every_us), each),
            administer: recurring("administer", on.administer, &instant(process.administer_every_us), 1),
            shapes: network.shapes.clone(),
            clock_rates: clock_rates.unwrap_or(Between::only(Ratio::ONE)),
            last: on.last.0,
            crash_loop_times: process.crash_loop_times,
            disk_operations: process.disk_operations,
            ..PlanParameters::default()
        };
        let draw = &mut Resolver::new(choice, "plan");
        PlanParameters {
            prominent: draw.probability("prominent", process.prominent),
            power_loss: draw.probability("power_loss", process.power_loss),
            at_disk_operation: draw.probability("at_disk_operation", process.at_disk_operation),
            frozen: draw.probability("frozen", process.frozen),
            jump_us_max: draw.number("jump_us_max", clock.jump_us_max),
            commands: draw.number("commands", process.commands),
            ..plan
        }
    }
}

fn resolve_latency(ranges: &Disk, draw: &mut Resolver<'_>) -> DiskLatency {
    DiskLatency {
        read_us_mean: draw.number("read_us_mean", ranges.read_us_mean),
        write_us_mean: draw.number("write_us_mean", ranges.write_us_mean),
        sync_us_mean: draw.number("sync_us_mean", ranges.sync_us_mean),
        us_max: draw.number("latency_us_max", ranges.latency_us_max),
    }
}

fn resolve_weights(ranges: &Disk, draw: &mut Resolver<'_>) -> CrashWeights {
    let [kept, dropped, torn] = draw.weights("file", ranges.file);
    let file = FileWeights { kept, dropped, torn };
    let [kept, dropped, damaged] = draw.weights("page", ranges.page);
    let page = PageWeights { kept, dropped, damaged };
    let [new, old, garbage] = draw.weights("sector", ranges.sector);
    let sector = SectorWeights { new, old, garbage };
    let [whole, prefix, suffix] = draw.weights("extent", ranges.extent);
    let extent = ExtentWeights { whole, prefix, suffix };
    let [zeros, garbage] = draw.weights("growth", ranges.growth);
    let growth = GrowthWeights { zeros, garbage };
    let [kept, ordered, scattered] = draw.weights("directory", ranges.directory);
    let directory = DirectoryWeights { kept, ordered, scattered };
    CrashWeights { file, page, sector, extent, growth, directory }
}

/// Draws the parameters of one section.
pub struct Resolver<'a> {
    choice: &'a mut Choice,
    section: u64,
}

impl<'a> Resolver<'a> {
    /// Draws for the section of that name.
    pub fn new(choice: &'a mut Choice, section: &str) -> Self {
        Self::of(choice, section, 0)
    }

    /// Draws for one of several things that each have such a section.
    pub fn of(choice: &'a mut Choice, section: &str, number: u64) -> Self {
        Self { choice, section: xxh3_64(section.as_bytes()).wrapping_add(number) }
    }

    /// A number.
    pub fn number(&mut self, field: &'static str, range: Numbers) -> u64 {
        self.draw(field).range(field, range.low, range.high)
    }

    /// A number of 32 bits; what is above is cut off.
    pub fn small(&mut self, field: &'static str, range: Numbers) -> u32 {
        u32::try_from(self.number(field, range)).unwrap_or(u32::MAX)
    }

    /// A ratio.
    pub fn ratio(&mut self, field: &'static str, range: Ratios) -> Ratio {
        range.at(self.draw(field).range(field, 0, Ratios::STEPS))
    }

    /// A probability.
    pub fn probability(&mut self, field: &'static str, range: Chances) -> Ratio {
        self.ratio(field, Between { low: range.low.0, high: range.high.0 })
    }

    /// Whether something is so.
    pub fn chance(&mut self, field: &'static str, probability: Probability) -> bool {
        self.draw(field).chance(field, probability.0)
    }

    /// Weights of a choice. Where all of them come out as zero, all that could be more are alike.
    pub fn weights<const N: usize>(&mut self, field: &'static str, weights: Weights<N>) -> [u32; N] {
        let ranges = weights.ranges();
        let mut draw = self.draw(field);
        let weights = ranges.map(|range| {
            let weight = draw.range(field, range.low, range.high);
            u32::try_from(weight).expect("weights have 32 bits")
        });
        if weights == [0; N] { ranges.map(|range| u32::from(range.high > 0)) } else { weights }
    }

    /// The decisions on a field.
    fn draw(&mut self, field: &str) -> Draw<'_> {
        self.choice.draw(Purpose::Parameter, self.section, xxh3_64(field.as_bytes()))
    }
}

impl Ratios {
    /// A range of ratios is drawn from in so many steps.
    pub(crate) const STEPS: u64 = 1_000;

    /// The ratio that lies `step` thousandths of the way from `low` to `high`, as near as 32 bits allow.
    pub(crate) fn at(self, step: u64) -> Ratio {
        let Self { low, high } = self;
        let (low_den, high_den) = (u128::from(low.den), u128::from(high.den));
        let steps = u128::from(Self::STEPS);
        let low_num = u128::from(low.num) * high_den;
        let high_num = u128::from(high.num) * low_den;
        let num = low_num * steps + (high_num - low_num) * u128::from(step);
        nearest(num, low_den * high_den * steps)
    }
}

/// The ratio in lowest terms; where it still does not fit, rounded down.
fn nearest(num: u128, den: u128) -> Ratio {
    let (mut divisor, mut rest) = (den, num);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (mut num, mut den) = (num / divisor, den / divisor);
    while num.max(den) > u128::from(u32::MAX) {
        (num, den) = (num / 2, den.div_ceil(2));
    }
    let small = |number: u128| u32::try_from(number).expect("it was made to fit");
    Ratio::new(small(num), small(den))
}

/// Durations in microseconds from multiples of a timeout; none is zero.
fn scale(range: Ratios, timeout_us: u64) -> Numbers {
    Between { low: times(range.low, timeout_us), high: times(range.high, timeout_us) }
}

fn times(ratio: Ratio, timeout_us: u64) -> u64 {
    let us = u128::from(timeout_us) * u128::from(ratio.num) / u128::from(ratio.den);
    u64::try_from(us).unwrap_or(u64::MAX).max(1)
}
