//! What a user of the simulator implements: the processes, what is held against them, and their clients.
//!
//! The simulator knows no protocol. It sees a process's messages and requests as opaque values that it can
//! clone, count and digest.

use core::fmt::Debug;
use std::sync::Arc;

use crate::anchor::Turn;
use crate::choice::Draw;
use crate::client::Call;
use crate::disk::SimDisk;
use crate::env::Env;
use crate::fault::{CrashKind, FaultEvent, Ruin};
use crate::ids::{ClientId, OperationId, ProcessId, ProcessSet};
use crate::mark::Marks;
use crate::time::Time;
use crate::world::Processes;

/// One life of a simulated process: a deterministic value that is given events and acts through its [`Env`].
pub trait Process: Sized {
    /// What all processes of a world are built from.
    type Setup: Clone;
    /// What processes send each other.
    type Message: Clone + Debug;
    /// What clients ask.
    type Request: Clone + Debug;
    /// What clients are answered.
    type Response: Clone + Debug;

    /// The names of the user's own marks: those of processes, oracles and workloads alike.
    const MARKS: &'static [&'static str] = &[];
    /// The names of what a process tells when it comes to it, for the faults of a scenario that wait for that: names as a
    /// scenario's sections have them, each a verb that reads well after a process's name, such as `leads`.
    const MILESTONES: &'static [&'static str] = &[];

    /// Prepares a process's disk, once, before time begins. Everything written here is durable.
    fn format(setup: &Self::Setup, id: ProcessId, disk: &mut SimDisk) {
        let _ = (setup, id, disk);
    }
    /// Begins a life: recovers from the disk. The process gets no input until the disk operations that it
    /// issues here are done. An error is a failure of the run unless the oracle excuses it.
    fn start(setup: &Self::Setup, id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String>;
    /// A message has arrived.
    fn receive(&mut self, from: ProcessId, message: Self::Message, env: &mut Env<'_, Self>);
    /// The local time asked for by [`Env::wake_at`] has come.
    fn wake(&mut self, env: &mut Env<'_, Self>) {
        let _ = env;
    }
    /// Every disk operation issued so far has completed.
    fn disk_done(&mut self, env: &mut Env<'_, Self>) {
        let _ = env;
    }
    /// A client asks for something. [`Env::respond`] answers, now or later.
    fn request(&mut self, operation: OperationId, request: Self::Request, env: &mut Env<'_, Self>);
    /// An operator's command from the plan or the scenario; its meaning is the process's own. A system without an operator ignores
    /// it.
    fn administer(&mut self, command: u64, env: &mut Env<'_, Self>) {
        let _ = (command, env);
    }

    /// How much this process stands out, such as a leader by its term; `Target::MostProminent` is the highest.
    fn prominence(&self) -> u64 {
        0
    }

    /// Where on a process's disk what is durable stands, as far as it is sound: what may rot.
    fn extents(setup: &Self::Setup, id: ProcessId, disk: &SimDisk) -> Vec<Extent> {
        let _ = (setup, id, disk);
        Vec::new()
    }

    /// A small number for what sort of message this is; one sort unless told otherwise.
    fn message_kind(message: &Self::Message) -> u8 {
        let _ = message;
        0
    }
    /// The name of a sort of message.
    fn message_kind_name(kind: u8) -> &'static str {
        let _ = kind;
        "message"
    }

    /// The message as bytes, for runs that damage messages. There need not be a codec where no run does: where a profile says
    /// `corruption = "0/1"` in its `[swarm]`.
    fn encode(message: &Self::Message, out: &mut Vec<u8>) {
        let _ = (message, out);
    }
    /// The message that the bytes say, or why they say none. The bytes may have been damaged, so that a checksum has to be among
    /// them: a message that is believed although it was damaged is a violation of the class `Codec`.
    fn decode(bytes: &[u8]) -> Result<Self::Message, String> {
        let _ = bytes;
        Err("this process has no codec; say `corruption = \"0/1\"` in the profile's [swarm]".to_owned())
    }

    /// A digest of a message, for the trace. Cheap: it is called for each one.
    fn digest_message(message: &Self::Message) -> u64;
    /// A digest of the state, for the trace. Cheap: it is called after each event.
    fn digest(&self) -> u64;
}

/// A stretch of a disk that means something to its process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// In which file.
    pub file: Arc<str>,
    /// Where it begins there.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// What it holds, in the process's own words.
    pub label: [u64; 5],
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// What sort of promise, such as `ElectionSafety`: failures of one class are the same failure.
    pub class: &'static str,
    /// What happened, in words and with the values.
    pub message: String,
}

/// What is held against the processes, event by event.
pub trait Oracle<P: Process>: Clone {
    /// A process has begun a life, and what it did on its disk at its start is done. One that dies before that has
    /// promised nothing yet, and is not shown.
    fn started(
        &mut self,
        now: Time,
        id: ProcessId,
        process: &mut P,
        disk: &SimDisk,
    ) -> Result<(), Violation> {
        let _ = (now, id, process, disk);
        Ok(())
    }
    /// A process's life has ended; `kind` says what its disk has lost. A halt leaves what a process crash leaves.
    fn stopped(&mut self, now: Time, id: ProcessId, kind: CrashKind) {
        let _ = (now, id, kind);
    }
    /// A process has been given one event. It has gathered its own observations, which the oracle reads and
    /// clears.
    fn after(&mut self, now: Time, id: ProcessId, process: &mut P, disk: &SimDisk) -> Result<(), Violation> {
        let _ = (now, id, process, disk);
        Ok(())
    }

    /// A fault of the plan has begun or has ended, for an oracle that tells what happens. A fault that has no end of its own (see
    /// `Fault::has_end`) only begins.
    fn fault_turned(&mut self, now: Time, turn: Turn, event: &FaultEvent) {
        let _ = (now, turn, event);
    }

    /// Whether it is right that this process did not start, or halted, for this reason. It then stays down.
    fn excuses(&mut self, id: ProcessId, reason: &str) -> bool {
        let _ = (id, reason);
        false
    }

    /// Tells of each of these stretches of a process's disk, by its place among them, whether it may rot now: a protocol
    /// survives so much and no more. It is asked of few.
    fn may_rot(
        &self,
        id: ProcessId,
        extents: &[Extent],
        processes: &Processes<'_, P>,
    ) -> impl Fn(usize) -> bool {
        let _ = (id, extents, processes);
        |_| true
    }

    /// One of them does.
    fn rotted(&mut self, id: ProcessId, extent: &Extent) {
        let _ = (id, extent);
    }

    /// Which of these stretches may be ruined together, in this way; each of a misdirected write goes over the one after it.
    fn may_ruin(
        &mut self,
        id: ProcessId,
        how: Ruin,
        extents: Vec<Extent>,
        processes: &Processes<'_, P>,
    ) -> Vec<Vec<Extent>> {
        let _ = (id, how, processes);
        extents.into_iter().map(|extent| vec![extent]).collect()
    }

    /// Some that may be ruined together are.
    fn ruined(&mut self, id: ProcessId, how: Ruin, extents: &[Extent]) {
        let _ = (id, how, extents);
    }

    /// A process comes back to a disk as it once was.
    fn image_restored(&mut self, id: ProcessId) {
        let _ = id;
    }

    /// Whether this process may lose its disk now, with all that is on it.
    fn may_lose_disk(&mut self, id: ProcessId, processes: &Processes<'_, P>) -> bool {
        let _ = (id, processes);
        true
    }

    /// It does.
    fn disk_lost(&mut self, id: ProcessId) {
        let _ = id;
    }

    /// Which processes to heal for the liveness phase, of `size` or another; `None` leaves it to the world. Where the core
    /// `is_alone`, it will be cut off from all others.
    fn choose_core(
        &mut self,
        size: u32,
        is_alone: bool,
        draw: &mut Draw<'_>,
        processes: &Processes<'_, P>,
    ) -> Option<ProcessSet> {
        let _ = (size, is_alone, draw, processes);
        None
    }

    /// Whether it is right that there is no core to heal. The run then ends with its safety phase.
    fn excuses_missing_core(&mut self) -> bool {
        false
    }

    /// Whether it is right that this healed core has come to a stand. The run then ends as if it were at rest.
    fn excuses_stall(&mut self, core: ProcessSet, processes: &Processes<'_, P>) -> bool {
        let _ = (core, processes);
        false
    }

    /// How the healed core stands. Asked again and again in the liveness phase; it ends once the core is at rest
    /// and every client has its answers.
    fn standing(&mut self, now: Time, core: ProcessSet, processes: &Processes<'_, P>) -> Standing {
        let _ = (now, core, processes);
        Standing::AtRest
    }

    /// The run has ended without a violation: what is checked over the whole of it.
    fn finished(&mut self, history: &[Call<P>], processes: &Processes<'_, P>) -> Result<(), Violation> {
        let _ = (history, processes);
        Ok(())
    }

    /// The marks that the oracle has reached, out of [`Process::MARKS`].
    fn marks(&self) -> Marks {
        Marks::default()
    }
}

/// How the healed core stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has come to rest as it must.
    AtRest,
    /// Not yet; it has come so far, in whatever the oracle measures. A core that comes further, however slowly, is
    /// given more time, within reason.
    Advancing(u64),
}

/// A client's next operation.
#[derive(Clone, Debug)]
pub struct Step<P: Process> {
    /// The pause before it.
    pub think_us: u64,
    /// Whom to ask.
    pub target: ProcessId,
    /// What to ask.
    pub request: P::Request,
    /// How long to wait for the answer. After that the workload decides; see [`Patience`].
    pub timeout_us: u64,
}

/// What a client makes of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The operation took place.
    Done,
    /// The operation is not tried again: it did not take place, or nobody can tell. It does not count as served.
    Refused,
    /// The operation did not take place and could not have, or is harmless to repeat, and is tried once more. Its call
    /// remains the first.
    Retry {
        /// Whom to ask now; a process that is not there means the one that answered.
        target: ProcessId,
        /// The pause before it.
        after_us: u64,
    },
}

/// What a client does that has waited long enough for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// It gives up and goes on: what became of the operation stays unknown.
    GivesUp,
    /// It asks another once more, for the same operation, though it may have taken place: only where asking twice is
    /// harmless. The history still has one call, the first; any answer to either is its answer.
    AsksAgain {
        /// Whom to ask now.
        target: ProcessId,
        /// How long to wait this time.
        timeout_us: u64,
    },
}

/// What the clients do. Each has one operation under way at a time.
pub trait Workload<P: Process>: Clone {
    /// The client's next operation; `None` when it has no more.
    fn next(&mut self, client: ClientId, number: u64, draw: &mut Draw<'_>) -> Option<Step<P>>;
    /// An operation was answered.
    fn answered(&mut self, operation: OperationId, at: Time, response: &P::Response) -> Answer {
        let _ = (operation, at, response);
        Answer::Done
    }
    /// The client waited long enough; whether the operation took place, or still will, is unknown.
    fn timed_out(&mut self, operation: OperationId, at: Time) -> Patience {
        let _ = (operation, at);
        Patience::GivesUp
    }

    /// The liveness phase has begun: this core is sound. Others may still serve, each as well as it can.
    fn healed(&mut self, core: ProcessSet) {
        let _ = core;
    }

    /// The marks that the workload has reached, out of [`Process::MARKS`].
    fn marks(&self) -> Marks {
        Marks::default()
    }
}
