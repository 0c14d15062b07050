//! What the clients do: reads, writes, compare-and-set, appends and deletions, on hot keys and cold ones, in
//! bursts and after pauses, with payloads from nothing to more than is accepted (docs/fault-model.md, "Clients").

use bytes::Bytes;
use squall_raft::{ProposeError, ReadError};
use squall_replica::Consistency;
use squall_replica::kv;
use squall_sim::mark::Marks;
use squall_sim::process::{Answer, Patience, Step, Workload};
use squall_sim::{ClientId, Draw, OperationId, Process, ProcessId, ProcessSet, Ratio, Time, sometimes};

use self::sessions::ClientSessions;
use crate::machine::Command;
use crate::marks;
use crate::server::{Ask, Response, process_id};

pub(crate) mod files;
mod sessions;
#[cfg(test)]
mod tests;

/// The longest value that a client may be told to write: far more than the bounds that it is to exceed.
pub const VALUE_BYTES_MAX: u64 = 1 << 20;

/// The most names that paths may be made of, and that one path may have.
pub const NAMES_MAX: u64 = 26;
/// See [`NAMES_MAX`].
pub const DEPTH_MAX: u64 = 8;

/// All that is decided of a client's operation.
pub const DECISIONS: [&str; 32] = [
    "think",
    "burst",
    "idle",
    "stray",
    "target",
    "hot",
    "key",
    "kind",
    "large",
    "bytes",
    "expects-none",
    "guess-client",
    "guess-age",
    "close",
    "withhold",
    "read",
    "serializable",
    "anywhere",
    "reader",
    "file-kind",
    "depth",
    "path",
    "odd",
    "to-depth",
    "to-path",
    "to-odd",
    "below",
    "expects",
    "version",
    "lists",
    "goes-on",
    "entries",
];

/// The resolved shape of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkloadParameters {
    /// How many keys there are.
    pub keys: u64,
    /// How many operations are on key 0.
    pub hot: Ratio,
    /// Weights: get, put, compare-and-set, append, delete.
    pub kinds: [u32; 5],
    /// Whether the servers replicate a file system, and not keys and values.
    pub files: bool,
    /// Of a file system: how many names there are, of one letter each.
    pub names: u64,
    /// Of a file system: how many names a path has at most.
    pub depth: u64,
    /// Of a file system, weights: create, make a directory, update, rename, remove, remove a directory, remove a tree,
    /// stat, list.
    pub file_kinds: [u32; 9],
    /// The mean pause before an operation.
    pub think_us_mean: u64,
    /// How many operations follow the one before at once.
    pub burst: Ratio,
    /// How many operations come after a pause twenty times as long.
    pub idle: Ratio,
    /// Bytes of an ordinary value, at most.
    pub value_bytes_max: u64,
    /// How many values are large.
    pub large: Ratio,
    /// Bytes of a large value, at most.
    pub large_bytes_max: u64,
    /// How long a client waits for an answer.
    pub timeout_us: u64,
    /// How many operations go to a server at random, whoever is thought to lead.
    pub stray: Ratio,
    /// How many clients have sessions.
    pub session_clients: u64,
    /// How many of them share one.
    pub session_sharers: u64,
    /// How long a client with a session waits before it asks another server for the same once more; each time for as
    /// long again as it has waited, until it gives up.
    pub retry_us: u64,
    /// How many operations close their session instead.
    pub close: Ratio,
    /// How many operations read without an entry in the log.
    pub reads: Ratio,
    /// How many of these may be served from whatever a server has applied.
    pub serializable: Ratio,
    /// How many of these go to a server at random: followers serve them too.
    pub reads_anywhere: Ratio,
}

/// The clients of one cluster.
#[derive(Clone, Debug)]
pub struct Clients {
    parameters: WorkloadParameters,
    servers: u32,
    /// Who each client believes to lead.
    believed: Vec<ProcessId>,
    /// The number of each client's next operation.
    next_number: Vec<u64>,
    /// The first operation that each client made up since the cluster was healed.
    first_fresh: Vec<u64>,
    /// Which answers to such operations each client has yet to get; unbounded until the cluster is healed.
    wanted: Vec<Wanted>,
    sessions: ClientSessions,
    /// How long each client has waited, and waits now, for its operation.
    waited_us: Vec<u64>,
    /// Whom clients ask of their own accord.
    asked: ProcessSet,
    /// How long a client waits for an answer.
    patience_us: u64,
    /// How many it wants of the healed cluster.
    wanted_of_healed: u64,
    marks: Marks,
}

/// What a client has yet to be answered before it asks no more.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    answers: u64,
    /// None of them was to a command yet, through the log.
    command: bool,
    /// Nor to a read without an entry in the log.
    read: bool,
}

impl Wanted {
    const UNBOUNDED: Self = Self { answers: u64::MAX, command: false, read: false };

    /// So many, of both kinds; one alone may be of either.
    fn of_healed(answers: u64) -> Self {
        Self { answers, command: true, read: true }
    }

    fn answered(&mut self, is_read: bool) {
        self.answers = self.answers.saturating_sub(1);
        *(if is_read { &mut self.read } else { &mut self.command }) = false;
    }

    /// Whether the next operation is to be a read, if that is not left to chance: the last one is of the kind that is missing. A
    /// cluster that answers reads only, or commands only, serves nobody.
    fn kind(&self) -> Option<bool> {
        (self.answers == 1 && self.command != self.read).then_some(self.read)
    }
}

/// How long a client waits, at the least, once the cluster is healed.
const HEALED_PATIENCE_US: u64 = 20_000_000;

/// Pause before a refused operation is tried elsewhere.
const RETRY_US: u64 = 20_000;

impl Clients {
    /// So many clients of so many servers.
    #[must_use]
    pub fn new(parameters: WorkloadParameters, clients: u32, servers: u32, wanted_of_healed: u64) -> Self {
        let believed = (0..clients).map(|client| ProcessId(client % servers)).collect();
        let (next_number, first_fresh) = (vec![0; clients as usize], vec![u64::MAX; clients as usize]);
        let wanted = vec![Wanted::UNBOUNDED; clients as usize];
        let asked = (0..servers).map(ProcessId).collect();
        let patience_us = parameters.timeout_us;
        let WorkloadParameters { session_clients, session_sharers, close, .. } = parameters;
        let sessions = ClientSessions::new(clients, session_clients, session_sharers, close);
        let waited_us = vec![0; clients as usize];
        let marks = Marks::default();
        Self {
            parameters,
            servers,
            believed,
            next_number,
            first_fresh,
            wanted,
            sessions,
            waited_us,
            asked,
            patience_us,
            wanted_of_healed,
            marks,
        }
    }

    fn next_server(&self, after: ProcessId) -> ProcessId {
        let mut others = (1..=self.servers).map(|step| ProcessId((after.0 + step) % self.servers));
        others.find(|server| self.asked.contains(*server)).unwrap_or(after)
    }

    /// What a client makes of an answer.
    fn answer(&mut self, operation: OperationId, response: &Response) -> Answer {
        let believed = self.believed[operation.client.slot()];
        match response {
            Response::Applied(_) | Response::Read { .. } | Response::Opened(_) | Response::Closed => {
                let slot = operation.client.slot();
                if operation.number >= self.first_fresh[slot] {
                    self.wanted[slot].answered(matches!(response, Response::Read { .. }));
                }
                Answer::Done
            }
            Response::AlreadyAcknowledged | Response::SessionExpired | Response::SessionFull => {
                Answer::Refused
            }
            // Another copy of it may have taken effect.
            Response::Dropped if self.sessions.may_ask_again(operation.client) => {
                Answer::Retry { target: believed, after_us: RETRY_US }
            }
            Response::Dropped => {
                sometimes!(
                    self.marks,
                    marks::NAMES,
                    "a client learned that its command was overwritten",
                    true
                );
                // A follower that the leader does not hear drops whatever it is asked to read.
                self.believed[operation.client.slot()] = self.next_server(believed);
                Answer::Refused
            }
            Response::Refused(ProposeError::NotLeader { leader: Some(leader) }) => {
                let target = process_id(*leader);
                self.believed[operation.client.slot()] = target;
                Answer::Retry { target, after_us: RETRY_US }
            }
            Response::Refused(ProposeError::NotLeader { leader: None })
            | Response::Refused(ProposeError::ShuttingDown)
            | Response::ReadRefused(ReadError::NoLeader | ReadError::ShuttingDown | ReadError::Witness) => {
                let target = self.next_server(believed);
                self.believed[operation.client.slot()] = target;
                Answer::Retry { target, after_us: RETRY_US * 2 }
            }
            Response::Refused(ProposeError::Transferring { .. } | ProposeError::Busy)
            | Response::ReadRefused(ReadError::Busy) => {
                Answer::Retry { target: believed, after_us: RETRY_US }
            }
            Response::Refused(ProposeError::TooLarge { .. })
            | Response::ReadRefused(ReadError::TooLarge { .. }) => Answer::Refused,
        }
    }

    fn draw_key(&self, draw: &mut Draw<'_>) -> Bytes {
        let is_hot = draw.chance("hot", self.parameters.hot);
        let number = if is_hot { 0 } else { draw.range("key", 0, self.parameters.keys - 1) };
        Bytes::from(format!("k{number}"))
    }

    fn draw_command(&self, operation: OperationId, draw: &mut Draw<'_>) -> Command {
        if self.parameters.files {
            Command::Files(files::draw_file_command(&self.parameters, operation, draw))
        } else {
            Command::KeyValue(self.draw_key_value_command(operation, draw))
        }
    }

    fn draw_question(&self, draw: &mut Draw<'_>) -> Command {
        if self.parameters.files {
            Command::Files(files::draw_question(&self.parameters, draw))
        } else {
            Command::KeyValue(kv::Command::Get { key: self.draw_key(draw) })
        }
    }

    fn draw_key_value_command(&self, operation: OperationId, draw: &mut Draw<'_>) -> kv::Command {
        let parameters = &self.parameters;
        let key = self.draw_key(draw);
        let kind = draw.pick("kind", &parameters.kinds);
        match kind {
            0 => kv::Command::Get { key },
            1 => kv::Command::Put { key, value: draw_value(parameters, operation, draw) },
            2 => {
                let value = draw_value(parameters, operation, draw);
                let expects_none = draw.chance("expects-none", Ratio::new(1, 2));
                // A guess at what another client may have put there last.
                let guess = OperationId {
                    client: ClientId(draw.range("guess-client", 0, self.believed.len() as u64 - 1) as u32),
                    number: operation.number.saturating_sub(draw.range("guess-age", 0, 3)),
                };
                let expected = (!expects_none).then(|| value_of(guess, 0));
                kv::Command::CompareAndSet { key, expected, value }
            }
            3 => kv::Command::Append { key, value: draw_value(parameters, operation, draw) },
            _ => kv::Command::Delete { key },
        }
    }
}

/// A value of any size that the parameters allow.
fn draw_value(parameters: &WorkloadParameters, operation: OperationId, draw: &mut Draw<'_>) -> Bytes {
    let is_large = draw.chance("large", parameters.large);
    let max = if is_large { parameters.large_bytes_max } else { parameters.value_bytes_max };
    value_of(operation, draw.range("bytes", 0, max))
}

/// A value that no other operation writes, of at least the bytes that its name takes; with 0 bytes asked for,
/// one in two is just empty.
fn value_of(operation: OperationId, bytes: u64) -> Bytes {
    if bytes == 0 && operation.number.is_multiple_of(2) {
        return Bytes::new();
    }
    let mut value = format!("{operation};").into_bytes();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes > value.len() {
        value.resize(bytes, b'.');
    }
    Bytes::from(value)
}

/// The clients of any process that can be asked these questions.
impl<P: Process<Request = Ask, Response = Response>> Workload<P> for Clients {
    fn next(&mut self, client: ClientId, number: u64, draw: &mut Draw<'_>) -> Option<Step<P>> {
        let wanted = self.wanted[client.slot()];
        if wanted.answers == 0 {
            return None;
        }
        self.next_number[client.slot()] = number + 1;
        let parameters = &self.parameters;
        let mut think_us =
            draw.exponential("think", parameters.think_us_mean, parameters.think_us_mean.saturating_mul(16));
        if draw.chance("burst", parameters.burst) {
            think_us = 0;
        } else if draw.chance("idle", parameters.idle) {
            think_us = think_us.saturating_mul(20);
        }
        let believed = self.believed[client.slot()];
        let may_read = draw.chance("read", parameters.reads);
        let is_read = wanted.kind().unwrap_or(may_read);
        let is_stray = draw.chance("stray", parameters.stray);
        let is_anywhere = is_read && draw.chance("anywhere", parameters.reads_anywhere);
        let mut target = believed;
        for (is_random, field) in [(is_stray, "target"), (is_anywhere, "reader")] {
            if is_random {
                let server = ProcessId(draw.range(field, 0, u64::from(self.servers) - 1) as u32);
                target = if self.asked.contains(server) { server } else { believed };
            }
        }
        let request = if is_read {
            // Whatever a server has applied says nothing of a healed cluster.
            let is_healed = self.first_fresh[client.slot()] < u64::MAX;
            let is_serializable = draw.chance("serializable", parameters.serializable) && !is_healed;
            let consistency =
                if is_serializable { Consistency::Serializable } else { Consistency::Linearizable };
            Ask::Read { query: self.draw_question(draw), consistency }
        } else {
            let command = self.draw_command(OperationId { client, number }, draw);
            self.sessions.ask(client, command, draw)
        };
        let timeout_us = match request {
            Ask::InSession(..) => self.parameters.retry_us.min(self.patience_us),
            Ask::Command(_) | Ask::OpenSession | Ask::CloseSession(_) | Ask::Read { .. } => self.patience_us,
        };
        self.waited_us[client.slot()] = timeout_us;
        Some(Step { think_us, target, request, timeout_us })
    }

    fn answered(&mut self, operation: OperationId, _at: Time, response: &Response) -> Answer {
        if self.parameters.files
            && let Response::Applied(reply) | Response::Read { reply, .. } = response
        {
            files::mark_reply(reply, &mut self.marks);
        }
        let answer = self.answer(operation, response);
        if !matches!(answer, Answer::Retry { .. }) {
            self.sessions.finish(operation.client, Some(response));
        }
        answer
    }

    fn timed_out(&mut self, operation: OperationId, _at: Time) -> Patience {
        let slot = operation.client.slot();
        let target = self.next_server(self.believed[slot]);
        self.believed[slot] = target;
        let waited_us = self.waited_us[slot];
        if waited_us >= self.patience_us || !self.sessions.may_ask_again(operation.client) {
            self.sessions.finish(operation.client, None);
            return Patience::GivesUp;
        }
        self.waited_us[slot] = waited_us.saturating_mul(2);
        Patience::AsksAgain { target, timeout_us: waited_us }
    }

    /// So that the cluster can come to rest, each client asks for so many answers more, of both kinds, and then no more. It is in no
    /// hurry: a leader whose own links are not healed may be slow, and clients that give up and ask anew would
    /// keep it busy with what nobody waits for. Nor does it try those that may be gone for good; where one of them
    /// leads, the core will say so. An answer to what it asked before says nothing of the healed core, and does not
    /// count.
    fn healed(&mut self, core: ProcessSet) {
        self.wanted.fill(Wanted::of_healed(self.wanted_of_healed));
        self.first_fresh.clone_from(&self.next_number);
        self.asked = core;
        for client in 0..self.believed.len() {
            let believed = self.believed[client];
            if !core.contains(believed) {
                self.believed[client] = self.next_server(believed);
            }
        }
        self.patience_us = self.patience_us.max(HEALED_PATIENCE_US);
    }

    fn marks(&self) -> Marks {
        self.marks
    }
}
