//! The bytes of a snapshot: all that is replicated, in parts. All numbers little-endian:
//!
//! ```text
//! 0  4  the mark: "SqI" and the version of this layout
//! 4  .. the parts: tag (1), length (8), bytes
//! ```
//!
//! | tag | what |
//! |---|---|
//! | 1 | the log up to here: the last entry's term (8) and index (8), the bytes that all entries count for (8) |
//! | 2 | the configuration in force: the index of its entry (8), and its members, as the core encodes them |
//! | 3 | the state machine |
//! | 4 | the table of client sessions |
//!
//! Each part is there once, in the order of the tags; at a witness, the first two alone. The configuration comes before
//! the state, which may be large: as soon as it is read, the node may be elected. Replicas that have applied the same
//! entries have the same bytes: nothing of a single replica stands here. Whatever else is to be replicated gets a tag of
//! its own, here.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use squall_raft::{Configuration, LogIndex, LogPosition};

use crate::{Image, LoadError, Loader, Sessions, State, StateMachine};

const MARK: [u8; 4] = *b"SqI\x01";
const LOG: u8 = 1;
const CONFIGURATION: u8 = 2;
const MACHINE: u8 = 3;
const SESSIONS: u8 = 4;

/// Bytes of a part's tag and length.
const PART_HEAD_BYTES: usize = 9;
/// Bytes of the part about the log.
const LOG_BYTES: u64 = 24;

/// What the log comes to at a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogSummary {
    pub(crate) last: LogPosition,
    /// Bytes that all entries up to there count for.
    pub(crate) bytes: u64,
}

/// The configuration in force at a snapshot, and the index of its entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InForce {
    pub(crate) index: LogIndex,
    pub(crate) configuration: Configuration,
}

/// The replicated state at one moment, as a stream of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaImage<I> {
    parts: VecDeque<Part<I>>,
}

#[derive(Clone, Debug)]
enum Part<I> {
    Bytes(Bytes),
    Machine(I),
}

impl<I: Image> ReplicaImage<I> {
    pub(crate) fn new<S: StateMachine<Image = I>>(
        log: LogSummary,
        state: &State<S>,
        (index, configuration): (LogIndex, &Configuration),
    ) -> Self {
        let (machine, sessions) = (state.machine().image(), state.sessions().encode());
        let mut head = encode_log(log);
        put_in_force(&mut head, index, configuration);
        put_part_head(&mut head, MACHINE, machine.bytes_left());
        let mut sessions_head = BytesMut::with_capacity(PART_HEAD_BYTES);
        put_part_head(&mut sessions_head, SESSIONS, sessions.len() as u64);
        let parts = [
            Part::Bytes(head.freeze()),
            Part::Machine(machine),
            Part::Bytes(sessions_head.freeze()),
            Part::Bytes(sessions),
        ];
        Self { parts: VecDeque::from(parts) }
    }

    /// What a witness keeps: where its log begins, and who is a member there.
    pub(crate) fn without_state(last: LogPosition, index: LogIndex, configuration: &Configuration) -> Self {
        let mut head = encode_log(LogSummary { last, bytes: 0 });
        put_in_force(&mut head, index, configuration);
        Self { parts: VecDeque::from([Part::Bytes(head.freeze())]) }
    }

    /// The next bytes, `max_bytes` of them or all that are left.
    pub(crate) fn read(&mut self, max_bytes: u64) -> Bytes {
        let mut out = BytesMut::new();
        while (out.len() as u64) < max_bytes
            && let Some(part) = self.parts.front_mut()
        {
            let room = max_bytes - out.len() as u64;
            let is_empty = match part {
                Part::Bytes(bytes) => {
                    let count = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
                    out.put_slice(&bytes.split_to(count));
                    bytes.is_empty()
                }
                Part::Machine(machine) => {
                    machine.read(room, &mut out);
                    machine.bytes_left() == 0
                }
            };
            if is_empty {
                self.parts.pop_front();
            }
        }
        out.freeze()
    }
}

fn encode_log(log: LogSummary) -> BytesMut {
    let mut head = BytesMut::with_capacity(64);
    head.put_slice(&MARK);
    put_part_head(&mut head, LOG, LOG_BYTES);
    head.put_u64_le(log.last.term.0);
    head.put_u64_le(log.last.index.0);
    head.put_u64_le(log.bytes);
    head
}

fn put_in_force(out: &mut BytesMut, index: LogIndex, configuration: &Configuration) {
    let mut members = Vec::with_capacity(configuration.encoded_len());
    configuration.encode(&mut members);
    put_part_head(out, CONFIGURATION, 8 + members.len() as u64);
    out.put_u64_le(index.0);
    out.put_slice(&members);
}

fn put_part_head(out: &mut BytesMut, tag: u8, bytes: u64) {
    out.put_u8(tag);
    out.put_u64_le(bytes);
}

/// Reads the replicated state from its bytes, piece by piece.
#[derive(Clone)]
pub(crate) struct ReplicaLoader<S: StateMachine> {
    next: Next,
    log: Option<LogSummary>,
    machine: S::Loader,
    sessions: Option<Sessions>,
    in_force: Option<InForce>,
    /// The beginning of a head, or of a part that is read as a whole, while it is not whole yet.
    rest: BytesMut,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Mark,
    PartHead { after: u8 },
    Log,
    Machine { bytes_left: u64 },
    Sessions { bytes: u64 },
    Configuration { bytes: u64 },
}

impl<S: StateMachine> ReplicaLoader<S> {
    pub(crate) fn new() -> Self {
        let machine = S::Loader::default();
        Self { next: Next::Mark, log: None, machine, sessions: None, in_force: None, rest: BytesMut::new() }
    }

    pub(crate) fn load(&mut self, mut bytes: &[u8]) -> Result<(), LoadError> {
        loop {
            let wanted = match self.next {
                Next::Mark => MARK.len(),
                Next::PartHead { .. } => PART_HEAD_BYTES,
                Next::Log => LOG_BYTES as usize,
                Next::Sessions { bytes } | Next::Configuration { bytes } => {
                    usize::try_from(bytes).unwrap_or(usize::MAX)
                }
                Next::Machine { bytes_left } => {
                    let count = usize::try_from(bytes_left).unwrap_or(usize::MAX).min(bytes.len());
                    let (of_machine, rest) = bytes.split_at(count);
                    self.machine.load(of_machine)?;
                    bytes = rest;
                    let bytes_left = bytes_left - count as u64;
                    self.next = match bytes_left {
                        0 => Next::PartHead { after: MACHINE },
                        bytes_left => Next::Machine { bytes_left },
                    };
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
            };
            let (missing, rest) = bytes.split_at(bytes.len().min(wanted - self.rest.len()));
            self.rest.put_slice(missing);
            bytes = rest;
            if self.rest.len() < wanted {
                return Ok(());
            }
            let whole = self.rest.split().freeze();
            self.next = self.step(whole)?;
        }
    }

    /// Takes in what is whole now, and says what comes next.
    fn step(&mut self, mut whole: Bytes) -> Result<Next, LoadError> {
        match self.next {
            Next::Mark if whole[..] == MARK => Ok(Next::PartHead { after: 0 }),
            Next::Mark => {
                Err(LoadError::new("these bytes are no snapshot of a replica, or one of another version"))
            }
            Next::PartHead { after } => match (after, whole.get_u8(), whole.get_u64_le()) {
                (0, LOG, LOG_BYTES) => Ok(Next::Log),
                (LOG, CONFIGURATION, bytes) if bytes >= 8 => Ok(Next::Configuration { bytes }),
                (CONFIGURATION, MACHINE, bytes_left) => Ok(Next::Machine { bytes_left }),
                (MACHINE, SESSIONS, bytes) => Ok(Next::Sessions { bytes }),
                _ => Err(LoadError::new("a part of the snapshot is unknown, or not in its place")),
            },
            Next::Log => {
                let last = LogPosition::new(whole.get_u64_le(), whole.get_u64_le());
                self.log = Some(LogSummary { last, bytes: whole.get_u64_le() });
                Ok(Next::PartHead { after: LOG })
            }
            Next::Sessions { .. } => {
                let sessions = Sessions::decode(&whole);
                self.sessions = Some(sessions.map_err(|error| LoadError::new(error.expected))?);
                Ok(Next::PartHead { after: SESSIONS })
            }
            Next::Configuration { .. } => {
                let index = LogIndex(whole.get_u64_le());
                let configuration =
                    Configuration::decode(&whole).map_err(|error| LoadError::new(error.what))?;
                if self.log.is_none_or(|log| index > log.last.index) {
                    return Err(LoadError::new("the configuration is of an entry after the snapshot"));
                }
                self.in_force = Some(InForce { index, configuration });
                Ok(Next::PartHead { after: CONFIGURATION })
            }
            Next::Machine { .. } => unreachable!("the machine's bytes are handed on, not gathered"),
        }
    }

    /// What was read first: up to where the snapshot goes, and who is a member there. Told once.
    pub(crate) fn take_in_force(&mut self) -> Option<(LogPosition, InForce)> {
        self.log.map(|log| log.last).zip(self.in_force.take())
    }

    /// What was read; there is no state in what a witness wrote.
    pub(crate) fn finish(self) -> Result<(LogSummary, Option<State<S>>), LoadError> {
        let last = if self.sessions.is_some() { SESSIONS } else { CONFIGURATION };
        let is_whole = self.next == (Next::PartHead { after: last }) && self.rest.is_empty();
        let (true, Some(log)) = (is_whole, self.log) else {
            return Err(LoadError::new("the snapshot is cut short"));
        };
        if self.sessions.as_ref().is_some_and(|sessions| sessions.last_entry() > log.last.index) {
            return Err(LoadError::new("a session's last entry is one after the snapshot"));
        }
        let Some(sessions) = self.sessions else { return Ok((log, None)) };
        Ok((log, Some(State::restored(self.machine.finish()?, sessions))))
    }
}

impl<S: StateMachine> fmt::Debug for ReplicaLoader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaLoader")
            .field("next", &self.next)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
