//! The system: registers that a primary and a backup keep, in the simulator's terms a [`Process`].
//!
//! The primary writes a state to its own disk first, then the backup does, and then clients hear of it. The primary may
//! die between any two of these steps: when it comes back it asks the backup again. Nobody takes over from anybody. With
//! two servers and no third party, a backup that does not hear the primary cannot know whether it is dead or cut off;
//! if it went on alone there might be two. So while one is down, or they are cut apart, there is no service.
//!
//! The bugs of [`Bug`] can be planted, for the storm to find. How a state comes onto a disk stands in `storage.rs`, and
//! how a message becomes bytes in `codec.rs`.

use std::collections::VecDeque;

use squall_sim::{Env, OperationId, Process, ProcessId, SimDisk, passes, sometimes};

use super::{codec, storage};

/// Who answers the clients.
pub(crate) const PRIMARY: ProcessId = ProcessId(0);
/// Who holds the second copy.
pub(crate) const BACKUP: ProcessId = ProcessId(1);
/// How many registers there are.
pub(crate) const KEYS: usize = 2;
/// How long the primary waits, by its own clock, before it asks the backup again.
const RETRY_US: u64 = 50_000;

/// What a storm must have brought about.
pub(crate) const MARKS: &[&str] = &[
    "the primary asked the backup again",
    "the backup heard of an older state",
    "a client asked the backup",
];
/// What a fault of a scenario can wait for.
const MILESTONES: &[&str] = &["acknowledges"];

/// What both keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct State {
    /// How many writes there were.
    pub(crate) version: u64,
    /// The registers.
    pub(crate) values: [u64; KEYS],
}

/// A mistake that can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// The backup acknowledges a state that its disk does not hold yet.
    AcknowledgesEarly,
    /// The primary sends a state that its own disk does not hold yet.
    SendsFirst,
    /// The primary answers reads from memory, whatever the disks hold.
    ReadsMemory,
}

impl Bug {
    /// All of them, as they are called on the command line.
    pub(crate) const ALL: [(&str, Bug); 3] = [
        ("acknowledges-early", Bug::AcknowledgesEarly),
        ("sends-first", Bug::SendsFirst),
        ("reads-memory", Bug::ReadsMemory),
    ];
}

/// What the two say to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    /// The primary holds this state on its disk.
    Store(State),
    /// The backup does, too: the state of this version, or of a later one.
    Stored(u64),
}

/// What clients ask.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Get { key: usize },
    Put { key: usize, value: u64 },
}

/// What they are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Response {
    Value(u64),
    Done,
    /// Nothing was done: ask the primary.
    NotPrimary,
}

/// One life of a server.
#[derive(Clone)]
pub(crate) struct Replica {
    bug: Option<Bug>,
    role: Role,
    /// With all writes that came so far.
    latest: State,
    /// What is on its way to the disk.
    writing: Option<State>,
    /// What survives.
    pub(crate) durable: State,
    /// The newest version that a client heard of, for the oracle.
    pub(crate) promised: u64,
}

/// What only one of them has.
#[derive(Clone)]
enum Role {
    Primary {
        /// The newest version that the backup is known to hold on its disk.
        backup_has: u64,
        /// In the order of their versions.
        waiting: VecDeque<Waiting>,
    },
    Backup,
}

/// An answer that may be given once both disks hold this version.
#[derive(Clone)]
struct Waiting {
    version: u64,
    operation: OperationId,
    response: Response,
}

impl Replica {
    /// Begins to write the latest state, unless a write is under way already: what comes meanwhile goes into the next one.
    fn maybe_write(&mut self, env: &mut Env<'_, Self>) {
        if self.writing.is_some() || self.latest == self.durable {
            return;
        }
        match storage::replace(env.disk(), &self.latest) {
            Ok(()) => self.writing = Some(self.latest),
            // What the disk holds now is for the next life to find out.
            Err(error) => env.halt(error.to_string()),
        }
    }

    fn acknowledge(&mut self, version: u64, env: &mut Env<'_, Self>) {
        env.send(PRIMARY, Message::Stored(version));
        passes!(env, MILESTONES, "acknowledges", true);
    }

    fn handle_store(&mut self, state: State, env: &mut Env<'_, Self>) {
        sometimes!(env, MARKS, "the backup heard of an older state", state.version < self.latest.version);
        if state.version > self.latest.version {
            self.latest = state;
            self.maybe_write(env);
        }
        if self.bug == Some(Bug::AcknowledgesEarly) {
            return self.acknowledge(self.latest.version, env);
        }
        // The acknowledgement was lost, perhaps. That of a newer state follows its write.
        if state.version <= self.durable.version {
            self.acknowledge(self.durable.version, env);
        }
    }

    fn handle_stored(&mut self, version: u64, env: &mut Env<'_, Self>) {
        let Role::Primary { backup_has, .. } = &mut self.role else { return };
        *backup_has = version.max(*backup_has);
        self.answer(env);
    }

    /// Gives the answers that both disks can stand for: the primary's held each state before the backup heard of it.
    fn answer(&mut self, env: &mut Env<'_, Self>) {
        let Role::Primary { backup_has, waiting } = &mut self.role else { return };
        let ready = waiting.partition_point(|next| next.version <= *backup_has);
        for Waiting { version, operation, response } in waiting.drain(..ready) {
            self.promised = version;
            env.respond(operation, response);
        }
    }
}

impl Process for Replica {
    type Setup = Option<Bug>;
    type Message = Message;
    type Request = Request;
    type Response = Response;

    const MARKS: &'static [&'static str] = MARKS;
    const MILESTONES: &'static [&'static str] = MILESTONES;

    fn format(_: &Option<Bug>, _: ProcessId, disk: &mut SimDisk) {
        storage::replace(disk, &State::default()).expect("nothing fails before time begins");
    }

    fn start(bug: &Option<Bug>, id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        let state = storage::recover(env.disk())?;
        let role = if id == PRIMARY {
            env.wake_at(env.now());
            Role::Primary { backup_has: 0, waiting: VecDeque::new() }
        } else {
            Role::Backup
        };
        // Durable it is only when the disk is done; until then the world gives this process nothing to do.
        Ok(Replica { bug: *bug, role, latest: state, writing: None, durable: state, promised: 0 })
    }

    fn receive(&mut self, _: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        match message {
            Message::Store(state) => self.handle_store(state, env),
            Message::Stored(version) => self.handle_stored(version, env),
        }
    }

    fn wake(&mut self, env: &mut Env<'_, Self>) {
        let Role::Primary { backup_has, .. } = self.role else { return };
        env.wake_at(env.now().after(RETRY_US));
        let is_behind = backup_has < self.durable.version;
        if is_behind {
            env.send(BACKUP, Message::Store(self.durable));
        }
        sometimes!(env, MARKS, "the primary asked the backup again", is_behind);
    }

    fn disk_done(&mut self, env: &mut Env<'_, Self>) {
        self.durable = self.writing.take().unwrap_or(self.durable);
        match self.role {
            Role::Primary { .. } => env.send(BACKUP, Message::Store(self.durable)),
            Role::Backup => self.acknowledge(self.durable.version, env),
        }
        self.maybe_write(env);
    }

    fn request(&mut self, operation: OperationId, request: Request, env: &mut Env<'_, Self>) {
        let Role::Primary { waiting, .. } = &mut self.role else {
            sometimes!(env, MARKS, "a client asked the backup", true);
            return env.respond(operation, Response::NotPrimary);
        };
        let is_read = matches!(request, Request::Get { .. });
        let response = match request {
            Request::Get { key } => Response::Value(self.latest.values[key]),
            Request::Put { key, value } => {
                self.latest.version += 1;
                self.latest.values[key] = value;
                Response::Done
            }
        };
        if is_read && self.bug == Some(Bug::ReadsMemory) {
            return env.respond(operation, response);
        }
        // A read waits, too: what it tells of must not be forgotten.
        waiting.push_back(Waiting { version: self.latest.version, operation, response });
        if self.bug == Some(Bug::SendsFirst) {
            env.send(BACKUP, Message::Store(self.latest));
        }
        self.maybe_write(env);
        self.answer(env);
    }

    fn administer(&mut self, _: u64, _: &mut Env<'_, Self>) {}

    fn message_kind(message: &Message) -> u8 {
        match message {
            Message::Store(_) => 0,
            Message::Stored(_) => 1,
        }
    }

    fn message_kind_name(kind: u8) -> &'static str {
        ["store", "stored"][usize::from(kind)]
    }

    fn encode(message: &Message, out: &mut Vec<u8>) {
        codec::encode(message, out);
    }

    fn decode(bytes: &[u8]) -> Result<Message, String> {
        codec::decode(bytes)
    }

    fn digest_message(message: &Message) -> u64 {
        match message {
            Message::Store(state) => codec::digest(state),
            Message::Stored(version) => *version,
        }
    }

    fn digest(&self) -> u64 {
        codec::digest(&self.latest) ^ self.durable.version.rotate_left(32)
    }
}
