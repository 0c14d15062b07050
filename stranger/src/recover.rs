//! How a server begins a life: from what its storage kept.
//!
//! The crate knows no damage: an entry that storage cannot read stops a server for good, unless it is of the torn end
//! that was never acknowledged, which is cut off. Squall's core would have it repaired.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Config, RawNode};
use slog::{Discard, Logger, o};
use squall_raft::{Faulty, LogIndex, LogPosition, Recovered, Term, Write, WriteToken};
use squall_replica::StateMachine;
use squall_scenarios::machine::Machine;
use squall_scenarios::marks;
use squall_scenarios::observation::{Observation, Step};
use squall_scenarios::server::Setup;
use squall_sim::{Env, ProcessId, SimDisk, sometimes};
use squall_storage::{Group, Storage, Tail};

use crate::disk::{Line, from_stored};
use crate::log::Log;
use crate::messages::{self, raft_id};
use crate::observe::{show_log, status_of};
use crate::reads::Reads;
use crate::server::TikvServer;
use crate::setup::TikvSetup;
use crate::snapshots::{Snapshots, load, snapshot_of};
use crate::timeouts::Timeouts;

impl TikvServer {
    pub(crate) fn recover(
        TikvSetup { setup, manners }: &TikvSetup,
        id: ProcessId,
        env: &mut Env<'_, Self>,
    ) -> Result<Self, String> {
        let opened = Storage::open(env.disk(), setup.identity(id), &setup.storage);
        let (mut storage, recovered) = opened.map_err(|error| error.to_string())?;
        let is_torn = matches!(storage.tail(), Tail::Torn { .. });
        sometimes!(env, marks::NAMES, "a torn tail was dropped", is_torn);
        cut_torn_end(&mut storage, &recovered, env.disk())?;
        let mut base = recovered.base;
        let mut entries = read_log(&storage, base, env.disk())?;
        let mut observation = show_start(&recovered, &entries);
        let (machine, snapshot) = load_snapshot(setup, &storage, &recovered, env.disk())?;
        if let Some(id) = recovered.snapshot {
            if !leads_to(base, &entries, id.last) {
                reset(&mut storage, recovered.boot, id.last, env.disk())?;
                observation.steps.push(Step::Reset { base: id.last });
                (base, entries) = (id.last, Vec::new());
            }
            let state_digest = machine.digest();
            observation.steps.push(Step::Restored { snapshot: id, state_digest });
            sometimes!(env, marks::NAMES, "a server started from a snapshot", true);
        }
        let applied = recovered.snapshot.map_or(LogIndex::ZERO, |id| id.last.index);
        let last_index = LogIndex(base.index.0 + entries.len() as u64);
        let mut hard_state = HardState { commit: applied.0, ..HardState::default() };
        hard_state.term = recovered.hard_state.current_term.0;
        hard_state.vote = recovered.hard_state.voted_for.map_or(raft::INVALID_ID, |node| node.0 + 1);
        let log = Log::new(hard_state, voters(setup), base, entries, snapshot);
        let logger = Logger::root(Discard, o!());
        let mut node =
            RawNode::new(&config(setup, id, applied), log, &logger).map_err(|error| error.to_string())?;
        let key = [setup.raft.seed, u64::from(id.0), recovered.boot];
        let timeouts = Timeouts::new(key, &mut node.raft);
        let line = Line::new(last_index);
        let shown = status_of(id, &node, &line, applied);
        Ok(Self {
            setup: setup.clone(),
            manners: *manners,
            id,
            boot: recovered.boot,
            node,
            timeouts,
            storage,
            written: recovered.hard_state,
            line,
            job: None,
            machine,
            snapshots: Snapshots::new(applied),
            committed: VecDeque::new(),
            applied,
            apply_at: env.now(),
            proposed: BTreeMap::new(),
            reads: Reads::new(u64::from(id.0), recovered.boot),
            passed_on: BTreeSet::new(),
            ticked_at: env.now(),
            ticks: 0,
            shown,
            observation,
        })
    }
}

/// All servers vote, from the beginning and for good.
fn voters(setup: &Setup) -> ConfState {
    ConfState::from(((0..setup.servers).map(|number| raft_id(ProcessId(number))), []))
}

fn config(setup: &Setup, id: ProcessId, applied: LogIndex) -> Config {
    let core = &setup.raft;
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Config {
        id: raft_id(id),
        applied: applied.0,
        election_tick: size(core.election_timeout),
        heartbeat_tick: size(core.heartbeat_interval),
        max_size_per_msg: core.max_message_bytes,
        max_inflight_msgs: size(core.max_in_flight_messages),
        check_quorum: core.check_quorum,
        pre_vote: core.pre_vote,
        // The crate wants room for one message at the least.
        max_uncommitted_size: core.max_uncommitted_bytes.max(core.max_message_bytes),
        max_committed_size_per_ready: core.max_apply_bytes,
        ..Config::default()
    }
}

/// Removes what a power loss tore: of the last sync group, which was never acknowledged.
fn cut_torn_end(storage: &mut Storage, recovered: &Recovered, disk: &mut SimDisk) -> Result<(), String> {
    let Some(Faulty { index, .. }) = recovered.faulty.first() else { return Ok(()) };
    if let Some(sound) = recovered.faulty.iter().find(|faulty| !faulty.is_doubtful) {
        return Err(format!("entry {} is damaged, and nothing here repairs it", sound.index));
    }
    let mut group = Group::default();
    group.add(&Write {
        token: WriteToken { boot: recovered.boot, sequence: 0 },
        hard_state: None,
        truncate_from: Some(*index),
        reset_to: None,
        compact_to: None,
        repairs: &[],
        entries: (&[], &[]),
    });
    storage.commit(&mut group, disk).map(|_| ()).map_err(|error| error.to_string())
}

/// Whether the log has the last entry of a snapshot, or begins right behind it.
fn leads_to(base: LogPosition, entries: &[Entry], last: LogPosition) -> bool {
    base == last || entries.iter().any(|entry| messages::position(entry) == last)
}

/// The log begins anew behind a snapshot that it does not lead to.
fn reset(storage: &mut Storage, boot: u64, last: LogPosition, disk: &mut SimDisk) -> Result<(), String> {
    let mut group = Group::default();
    group.add(&Write {
        token: WriteToken { boot, sequence: 0 },
        hard_state: None,
        truncate_from: None,
        reset_to: Some(last),
        compact_to: None,
        repairs: &[],
        entries: (&[], &[]),
    });
    storage.commit(&mut group, disk).map(|_| ()).map_err(|error| error.to_string())
}

/// The state machine in the state of the newest snapshot, and that; an empty one where there is none.
fn load_snapshot(
    setup: &Setup,
    storage: &Storage,
    recovered: &Recovered,
    disk: &mut SimDisk,
) -> Result<(Machine, Snapshot), String> {
    if let Some(lost) = recovered.lost_snapshot {
        return Err(format!("{lost} is damaged, and nothing here repairs it"));
    }
    let Some(id) = recovered.snapshot else {
        return Ok((Machine::new(setup.files), Snapshot::default()));
    };
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < id.bytes {
        let part = storage.read_snapshot(id, bytes.len() as u64, u64::MAX, disk);
        let part = part.map_err(|error| error.to_string())?.filter(|part| !part.is_empty());
        bytes.extend_from_slice(&part.ok_or_else(|| format!("{id} is cut short"))?);
    }
    Ok((load(&bytes)?, snapshot_of(id, bytes, voters(setup))))
}

fn read_log(storage: &Storage, base: LogPosition, disk: &mut SimDisk) -> Result<Vec<Entry>, String> {
    let (mut log, mut read, last) = (Vec::new(), base.index, storage.last_index());
    while read < last {
        let entries = storage.read(read.next(), last, u64::MAX, disk).map_err(|error| error.to_string())?;
        if entries.is_empty() {
            return Err(format!("entry {} of {last} cannot be read", read.next()));
        }
        for entry in &entries {
            log.push(from_stored(entry)?);
            read = entry.index;
        }
    }
    Ok(log)
}

fn show_start(recovered: &Recovered, entries: &[Entry]) -> Observation {
    let last_log = entries.last().map_or(recovered.base, messages::position);
    let mut observation = Observation::default();
    observation.steps.push(Step::Started {
        hard_state: recovered.hard_state,
        snapshot: recovered.snapshot,
        base: recovered.base,
        last_log,
        uncertain: Term::ZERO,
    });
    show_log(&mut observation, entries);
    observation
}
