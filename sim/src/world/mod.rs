//! The world: processes, links, disks, clocks and clients in one synchronous loop over virtual time.
//!
//! A world is a value. It takes the next event from its queue, gives it to whom it concerns, carries out what
//! follows, and lets the oracle look. Nothing in it runs beside anything else, and it touches nothing outside:
//! equal worlds run equally, and a clone goes its own way.

mod act;
mod anchors;
mod branch;
mod calls;
mod faults;
mod idle;
mod life;
mod mail;
mod phases;
mod ruin;
mod slot;

use std::sync::Arc;

use crate::anchor;
use crate::choice::{Choice, Decision, Unheeded};
use crate::client::{Call, Client};
use crate::disk::SimDisk;
use crate::env::Effects;
use crate::fault::FaultEvent;
use crate::ids::ProcessId;
use crate::mark::Marks;
use crate::network::Network;
use crate::parameters::Parameters;
use crate::post::Post;
use crate::process::{Oracle, Process, Violation, Workload};
use crate::queue::{Event, EventQueue, Sequence};
use crate::time::Time;
use crate::trace::{Record, RecordKind, Recorder};
use anchors::Anchors;
use faults::ActiveFault;
use phases::Phase;
use slot::Slot;

pub use anchors::{Missed, MissedWhy};
pub use idle::{Idle, IdleWhy};
pub use slot::Processes;

/// One run: processes of type `P`, judged by `O`, used by `W`.
#[derive(Clone)]
pub struct World<P: Process, O: Oracle<P>, W: Workload<P>> {
    setup: P::Setup,
    parameters: Parameters,
    /// Those that strike at a time of their own come first, in order of time.
    plan: Arc<[FaultEvent]>,
    /// The place of the fault that is the next to strike at a time of its own.
    next_fault: u32,
    anchors: Anchors,
    idle: Vec<Idle>,
    choice: Choice,
    oracle: O,
    workload: W,
    recorder: Recorder,

    now: Time,
    /// The number of the current step. A step is one event that did something.
    step: u64,
    phase: Phase,
    queue: EventQueue,
    post: Post<P>,
    network: Network,
    slots: Vec<Slot<P>>,
    clients: Vec<Client<P>>,
    history: Vec<Call<P>>,
    /// The faults that are going on; a place is used again once its fault has ended.
    active: Vec<Option<ActiveFault>>,

    answered: u64,
    safety_us: u64,
    marks: Marks,
    user_marks: Marks,
    violations: Vec<Violation>,
    keeps_going: bool,
    /// The classes of violations that do not count.
    ignored: Arc<[&'static str]>,
    verdict: Option<Verdict>,

    /// What the process wants that is being given an event; empty in between.
    effects: Effects<P>,
    /// Room for an encoded message.
    frame: Vec<u8>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Everything held.
    Passed,
    /// A promise was broken; the first one.
    Failed(Violation),
    /// The run says nothing, for this reason.
    Inconclusive(String),
}

/// What is left of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunResult {
    /// How it ended.
    pub verdict: Verdict,
    /// The first violation of each class, in the order in which they occurred.
    pub violations: Vec<Violation>,
    /// The hash of everything that happened.
    pub hash: u128,
    /// How many events did something.
    pub events: u64,
    /// How long it took, in virtual time.
    pub virtual_us: u64,
    /// How much of that was the safety phase.
    pub safety_us: u64,
    /// How many operations of clients took place and were answered.
    pub operations: u64,
    /// The marks of [`crate::mark::FRAMEWORK`] that were reached.
    pub marks: Marks,
    /// The marks of [`Process::MARKS`] that were reached, by processes, oracle and workload.
    pub user_marks: Marks,
    /// The faults that waited for something that did not come.
    pub missed: Vec<Missed>,
    /// The faults that did nothing when their turn came.
    pub idle: Vec<Idle>,
    /// The stated decisions that nobody asked for, or that could not be as they are stated.
    pub unheeded: Unheeded,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// A world at the beginning of its time: disks are formatted, everyone is about to start.
    ///
    /// # Errors
    /// When the parameters or the plan speak of what cannot be; the text says what.
    pub fn new(
        setup: P::Setup,
        parameters: Parameters,
        mut plan: Vec<FaultEvent>,
        mut choice: Choice,
        oracle: O,
        workload: W,
        recorder: Recorder,
    ) -> Result<Self, String> {
        parameters.check()?;
        let processes = parameters.processes();
        for event in &plan {
            event.check(processes).map_err(|what| format!("fault {}: {what}", event.id))?;
        }
        anchor::check(&plan)
            .and_then(|()| anchor::check_milestones(&plan, P::MILESTONES))
            .map_err(|error| format!("fault {}: {}; expected {}", error.event, error.what, error.expected))?;
        plan.sort_by_key(|event| (event.after.is_some(), event.at, event.id));
        let slots = (0..processes)
            .map(|number| {
                let id = ProcessId(number);
                let disk_parameters = parameters.disks[id.slot()].clone();
                let mut disk = SimDisk::new(id, disk_parameters, choice.fork());
                P::format(&setup, id, &mut disk);
                disk.settle();
                Slot::new(disk, &parameters.clocks[id.slot()])
            })
            .collect();
        let clients = (0..parameters.clients.count).map(|_| Client::new()).collect();
        let mut world = World {
            setup,
            parameters,
            anchors: Anchors::new(&plan, P::MILESTONES),
            idle: Vec::new(),
            plan: plan.into(),
            next_fault: 0,
            choice,
            oracle,
            workload,
            recorder,
            now: Time::START,
            step: 0,
            phase: Phase::Safety,
            queue: EventQueue::default(),
            post: Post::new(),
            network: Network::new(processes),
            slots,
            clients,
            history: Vec::new(),
            active: Vec::new(),
            answered: 0,
            safety_us: 0,
            marks: Marks::default(),
            user_marks: Marks::default(),
            violations: Vec::new(),
            keeps_going: false,
            ignored: Arc::default(),
            verdict: None,
            effects: Effects::default(),
            frame: Vec::new(),
        };
        world.schedule_beginning();
        Ok(world)
    }

    /// The same world, going on after a violation: so that every oracle that would fire is seen.
    #[must_use]
    pub fn keep_going(mut self) -> Self {
        self.keeps_going = true;
        self
    }

    /// The same world, in which violations of these classes are kept and do not count: as if their oracles were off.
    #[must_use]
    pub fn ignoring(mut self, classes: Arc<[&'static str]>) -> Self {
        self.ignored = classes;
        self
    }

    fn schedule_beginning(&mut self) {
        for number in 0..self.parameters.processes() {
            let id = ProcessId(number);
            self.slots[id.slot()].restart_event = self.queue.push(Time::START, Event::Restart(id));
        }
        self.schedule_fault(0);
        for number in 0..self.parameters.clients.count {
            self.think(crate::ids::ClientId(number));
        }
    }

    /// Runs to the end.
    pub fn run(&mut self) -> RunResult {
        while self.step() {}
        self.result()
    }

    /// Runs to the end, or for so many events: inconclusive then.
    pub fn run_for(&mut self, events: u64) -> RunResult {
        while self.step < events && self.step() {}
        self.result()
    }

    /// Runs until a time, or to the end; whether the run still goes on.
    pub fn run_until(&mut self, until: Time) -> bool {
        while self.verdict.is_none() && self.next_time().is_some_and(|next| next < until) {
            self.step();
        }
        self.verdict.is_none()
    }

    /// Takes one event; whether the run still goes on.
    pub fn step(&mut self) -> bool {
        if self.verdict.is_some() {
            return false;
        }
        let end = self.phase_end();
        if self.queue.next_time().is_some_and(|next| next < end) {
            let (at, sequence, event) = self.queue.pop().expect("there is a next event");
            debug_assert!(at >= self.now, "{event:?} is due at {at}, and it is {} already", self.now);
            self.now = at;
            self.dispatch(sequence, event);
            self.maybe_settle();
        } else {
            self.now = end;
            self.end_phase();
        }
        if self.step > self.parameters.limits.events && self.verdict.is_none() {
            self.run_out_of_events();
        }
        self.verdict.is_none()
    }

    #[inline]
    fn dispatch(&mut self, sequence: Sequence, event: Event) {
        match event {
            Event::Arrival(place) => self.handle_arrival(place),
            Event::Timer(process) => self.handle_timer(process, sequence),
            Event::Disk(process) => self.handle_disk(process, sequence),
            Event::Restart(process) => self.handle_restart(process, sequence),
            Event::Resume(process) => self.handle_resume(process, sequence),
            Event::Call(client) => self.handle_call(client, sequence),
            Event::Timeout(client) => self.handle_timeout(client, sequence),
            Event::Fault(place) => self.handle_fault(place),
            Event::FaultStep(place) => self.handle_fault_step(place),
        }
    }

    /// When something happens next: an event, or the end of a phase.
    fn next_time(&self) -> Option<Time> {
        let end = self.phase_end();
        Some(self.queue.next_time().map_or(end, |next| next.min(end)))
    }

    /// Virtual time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What the clients did so far.
    #[must_use]
    pub fn history(&self) -> &[Call<P>] {
        &self.history
    }

    /// The processes and their disks as they are.
    #[must_use]
    pub fn processes(&self) -> Processes<'_, P> {
        Processes::new(&self.slots, &self.network, &self.setup)
    }

    /// The oracle.
    #[must_use]
    pub fn oracle(&self) -> &O {
        &self.oracle
    }

    /// The workload.
    #[must_use]
    pub fn workload(&self) -> &W {
        &self.workload
    }

    /// The recorder, with what it has kept.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Ends the use of the world and hands out what was recorded.
    #[must_use]
    pub fn into_recorder(self) -> Recorder {
        self.recorder
    }

    /// Takes every decision that differed from its default, in the order of their keys; none where the choice
    /// does not record.
    pub fn take_decisions(&mut self) -> Vec<Decision> {
        let mut decisions = self.choice.take_recording();
        for slot in &mut self.slots {
            decisions.append(&mut slot.disk.take_recording());
        }
        decisions.sort();
        decisions
    }

    /// The faults that came to nothing, those among them whose disks met no operation that was to fail while they had time.
    fn idle(&self) -> Vec<Idle> {
        // A violation may have cut their time short.
        let ended = if matches!(self.verdict, Some(Verdict::Failed(_))) { self.now } else { Time(u64::MAX) };
        let unmet = self.slots.iter().flat_map(|slot| slot.disk.idle_failures(ended));
        let unmet = unmet.map(|event| Idle { event, why: IdleWhy::NoOperation });
        let mut idle: Vec<Idle> = self.idle.iter().copied().chain(unmet).collect();
        idle.sort_by_key(|idle| idle.event);
        idle
    }

    /// The result so far; of a run that has not ended, inconclusive.
    #[must_use]
    pub fn result(&self) -> RunResult {
        let unfinished = || Verdict::Inconclusive("the run has not ended".to_owned());
        let (marks, user_marks) = self.marks();
        RunResult {
            verdict: self.verdict.clone().unwrap_or_else(unfinished),
            violations: self.violations.clone(),
            hash: self.recorder.hash(),
            events: self.step,
            virtual_us: self.now.0,
            safety_us: if self.phase == Phase::Safety { self.now.0 } else { self.safety_us },
            operations: self.answered,
            marks,
            user_marks,
            missed: self.anchors.missed(&self.plan),
            idle: self.idle(),
            unheeded: Choice::unheeded(
                core::iter::once(&self.choice).chain(self.slots.iter().map(|slot| slot.disk.choice())),
            ),
        }
    }

    /// A promise was broken.
    fn violate(&mut self, violation: Violation) {
        self.record(None, RecordKind::Violated, 0, text_digest(violation.class), 0, 0);
        if !self.keeps_going && !self.ignored.contains(&violation.class) {
            self.conclude(Verdict::Failed(violation.clone()));
        }
        if self.violations.iter().all(|known| known.class != violation.class) {
            self.violations.push(violation);
        }
    }

    /// The run is over, unless it was before.
    fn conclude(&mut self, verdict: Verdict) {
        let counts = |violation: &&Violation| !self.ignored.contains(&violation.class);
        let first = self.violations.iter().find(counts).cloned().map_or(verdict, Verdict::Failed);
        self.verdict.get_or_insert(first);
    }

    #[inline]
    fn record(
        &mut self,
        process: Option<ProcessId>,
        kind: RecordKind,
        cause: u64,
        a: u64,
        b: u64,
        digest: u64,
    ) {
        self.recorder.record(Record {
            step: self.step,
            time_us: self.now.0,
            process: process.map_or(crate::trace::NO_PROCESS, |process| process.0),
            kind,
            cause,
            a,
            b,
            digest,
        });
    }
}

/// A text as a word of a record.
fn text_digest(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
