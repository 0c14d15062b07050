//! What is held against the system: the promises that its clients rely on.
//!
//! What a client was answered is on both disks, the two disks tell one history, and no client can tell the two servers from one that
//! never fails (linearizability). That they are served at all once both are up and can talk, the liveness phase asks for.

use std::collections::BTreeMap;

use squall_sim::fault::CrashKind;
use squall_sim::history::{self, Budget, Effect, Model, Operation, Outcome, Seen};
use squall_sim::{Call, CallOutcome, Oracle, ProcessId, Processes, SimDisk, Time, Violation};

use super::process::{PRIMARY, Replica, Request, Response, State};

/// The oracle.
#[derive(Clone, Default)]
pub(crate) struct Promises {
    /// The newest version that a client heard of.
    promised: u64,
    /// What the primary had on its disk, by version.
    states: BTreeMap<u64, State>,
}

impl Oracle<Replica> for Promises {
    fn started(
        &mut self,
        _: Time,
        id: ProcessId,
        replica: &mut Replica,
        _: &SimDisk,
    ) -> Result<(), Violation> {
        self.check(id, &replica.durable)
    }

    fn stopped(&mut self, _: Time, _: ProcessId, _: CrashKind) {}

    fn after(&mut self, _: Time, id: ProcessId, replica: &mut Replica, _: &SimDisk) -> Result<(), Violation> {
        if id == PRIMARY {
            self.states.entry(replica.durable.version).or_insert(replica.durable);
            self.promised = self.promised.max(replica.promised);
        }
        Ok(())
    }

    fn finished(
        &mut self,
        history: &[Call<Replica>],
        processes: &Processes<'_, Replica>,
    ) -> Result<(), Violation> {
        for id in (0..processes.count()).map(ProcessId) {
            if let Some(replica) = processes.process(id) {
                self.check_state(id, &replica.durable)?;
            }
        }
        check_history(history)
    }
}

impl Promises {
    /// A server comes back: its disk holds all that was promised.
    fn check(&self, id: ProcessId, state: &State) -> Result<(), Violation> {
        if state.version < self.promised {
            let (version, promised) = (state.version, self.promised);
            let message = format!("{id} came back with version {version}; a client had heard of {promised}");
            return Err(Violation { class: "AcknowledgedIsDurable", message });
        }
        self.check_state(id, state)
    }

    /// Of one version there is one state.
    fn check_state(&self, id: ProcessId, state: &State) -> Result<(), Violation> {
        match self.states.get(&state.version) {
            Some(known) if known != state => {
                let message = format!("{id} holds {state:?}; the primary had {known:?}");
                Err(Violation { class: "OneHistory", message })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The registers as clients may see them: each by itself, and each operation at one moment.
struct Registers;

impl Model for Registers {
    type Key = usize;
    type State = u64;
    type Input = Request;
    type Output = Response;

    fn key(&self, input: &Request) -> usize {
        let (Request::Get { key } | Request::Put { key, .. }) = input;
        *key
    }

    fn initial(&self, _: &usize) -> u64 {
        0
    }

    fn step(&self, state: &mut u64, input: &Request) -> Response {
        match input {
            Request::Get { .. } => Response::Value(*state),
            Request::Put { value, .. } => {
                *state = *value;
                Response::Done
            }
        }
    }

    fn accepts(&self, expected: &Response, actual: &Response) -> bool {
        expected == actual
    }

    // The rest makes the search faster.

    fn is_read(&self, input: &Request, _: Option<&Response>) -> bool {
        matches!(input, Request::Get { .. })
    }

    fn effect(&self, input: &Request) -> Effect<u64> {
        match input {
            Request::Get { .. } => Effect::Any,
            Request::Put { value, .. } => Effect::Sets(*value),
        }
    }

    fn seen(&self, _: &Request, output: &Response) -> Seen<u64> {
        match output {
            Response::Value(value) => Seen::Only(*value),
            Response::Done | Response::NotPrimary => Seen::Every,
        }
    }
}

fn check_history(history: &[Call<Replica>]) -> Result<(), Violation> {
    let operation = |call: &Call<Replica>| Operation {
        client: call.operation.client.0,
        call: call.called.0,
        input: call.request.clone(),
        outcome: match &call.outcome {
            CallOutcome::Returned { at, response } => {
                Outcome::Returned { at: at.0, output: response.clone() }
            }
            CallOutcome::Unknown => Outcome::Unknown,
        },
    };
    let operations: Vec<Operation<Request, Response>> = history.iter().map(operation).collect();
    let (class, message) = match history::check(&Registers, &operations, Budget::default()) {
        history::Verdict::Linearizable => return Ok(()),
        history::Verdict::Violation(explanation) => ("Linearizability", explanation.to_string()),
        // A search that was given up has found nothing, and must not pass for one that found no order.
        history::Verdict::Budget(exhausted) => ("Undecided", exhausted.to_string()),
    };
    Err(Violation { class, message })
}
