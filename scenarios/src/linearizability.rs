//! Was the clients' history linearizable? The log's order is the witness (Herlihy and Wing, TOPLAS '90; Raft, §8).

use std::collections::{BTreeMap, BTreeSet};

use squall_files::Limits;
use squall_raft::LogIndex;
use squall_replica::{Consistency, RequestId};
use squall_sim::client::{Call, CallOutcome};
use squall_sim::history::{self, Budget, Operation, Outcome};
use squall_sim::process::Violation;
use squall_sim::{Process, Time};

use crate::machine::Command;
use crate::model::{ClientModel, FilesModel, KeyValueModel};
use crate::server::{Ask, Response, operation_id, request_id};

/// Judges a history; a read without an entry in the log stands right behind the last entry that had been applied, and a
/// serializable one may stand there however old that is. `applied` are the names of the operations in log order, 0 where
/// an entry carries none; `files` are the limits of the file system, where the state machine is one.
///
/// # Errors
/// The violation in words.
pub fn check<P>(history: &[Call<P>], applied: &[u128], files: Option<Limits>) -> Result<(), Violation>
where
    P: Process<Request = Ask, Response = Response>,
{
    match files {
        None => judge(&KeyValueModel, history, applied),
        Some(limits) => judge(&FilesModel(limits), history, applied),
    }
}

/// Whether some client asked for each operation that was applied: all that is left to be said where disks have forgotten.
///
/// # Errors
/// The violation in words.
pub fn check_nothing_invented<P: Process>(
    history: &[Call<P>],
    applied: impl Iterator<Item = u128>,
) -> Result<(), Violation> {
    let asked: BTreeSet<u128> = history.iter().map(|call| request_id(call.operation).0).collect();
    for name in applied.filter(|name| *name != 0) {
        if !asked.contains(&name) {
            let operation = operation_id(RequestId(name));
            let message = format!("{operation} was applied, and no client asked for it");
            return Err(Violation { class: "AppliedAndDenied", message });
        }
    }
    Ok(())
}

fn judge<P, M: ClientModel>(model: &M, history: &[Call<P>], applied: &[u128]) -> Result<(), Violation>
where
    P: Process<Request = Ask, Response = Response>,
{
    let mut operations = Vec::with_capacity(history.len());
    let mut numbers = BTreeMap::new();
    let mut reads = Vec::new();
    for call in history {
        let (client, number) = (call.operation.client.0, operations.len() as u32);
        if let Ask::Read { query, consistency } = &call.request {
            // What was asked and not answered had no effect.
            let CallOutcome::Returned { response: Response::Read { applied, .. }, .. } = &call.outcome else {
                continue;
            };
            let called = match consistency {
                Consistency::Linearizable => call.called,
                Consistency::Serializable => Time::START,
            };
            let Some(outcome) = outcome::<P, M>(call)? else { continue };
            reads.push((*applied, called, number));
            let input = input::<P, M>(call, query)?;
            operations.push(Operation { client, call: called.0, input, outcome });
            continue;
        }
        // A session is nobody's key, and opening or closing one is no command.
        let Some(command) = call.request.command() else { continue };
        let name = request_id(call.operation).0;
        let Some(outcome) = outcome::<P, M>(call)? else {
            numbers.insert(name, None);
            continue;
        };
        numbers.insert(name, Some(number));
        operations.push(Operation {
            client,
            call: call.called.0,
            input: input::<P, M>(call, command)?,
            outcome,
        });
    }
    reads.sort_unstable();
    let order = order_of(applied, &numbers, &reads)?;
    // Every operation has its place in the log's order: that is no mere guess, and must explain all.
    if let Err(refusal) = history::check_witness(model, &operations, &order) {
        let message = format!("the order of the log does not explain the history: {refusal}");
        return Err(Violation { class: "Linearizability", message });
    }
    match history::second_opinion(model, &operations, Budget::default()) {
        None => Ok(()),
        Some(explanation) => Err(Violation { class: "Linearizability", message: explanation.to_string() }),
    }
}

/// The operations in log order. `numbers` has `None` for those that, as a client was told, did not take place.
fn order_of(
    applied: &[u128],
    numbers: &BTreeMap<u128, Option<u32>>,
    reads: &[(LogIndex, Time, u32)],
) -> Result<Vec<u32>, Violation> {
    let mut order = Vec::with_capacity(applied.len() + reads.len());
    let mut reads = reads.iter().peekable();
    for (index, name) in (1_u64..).zip(applied) {
        while let Some((_, _, read)) = reads.next_if(|(after, _, _)| after.0 < index) {
            order.push(*read);
        }
        if *name == 0 {
            continue;
        }
        let operation = operation_id(RequestId(*name));
        let deny = |why| {
            Err(Violation { class: "AppliedAndDenied", message: format!("entry {index}: {operation} {why}") })
        };
        match numbers.get(name) {
            None => return deny("was applied, and no client asked for it"),
            Some(None) => return deny("was applied, and its client was told that it was not"),
            Some(Some(number)) => order.push(*number),
        }
    }
    order.extend(reads.map(|(_, _, read)| *read));
    Ok(order)
}

fn input<P: Process, M: ClientModel>(call: &Call<P>, command: &Command) -> Result<M::Input, Violation> {
    M::input(command).ok_or_else(|| Violation {
        class: "Linearizability",
        message: format!("{} is a command of another state machine", call.operation),
    })
}

/// What came of an operation; `None` where it certainly did not take place.
fn outcome<P, M: ClientModel>(call: &Call<P>) -> Result<Option<Outcome<M::Output>>, Violation>
where
    P: Process<Response = Response>,
{
    match &call.outcome {
        CallOutcome::Unknown => Ok(Some(Outcome::Unknown)),
        CallOutcome::Returned {
            response: Response::Dropped | Response::Refused(_) | Response::ReadRefused(_),
            ..
        } => Ok(None),
        // Another copy of it may have taken effect, or may yet.
        CallOutcome::Returned { response: Response::SessionExpired | Response::SessionFull, .. } => {
            Ok(Some(Outcome::Unknown))
        }
        CallOutcome::Returned { response: Response::AlreadyAcknowledged, .. } => {
            let message = format!("{} is said to be acknowledged; its client still waited", call.operation);
            Err(Violation { class: "AnswerLost", message })
        }
        CallOutcome::Returned { response: response @ (Response::Opened(_) | Response::Closed), .. } => {
            let message = format!("the answer to {} makes no sense: {response:?}", call.operation);
            Err(Violation { class: "Linearizability", message })
        }
        CallOutcome::Returned { at, response: Response::Applied(reply) | Response::Read { reply, .. } } => {
            let output = M::output(reply).map_err(|error| Violation {
                class: "Linearizability",
                message: format!("the answer to {} makes no sense: {error}", call.operation),
            })?;
            Ok(Some(Outcome::Returned { at: at.0, output }))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use squall_files::{Command as FileCommand, Error, Inode, InodeId, Reply as FileReply};
    use squall_replica::SessionId;
    use squall_replica::kv::{self, Reply};
    use squall_sim::{ClientId, OperationId};

    use super::*;
    use crate::client::Call;

    fn put(number: u64, response: Option<Response>) -> Call {
        let key = Bytes::from_static(b"k");
        let value = Bytes::from(number.to_le_bytes().to_vec());
        let at = Time(number * 100 + 50);
        Call {
            operation: OperationId { client: ClientId(0), number },
            called: Time(number * 100),
            request: Ask::Command(Command::KeyValue(kv::Command::Put { key, value })),
            outcome: response.map_or(CallOutcome::Unknown, |response| CallOutcome::Returned { at, response }),
        }
    }

    fn done() -> Option<Response> {
        Some(Response::Applied(Reply::Done.encode()))
    }

    fn name(number: u64) -> u128 {
        request_id(OperationId { client: ClientId(0), number }).0
    }

    fn get(number: u64, consistency: Consistency, applied: u64, value: Option<u64>) -> Call {
        let value = value.map(|number| Bytes::from(number.to_le_bytes().to_vec()));
        let (applied, reply) = (LogIndex(applied), Reply::Value(value).encode());
        let query = Command::KeyValue(kv::Command::Get { key: Bytes::from_static(b"k") });
        let request = Ask::Read { query, consistency };
        Call { request, ..put(number, Some(Response::Read { applied, reply })) }
    }

    fn class(history: &[Call], applied: &[u128]) -> Option<&'static str> {
        check(history, applied, None).err().map(|violation| violation.class)
    }

    #[test]
    fn what_the_log_explains_is_accepted() {
        let history = [put(0, done()), put(1, None), put(2, Some(Response::Dropped)), put(3, done())];
        assert_eq!(class(&history, &[0, name(0), name(1), name(3)]), None);
        assert_eq!(class(&history, &[name(0), 0, name(3)]), None, "the unknown one never happened");
    }

    #[test]
    fn a_command_applied_twice_is_caught_though_nobody_read_it() {
        assert_eq!(class(&[put(0, done())], &[name(0), name(0)]), Some("Linearizability"));
    }

    #[test]
    fn a_command_applied_though_its_client_was_told_otherwise_is_caught() {
        assert_eq!(class(&[put(0, Some(Response::Dropped))], &[name(0)]), Some("AppliedAndDenied"));
    }

    #[test]
    fn where_disks_forget_only_what_nobody_asked_for_is_caught() {
        let asked = [put(0, done()), put(1, Some(Response::Dropped))];
        let invented = |applied: &[u128]| check_nothing_invented(&asked, applied.iter().copied()).is_err();
        assert!(!invented(&[name(1), 0, name(0), name(0)]), "in any order, and as often as may be");
        assert!(invented(&[name(0), name(2)]));
    }

    #[test]
    fn a_command_that_nobody_asked_for_is_caught() {
        assert_eq!(class(&[], &[name(7)]), Some("AppliedAndDenied"));
    }

    #[test]
    fn a_command_acknowledged_but_never_applied_is_caught() {
        assert_eq!(class(&[put(0, done())], &[]), Some("Linearizability"));
    }

    #[test]
    fn what_a_session_that_is_gone_or_full_says_leaves_the_outcome_open() {
        for response in [Response::SessionExpired, Response::SessionFull] {
            let history = [put(0, Some(response))];
            assert_eq!((class(&history, &[name(0)]), class(&history, &[])), (None, None));
        }
    }

    #[test]
    fn an_answer_that_is_gone_while_its_client_waits_is_caught() {
        assert_eq!(class(&[put(0, Some(Response::AlreadyAcknowledged))], &[name(0)]), Some("AnswerLost"));
    }

    #[test]
    fn sessions_come_and_go_beside_the_history() {
        let at = Time(50);
        let open = Call {
            request: Ask::OpenSession,
            outcome: CallOutcome::Returned { at, response: Response::Opened(SessionId(1)) },
            ..put(0, None)
        };
        assert_eq!(class(&[open, put(1, done())], &[0, name(1)]), None);
        assert_eq!(class(&[put(0, Some(Response::Closed))], &[name(0)]), Some("Linearizability"));
    }

    #[test]
    fn a_read_stands_behind_the_last_entry_that_it_saw() {
        let read = |applied, value| get(1, Consistency::Linearizable, applied, value);
        let log = [0, name(0), name(2)];
        let history = |read| [put(0, done()), read, put(2, done())];
        assert_eq!(class(&history(read(2, Some(0))), &log), None);
        assert_eq!(class(&history(read(2, None)), &log), Some("Linearizability"), "a wrong value");
        assert_eq!(class(&history(read(1, None)), &log), Some("Linearizability"), "a stale one");
        assert_eq!(class(&history(read(3, Some(2))), &log), Some("Linearizability"), "one from the future");
    }

    #[test]
    fn a_serializable_read_may_be_stale_and_never_wrong() {
        let read = |applied, value| get(1, Consistency::Serializable, applied, value);
        let history = |read| [put(0, done()), read, put(2, done())];
        let log = [0, name(0), name(2)];
        assert_eq!(class(&history(read(1, None)), &log), None);
        assert_eq!(class(&history(read(2, Some(0))), &log), None);
        assert_eq!(class(&history(read(1, Some(0))), &log), Some("Linearizability"));
        assert_eq!(class(&history(read(3, Some(2))), &log), Some("Linearizability"), "one from the future");
    }

    #[test]
    fn an_order_against_real_time_is_caught() {
        assert_eq!(class(&[put(0, done()), put(1, done())], &[name(1), name(0)]), Some("Linearizability"));
    }

    /// A rename of a directory, and then a question after what was in it, under its old path.
    #[test]
    fn a_file_system_is_held_against_a_tree_of_its_own() {
        let call = |number, command, reply: FileReply| Call {
            request: Ask::Command(Command::Files(command)),
            ..put(number, Some(Response::Applied(reply.encode())))
        };
        let history = |last: FileReply| {
            let [d, f, e] = ["/d", "/d/f", "/e"].map(Bytes::from);
            [
                call(0, FileCommand::MakeDirectory { path: d.clone() }, FileReply::Made(InodeId(1))),
                call(1, FileCommand::MakeDirectory { path: f.clone() }, FileReply::Made(InodeId(2))),
                call(2, FileCommand::Rename { from: d, to: e }, FileReply::Moved { replaced: None }),
                call(3, FileCommand::Stat { path: f }, last),
            ]
        };
        let log = [0, name(0), name(1), name(2), name(3)];
        let class = |history: &[Call], log: &[u128]| {
            check(history, log, Some(Limits::default())).err().map(|violation| violation.class)
        };
        let gone = FileReply::Failed(Error::NotFound);
        assert_eq!(class(&history(gone.clone()), &log), None);
        let still_there = FileReply::Found(Inode::Directory { id: InodeId(2) });
        assert_eq!(class(&history(still_there), &log), Some("Linearizability"));
        assert_eq!(class(&history(gone.clone()), &log[..4]), Some("Linearizability"), "one is missing");
        let twice = [&log[..], &[name(2)]].concat();
        assert_eq!(class(&history(gone), &twice), Some("Linearizability"));
        assert_eq!(class(&[put(0, done())], &[name(0)]), Some("Linearizability"), "of another machine");
    }
}
