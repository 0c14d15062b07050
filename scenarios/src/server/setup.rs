//! What every server of a cluster is built from.

use squall_files::Limits;
use squall_raft::{Config, NodeId};
use squall_replica::{SessionLimits, SnapshotPolicy};
use squall_sim::ProcessId;
use squall_storage::{Identity, Options};

/// The longest message, and the longest entry that may go with it, that a cluster may be told to send: together half
/// of what a frame holds.
pub const MESSAGE_BYTES_MAX: u64 = 1 << 24;

/// The longest tick, ten seconds: with longer ones a run is over before anybody campaigns, and has tested nothing.
pub const TICK_US_MAX: u64 = 10_000_000;

/// The resolved configuration of a cluster; the same for all its servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// The core's configuration; `id`, `voters`, `witnesses` and `priority` are replaced by each server's own.
    pub raft: Config,
    /// How many servers there are.
    pub servers: u32,
    /// How many of them, the first ones, the cluster begins with; the others wait to be added.
    pub voters: u32,
    /// How many priorities there are: the servers have them in turn, the first of them the lowest.
    pub priorities: u64,
    /// How many of the first ones, the last of them, are witnesses; and how many of those that wait.
    pub witnesses: u32,
    /// See `witnesses`.
    pub spare_witnesses: u32,
    /// The length of a tick on the server's own clock, in microseconds.
    pub tick_us: u64,
    /// The limits of the file system that the servers replicate; `None` is keys and values in its place.
    pub files: Option<Limits>,
    /// How the log is laid out on disk.
    pub storage: Options,
    /// A slow state machine applies so many entries, and then rests; `None` is one that keeps up.
    pub slow_apply: Option<SlowApply>,
    /// When snapshots are taken; `None` is never.
    pub snapshots: Option<SnapshotPolicy>,
    /// The rest between two steps of work on a snapshot that is taken, in microseconds of the server's own clock.
    pub snapshot_rest_us: u64,
    /// Requests that may wait for their entries at one server.
    pub pending_requests_max: u64,
    /// The bounds of the sessions that the first server opens; each further one allows a little more, since nothing
    /// may depend on their being alike.
    pub session_limits: SessionLimits,
    /// Whether followers pass the requests of sessions on to their leader.
    pub forwards: bool,
    /// How often the disk is recovered in earnest and compared with what was promised: every so many sync groups.
    pub recovery_check_every: u64,
}

/// The pace of a slow state machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlowApply {
    /// Entries at a time.
    pub entries: u64,
    /// The rest between, in microseconds of the server's own clock.
    pub rest_us: u64,
}

/// The cluster that all disks are formatted for.
const CLUSTER: u128 = 0x5155_414c_4c00_5155_414c_4c00_0000_0001;

impl Setup {
    /// Who a server is, as its disk knows it.
    #[must_use]
    pub fn identity(&self, id: ProcessId) -> Identity {
        Identity { node: node_id(id), cluster: CLUSTER, incarnation: 0 }
    }

    /// The shortest election timeout, in microseconds of a server's own clock.
    #[must_use]
    pub fn election_timeout_us(&self) -> u64 {
        self.raft.election_timeout.saturating_mul(self.tick_us)
    }

    /// The bounds of the sessions that one server opens.
    #[must_use]
    pub fn session_limits(&self, id: ProcessId) -> SessionLimits {
        let SessionLimits { max_sessions, max_answers, max_answer_bytes } = self.session_limits;
        let more = u64::from(id.0);
        SessionLimits {
            max_sessions: max_sessions.saturating_add(more),
            max_answers: max_answers.saturating_add(more),
            max_answer_bytes: max_answer_bytes.saturating_add(more),
        }
    }

    /// The core's configuration for one server.
    #[must_use]
    pub fn config(&self, id: ProcessId) -> Config {
        let is_first = id.0 < self.voters;
        let voters = if is_first { self.first_voters() } else { Vec::new() };
        let is_named =
            |witness: &NodeId| if is_first { voters.contains(witness) } else { *witness == node_id(id) };
        let witnesses = self.witnesses().filter(is_named).collect();
        let priority = 1 + u64::from(id.0) % self.priorities;
        Config { id: node_id(id), voters, witnesses, priority, ..self.raft.clone() }
    }

    /// Those that keep no data, now or once they are members.
    pub fn witnesses(&self) -> impl Iterator<Item = NodeId> {
        let first = self.voters.saturating_sub(self.witnesses)..self.voters;
        let spare = self.servers.saturating_sub(self.spare_witnesses)..self.servers;
        first.chain(spare).map(|number| node_id(ProcessId(number)))
    }

    /// Those with whom the cluster begins.
    #[must_use]
    pub fn first_voters(&self) -> Vec<NodeId> {
        nodes(self.voters)
    }

    /// All servers.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        nodes(self.servers)
    }
}

fn nodes(count: u32) -> Vec<NodeId> {
    (0..count).map(|number| node_id(ProcessId(number))).collect()
}

/// Servers bear the names of their processes.
#[must_use]
pub fn node_id(id: ProcessId) -> NodeId {
    NodeId(u64::from(id.0))
}

/// The process of a server; a number that no process has stands for nobody.
#[must_use]
pub fn process_id(id: NodeId) -> ProcessId {
    ProcessId(u32::try_from(id.0).unwrap_or(u32::MAX))
}
