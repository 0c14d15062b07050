//! The resolved parameters of one run: plain data, drawn from a profile or stated by a scenario.
//!
//! Nothing is random here any more: two worlds with equal parameters, faults and choices are equal.

use crate::choice::Ratio;
use crate::disk::DiskParameters;
use crate::ids::PROCESSES_MAX;

/// The most clients that a world holds: each costs memory before its first request.
pub const CLIENTS_MAX: u32 = 10_000;

/// Everything that a world is built from, besides its faults and its choices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// The delays and losses of the links between processes.
    pub network: NetworkParameters,
    /// The disk of each process; their number is the number of processes.
    pub disks: Vec<DiskParameters>,
    /// The clock of each process, as many as there are disks.
    pub clocks: Vec<ClockParameters>,
    /// The clients and their links.
    pub clients: ClientParameters,
    /// When the run ends.
    pub limits: Limits,
}

/// Each directed link by itself behaves so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkParameters {
    /// No message takes less.
    pub delay_us_min: u64,
    /// The mean of the exponentially distributed rest.
    pub delay_us_mean: u64,
    /// How many messages take far longer.
    pub tail: Ratio,
    /// How much longer those take, at most.
    pub tail_factor_max: u64,
    /// How many messages are lost.
    pub loss: Ratio,
    /// How many messages arrive twice.
    pub duplication: Ratio,
    /// The mean of the second copy's own delay, exponentially distributed.
    pub duplicate_delay_us_mean: u64,
    /// Whether a link keeps the order of its messages, as TCP does. It makes no copies then.
    pub fifo: bool,
    /// How many messages a link holds; when it is full, a random one of them is thrown out. 0 is no bound.
    pub capacity: u32,
    /// How many messages are also kept and delivered much later.
    pub ghosts: Ratio,
    /// A ghost is delivered within this time.
    pub ghost_delay_us_max: u64,
    /// Whether every message passes through the process's codec.
    pub codec: bool,
    /// How many encoded messages are damaged on their way.
    pub corruption: Ratio,
}

/// A process's clock at the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClockParameters {
    /// How far the wall clock is off.
    pub wall_offset_us: i64,
    /// Local seconds per second.
    pub rate: Ratio,
}

/// The clients and the links between them and the processes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientParameters {
    /// How many clients there are.
    pub count: u32,
    /// No request or answer takes less.
    pub delay_us_min: u64,
    /// The mean of the exponentially distributed rest.
    pub delay_us_mean: u64,
    /// How many requests and answers are lost.
    pub loss: Ratio,
}

/// When a run ends, in virtual time and in events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The length of the safety phase.
    pub safety_us: u64,
    /// How long the healed core may take to settle; 0 is a run without a liveness phase.
    pub liveness_us: u64,
    /// How many processes are healed for the liveness phase.
    pub core_size: u32,
    /// Whether those are cut off from all others for good.
    pub core_is_alone: bool,
    /// How long a message takes on a healed link.
    pub healed_delay_us: u64,
    /// How many fresh answers each client must get in the liveness phase.
    pub liveness_operations: u64,
    /// A run that takes more events than this is given up: inconclusive in the safety phase, a failure of liveness
    /// after it.
    pub events: u64,
}

impl Parameters {
    /// A calm world: short delays, no loss, no copies, exact clocks, a minute of safety and no liveness phase.
    #[must_use]
    pub fn calm(processes: u32, clients: u32) -> Parameters {
        let processes = processes as usize;
        Parameters {
            network: NetworkParameters::default(),
            disks: vec![DiskParameters::default(); processes],
            clocks: vec![ClockParameters::default(); processes],
            clients: ClientParameters { count: clients, ..ClientParameters::default() },
            limits: Limits::default(),
        }
    }

    /// How many processes there are.
    #[must_use]
    pub fn processes(&self) -> u32 {
        self.disks.len() as u32
    }

    /// Says what cannot be simulated, if anything.
    pub fn check(&self) -> Result<(), String> {
        let processes = self.disks.len();
        if processes == 0 || processes > PROCESSES_MAX as usize {
            return Err(format!("{processes} processes; a world holds 1 to {PROCESSES_MAX}"));
        }
        if self.clocks.len() != processes {
            return Err(format!("{} clocks for {processes} processes; give each one", self.clocks.len()));
        }
        if let Some(slot) = self.clocks.iter().position(|clock| !clock.rate.is_clock_rate()) {
            return Err(format!(
                "the clock of n{slot} has rate {}; it must lie between 1/1000 and 1000",
                self.clocks[slot].rate
            ));
        }
        if self.clients.count > CLIENTS_MAX {
            return Err(format!("{} clients; a world holds at most {CLIENTS_MAX}", self.clients.count));
        }
        if self.limits.liveness_us > 0 && !(1..=processes).contains(&(self.limits.core_size as usize)) {
            return Err(format!("a core of {} out of {processes} processes", self.limits.core_size));
        }
        let ratios = [
            ("tail", self.network.tail),
            ("loss", self.network.loss),
            ("duplication", self.network.duplication),
            ("ghosts", self.network.ghosts),
            ("corruption", self.network.corruption),
            ("loss of clients", self.clients.loss),
        ];
        match ratios.iter().find(|(_, ratio)| !ratio.is_probability()) {
            Some((name, ratio)) => Err(format!("{name} is {ratio}; a probability lies between 0/1 and 1/1")),
            None => Ok(()),
        }
    }
}

impl Default for NetworkParameters {
    fn default() -> NetworkParameters {
        NetworkParameters {
            delay_us_min: 500,
            delay_us_mean: 500,
            tail: Ratio::ZERO,
            tail_factor_max: 1,
            loss: Ratio::ZERO,
            duplication: Ratio::ZERO,
            duplicate_delay_us_mean: 0,
            fifo: false,
            capacity: 0,
            ghosts: Ratio::ZERO,
            ghost_delay_us_max: 0,
            codec: false,
            corruption: Ratio::ZERO,
        }
    }
}

impl Default for ClockParameters {
    fn default() -> ClockParameters {
        ClockParameters { wall_offset_us: 0, rate: Ratio::ONE }
    }
}

impl Default for ClientParameters {
    fn default() -> ClientParameters {
        ClientParameters { count: 1, delay_us_min: 100, delay_us_mean: 100, loss: Ratio::ZERO }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            safety_us: 60_000_000,
            liveness_us: 0,
            core_size: 0,
            core_is_alone: false,
            healed_delay_us: 1_000,
            liveness_operations: 0,
            events: 100_000_000,
        }
    }
}
