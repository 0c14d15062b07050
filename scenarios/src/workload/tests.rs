//! What clients ask of a healed cluster: whom, how patiently, and how much.

use squall_raft::NodeId;
use squall_sim::process::Step;
use squall_sim::{Choice, Purpose};

use super::*;

const CLIENT: ClientId = ClientId(0);
/// What each client wants of the healed cluster.
const WANTED: u64 = 3;

/// Clients of five servers, of whom one operation in two goes to a server at random.
fn clients() -> Clients {
    let parameters = WorkloadParameters { stray: Ratio::new(1, 2), ..WorkloadParameters::default() };
    Clients::new(parameters, 1, 5, WANTED)
}

/// A core without n0, whom the client believes to lead in the beginning.
fn core() -> ProcessSet {
    [1, 3].into_iter().map(ProcessId).collect()
}

fn healed() -> Clients {
    let mut clients = clients();
    clients.healed(core());
    clients
}

fn next(clients: &mut Clients, number: u64) -> Option<Step<Server>> {
    let mut choice = Choice::from_seed(7);
    clients.next(CLIENT, number, &mut choice.draw(Purpose::Client, 0, number))
}

fn answer(clients: &mut Clients, number: u64, response: &Response) -> Answer {
    clients.answered(OperationId { client: CLIENT, number }, Time::START, response)
}

fn applied(clients: &mut Clients, number: u64) {
    assert_eq!(answer(clients, number, &Response::Applied(Bytes::new())), Answer::Done);
}

fn not_leader(leader: Option<u64>) -> Response {
    Response::Refused(ProposeError::NotLeader { leader: leader.map(NodeId) })
}

/// Whom a client asks that gets no answer, again and again.
fn asked_in_turn(clients: &mut Clients) -> ProcessSet {
    let mut asked = ProcessSet::EMPTY;
    for number in 0..100 {
        asked = asked.with(next(clients, number).expect("it got no answer yet").target);
        clients.timed_out(OperationId { client: CLIENT, number }, Time::START);
    }
    asked
}

#[test]
fn a_client_of_a_healed_cluster_asks_the_core_only_where_it_asked_everybody() {
    assert_eq!(asked_in_turn(&mut clients()), ProcessSet::first(5));
    assert_eq!(asked_in_turn(&mut healed()), core());
}

#[test]
fn a_client_of_a_healed_cluster_that_nobody_leads_tries_the_core_in_turn() {
    let mut clients = healed();
    let mut targets = Vec::new();
    for _ in 0..4 {
        let Answer::Retry { target, .. } = answer(&mut clients, 0, &not_leader(None)) else {
            panic!("an operation that nobody took is tried again");
        };
        targets.push(target.0);
    }
    assert_eq!(targets, [3, 1, 3, 1]);
}

#[test]
fn a_client_of_a_healed_cluster_follows_the_core_to_a_leader_outside_and_stays_with_it() {
    let mut clients = healed();
    let redirected = answer(&mut clients, 0, &not_leader(Some(4)));
    assert_eq!(redirected, Answer::Retry { target: ProcessId(4), after_us: RETRY_US });
    let targets = (1..100).map(|number| next(&mut clients, number).expect("it got no answer yet").target);
    assert_eq!(targets.collect::<ProcessSet>(), core().with(ProcessId(4)));
}

#[test]
fn a_client_waits_longer_once_the_cluster_is_healed_and_never_less_long() {
    for (timeout_us, healed_us) in [(1_000, HEALED_PATIENCE_US), (30_000_000, 30_000_000)] {
        let parameters = WorkloadParameters { timeout_us, ..WorkloadParameters::default() };
        let mut clients = Clients::new(parameters, 1, 5, WANTED);
        let patience_us = |clients: &mut Clients, number| next(clients, number).map(|step| step.timeout_us);
        assert_eq!(patience_us(&mut clients, 0), Some(timeout_us));
        clients.healed(core());
        assert_eq!(patience_us(&mut clients, 1), Some(healed_us));
    }
}

#[test]
fn a_client_asks_the_healed_cluster_for_just_so_many_answers_whatever_it_got_before() {
    let mut clients = clients();
    for number in 0..10 {
        assert!(next(&mut clients, number).is_some());
        applied(&mut clients, number);
    }
    clients.healed(core());
    for number in 10..10 + WANTED {
        assert!(next(&mut clients, number).is_some(), "operation {number}");
        applied(&mut clients, number);
    }
    assert!(next(&mut clients, 10 + WANTED).is_none());
}

#[test]
fn what_is_refused_by_the_healed_cluster_or_not_answered_is_no_answer() {
    let mut clients = healed();
    for number in 0..10 {
        assert!(next(&mut clients, number).is_some());
        match number % 2 {
            0 => assert_eq!(answer(&mut clients, number, &Response::Dropped), Answer::Refused),
            _ => clients.timed_out(OperationId { client: CLIENT, number }, Time::START),
        }
    }
    assert!(next(&mut clients, 10).is_some());
}

#[test]
fn an_answer_to_what_was_asked_before_healing_does_not_count() {
    let mut clients = clients();
    assert!(next(&mut clients, 0).is_some());
    clients.healed(core());
    applied(&mut clients, 0);
    for number in 1..=WANTED {
        assert!(next(&mut clients, number).is_some(), "operation {number}");
        applied(&mut clients, number);
    }
    assert!(next(&mut clients, 1 + WANTED).is_none());
}
