//! What clients ask of a healed cluster: whom, how patiently, and how much.

use squall_raft::{LogIndex, NodeId};
use squall_replica::SessionId;
use squall_sim::process::Step;
use squall_sim::{Choice, Purpose};

use super::*;
use crate::server::Server;

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
    Workload::<Server>::healed(&mut clients, core());
    clients
}

fn next(clients: &mut Clients, number: u64) -> Option<Step<Server>> {
    let mut choice = Choice::from_seed(7);
    Workload::<Server>::next(clients, CLIENT, number, &mut choice.draw(Purpose::Client, 0, number))
}

fn answer(clients: &mut Clients, number: u64, response: &Response) -> Answer {
    Workload::<Server>::answered(clients, OperationId { client: CLIENT, number }, Time::START, response)
}

fn timed_out(clients: &mut Clients, number: u64) -> Patience {
    Workload::<Server>::timed_out(clients, OperationId { client: CLIENT, number }, Time::START)
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
        assert_eq!(timed_out(clients, number), Patience::GivesUp);
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
        Workload::<Server>::healed(&mut clients, core());
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
    Workload::<Server>::healed(&mut clients, core());
    for number in 10..10 + WANTED {
        assert!(next(&mut clients, number).is_some(), "operation {number}");
        applied(&mut clients, number);
    }
    assert!(next(&mut clients, 10 + WANTED).is_none());
}

/// Whether each operation of a client of a healed cluster that wants so many answers, and gets them, is a read.
fn reads_asked(reads: Ratio, wanted: u64) -> Vec<bool> {
    let parameters = WorkloadParameters { reads, ..WorkloadParameters::default() };
    let mut clients = Clients::new(parameters, 1, 5, wanted);
    Workload::<Server>::healed(&mut clients, core());
    let asked = (0..).map_while(|number| {
        let is_read = matches!(next(&mut clients, number)?.request, Ask::Read { .. });
        let read = || Response::Read { applied: LogIndex(1), reply: Bytes::new() };
        let response = if is_read { read() } else { Response::Applied(Bytes::new()) };
        assert_eq!(answer(&mut clients, number, &response), Answer::Done);
        Some(is_read)
    });
    asked.collect()
}

#[test]
fn a_healed_cluster_is_asked_for_a_read_and_a_command_whatever_its_clients_prefer() {
    assert_eq!(reads_asked(Ratio::ZERO, WANTED), [false, false, true]);
    assert_eq!(reads_asked(Ratio::new(1, 1), WANTED), [true, true, false]);
    assert_eq!(reads_asked(Ratio::ZERO, 1), [false], "one answer cannot be both");
    let mut clients = Clients::new(WorkloadParameters::default(), 1, 5, 2);
    Workload::<Server>::healed(&mut clients, core());
    next(&mut clients, 0);
    applied(&mut clients, 0);
    for number in 1..10 {
        let step = next(&mut clients, number).expect("it was answered no read");
        assert!(matches!(step.request, Ask::Read { consistency: Consistency::Linearizable, .. }));
        assert_eq!(step.target, ProcessId([3, 1][number as usize % 2]), "the other one of the core");
        assert_eq!(answer(&mut clients, number, &Response::Dropped), Answer::Refused);
    }
}

#[test]
fn what_is_refused_by_the_healed_cluster_or_not_answered_is_no_answer() {
    let mut clients = healed();
    for number in 0..10 {
        assert!(next(&mut clients, number).is_some());
        match number % 2 {
            0 => assert_eq!(answer(&mut clients, number, &Response::Dropped), Answer::Refused),
            _ => assert_eq!(timed_out(&mut clients, number), Patience::GivesUp),
        }
    }
    assert!(next(&mut clients, 10).is_some());
}

#[test]
fn an_answer_to_what_was_asked_before_healing_does_not_count() {
    let mut clients = clients();
    assert!(next(&mut clients, 0).is_some());
    Workload::<Server>::healed(&mut clients, core());
    applied(&mut clients, 0);
    for number in 1..=WANTED {
        assert!(next(&mut clients, number).is_some(), "operation {number}");
        applied(&mut clients, number);
    }
    assert!(next(&mut clients, 1 + WANTED).is_none());
}

/// Two clients of three servers that share a session, which retry after 100 ms and give up after 1 s.
struct Sharing {
    clients: Clients,
    /// The number of each client's operation.
    numbers: [u64; 2],
}

impl Sharing {
    fn new() -> Self {
        let parameters = WorkloadParameters {
            timeout_us: 1_000_000,
            session_clients: 2,
            session_sharers: 2,
            retry_us: 100_000,
            ..WorkloadParameters::default()
        };
        Self { clients: Clients::new(parameters, 3, 3, WANTED), numbers: [0; 2] }
    }

    /// With an open session.
    fn opened(session: u64) -> Self {
        let mut sharing = Self::new();
        assert_eq!(sharing.ask(0).request, Ask::OpenSession);
        sharing.answer(0, &Response::Opened(SessionId(session)));
        sharing
    }

    fn ask(&mut self, client: u32) -> Step<Server> {
        let number = self.numbers[client as usize];
        let mut choice = Choice::from_seed(7);
        let mut draw = choice.draw(Purpose::Client, u64::from(client), number);
        Workload::<Server>::next(&mut self.clients, ClientId(client), number, &mut draw)
            .expect("it has more to ask")
    }

    /// The session and the sequence of the client's next request.
    fn request(&mut self, client: u32) -> (u64, u64) {
        let Ask::InSession(ticket, _) = self.ask(client).request else { panic!("a request of the session") };
        assert!(ticket.acknowledged_below <= ticket.sequence);
        (ticket.session.0, ticket.sequence)
    }

    fn answer(&mut self, client: u32, response: &Response) -> Answer {
        let operation = OperationId { client: ClientId(client), number: self.numbers[client as usize] };
        let answer = Workload::<Server>::answered(&mut self.clients, operation, Time::START, response);
        self.numbers[client as usize] += u64::from(!matches!(answer, Answer::Retry { .. }));
        answer
    }

    fn timed_out(&mut self, client: u32) -> Patience {
        let number = self.numbers[client as usize];
        Workload::<Server>::timed_out(
            &mut self.clients,
            OperationId { client: ClientId(client), number },
            Time::START,
        )
    }
}

#[test]
fn clients_that_share_a_session_number_their_requests_together_and_begin_anew_in_the_next() {
    let mut sharing = Sharing::new();
    assert_eq!(sharing.ask(0).request, Ask::OpenSession);
    assert!(matches!(sharing.ask(1).request, Ask::Command(_)), "it does not wait for the session");
    sharing.answer(1, &Response::Applied(Bytes::new()));
    sharing.answer(0, &Response::Opened(SessionId(5)));
    assert_eq!([0, 1].map(|client| sharing.request(client)), [(5, 0), (5, 1)]);
    assert_eq!(sharing.answer(0, &Response::SessionExpired), Answer::Refused);
    assert_eq!(sharing.ask(0).request, Ask::OpenSession);
    sharing.answer(0, &Response::Opened(SessionId(9)));
    assert_eq!(sharing.request(0), (9, 0));
    sharing.answer(1, &Response::SessionExpired);
    assert_eq!(sharing.request(1), (9, 1), "the old session's end is not the new one's");
}

#[test]
fn a_client_acknowledges_nothing_that_another_of_its_session_still_wants() {
    let mut sharing = Sharing::opened(5);
    assert_eq!(sharing.request(1), (5, 0));
    for sequence in 1..20 {
        let Ask::InSession(ticket, _) = sharing.ask(0).request else { panic!("a request of the session") };
        assert_eq!((ticket.sequence, ticket.acknowledged_below), (sequence, 0));
        sharing.answer(0, &Response::Applied(Bytes::new()));
    }
    sharing.answer(1, &Response::Applied(Bytes::new()));
    let mut acknowledged = 0;
    for _ in 0..20 {
        let Ask::InSession(ticket, _) = sharing.ask(0).request else { panic!("a request of the session") };
        acknowledged = ticket.acknowledged_below;
        sharing.answer(0, &Response::Applied(Bytes::new()));
    }
    assert!(acknowledged > 20, "sooner or later it does: {acknowledged}");
}

#[test]
fn a_client_asks_one_server_after_the_other_for_the_same_and_waits_longer_each_time() {
    let mut sharing = Sharing::opened(5);
    let first = sharing.ask(0);
    assert_eq!((first.target, first.timeout_us), (ProcessId(0), 100_000));
    for (target, timeout_us) in [(1, 100_000), (2, 200_000), (0, 400_000), (1, 800_000)] {
        let again = Patience::AsksAgain { target: ProcessId(target), timeout_us };
        assert_eq!(sharing.timed_out(0), again);
    }
    assert_eq!(sharing.timed_out(0), Patience::GivesUp, "after 1.6 s, where 1 s was enough");
}

#[test]
fn what_only_one_copy_tells_of_itself_is_no_end_of_a_request() {
    let mut sharing = Sharing::opened(5);
    sharing.request(0);
    let refusals = [
        Response::Dropped,
        Response::Refused(ProposeError::Busy),
        Response::Refused(ProposeError::NotLeader { leader: None }),
    ];
    for refusal in refusals {
        assert!(matches!(sharing.answer(0, &refusal), Answer::Retry { .. }), "{refusal:?}");
    }
    assert!(matches!(sharing.timed_out(0), Patience::AsksAgain { .. }));
}
