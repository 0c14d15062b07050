//! Profiles: from ranges and weights to the one run that a seed stands for.
//!
//! A profile is the simulator's weather and, beside it, what this crate's cluster draws: its size, the core's
//! bounds, the layout of its storage, its clients.

use std::ops::RangeInclusive;

use serde::Deserialize;
use squall_files::Limits;
use squall_raft::Config;
use squall_replica::{SessionLimits, SnapshotPolicy};
use squall_sim::fault::{Fault, PausedClock};
use squall_sim::parameters::CLIENTS_MAX;
use squall_sim::parameters::ClockParameters;
use squall_sim::profile::{
    self, Between, Chances, Numbers, Probability, ProfileError, Resolver, Shape, Weights,
};
use squall_sim::text;
use squall_sim::{Choice, FaultEvent, Parameters, ProcessId, Ratio};
use squall_storage::Options;

use crate::server::{DEEDS, MESSAGE_BYTES_MAX, Setup, SlowApply, TICK_US_MAX, node_id};
use crate::workload::{DEPTH_MAX, NAMES_MAX, VALUE_BYTES_MAX, WorkloadParameters};

/// The profiles that come with the crate.
const BUILT_IN: [(&str, &str); 14] = [
    ("storm", include_str!("../profiles/storm.toml")),
    ("churn", include_str!("../profiles/churn.toml")),
    ("schism", include_str!("../profiles/schism.toml")),
    ("reads", include_str!("../profiles/reads.toml")),
    ("files", include_str!("../profiles/files.toml")),
    ("lite", include_str!("../profiles/lite.toml")),
    ("calm", include_str!("../profiles/calm.toml")),
    ("disk", include_str!("../profiles/disk.toml")),
    ("hang", include_str!("../profiles/hang.toml")),
    ("bridge", include_str!("../profiles/bridge.toml")),
    ("witness", include_str!("../profiles/witness.toml")),
    ("lone", include_str!("../profiles/lone.toml")),
    ("ruin", include_str!("../profiles/ruin.toml")),
    ("amnesia", include_str!("../profiles/amnesia.toml")),
];

/// The memory that the core may fill with its log unless it is told otherwise; profiles tighten it and tell it nothing.
const LOG_BYTES: u64 = 256 << 20;

/// What a seed draws from.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, for reports; the file's stem unless it is stated.
    #[serde(default)]
    pub name: String,
    /// The cluster and its cores.
    pub cluster: Cluster,
    /// What the clients do.
    pub workload: Workload,
    /// Which fault classes a run has at all.
    #[serde(default)]
    pub swarm: profile::Swarm,
    /// Links, and the faults that strike them.
    #[serde(default)]
    pub network: profile::Network,
    /// Crashes and pauses.
    #[serde(default)]
    pub process: profile::Process,
    /// Latency, stalls, and what a power loss leaves.
    #[serde(default)]
    pub disk: profile::Disk,
    /// Offsets, rates, jumps.
    #[serde(default)]
    pub clock: profile::Clock,
    /// How many clients, and their links.
    #[serde(default)]
    pub clients: profile::Clients,
    /// How long a run may be.
    #[serde(default)]
    pub limits: profile::Limits,
}

/// The cluster and its cores.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The sizes that a cluster may have; one of them is picked, so a size that stands twice is twice as likely.
    pub voters: Vec<u32>,
    /// How many runs have witnesses among the voters, and perhaps among the servers that wait to be added.
    pub witnesses: Probability,
    /// How many runs change their membership while they go on.
    pub membership: Probability,
    /// Servers of such a run beside those that the cluster begins with.
    pub spares: Numbers,
    /// The mean gap between an operator's commands in such a run, in place of `process.administer_every_us`.
    pub membership_every_us: Numbers,
    /// Which deeds such commands ask for: the first so many of the operator's list, 1 to [`DEEDS`].
    pub deeds: u64,
    /// How many runs replicate a file system, and not keys and values.
    pub files: Probability,
    /// Files and directories that such a file system may hold.
    pub max_inodes: Numbers,
    /// How many priorities there are: the servers have them in turn. With 1 nobody is preferred.
    pub priorities: Numbers,
    /// The length of a tick.
    pub tick_us: Numbers,
    /// The shortest election timeout, in ticks.
    pub election_timeout: Numbers,
    /// How many heartbeats fit into the shortest election timeout; at least 3.
    pub heartbeats: Numbers,
    /// How many runs have extreme bounds: windows of one message, batches of one entry, no cache.
    pub extreme: Probability,
    /// Bounds of a run without extremes; see [`Config`].
    pub max_message_bytes: Numbers,
    /// See [`Config`].
    pub max_in_flight_messages: Numbers,
    /// See [`Config`].
    pub max_uncommitted_bytes: Numbers,
    /// Committed entries that wait for a leader's state machine before it refuses more.
    pub max_unapplied_entries: Numbers,
    /// See [`Config`].
    pub cache_bytes: Numbers,
    /// See [`Config`].
    pub max_proposal_bytes: Numbers,
    /// The size of a segment of the log on disk, in pages of 4 KiB.
    pub segment_pages: Numbers,
    /// Entry bytes handed to the core at start.
    pub tail_bytes: Numbers,
    /// How many runs serve reads by leases, where no clock misbehaves beyond what a lease may bear. The bound on the
    /// drift is what this run's clocks do at most.
    pub leases: Probability,
    /// How many runs have state machines that lag.
    pub slow_apply: Probability,
    /// Entries that a slow state machine applies at a time, and how long it rests then.
    pub slow_apply_entries: Numbers,
    /// See `slow_apply_entries`.
    pub slow_apply_rest_us: Numbers,
    /// How many runs take snapshots, and compact their logs.
    pub snapshots: Probability,
    /// See [`SnapshotPolicy`].
    pub snapshot_every_entries: Numbers,
    /// See [`SnapshotPolicy`].
    pub snapshot_every_bytes: Numbers,
    /// So much log gathers at a leader while a follower gets on with one.
    pub snapshot_wait_bytes: Numbers,
    /// See [`SnapshotPolicy`].
    pub snapshot_keep_entries: Numbers,
    /// How long a server rests between two steps of work on a snapshot that it takes.
    pub snapshot_rest_us: Numbers,
    /// See [`Config`].
    pub max_snapshot_chunk_bytes: Numbers,
    /// See [`Config`].
    pub max_snapshot_in_flight: Numbers,
    /// Requests that may wait at one server until their entries are applied: what keeps a slow state machine from
    /// falling behind for good.
    pub pending_requests_max: Numbers,
    /// Bounds of the sessions that the first server opens; each further one allows one more, and a byte more.
    pub max_sessions: Numbers,
    /// See `max_sessions`.
    pub max_answers: Numbers,
    /// See `max_sessions`.
    pub max_answer_bytes: Numbers,
    /// How many runs have followers that pass the requests of sessions on to their leader.
    pub forwards: Probability,
    /// Every so many sync groups a disk is recovered in earnest and compared with what was promised.
    pub recovery_check_every: u64,
}

/// What the clients do; see [`WorkloadParameters`].
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the range of the parameter that it is named after")]
pub struct Workload {
    /// How many runs have clients with sessions at all.
    pub sessions: Probability,
    pub session_clients: Numbers,
    pub session_sharers: Numbers,
    pub retry_us: Numbers,
    pub close: Chances,
    pub keys: Numbers,
    pub hot: Chances,
    pub kinds: Weights<5>,
    pub names: Numbers,
    pub depth: Numbers,
    pub file_kinds: Weights<9>,
    pub think_us_mean: Numbers,
    pub burst: Chances,
    pub idle: Chances,
    pub value_bytes_max: Numbers,
    pub large: Chances,
    pub large_bytes_max: Numbers,
    pub timeout_us: Numbers,
    pub stray: Chances,
    pub reads: Chances,
    pub serializable: Chances,
    pub reads_anywhere: Chances,
}

/// Everything that makes one run, but its decisions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What every server is built from.
    pub setup: Setup,
    /// The weather.
    pub parameters: Parameters,
    /// What the clients do.
    pub workload: WorkloadParameters,
    /// What strikes, and when.
    pub faults: Vec<FaultEvent>,
}

/// The names of the profiles that come with the crate.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The profile of that name, or from that file.
///
/// # Errors
/// Says what is wrong, where, and what would be right.
pub fn load(name_or_path: &str) -> Result<Profile, String> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
        return parse(text, name);
    }
    let bytes = std::fs::read(name_or_path).map_err(|error| {
        let known: Vec<&str> = names().collect();
        format!(
            "`{name_or_path}` is neither a profile ({}) nor a file that can be read: {error}",
            known.join(", ")
        )
    })?;
    parse(&text::decode(bytes, name_or_path, "a profile in TOML")?, name_or_path)
}

/// Reads a profile from the text of the file of that name.
///
/// # Errors
/// Says what is wrong, where, and what would be right.
pub fn parse(text: &str, file: &str) -> Result<Profile, String> {
    let mut profile: Profile = profile::parse(text, file).map_err(|error| error.to_string())?;
    if profile.name.is_empty() {
        file.clone_into(&mut profile.name);
    }
    match profile.check() {
        Ok(()) => Ok(profile),
        Err(Oddity { keys, what }) => Err(ProfileError::of_value(text, file, &keys, what).to_string()),
    }
}

/// A value that cannot be.
struct Oddity {
    /// Its section and its key.
    keys: [&'static str; 2],
    /// What is wrong and what would be right.
    what: String,
}

/// What an operator does to the members, as a class of faults.
const MEMBERSHIP: &str = "membership";

impl Profile {
    /// What the types alone cannot say.
    fn check(&self) -> Result<(), Oddity> {
        let odd = |section, key, what| Err(Oddity { keys: [section, key], what });
        let Cluster { voters, heartbeats, election_timeout, .. } = &self.cluster;
        if voters.is_empty() || voters.iter().any(|size| !(1..=9).contains(size)) {
            return odd("cluster", "voters", format!("it is {voters:?}; expected sizes from 1 to 9"));
        }
        let (cluster, workload) = (&self.cluster, &self.workload);
        let bounds = [
            ("cluster", "heartbeats", *heartbeats, 3..=1 << 32),
            ("cluster", "priorities", cluster.priorities, 1..=64),
            ("cluster", "tick_us", cluster.tick_us, 100..=TICK_US_MAX),
            ("cluster", "spares", cluster.spares, 0..=16),
            ("cluster", "segment_pages", cluster.segment_pages, 8..=1 << 18),
            ("cluster", "election_timeout", *election_timeout, heartbeats.high.saturating_add(1)..=1 << 33),
            ("cluster", "max_message_bytes", cluster.max_message_bytes, 1..=MESSAGE_BYTES_MAX),
            ("cluster", "max_in_flight_messages", cluster.max_in_flight_messages, 1..=u64::MAX),
            ("cluster", "max_uncommitted_bytes", cluster.max_uncommitted_bytes, 1..=u64::MAX),
            ("cluster", "max_unapplied_entries", cluster.max_unapplied_entries, 1..=u64::MAX),
            ("cluster", "max_proposal_bytes", cluster.max_proposal_bytes, 0..=MESSAGE_BYTES_MAX),
            ("cluster", "cache_bytes", cluster.cache_bytes, 0..=LOG_BYTES),
            ("cluster", "pending_requests_max", cluster.pending_requests_max, 1..=u64::MAX),
            ("cluster", "slow_apply_entries", cluster.slow_apply_entries, 1..=u64::MAX),
            ("cluster", "snapshot_every_entries", cluster.snapshot_every_entries, 1..=u64::MAX),
            ("cluster", "snapshot_every_bytes", cluster.snapshot_every_bytes, 1..=u64::MAX),
            ("cluster", "max_snapshot_chunk_bytes", cluster.max_snapshot_chunk_bytes, 1..=1 << 20),
            ("cluster", "max_snapshot_in_flight", cluster.max_snapshot_in_flight, 1..=1 << 10),
            ("cluster", "max_inodes", cluster.max_inodes, 1..=u64::MAX),
            ("workload", "keys", workload.keys, 1..=u64::MAX),
            ("workload", "names", workload.names, 1..=NAMES_MAX),
            ("workload", "depth", workload.depth, 1..=DEPTH_MAX),
            ("workload", "timeout_us", workload.timeout_us, 1..=u64::MAX),
            ("workload", "session_sharers", workload.session_sharers, 1..=u64::MAX),
            ("workload", "retry_us", workload.retry_us, 1..=u64::MAX),
            ("workload", "value_bytes_max", workload.value_bytes_max, 0..=VALUE_BYTES_MAX),
            ("workload", "large_bytes_max", workload.large_bytes_max, 0..=VALUE_BYTES_MAX),
            ("clients", "count", self.clients.count, 1..=u64::from(CLIENTS_MAX)),
        ];
        let is_outside = |range: &Numbers, bounds: &RangeInclusive<u64>| {
            !bounds.contains(&range.low) || !bounds.contains(&range.high)
        };
        match bounds.iter().find(|(_, _, range, bounds)| is_outside(range, bounds)) {
            Some((section, key, range, bounds)) => {
                let (low, high) = (range.low, range.high);
                let (least, most) = (bounds.start(), bounds.end());
                let what = format!("it is {low} to {high}; expected a range within {least} to {most}");
                odd(section, key, what)
            }
            None if cluster.recovery_check_every == 0 => {
                odd("cluster", "recovery_check_every", "it is 0; expected at least 1".to_owned())
            }
            None if !(1..=DEEDS).contains(&cluster.deeds) => {
                odd("cluster", "deeds", format!("it is {}; expected 1 to {DEEDS}", cluster.deeds))
            }
            None => Ok(()),
        }
    }

    /// Switches a class of faults off: a key of `[swarm]`, or `membership`, which also ends handovers by an operator.
    ///
    /// # Errors
    /// Where no class has that name; names those that there are.
    pub fn switch_off(&mut self, class: &str) -> Result<(), String> {
        let never = Probability::new(0, 1);
        if class == MEMBERSHIP {
            (self.cluster.membership, self.swarm.administer) = (never, never);
            return Ok(());
        }
        let mut classes = self.swarm.classes();
        if let Some((_, chance)) = classes.iter_mut().find(|(name, _)| *name == class) {
            **chance = never;
            return Ok(());
        }
        let names: Vec<&str> = classes.iter().map(|(name, _)| *name).chain([MEMBERSHIP]).collect();
        Err(format!("no class of faults is called `{class}`; there are {}", names.join(", ")))
    }

    /// Draws one run.
    #[must_use]
    pub fn resolve(&self, choice: &mut Choice) -> Plan {
        let draw = &mut Resolver::new(choice, "membership");
        let changes_membership = draw.chance("membership", self.cluster.membership);
        let spares = draw.small("spares", self.cluster.spares);
        let mut setup = self.cluster.resolve(if changes_membership { spares } else { 0 }, choice);
        let Setup { servers, voters, .. } = setup;
        let mut swarm = self.swarm.clone();
        let mut process = self.process.clone();
        // A command below the number of servers is a transfer.
        process.commands = Between::only(u64::from(servers));
        if changes_membership {
            process.commands = Between::only(self.cluster.deeds << 8);
            process.administer_every_us = self.cluster.membership_every_us;
            swarm.administer = Probability::new(1, 1);
        }
        let weather = profile::Profile {
            swarm,
            network: self.network.clone(),
            process,
            disk: self.disk.clone(),
            clock: self.clock.clone(),
            clients: self.clients.clone(),
            limits: self.limits.clone(),
        };
        let shape =
            Shape { processes: servers, core_size: voters / 2 + 1, timeout_us: setup.election_timeout_us() };
        let resolved = weather.resolve(choice, shape);
        let faults = squall_sim::plan::draw(&resolved.plan, choice);
        let drift_ppm = drift_ppm(&resolved.parameters.clocks, &faults);
        let is_leased = Resolver::new(choice, "leases").chance("leases", self.cluster.leases);
        setup.raft.lease_drift_ppm = drift_ppm.filter(|_| is_leased);
        if setup.raft.validate().is_err() {
            setup.raft.lease_drift_ppm = None;
        }
        let workload = WorkloadParameters { files: setup.files.is_some(), ..self.workload.resolve(choice) };
        Plan { setup, parameters: resolved.parameters, workload, faults }
    }
}

/// By how much a clock of this run is off at most, in parts of a million; `None` where one stands still.
#[must_use]
pub fn drift_ppm(clocks: &[ClockParameters], faults: &[FaultEvent]) -> Option<u32> {
    let of_fault = |event: &FaultEvent| match &event.fault {
        Fault::ClockRate { rate, .. } => Some(off_by_ppm(*rate)),
        Fault::Pause { clock: PausedClock::Frozen, .. } | Fault::ClockFreeze { .. } => None,
        Fault::Partition { .. }
        | Fault::Flapping { .. }
        | Fault::Clog { .. }
        | Fault::Swizzle { .. }
        | Fault::Crash { .. }
        | Fault::CrashAll { .. }
        | Fault::CrashLoop { .. }
        | Fault::Pause { clock: PausedClock::Running, .. }
        | Fault::DiskStall { .. }
        | Fault::DiskError { .. }
        | Fault::LoseDisk { .. }
        | Fault::Ruin { .. }
        | Fault::OldImage { .. }
        | Fault::Rot { .. }
        | Fault::Administer { .. }
        | Fault::ClockJump { .. } => Some(0),
    };
    let of_clocks = clocks.iter().map(|clock| Some(off_by_ppm(clock.rate)));
    of_clocks.chain(faults.iter().map(of_fault)).try_fold(0, |most, ppm| Some(most.max(ppm?)))
}

fn off_by_ppm(rate: Ratio) -> u32 {
    let (num, den) = (u64::from(rate.num), u64::from(rate.den));
    u32::try_from((num.abs_diff(den) * 1_000_000).div_ceil(den)).unwrap_or(u32::MAX)
}

impl Cluster {
    fn resolve(&self, spares: u32, choice: &mut Choice) -> Setup {
        let draw = &mut Resolver::new(choice, "cluster");
        let last = self.voters.len() as u64 - 1;
        let place = draw.number("voters", Between { low: 0, high: last });
        let voters = self.voters[usize::try_from(place).expect("a place in a list")];
        let has_witnesses = draw.chance("witnesses", self.witnesses);
        let witnesses_max = u64::from(voters.saturating_sub(1) / 2);
        let mut count = |field, low: u64, high: u64| {
            let high = if has_witnesses { high } else { 0 };
            draw.small(field, Between { low: low.min(high), high })
        };
        let witnesses = count("witness_count", 1, witnesses_max);
        let spare_witnesses = count("spare_witnesses", 0, u64::from(spares.min(2)));
        let is_extreme = draw.chance("extreme", self.extreme);
        let election_timeout = draw.number("election_timeout", self.election_timeout);
        let heartbeats = draw.number("heartbeats", self.heartbeats);
        let max_proposal_bytes = draw.number("max_proposal_bytes", self.max_proposal_bytes);
        let raft = Config {
            election_timeout,
            heartbeat_interval: (election_timeout / heartbeats).max(1),
            max_message_bytes: draw.number("max_message_bytes", self.max_message_bytes),
            max_in_flight_messages: draw.number("max_in_flight_messages", self.max_in_flight_messages),
            max_proposal_bytes,
            max_uncommitted_bytes: draw.number("max_uncommitted_bytes", self.max_uncommitted_bytes),
            max_unapplied_entries: draw.number("max_unapplied_entries", self.max_unapplied_entries),
            cache_bytes: draw.number("cache_bytes", self.cache_bytes),
            max_snapshot_chunk_bytes: draw.number("max_snapshot_chunk_bytes", self.max_snapshot_chunk_bytes),
            max_snapshot_in_flight: draw.number("max_snapshot_in_flight", self.max_snapshot_in_flight),
            seed: draw.number("seed", Between { low: 0, high: u64::MAX }),
            ..Config::new(node_id(ProcessId(0)), Vec::new())
        };
        let slow = SlowApply {
            entries: draw.number("slow_apply_entries", self.slow_apply_entries),
            rest_us: draw.number("slow_apply_rest_us", self.slow_apply_rest_us),
        };
        let policy = SnapshotPolicy {
            every_entries: draw.number("snapshot_every_entries", self.snapshot_every_entries),
            every_bytes: draw.number("snapshot_every_bytes", self.snapshot_every_bytes),
            wait_bytes: draw.number("snapshot_wait_bytes", self.snapshot_wait_bytes),
            keep_entries: draw.number("snapshot_keep_entries", self.snapshot_keep_entries),
        };
        let limits = Limits { max_inodes: draw.number("max_inodes", self.max_inodes), ..Limits::default() };
        let mut setup = Setup {
            raft,
            files: draw.chance("files", self.files).then_some(limits),
            servers: voters + spares,
            voters,
            priorities: draw.number("priorities", self.priorities),
            witnesses,
            spare_witnesses,
            tick_us: draw.number("tick_us", self.tick_us),
            storage: Options {
                segment_bytes: draw.number("segment_pages", self.segment_pages) * 4096,
                tail_bytes: draw.number("tail_bytes", self.tail_bytes),
                salt_seed: draw.number("salt_seed", Between { low: 0, high: u64::MAX }),
            },
            slow_apply: draw.chance("slow_apply", self.slow_apply).then_some(slow),
            snapshots: draw.chance("snapshots", self.snapshots).then_some(policy),
            snapshot_rest_us: draw.number("snapshot_rest_us", self.snapshot_rest_us),
            pending_requests_max: draw.number("pending_requests_max", self.pending_requests_max),
            session_limits: SessionLimits {
                max_sessions: draw.number("max_sessions", self.max_sessions),
                max_answers: draw.number("max_answers", self.max_answers),
                max_answer_bytes: draw.number("max_answer_bytes", self.max_answer_bytes),
            },
            forwards: draw.chance("forwards", self.forwards),
            recovery_check_every: self.recovery_check_every,
        };
        if is_extreme {
            tighten(&mut setup, choice);
        }
        setup
    }
}

/// Makes some of the core's bounds very tight, each by its own coin: behind one that is, others hide.
fn tighten(setup: &mut Setup, choice: &mut Choice) {
    let raft = &mut setup.raft;
    let mut policy = setup.snapshots.unwrap_or_default();
    let bounds = [
        ("messages", &mut raft.max_in_flight_messages, Between { low: 1, high: 2 }),
        ("message_bytes", &mut raft.max_message_bytes, Between { low: 1, high: 200 }),
        ("uncommitted", &mut raft.max_uncommitted_bytes, Between { low: 1, high: 400 }),
        ("unapplied", &mut raft.max_unapplied_entries, Between { low: 1, high: 3 }),
        ("apply", &mut raft.max_apply_bytes, Between { low: 1, high: 400 }),
        ("cache", &mut raft.cache_bytes, Between { low: 0, high: 1_000 }),
        ("pending_requests", &mut setup.pending_requests_max, Between { low: 1, high: 4 }),
        ("pending_reads", &mut raft.max_pending_reads, Between { low: 1, high: 4 }),
        ("log", &mut raft.max_log_bytes, Between { low: 500, high: 20_000 }),
        ("snapshot_chunk", &mut raft.max_snapshot_chunk_bytes, Between { low: 30, high: 300 }),
        ("snapshot_in_flight", &mut raft.max_snapshot_in_flight, Between { low: 1, high: 1 }),
        ("snapshot_every", &mut policy.every_entries, Between { low: 1, high: 10 }),
        ("snapshot_keep", &mut policy.keep_entries, Between { low: 0, high: 0 }),
    ];
    for (field, bound, range) in bounds {
        if Resolver::new(choice, "extreme").chance(field, Probability::new(1, 2)) {
            *bound = Resolver::new(choice, "extreme_bound").number(field, range);
        }
    }
    raft.cache_bytes = raft.cache_bytes.min(raft.max_log_bytes);
    setup.snapshots = setup.snapshots.map(|_| policy);
}

impl Workload {
    fn resolve(&self, choice: &mut Choice) -> WorkloadParameters {
        let draw = &mut Resolver::new(choice, "workload");
        let has_sessions = draw.chance("sessions", self.sessions);
        let session_clients = draw.number("session_clients", self.session_clients);
        WorkloadParameters {
            keys: draw.number("keys", self.keys),
            hot: draw.probability("hot", self.hot),
            kinds: draw.weights("kinds", self.kinds),
            files: false,
            names: draw.number("names", self.names),
            depth: draw.number("depth", self.depth),
            file_kinds: draw.weights("file_kinds", self.file_kinds),
            think_us_mean: draw.number("think_us_mean", self.think_us_mean),
            burst: draw.probability("burst", self.burst),
            idle: draw.probability("idle", self.idle),
            value_bytes_max: draw.number("value_bytes_max", self.value_bytes_max),
            large: draw.probability("large", self.large),
            large_bytes_max: draw.number("large_bytes_max", self.large_bytes_max),
            timeout_us: draw.number("timeout_us", self.timeout_us),
            stray: draw.probability("stray", self.stray),
            reads: draw.probability("reads", self.reads),
            serializable: draw.probability("serializable", self.serializable),
            reads_anywhere: draw.probability("reads_anywhere", self.reads_anywhere),
            session_clients: if has_sessions { session_clients } else { 0 },
            session_sharers: draw.number("session_sharers", self.session_sharers),
            retry_us: draw.number("retry_us", self.retry_us),
            close: draw.probability("close", self.close),
        }
    }
}
