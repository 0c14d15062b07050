//! Three processes that ping each other every ten milliseconds: the smallest world.

use squall_sim::fault::CrashKind;
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{
    Answer, Choice, ClientId, Draw, Env, LocalTime, OperationId, Oracle, Parameters, Patience, Process,
    ProcessId, SimDisk, Step, Time, Violation, Workload, World,
};

/// How often each process pings the others.
const INTERVAL_US: u64 = 10_000;

/// A process that pings the others, and counts.
#[derive(Clone)]
pub(crate) struct Ping {
    others: [ProcessId; 2],
    next: LocalTime,
    pings: u64,
    pongs: u64,
}

/// What it says.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Ping(u64),
    Pong(u64),
}

impl Process for Ping {
    type Setup = ();
    type Message = Message;
    type Request = ();
    type Response = ();

    fn format(_: &(), _: ProcessId, _: &mut SimDisk) {}

    fn start(_: &(), id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        env.wake_at(env.now());
        let others = [ProcessId((id.0 + 1) % 3), ProcessId((id.0 + 2) % 3)];
        Ok(Ping { others, next: env.now(), pings: 0, pongs: 0 })
    }

    fn receive(&mut self, from: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        match message {
            Message::Ping(number) => env.send(from, Message::Pong(number)),
            Message::Pong(_) => self.pongs += 1,
        }
    }

    fn wake(&mut self, env: &mut Env<'_, Self>) {
        self.pings += 1;
        for other in self.others {
            env.send(other, Message::Ping(self.pings));
        }
        self.next = self.next.after(INTERVAL_US);
        env.wake_at(self.next);
    }

    fn disk_done(&mut self, _: &mut Env<'_, Self>) {}

    fn request(&mut self, _: OperationId, (): (), _: &mut Env<'_, Self>) {}

    fn administer(&mut self, _: u64, _: &mut Env<'_, Self>) {}

    fn message_kind(message: &Message) -> u8 {
        match message {
            Message::Ping(_) => 0,
            Message::Pong(_) => 1,
        }
    }

    fn message_kind_name(kind: u8) -> &'static str {
        ["ping", "pong"][usize::from(kind)]
    }

    fn encode(message: &Message, out: &mut Vec<u8>) {
        let (Message::Ping(number) | Message::Pong(number)) = message;
        out.push(Self::message_kind(message));
        out.extend_from_slice(&number.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Message, String> {
        let number =
            |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|error| format!("{error}"));
        match bytes {
            [0, rest @ ..] => number(rest).map(Message::Ping),
            [1, rest @ ..] => number(rest).map(Message::Pong),
            _ => Err("neither a ping nor a pong".to_owned()),
        }
    }

    fn digest_message(message: &Message) -> u64 {
        let (Message::Ping(number) | Message::Pong(number)) = message;
        number << 1 | u64::from(Self::message_kind(message))
    }

    fn digest(&self) -> u64 {
        self.pings << 32 | self.pongs
    }
}

/// Nobody answers more pings than were sent.
#[derive(Clone)]
pub(crate) struct PongsFollowPings;

impl Oracle<Ping> for PongsFollowPings {
    fn started(&mut self, _: Time, _: ProcessId, _: &mut Ping, _: &SimDisk) -> Result<(), Violation> {
        Ok(())
    }

    fn stopped(&mut self, _: Time, _: ProcessId, _: CrashKind) {}

    fn after(&mut self, _: Time, id: ProcessId, process: &mut Ping, _: &SimDisk) -> Result<(), Violation> {
        if process.pongs <= process.pings * 2 {
            return Ok(());
        }
        let message = format!("{id} got {} pongs for {} rounds of pings", process.pongs, process.pings);
        Err(Violation { class: "PongWithoutPing", message })
    }
}

/// Nobody asks anything.
#[derive(Clone)]
pub(crate) struct NoClients;

impl Workload<Ping> for NoClients {
    fn next(&mut self, _: ClientId, _: u64, _: &mut Draw<'_>) -> Option<Step<Ping>> {
        None
    }

    fn answered(&mut self, _: OperationId, _: Time, (): &()) -> Answer {
        Answer::Done
    }

    fn timed_out(&mut self, _: OperationId, _: Time) -> Patience {
        Patience::GivesUp
    }
}

/// The world, at the beginning of its time.
pub(crate) fn world(seconds: u64, seed: u64) -> World<Ping, PongsFollowPings, NoClients> {
    let mut parameters = Parameters::calm(3, 0);
    parameters.limits.safety_us = seconds * 1_000_000;
    parameters.limits.events = u64::MAX;
    let (recorder, choice) = (Recorder::new(Keep::Hash), Choice::from_seed(seed));
    World::new((), parameters, Vec::new(), choice, PongsFollowPings, NoClients, recorder)
        .expect("the parameters are possible")
}
