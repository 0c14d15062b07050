//! A run's parameters as sections of a scenario file, in both directions from one table.

use squall_raft::Config;
use squall_replica::SessionLimits;
use squall_sim::choice::Decision;
use squall_sim::parameters::Limits;
use squall_sim::scenario::{self, Expected, Fields, Misfit, Scenario, Section, Subject};
use squall_sim::{Fault, ProcessId, Purpose, Ratio};
use squall_storage::Options;

use crate::classes;
use crate::milestones;
use crate::profile::Plan;
use crate::server::{DEEDS, MESSAGE_BYTES_MAX, Setup, SlowApply, TICK_US_MAX, node_id};
use crate::workload::{self, DEPTH_MAX, NAMES_MAX, VALUE_BYTES_MAX, WorkloadParameters};

/// The sections that stand for a run's parameters.
#[must_use]
pub fn sections_of(plan: &Plan) -> Vec<Section> {
    let mut cluster = Fields::write("cluster");
    cluster_fields(&mut cluster, &mut plan.setup.clone());
    let mut workload = Fields::write("workload");
    workload_fields(&mut workload, &mut plan.workload.clone());
    let mut sections = vec![cluster.into_section(), workload.into_section()];
    sections.extend(scenario::sections_of(&plan.parameters));
    sections
}

/// What of the parameters a scenario must state: what is not the default for so many processes.
#[must_use]
pub fn without_defaults(sections: &[Section]) -> Vec<Section> {
    let processes = sections.iter().filter(|section| section.name == "processes").cloned().collect();
    let silent = Scenario { sections: processes, ..Scenario::default() };
    let defaults = plan_of(&silent).map_or_else(|_| Vec::new(), |plan| sections_of(&plan));
    let is_default = |name: &str, key: &str, value: &str| {
        let default = defaults.iter().find(|section| section.name == name);
        name != "processes" && default.is_some_and(|section| section.get(key) == Some(value))
    };
    let mut stated = sections.to_vec();
    for Section { name, values } in &mut stated {
        values.retain(|(key, value)| !is_default(name, key, value));
    }
    stated.retain(|section| !section.values.is_empty());
    stated
}

/// Makes what a scenario states of the cluster fit so many processes, as far as that is clear.
pub fn fit(scenario: &mut Scenario, processes: u32) {
    let cluster = scenario.sections.iter_mut().filter(|section| section.name == "cluster");
    for (key, value) in cluster.flat_map(|section| &mut section.values) {
        let most = match key.as_str() {
            "voters" => processes,
            "witnesses" => processes.saturating_sub(1) / 2,
            _ => continue,
        };
        if value.parse::<u32>().is_ok_and(|number| number > most) {
            *value = most.to_string();
        }
    }
}

/// Every parameter as `section.key` and its value.
#[must_use]
pub fn flatten(sections: &[Section]) -> Vec<(String, String)> {
    let of_section = |section: &Section| {
        let name = section.name.clone();
        section.values.clone().into_iter().map(move |(key, value)| (format!("{name}.{key}"), value))
    };
    sections.iter().flat_map(of_section).collect()
}

/// The run that a scenario states.
///
/// # Errors
/// Where a section, a key, a milestone or the expected class is not known, a value cannot be read, or the whole makes no
/// sense.
pub fn plan_of(scenario: &Scenario) -> Result<Plan, Misfit> {
    let parameters = scenario.parameters()?;
    check_expected(scenario.expected.as_ref())?;
    check_decisions(&scenario.decisions)?;
    scenario.check_milestones(milestones::NAMES)?;
    let mut setup = Setup {
        raft: Config::new(node_id(ProcessId(0)), Vec::new()),
        servers: parameters.processes(),
        voters: parameters.processes(),
        priorities: 1,
        witnesses: 0,
        spare_witnesses: 0,
        tick_us: 10_000,
        files: None,
        storage: Options { segment_bytes: 1 << 20, ..Options::default() },
        slow_apply: None,
        snapshots: None,
        snapshot_rest_us: 0,
        pending_requests_max: 10_000,
        session_limits: SessionLimits::default(),
        forwards: false,
        recovery_check_every: 64,
    };
    let mut workload = WorkloadParameters::default();
    for section in &scenario.sections {
        let mut fields = Fields::read(section);
        match section.name.as_str() {
            "cluster" => cluster_fields(&mut fields, &mut setup),
            "workload" => workload_fields(&mut fields, &mut workload),
            name if scenario::is_parameter_section(name) => continue,
            _ => {
                let expected = format!(
                    "`cluster`, `workload`, `{}`, or a process, as `n0`",
                    scenario::section_names().join("`, `")
                );
                return Err(Misfit::of_section(&section.name, "it is not known", expected));
            }
        }
        fields.finish()?;
    }
    workload.files = setup.files.is_some();
    check(&setup, &workload)?;
    check_core(&setup, &parameters.limits)?;
    Ok(Plan { setup, parameters, workload, faults: scenario.events.clone() })
}

/// Says which line of a scenario has no effect in any run of its cluster, as far as the file alone can tell.
///
/// # Errors
/// Where a fault strikes behind the storm, a link leads from a process to itself, or an operator asks for no deed that there is.
pub fn check_effects(scenario: &Scenario) -> Result<(), Misfit> {
    scenario.check_effects()?;
    for event in &scenario.events {
        if let Fault::Administer { process: _, command } = event.fault
            && command >= DEEDS << 8
        {
            return Err(Misfit {
                subject: Subject::Word { event: event.id, word: command.to_string() },
                what: format!("no deed is called {}", command >> 8),
                expected: format!("256 times the deed, 0 to {}, and a server", DEEDS - 1),
            });
        }
    }
    Ok(())
}

pub(crate) fn check_expected(expected: Option<&Expected>) -> Result<(), Misfit> {
    let Some(Expected::Failed(class)) = expected else { return Ok(()) };
    if classes::all().any(|known| known == class) {
        return Ok(());
    }
    let resembling = classes::resembling(class);
    let expected = if resembling.is_empty() {
        format!("`{}`, or a rule of the specification", classes::BESIDE_THE_RULES.join("`, `"))
    } else {
        format!("`{}`", resembling.join("`, `"))
    };
    Err(Misfit { subject: Subject::Expected, what: format!("no violation is called `{class}`"), expected })
}

/// What a client decides is for the workload to know; everything else the simulator has checked.
fn check_decisions(decisions: &[Decision]) -> Result<(), Misfit> {
    let is_unknown = |decision: &&Decision| {
        decision.key.purpose == Purpose::Client && !workload::DECISIONS.contains(&&*decision.field)
    };
    let Some(decision) = decisions.iter().find(is_unknown) else { return Ok(()) };
    let subject = Subject::Decision(decision.key);
    let what = format!("`{}` is not known", decision.field);
    Err(Misfit { subject, what, expected: format!("one of `{}`", workload::DECISIONS.join("`, `")) })
}

fn check(setup: &Setup, workload: &WorkloadParameters) -> Result<(), Misfit> {
    let reject = |section: &str, key: &str, value: u64, expected: &str| {
        Err(Misfit::of_key(section, key, format!("it is {value}"), expected))
    };
    if let Err(error) = setup.raft.validate() {
        return reject("cluster", error.field, error.value, error.expected);
    }
    let segment = setup.storage.segment_bytes;
    if !segment.is_multiple_of(4096) || !(16 << 10..=1 << 30).contains(&segment) {
        return reject("cluster", "segment_bytes", segment, "a multiple of 4096 from 16 KiB to 1 GiB");
    }
    let slow_apply_entries = setup.slow_apply.map_or(1, |slow| slow.entries);
    let policy = setup.snapshots.unwrap_or_default();
    let spares = u64::from(setup.servers.saturating_sub(setup.voters));
    let bounds = [
        ("cluster", "voters", u64::from(setup.voters), 1..=u64::from(setup.servers)),
        ("cluster", "priorities", setup.priorities, 1..=64),
        (
            "cluster",
            "witnesses",
            u64::from(setup.witnesses),
            0..=u64::from(setup.voters.saturating_sub(1) / 2),
        ),
        ("cluster", "spare_witnesses", u64::from(setup.spare_witnesses), 0..=spares),
        ("cluster", "tick_us", setup.tick_us, 1..=TICK_US_MAX),
        ("cluster", "max_message_bytes", setup.raft.max_message_bytes, 1..=MESSAGE_BYTES_MAX),
        ("cluster", "max_proposal_bytes", setup.raft.max_proposal_bytes, 0..=MESSAGE_BYTES_MAX),
        ("cluster", "recovery_check_every", setup.recovery_check_every, 1..=u64::MAX),
        ("cluster", "slow_apply_entries", slow_apply_entries, 1..=u64::MAX),
        ("cluster", "max_snapshot_chunk_bytes", setup.raft.max_snapshot_chunk_bytes, 1..=MESSAGE_BYTES_MAX),
        ("cluster", "snapshot_every_entries", policy.every_entries, 1..=u64::MAX),
        ("cluster", "snapshot_every_bytes", policy.every_bytes, 1..=u64::MAX),
        ("workload", "keys", workload.keys, 1..=u64::MAX),
        ("workload", "names", workload.names, 1..=NAMES_MAX),
        ("workload", "depth", workload.depth, 1..=DEPTH_MAX),
        ("workload", "value_bytes_max", workload.value_bytes_max, 0..=VALUE_BYTES_MAX),
        ("workload", "large_bytes_max", workload.large_bytes_max, 0..=VALUE_BYTES_MAX),
        ("workload", "timeout", workload.timeout_us, 1..=u64::MAX),
        ("workload", "session_sharers", workload.session_sharers, 1..=u64::MAX),
        ("workload", "retry", workload.retry_us, 1..=u64::MAX),
    ];
    match bounds.iter().find(|(_, _, value, bounds)| !bounds.contains(value)) {
        Some((section, key, value, bounds)) => {
            let expected = format!("{} to {}", bounds.start(), bounds.end());
            reject(section, key, *value, &expected)
        }
        None => Ok(()),
    }
}

/// Of a core without a quorum nothing can be asked.
fn check_core(setup: &Setup, limits: &Limits) -> Result<(), Misfit> {
    let quorum = setup.voters / 2 + 1;
    if limits.liveness_us == 0 || limits.core_size >= quorum {
        return Ok(());
    }
    let expected = format!("{quorum} to {}: a quorum of {} voters, and more", setup.servers, setup.voters);
    Err(Misfit::of_key("limits", "core_size", format!("it is {}", limits.core_size), expected))
}

fn cluster_fields(fields: &mut Fields, setup: &mut Setup) {
    let mut voters = u64::from(setup.voters);
    fields.number("voters", &mut voters);
    setup.voters = u32::try_from(voters).unwrap_or(u32::MAX);
    fields.number("priorities", &mut setup.priorities);
    fields.number("witnesses", &mut setup.witnesses);
    fields.number("spare_witnesses", &mut setup.spare_witnesses);
    let raft = &mut setup.raft;
    fields.duration_us("tick_us", &mut setup.tick_us);
    fields.number("election_timeout", &mut raft.election_timeout);
    fields.number("heartbeat_interval", &mut raft.heartbeat_interval);
    fields.flag("pre_vote", &mut raft.pre_vote);
    fields.flag("check_quorum", &mut raft.check_quorum);
    let mut leases = raft.lease_drift_ppm.is_some();
    let mut drift_ppm = u64::from(raft.lease_drift_ppm.unwrap_or(0));
    fields.flag("leases", &mut leases);
    fields.number("lease_drift_ppm", &mut drift_ppm);
    raft.lease_drift_ppm = leases.then_some(u32::try_from(drift_ppm).unwrap_or(u32::MAX));
    fields.number("max_pending_reads", &mut raft.max_pending_reads);
    fields.number("max_message_bytes", &mut raft.max_message_bytes);
    fields.number("max_in_flight_messages", &mut raft.max_in_flight_messages);
    fields.number("max_in_flight_bytes", &mut raft.max_in_flight_bytes);
    fields.number("max_proposal_bytes", &mut raft.max_proposal_bytes);
    fields.number("max_uncommitted_bytes", &mut raft.max_uncommitted_bytes);
    fields.number("max_unapplied_entries", &mut raft.max_unapplied_entries);
    fields.number("cache_bytes", &mut raft.cache_bytes);
    fields.number("max_log_bytes", &mut raft.max_log_bytes);
    fields.number("max_apply_bytes", &mut raft.max_apply_bytes);
    fields.number("max_snapshot_chunk_bytes", &mut raft.max_snapshot_chunk_bytes);
    fields.number("max_snapshot_in_flight", &mut raft.max_snapshot_in_flight);
    fields.number("seed", &mut raft.seed);
    fields.number("segment_bytes", &mut setup.storage.segment_bytes);
    fields.number("tail_bytes", &mut setup.storage.tail_bytes);
    fields.number("salt_seed", &mut setup.storage.salt_seed);
    let mut is_files = setup.files.is_some();
    let mut limits = setup.files.unwrap_or_default();
    fields.flag("files", &mut is_files);
    fields.number("max_inodes", &mut limits.max_inodes);
    setup.files = is_files.then_some(limits);
    let mut is_slow = setup.slow_apply.is_some();
    let mut slow = setup.slow_apply.unwrap_or(SlowApply { entries: 1, rest_us: 1_000 });
    fields.flag("slow_apply", &mut is_slow);
    fields.number("slow_apply_entries", &mut slow.entries);
    fields.duration_us("slow_apply_rest", &mut slow.rest_us);
    setup.slow_apply = is_slow.then_some(slow);
    let mut takes_snapshots = setup.snapshots.is_some();
    let mut policy = setup.snapshots.unwrap_or_default();
    fields.flag("snapshots", &mut takes_snapshots);
    fields.number("snapshot_every_entries", &mut policy.every_entries);
    fields.number("snapshot_every_bytes", &mut policy.every_bytes);
    fields.number("snapshot_keep_entries", &mut policy.keep_entries);
    fields.number("snapshot_wait_bytes", &mut policy.wait_bytes);
    setup.snapshots = takes_snapshots.then_some(policy);
    fields.duration_us("snapshot_rest", &mut setup.snapshot_rest_us);
    fields.number("pending_requests_max", &mut setup.pending_requests_max);
    fields.number("recovery_check_every", &mut setup.recovery_check_every);
    fields.number("max_sessions", &mut setup.session_limits.max_sessions);
    fields.number("max_answers", &mut setup.session_limits.max_answers);
    fields.number("max_answer_bytes", &mut setup.session_limits.max_answer_bytes);
    fields.flag("forwards", &mut setup.forwards);
}

fn workload_fields(fields: &mut Fields, workload: &mut WorkloadParameters) {
    fields.number("keys", &mut workload.keys);
    fields.probability("hot", &mut workload.hot);
    fields.weights("kinds", workload.kinds.each_mut());
    fields.number("names", &mut workload.names);
    fields.number("depth", &mut workload.depth);
    fields.weights("file_kinds", workload.file_kinds.each_mut());
    fields.duration_us("think_mean", &mut workload.think_us_mean);
    fields.probability("burst", &mut workload.burst);
    fields.probability("idle", &mut workload.idle);
    fields.number("value_bytes_max", &mut workload.value_bytes_max);
    fields.probability("large", &mut workload.large);
    fields.number("large_bytes_max", &mut workload.large_bytes_max);
    fields.duration_us("timeout", &mut workload.timeout_us);
    fields.probability("stray", &mut workload.stray);
    fields.probability("reads", &mut workload.reads);
    fields.probability("serializable", &mut workload.serializable);
    fields.probability("reads_anywhere", &mut workload.reads_anywhere);
    fields.number("session_clients", &mut workload.session_clients);
    fields.number("session_sharers", &mut workload.session_sharers);
    fields.duration_us("retry", &mut workload.retry_us);
    fields.probability("close", &mut workload.close);
}

impl Default for WorkloadParameters {
    /// Reads and writes on a few keys.
    fn default() -> Self {
        Self {
            keys: 3,
            hot: Ratio::ZERO,
            kinds: [1; 5],
            files: false,
            names: 3,
            depth: 3,
            file_kinds: [1; 9],
            think_us_mean: 10_000,
            burst: Ratio::ZERO,
            idle: Ratio::ZERO,
            value_bytes_max: 16,
            large: Ratio::ZERO,
            large_bytes_max: 0,
            timeout_us: 2_000_000,
            stray: Ratio::ZERO,
            reads: Ratio::ZERO,
            serializable: Ratio::ZERO,
            reads_anywhere: Ratio::ZERO,
            session_clients: 0,
            session_sharers: 1,
            retry_us: 200_000,
            close: Ratio::ZERO,
        }
    }
}
