//! Was the clients' history linearizable? The log's order is the witness (Herlihy and Wing, TOPLAS '90; Raft, §8).

use std::collections::BTreeMap;

use squall_replica::kv::Reply;
use squall_sim::client::CallOutcome;
use squall_sim::history::{self, Budget, Operation, Outcome, Verdict};
use squall_sim::process::Violation;

use crate::client::Call;
use crate::model::KeyValueModel;
use crate::server::{Response, request_id};

/// Judges a history; `applied` are the names of the operations in log order, 0 where an entry carries none.
///
/// # Errors
/// The violation in words. An exhausted budget is one too: the test then says nothing, and must not pass.
pub fn check(history: &[Call], applied: &[u128]) -> Result<(), Violation> {
    let mut operations = Vec::with_capacity(history.len());
    let mut numbers = BTreeMap::new();
    for call in history {
        let Some(outcome) = outcome(call)? else { continue };
        numbers.insert(request_id(call.operation).0, operations.len() as u32);
        operations.push(Operation {
            client: call.operation.client.0,
            call: call.called.0,
            input: call.request.clone(),
            outcome,
        });
    }
    let order: Vec<u32> = applied.iter().filter_map(|request| numbers.get(request).copied()).collect();
    match history::judge(&KeyValueModel, &operations, &order, Budget::default()) {
        Verdict::Linearizable => Ok(()),
        Verdict::Violation(explanation) => {
            Err(Violation { class: "Linearizability", message: explanation.to_string() })
        }
        Verdict::Budget(exhausted) => Err(Violation {
            class: "LinearizabilityBudget",
            message: format!("the history could not be judged: {exhausted}"),
        }),
    }
}

/// What came of an operation; `None` where it certainly did not take place.
fn outcome(call: &Call) -> Result<Option<Outcome<Reply>>, Violation> {
    match &call.outcome {
        CallOutcome::Unknown => Ok(Some(Outcome::Unknown)),
        CallOutcome::Returned { response: Response::Dropped | Response::Refused(_), .. } => Ok(None),
        CallOutcome::Returned { at, response: Response::Applied(reply) } => {
            let output = Reply::decode(reply).map_err(|error| Violation {
                class: "Linearizability",
                message: format!("the answer to {} makes no sense: {error}", call.operation),
            })?;
            Ok(Some(Outcome::Returned { at: at.0, output }))
        }
    }
}
