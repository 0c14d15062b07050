//! Tickets: n0 gives them to clients, n1 counts them. `cargo run --release --example tickets [FILE.scn]`
use std::collections::BTreeSet;
use std::process::ExitCode;

use squall_sim::profile::{Profile, Shape};
use squall_sim::world::Processes;
use squall_sim::{
    Call, CallOutcome, ClientId, Draw, Env, OperationId, Oracle, Process, ProcessId, Step, System, Verdict,
    Violation, Workload,
};

const DESK: ProcessId = ProcessId(0);
const COUNTER: ProcessId = ProcessId(1);

/// One life of either process: what it knows.
#[derive(Clone, Default)]
pub(crate) struct Server {
    tickets: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Take(OperationId),
    Ticket(OperationId, u64),
}

impl Process for Server {
    type Setup = ();
    type Message = Message;
    type Request = ();
    type Response = u64;

    fn start(_: &(), _: ProcessId, _: &mut Env<'_, Self>) -> Result<Self, String> {
        Ok(Server::default()) // The bug: whoever counts must not forget.
    }
    fn request(&mut self, operation: OperationId, (): (), env: &mut Env<'_, Self>) {
        env.send(COUNTER, Message::Take(operation));
    }
    fn receive(&mut self, from: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        match message {
            Message::Take(operation) => {
                self.tickets += 1;
                env.send(from, Message::Ticket(operation, self.tickets));
            }
            Message::Ticket(operation, ticket) => env.respond(operation, ticket),
        }
    }
    fn digest(&self) -> u64 {
        self.tickets
    }
    fn digest_message(message: &Message) -> u64 {
        match message {
            Message::Take(operation) => operation.number,
            Message::Ticket(_, ticket) => *ticket,
        }
    }
}

/// No ticket is given out twice.
#[derive(Clone)]
pub(crate) struct Unique;

impl Oracle<Server> for Unique {
    fn finished(&mut self, history: &[Call<Server>], _: &Processes<'_, Server>) -> Result<(), Violation> {
        let mut seen = BTreeSet::new();
        for call in history {
            if let CallOutcome::Returned { response: ticket, .. } = call.outcome
                && !seen.insert(ticket)
            {
                let message = format!("{} got ticket {ticket}, which was given out before", call.operation);
                return Err(Violation { class: "TicketsAreUnique", message });
            }
        }
        Ok(())
    }
}

/// Clients that take one ticket after the other, at n0, and do not ask again.
#[derive(Clone)]
pub(crate) struct Customers;

impl Workload<Server> for Customers {
    fn next(&mut self, _: ClientId, _: u64, draw: &mut Draw<'_>) -> Option<Step<Server>> {
        let think_us = draw.exponential("think", 50_000, 500_000);
        Some(Step { think_us, target: DESK, request: (), timeout_us: 1_000_000 })
    }
}

pub(crate) fn system() -> System<Server, Unique, Customers> {
    let weather = "[swarm]\ncorruption = '0/1' # There is no codec.\n[limits]\ncore_alone = '0/1'";
    System {
        setup: (),
        oracle: Unique,
        workload: Customers,
        shape: Shape { processes: 2, core_size: 2, timeout_us: 200_000 },
        profile: Profile::parse(weather, "the weather").expect("a test reads it"),
    }
}

fn main() -> ExitCode {
    let system = system();
    if let Some(file) = std::env::args().nth(1) {
        let text = std::fs::read_to_string(&file).expect("give the path of a scenario");
        let result = system.replay(&text, &file).expect("the scenario can be run").result;
        println!("{:?}, hash {:032x}", result.verdict, result.hash);
        return ExitCode::from(u8::from(result.verdict != Verdict::Passed));
    }
    let tally = system.sweep(0..1_000);
    print!("{tally}");
    if let Some(seed) = tally.first_failure() {
        let small = system.shrink(&system.record(seed)).expect("it failed").scenario;
        std::fs::write("failure.scn", small.to_string()).expect("the file can be written");
        println!("\nseed {seed}, made small, in failure.scn:\n\n{small}");
    }
    ExitCode::from(u8::from(!tally.holds()))
}
