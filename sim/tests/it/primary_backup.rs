//! A register kept by a primary and a backup, in a sound and in a careless version: the storm must tell them
//! apart. The careless one answers before its disk is done.

use squall_disk::{Disk, FileId};
use squall_sim::fault::{CrashKind, CrashWhen, Fault, Target};
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{
    Answer, Choice, ClientId, Draw, Env, FaultEvent, OperationId, Oracle, Parameters, Patience, Process,
    ProcessId, SimDisk, Step, Time, Verdict, Violation, Workload, World,
};

const PRIMARY: ProcessId = ProcessId(0);
const BACKUP: ProcessId = ProcessId(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Answers when both disks are done.
    Sound,
    /// Answers when the backup has the value in memory.
    Careless,
}

#[derive(Clone)]
struct Replica {
    care: Care,
    file: FileId,
    value: u64,
    /// What its disk is known to hold.
    durable: u64,
    /// Operations that wait for their value: on the primary's disk and the backup's.
    waiting: Vec<(OperationId, u64)>,
    backup_has: u64,
    /// The highest value that a client was told is safe, since the oracle looked.
    promised: u64,
}

#[derive(Clone, Debug)]
enum Message {
    Store(u64),
    Stored(u64),
}

impl Replica {
    fn write(&mut self, value: u64, env: &mut Env<'_, Self>) {
        self.value = self.value.max(value);
        let bytes = self.value.to_le_bytes();
        env.disk().write_at(self.file, 0, &bytes).expect("a sound disk");
        let file = self.file;
        env.disk().sync(file).expect("a sound disk");
    }

    fn answer(&mut self, env: &mut Env<'_, Self>) {
        let safe = match self.care {
            Care::Sound => self.durable.min(self.backup_has),
            Care::Careless => self.backup_has,
        };
        let (done, waiting) = self.waiting.iter().partition(|(_, value)| *value <= safe);
        self.waiting = waiting;
        let done: Vec<(OperationId, u64)> = done;
        for (operation, value) in done {
            self.promised = self.promised.max(value);
            env.respond(operation, ());
        }
    }
}

impl Process for Replica {
    type Setup = Care;
    type Message = Message;
    type Request = u64;
    type Response = ();

    fn format(_: &Care, _: ProcessId, disk: &mut SimDisk) {
        let file = disk.create("value").expect("a fresh disk");
        disk.write_at(file, 0, &0_u64.to_le_bytes()).expect("a sound disk");
        disk.sync(file).expect("a sound disk");
        disk.sync_dir().expect("a sound disk");
    }

    fn start(care: &Care, _: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        let file = env.disk().open("value").map_err(|error| error.to_string())?;
        // The page cache may hold what the disk does not.
        env.disk().sync(file).map_err(|error| error.to_string())?;
        let mut bytes = [0; 8];
        env.disk().read_at(file, 0, &mut bytes).map_err(|error| error.to_string())?;
        let value = u64::from_le_bytes(bytes);
        Ok(Replica { care: *care, file, value, durable: 0, waiting: Vec::new(), backup_has: 0, promised: 0 })
    }

    fn receive(&mut self, from: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        match message {
            Message::Store(value) => {
                self.write(value, env);
                if self.care == Care::Careless {
                    env.send(from, Message::Stored(value));
                }
            }
            Message::Stored(value) => {
                self.backup_has = self.backup_has.max(value);
                self.answer(env);
            }
        }
    }

    fn wake(&mut self, _: &mut Env<'_, Self>) {}

    fn disk_done(&mut self, env: &mut Env<'_, Self>) {
        self.durable = self.value;
        if env.id() == BACKUP {
            env.send(PRIMARY, Message::Stored(self.durable));
        }
        self.answer(env);
    }

    fn request(&mut self, operation: OperationId, value: u64, env: &mut Env<'_, Self>) {
        self.waiting.push((operation, value));
        self.write(value, env);
        env.send(BACKUP, Message::Store(value));
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
        let (Message::Store(value) | Message::Stored(value)) = message;
        out.push(Self::message_kind(message));
        out.extend_from_slice(&value.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Message, String> {
        let value =
            |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|error| format!("{error}"));
        match bytes {
            [0, rest @ ..] => value(rest).map(Message::Store),
            [1, rest @ ..] => value(rest).map(Message::Stored),
            _ => Err("neither store nor stored".to_owned()),
        }
    }

    fn digest_message(message: &Message) -> u64 {
        let (Message::Store(value) | Message::Stored(value)) = message;
        *value
    }

    fn digest(&self) -> u64 {
        self.value ^ self.durable.rotate_left(32)
    }
}

/// What a client was told is safe is found on at least one of the two disks whenever a process comes back.
#[derive(Clone, Default)]
struct PromisesAreKept {
    promised: u64,
}

impl Oracle<Replica> for PromisesAreKept {
    fn started(
        &mut self,
        _: Time,
        id: ProcessId,
        replica: &mut Replica,
        _: &SimDisk,
    ) -> Result<(), Violation> {
        if replica.value >= self.promised {
            return Ok(());
        }
        let message =
            format!("{id} came back with {} after {} was acknowledged", replica.value, self.promised);
        Err(Violation { class: "AcknowledgedIsDurable", message })
    }

    fn stopped(&mut self, _: Time, _: ProcessId, _: CrashKind) {}

    fn after(&mut self, _: Time, _: ProcessId, replica: &mut Replica, _: &SimDisk) -> Result<(), Violation> {
        self.promised = self.promised.max(replica.promised);
        Ok(())
    }
}

/// One client that writes higher and higher values.
#[derive(Clone)]
struct Writes;

impl Workload<Replica> for Writes {
    fn next(&mut self, _: ClientId, number: u64, draw: &mut Draw<'_>) -> Option<Step<Replica>> {
        let think_us = draw.exponential("think", 5_000, 50_000);
        Some(Step { think_us, target: PRIMARY, request: number + 1, timeout_us: 100_000 })
    }

    fn answered(&mut self, _: OperationId, _: Time, (): &()) -> Answer {
        Answer::Done
    }

    fn timed_out(&mut self, _: OperationId, _: Time) -> Patience {
        Patience::GivesUp
    }
}

/// Ten seconds with a power loss every half second, by turns.
fn verdict(care: Care, seed: u64) -> Verdict {
    let mut parameters = Parameters::calm(2, 1);
    parameters.limits.safety_us = 10_000_000;
    let plan = (1..20).map(|number| {
        let process = Target::Process(ProcessId(number % 2));
        let when = CrashWhen::AfterDiskOperations(u64::from(number) % 3);
        let fault = Fault::Crash { process, kind: CrashKind::PowerLoss, when, outage_us: 100_000 };
        FaultEvent { id: number, after: None, at: Time(u64::from(number) * 500_000), fault }
    });
    let (choice, recorder) = (Choice::from_seed(seed), Recorder::new(Keep::Hash));
    let oracle = PromisesAreKept::default();
    World::new(care, parameters, plan.collect(), choice, oracle, Writes, recorder)
        .expect("the parameters are possible")
        .run()
        .verdict
}

#[test]
fn a_primary_that_answers_before_its_disk_is_done_is_caught_and_a_patient_one_is_not() {
    for seed in 0..20 {
        assert_eq!(verdict(Care::Sound, seed), Verdict::Passed, "seed {seed}");
    }
    let caught = (0..20).filter(|seed| matches!(verdict(Care::Careless, *seed), Verdict::Failed(_))).count();
    assert!(caught > 10, "caught with {caught} of 20 seeds");
}
