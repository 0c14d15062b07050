//! The table against a naive model, its bounds, and its bytes against hostile ones.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMITS: SessionLimits = SessionLimits { max_sessions: 2, max_answers: 2, max_answer_bytes: 100 };

/// A table, the log that it was made of so far, and what its requests did.
struct Table {
    sessions: Sessions,
    index: u64,
    executed: Vec<(u64, u64)>,
}

impl Table {
    /// With sessions that the first entries opened.
    fn with_sessions(limits: &[SessionLimits]) -> Self {
        let mut table = Self { sessions: Sessions::default(), index: 0, executed: Vec::new() };
        for limits in limits {
            table.open(*limits);
        }
        table
    }

    fn next(&mut self) -> LogPosition {
        self.index += 1;
        LogPosition::new(7, self.index)
    }

    fn open(&mut self, limits: SessionLimits) -> Outcome {
        let index = self.next().index;
        self.sessions.open(index, limits)
    }

    /// A request whose answer names its entry.
    fn request(&mut self, session: u64, sequence: u64, acknowledged_below: u64) -> Outcome {
        let position = self.next();
        let executed = &mut self.executed;
        self.sessions.apply(position, ticket(session, sequence, acknowledged_below), || {
            executed.push((session, sequence));
            answer(position.index.0)
        })
    }

    fn expired(&self, id: u64) -> bool {
        let outcome = self.sessions.look_up(ticket(id, u64::MAX, 0), LogIndex(self.index));
        outcome == Some(Outcome::SessionExpired)
    }
}

fn ticket(session: u64, sequence: u64, acknowledged_below: u64) -> Ticket {
    Ticket { session: SessionId(session), sequence, acknowledged_below }
}

fn answer(index: u64) -> Bytes {
    Bytes::from(vec![b'a'; index as usize])
}

fn applied(index: u64) -> Outcome {
    Outcome::Applied { position: LogPosition::new(7, index), result: answer(index) }
}

#[test]
fn a_copy_of_a_request_gets_the_answer_of_the_first_and_has_no_effect() {
    let mut table = Table::with_sessions(&[LIMITS]);
    assert_eq!(table.request(1, 5, 0), applied(2));
    assert_eq!(table.request(1, 5, 0), applied(2));
    assert_eq!(table.executed, [(1, 5)]);
}

#[test]
fn requests_that_overtake_one_another_each_get_their_own_answer() {
    let mut table = Table::with_sessions(&[LIMITS, LIMITS]);
    assert_eq!(table.request(1, 8, 7), applied(3));
    assert_eq!(table.request(1, 7, 7), applied(4));
    assert_eq!(table.request(2, 8, 7), applied(5), "another session's request is another");
    for (session, sequence, index) in [(1, 7, 4), (1, 8, 3), (2, 8, 5)] {
        assert_eq!(table.request(session, sequence, 7), applied(index));
    }
    assert_eq!(table.executed, [(1, 8), (1, 7), (2, 8)]);
}

#[test]
fn what_is_acknowledged_is_forgotten_and_never_takes_effect_again() {
    let mut table = Table::with_sessions(&[LIMITS]);
    assert_eq!(table.request(1, 0, 0), applied(2));
    assert_eq!(table.request(1, 1, 1), applied(3));
    assert_eq!(table.request(1, 0, 0), Outcome::AlreadyAcknowledged);
    assert_eq!(table.request(1, 1, 0), applied(3), "a late copy takes no acknowledgement back");
    assert_eq!(table.request(1, 3, 9), Outcome::AlreadyAcknowledged, "it says so itself");
    assert_eq!(table.executed, [(1, 0), (1, 1)]);
}

#[test]
fn a_session_with_as_many_answers_as_it_may_hold_takes_no_more_until_some_are_acknowledged() {
    let mut table = Table::with_sessions(&[LIMITS]);
    for sequence in 0..2 {
        assert_eq!(table.request(1, sequence, 0), applied(sequence + 2));
    }
    assert_eq!(table.request(1, 2, 0), Outcome::SessionFull);
    assert_eq!(table.request(1, 1, 0), applied(3), "what it knows it can still tell");
    assert_eq!(table.request(1, 2, 1), applied(6));
    assert_eq!(table.executed, [(1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_session_with_as_many_bytes_as_it_may_hold_takes_no_more_but_always_one() {
    let mut table = Table::with_sessions(&[SessionLimits { max_answer_bytes: 2, ..LIMITS }]);
    assert_eq!(table.request(1, 0, 0), applied(2));
    assert_eq!(table.request(1, 1, 0), Outcome::SessionFull);
    let none = SessionLimits { max_answers: 0, max_answer_bytes: 0, ..LIMITS };
    let mut table = Table::with_sessions(&[none]);
    assert_eq!(table.request(1, 0, 0), applied(2));
    assert_eq!(table.request(1, 1, 0), Outcome::SessionFull);
    assert_eq!(table.request(1, 1, 1), applied(4));
}

#[test]
fn one_session_too_many_ends_the_one_whose_last_entry_is_the_oldest() {
    let mut table = Table::with_sessions(&[LIMITS, LIMITS]);
    table.request(1, 0, 0);
    assert_eq!(table.open(LIMITS), Outcome::Opened { session: SessionId(4) });
    assert_eq!([1, 2, 4].map(|id| table.expired(id)), [false, true, false]);
    table.request(1, 0, 0);
    table.open(LIMITS);
    assert_eq!([1, 4, 6].map(|id| table.expired(id)), [false, true, false], "a copy is a sign of life");
    assert_eq!(table.request(4, 0, 0), Outcome::SessionExpired);
    assert_eq!(table.executed, [(1, 0)]);
}

#[test]
fn a_proposer_that_allows_fewer_sessions_ends_as_many_as_are_too_many_and_keeps_its_own() {
    let mut table = Table::with_sessions(&[SessionLimits { max_sessions: 9, ..LIMITS }; 5]);
    table.open(LIMITS);
    assert_eq!(table.sessions.len(), 2);
    table.open(SessionLimits { max_sessions: 0, ..LIMITS });
    assert_eq!((table.sessions.len(), table.expired(7)), (1, false));
}

#[test]
fn a_closed_session_is_gone_and_a_later_one_has_another_name() {
    let mut table = Table::with_sessions(&[LIMITS]);
    table.request(1, 0, 0);
    assert_eq!(table.sessions.close(SessionId(1)), Outcome::Closed);
    assert_eq!(table.sessions, Sessions::default());
    assert_eq!(table.sessions.close(SessionId(1)), Outcome::Closed);
    assert_eq!(table.request(1, 0, 0), Outcome::SessionExpired);
    assert_eq!(table.open(LIMITS), Outcome::Opened { session: SessionId(4) });
}

#[test]
fn only_what_can_never_change_is_told_without_an_entry() {
    let mut table = Table::with_sessions(&[LIMITS]);
    table.request(1, 4, 3);
    let look_up = |session, sequence| table.sessions.look_up(ticket(session, sequence, 0), LogIndex(2));
    assert_eq!(look_up(1, 4), Some(applied(2)));
    assert_eq!(look_up(1, 2), Some(Outcome::AlreadyAcknowledged));
    assert_eq!(look_up(1, 5), None, "it may be in the log");
    assert_eq!(look_up(2, 0), Some(Outcome::SessionExpired), "entry 2 opened none");
    assert_eq!(look_up(3, 0), None, "entry 3 may open it");
}

#[test]
fn bytes_that_are_no_table_are_refused_with_the_place_and_what_is_right() {
    let session = |id: u64, last: u64, answers: &[[u64; 4]]| {
        let mut words = vec![id, last, 3, 2, 100, answers.len() as u64];
        words.extend(answers.iter().flatten());
        words
    };
    let table = |sessions: &[Vec<u64>]| [vec![sessions.len() as u64], sessions.concat()].concat();
    let answered = |answers: &[[u64; 4]]| table(&[session(1, 9, answers)]);
    let sound = answered(&[[3, 7, 4, 0], [4, 7, 5, 0]]);
    let refusal = |words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Sessions::decode(&bytes).err().map(|error| error.to_string())
    };
    assert_eq!(refusal(&sound), None);
    let cases: &[(Vec<u64>, &str)] = &[
        (vec![], "at byte 0; expected the number of sessions"),
        (vec![1], "at byte 8; expected a session above the one before"),
        (vec![u64::MAX], "at byte 8; expected a session above the one before"),
        (table(&[session(0, 9, &[])]), "at byte 8; expected a session above the one before"),
        (
            table(&[session(2, 9, &[]), session(2, 8, &[])]),
            "at byte 56; expected a session above the one before",
        ),
        (
            table(&[session(1, 9, &[]), session(2, 9, &[])]),
            "at byte 64; expected a last entry that is no other session's",
        ),
        (
            table(&[session(2, 1, &[])]),
            "at byte 16; expected the last entry of a session, not before its first",
        ),
        (answered(&[[2, 7, 4, 0]]), "at byte 56; expected an unacknowledged sequence above the one before"),
        (
            answered(&[[4, 7, 4, 0], [4, 7, 5, 0]]),
            "at byte 88; expected an unacknowledged sequence above the one before",
        ),
        (
            answered(&[[u64::MAX, 7, 4, 0], [u64::MAX, 7, 5, 0]]),
            "at byte 88; expected an unacknowledged sequence above the one before",
        ),
        (answered(&[[3, 7, 1, 0]]), "at byte 72; expected an entry of the session"),
        (answered(&[[3, 7, 10, 0]]), "at byte 72; expected an entry of the session"),
        (answered(&[[3, 7, 4, u64::MAX]]), "at byte 88; expected an answer"),
        ([sound, vec![0]].concat(), "at byte 120; expected the end of the table"),
    ];
    for (words, expected) in cases {
        assert_eq!(refusal(words), Some(format!("no session table: {expected}")));
    }
}

/// What a client may ask of the table, over few sessions and sequences.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(SessionLimits),
    Close(u64),
    Request(u64, u64, u64),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let limits = (0..5_u64, 0..4_u64, 0..90_u64).prop_map(|(max_sessions, max_answers, max_answer_bytes)| {
        SessionLimits { max_sessions, max_answers, max_answer_bytes }
    });
    let step = prop_oneof![
        1 => limits.prop_map(Step::Open),
        1 => (0..12_u64).prop_map(Step::Close),
        6 => (0..12_u64, 0..6_u64, 0..5_u64)
            .prop_map(|(session, sequence, below)| Step::Request(session, sequence, below)),
    ];
    vec(step, 0..60)
}

fn run(steps: &[Step]) -> Table {
    let mut table = Table::with_sessions(&[]);
    for step in steps {
        run_step(&mut table, *step);
    }
    table
}

fn run_step(table: &mut Table, step: Step) -> Outcome {
    match step {
        Step::Open(limits) => table.open(limits),
        Step::Close(id) => {
            table.next();
            table.sessions.close(SessionId(id))
        }
        Step::Request(session, sequence, below) => table.request(session, sequence, below),
    }
}

proptest! {
    #[test]
    fn no_request_takes_effect_twice_and_each_copy_gets_the_answer_of_its_own(steps in any_steps()) {
        let mut table = Table::with_sessions(&[]);
        let mut answers = BTreeMap::new();
        for step in steps {
            let outcome = run_step(&mut table, step);
            if let (Step::Request(session, sequence, _), Outcome::Applied { .. }) = (step, &outcome) {
                prop_assert_eq!(answers.entry((session, sequence)).or_insert_with(|| outcome.clone()), &outcome);
            }
        }
        let distinct: BTreeSet<_> = table.executed.iter().collect();
        prop_assert_eq!(distinct.len(), table.executed.len());
        prop_assert_eq!(answers.len(), table.executed.len());
    }

    #[test]
    fn a_table_survives_its_bytes_with_its_digest(steps in any_steps()) {
        let sessions = run(&steps).sessions;
        let decoded = Sessions::decode(&sessions.encode());
        prop_assert_eq!(decoded.as_ref().map(Sessions::digest), Ok(sessions.digest()));
        prop_assert_eq!(decoded, Ok(sessions));
    }

    #[test]
    fn tables_with_different_bytes_have_different_digests(steps in any_steps(), more in any_steps()) {
        let mut table = run(&steps);
        let before = table.sessions.clone();
        for step in more {
            run_step(&mut table, step);
        }
        let now = &table.sessions;
        prop_assert_eq!(before.encode() == now.encode(), before == *now);
        prop_assert_eq!(before.digest() == now.digest(), before == *now);
    }

    /// Whatever decodes has exactly this encoding; nothing panics.
    #[test]
    fn damaged_bytes_decode_to_what_they_encode_or_are_refused(
        steps in any_steps(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![0..10_u8, Just(255)],
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = run(&steps).sessions.encode().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        if let Ok(sessions) = Sessions::decode(&bytes) {
            prop_assert_eq!(sessions.encode(), bytes);
        }
    }
}
