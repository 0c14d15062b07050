//! A process that does as little as shows what the world does to it: it sends a numbered message to everyone
//! at regular times, writes down what it hears, and on request keeps its round number on disk.

use squall_disk::{Disk, DiskError, FileId};
use squall_sim::fault::{CrashKind, Fault};
use squall_sim::mark::{FRAMEWORK, Mark};
use squall_sim::process::Standing;
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{
    Answer, Choice, ClientId, Draw, Env, FaultEvent, LocalTime, OperationId, Oracle, Parameters, Patience,
    Process, ProcessId, RunResult, SimDisk, Step, Time, Violation, Workload, World, passes,
};

/// How a beacon behaves.
#[derive(Clone)]
pub(crate) struct Habits {
    /// How many there are.
    pub(crate) processes: u32,
    /// How often each sends.
    pub(crate) interval_us: u64,
    /// How often it writes its round number to disk before it says it has written it; 0 is never.
    pub(crate) writes_each_round: u64,
    /// Whether it syncs after that.
    pub(crate) syncs: bool,
    /// The process that reports an error when it starts in a later life.
    pub(crate) refuses_restart: Option<ProcessId>,
    /// Whether clients get no answer.
    pub(crate) is_silent: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            processes: 3,
            interval_us: 1_000,
            writes_each_round: 0,
            syncs: false,
            refuses_restart: None,
            is_silent: false,
        }
    }
}

/// Something that a beacon heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) from: ProcessId,
    pub(crate) number: u64,
    pub(crate) at: LocalTime,
}

/// One life of a beacon.
#[derive(Clone)]
pub(crate) struct Beacon {
    pub(crate) habits: Habits,
    file: FileId,
    /// What the disk held when it started: the round that was written last, before this life.
    pub(crate) recovered: u64,
    pub(crate) round: u64,
    pub(crate) heard: Vec<Heard>,
    /// When it heard that its disk was done.
    pub(crate) disk_done: Vec<LocalTime>,
    pub(crate) administered: Vec<u64>,
    pub(crate) started: LocalTime,
    pub(crate) wall_minus_local_us: Vec<u64>,
    next: LocalTime,
}

impl Beacon {
    fn write_round(&self, disk: &mut SimDisk) -> Result<(), DiskError> {
        for _ in 0..self.habits.writes_each_round {
            disk.write_at(self.file, 0, &self.round.to_le_bytes())?;
        }
        if self.habits.syncs { disk.sync(self.file) } else { Ok(()) }
    }
}

impl Process for Beacon {
    type Setup = Habits;
    type Message = u64;
    type Request = u64;
    type Response = u64;

    const MILESTONES: &'static [&'static str] = &["starts", "sends", "obeys"];

    fn format(_: &Habits, _: ProcessId, disk: &mut SimDisk) {
        let file = disk.create("round").expect("a fresh disk");
        disk.write_at(file, 0, &0_u64.to_le_bytes()).expect("a sound disk");
        disk.sync(file).expect("a sound disk");
        disk.sync_dir().expect("a sound disk");
    }

    fn start(habits: &Habits, id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        let file = env.disk().open("round").map_err(|error| error.to_string())?;
        let mut bytes = [0; 8];
        env.disk().read_at(file, 0, &mut bytes).map_err(|error| error.to_string())?;
        if habits.refuses_restart == Some(id) && u64::from_le_bytes(bytes) > 0 {
            return Err("it has been here before".to_owned());
        }
        env.wake_at(env.now());
        passes!(env, Beacon::MILESTONES, "starts", true);
        Ok(Beacon {
            habits: habits.clone(),
            file,
            recovered: u64::from_le_bytes(bytes),
            round: u64::from_le_bytes(bytes),
            heard: Vec::new(),
            disk_done: Vec::new(),
            administered: Vec::new(),
            started: env.now(),
            wall_minus_local_us: Vec::new(),
            next: env.now(),
        })
    }

    fn receive(&mut self, from: ProcessId, number: u64, env: &mut Env<'_, Self>) {
        self.heard.push(Heard { from, number, at: env.now() });
    }

    fn wake(&mut self, env: &mut Env<'_, Self>) {
        assert!(env.now() >= self.next, "a timer is never early");
        self.round += 1;
        self.wall_minus_local_us.push(env.wall() - env.now().0);
        let id = env.id();
        for other in (0..self.habits.processes).map(ProcessId).filter(|other| *other != id) {
            env.send(other, self.round);
        }
        passes!(env, Beacon::MILESTONES, "sends", true);
        if let Err(error) = self.write_round(env.disk()) {
            env.halt(error.to_string());
        }
        self.next = env.now().after(self.habits.interval_us);
        env.wake_at(self.next);
    }

    fn disk_done(&mut self, env: &mut Env<'_, Self>) {
        self.disk_done.push(env.now());
    }

    fn request(&mut self, operation: OperationId, request: u64, env: &mut Env<'_, Self>) {
        if !self.habits.is_silent {
            env.respond(operation, request + 1);
        }
    }

    fn administer(&mut self, command: u64, env: &mut Env<'_, Self>) {
        self.administered.push(command);
        passes!(env, Beacon::MILESTONES, "obeys", true);
        if command == HALT {
            env.halt("the operator said so");
        }
    }

    fn prominence(&self) -> u64 {
        self.administered.last().copied().unwrap_or(0)
    }

    fn message_kind(_: &u64) -> u8 {
        0
    }

    fn message_kind_name(_: u8) -> &'static str {
        "beacon"
    }

    fn encode(message: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&message.to_le_bytes());
        out.extend_from_slice(&(!message).to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<u64, String> {
        let (number, check) = bytes.split_at_checked(8).ok_or("fewer than eight bytes")?;
        let word =
            |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|error| format!("{error}"));
        if word(number)? == !word(check)? { word(number) } else { Err("the check does not match".to_owned()) }
    }

    fn digest_message(message: &u64) -> u64 {
        *message
    }

    fn digest(&self) -> u64 {
        self.round << 32 | self.heard.len() as u64
    }
}

/// The operator's command that ends a life.
pub(crate) const HALT: u64 = 666;

/// An oracle that finds nothing, and excuses what it is told to.
#[derive(Clone, Default)]
pub(crate) struct Lenient {
    pub(crate) excuses: bool,
    /// How it says that the core stands; without it, at rest.
    pub(crate) standing: Option<fn(Time) -> Standing>,
    pub(crate) stopped: Vec<(ProcessId, CrashKind)>,
}

impl Oracle<Beacon> for Lenient {
    fn started(&mut self, _: Time, _: ProcessId, _: &mut Beacon, _: &SimDisk) -> Result<(), Violation> {
        Ok(())
    }

    fn stopped(&mut self, _: Time, id: ProcessId, kind: CrashKind) {
        self.stopped.push((id, kind));
    }

    fn after(&mut self, _: Time, _: ProcessId, _: &mut Beacon, _: &SimDisk) -> Result<(), Violation> {
        Ok(())
    }

    fn excuses(&mut self, _: ProcessId, _: &str) -> bool {
        self.excuses
    }

    fn standing(
        &mut self,
        now: Time,
        _: squall_sim::ProcessSet,
        _: &squall_sim::Processes<'_, Beacon>,
    ) -> Standing {
        self.standing.map_or(Standing::AtRest, |standing| standing(now))
    }
}

/// Clients that count: each asks for the successor of its operation's number, of the same process always.
#[derive(Clone, Default)]
pub(crate) struct Counting {
    /// Answers by this process are taken for a refusal that points to the next process.
    pub(crate) refused_by: Option<ProcessId>,
    /// Whom it asks that got no answer, without giving up.
    pub(crate) asks_again: Option<ProcessId>,
}

impl Workload<Beacon> for Counting {
    fn next(&mut self, _: ClientId, number: u64, _: &mut Draw<'_>) -> Option<Step<Beacon>> {
        let target = self.refused_by.unwrap_or(ProcessId(0));
        Some(Step { think_us: 5_000, target, request: number, timeout_us: 20_000 })
    }

    fn answered(&mut self, operation: OperationId, _: Time, response: &u64) -> Answer {
        assert_eq!(*response, operation.number + 1);
        match self.refused_by.take() {
            Some(process) => Answer::Retry { target: ProcessId(process.0 + 1), after_us: 1_000 },
            None => Answer::Done,
        }
    }

    fn timed_out(&mut self, _: OperationId, _: Time) -> Patience {
        match self.asks_again {
            Some(target) => Patience::AsksAgain { target, timeout_us: 20_000 },
            None => Patience::GivesUp,
        }
    }
}

/// A world of beacons.
pub(crate) type BeaconWorld = World<Beacon, Lenient, Counting>;

/// The parameters of a calm second with three processes and no clients, in which every message takes a
/// millisecond.
pub(crate) fn calm() -> Parameters {
    let mut parameters = Parameters::calm(3, 0);
    parameters.network.delay_us_min = 1_000;
    parameters.network.delay_us_mean = 0;
    parameters.clients.delay_us_mean = 0;
    parameters.limits.safety_us = 1_000_000;
    parameters
}

/// A plan of faults, each at a time.
pub(crate) fn plan(faults: impl IntoIterator<Item = (u64, Fault)>) -> Vec<FaultEvent> {
    faults
        .into_iter()
        .zip(1..)
        .map(|((at, fault), id)| FaultEvent { id, after: None, at: Time(at), fault })
        .collect()
}

/// A world of these habits.
pub(crate) fn world(habits: Habits, parameters: Parameters, plan: Vec<FaultEvent>) -> BeaconWorld {
    let choice = Choice::from_seed(1);
    let (oracle, workload) = (Lenient::default(), Counting::default());
    World::new(habits, parameters, plan, choice, oracle, workload, Recorder::new(Keep::Records))
        .expect("the parameters are possible")
}

/// A world that has run to its end, and how that was.
pub(crate) fn run(habits: Habits, parameters: Parameters, plan: Vec<FaultEvent>) -> (BeaconWorld, RunResult) {
    let mut world = world(habits, parameters, plan);
    let result = world.run();
    (world, result)
}

/// What a process has heard from another in its present life.
pub(crate) fn heard(world: &BeaconWorld, by: u32, from: u32) -> Vec<Heard> {
    let process = world.processes().process(ProcessId(by)).expect("it is up");
    process.heard.iter().filter(|heard| heard.from == ProcessId(from)).copied().collect()
}

/// Just the numbers of that.
pub(crate) fn numbers(heard: &[Heard]) -> Vec<u64> {
    heard.iter().map(|heard| heard.number).collect()
}

/// Whether the run reached one of the framework's marks.
pub(crate) fn reached(result: &RunResult, name: &str) -> bool {
    result.marks.has(Mark::named(FRAMEWORK, name))
}
