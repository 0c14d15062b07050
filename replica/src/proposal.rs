//! The bytes of one proposal: what kind it is, whose request it is, and what it asks of the replicated state.
//!
//! The core and the storage see them as opaque; clients, oracles and the replica itself can tell from them whose entry
//! it is. A kind byte, the request's id, fixed fields, all numbers little-endian, and last the command as it is. What
//! is of no known kind, or of another length than its kind has, asks for nothing, on every replica alike.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::sessions::{SessionId, SessionLimits, Ticket};

/// Names one request. The client's side chooses it, and no two requests share one; copies of one request do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u128);

/// What a proposal asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proposal<'a> {
    /// A command outside any session: it takes effect as often as it is in the log.
    Command(&'a [u8]),
    /// A new session, named after the index of this entry, with the bounds of who proposed it.
    OpenSession(SessionLimits),
    /// A command within a session: it takes effect once, however often it is in the log.
    InSession(Ticket, &'a [u8]),
    /// The end of a session.
    CloseSession(SessionId),
}

const COMMAND: u8 = 0;
const OPEN_SESSION: u8 = 1;
const IN_SESSION: u8 = 2;
const CLOSE_SESSION: u8 = 3;

/// The bytes of a proposal.
#[must_use]
pub fn seal_proposal(request: RequestId, proposal: Proposal<'_>) -> Bytes {
    let (kind, numbers, command): (u8, &[u64], &[u8]) = match proposal {
        Proposal::Command(command) => (COMMAND, &[], command),
        Proposal::OpenSession(SessionLimits { max_sessions, max_answers, max_answer_bytes }) => {
            (OPEN_SESSION, &[max_sessions, max_answers, max_answer_bytes], &[])
        }
        Proposal::InSession(Ticket { session, sequence, acknowledged_below }, command) => {
            (IN_SESSION, &[session.0, sequence, acknowledged_below], command)
        }
        Proposal::CloseSession(session) => (CLOSE_SESSION, &[session.0], &[]),
    };
    let length = size_of::<u8>() + size_of::<u128>() + size_of_val(numbers) + command.len();
    let mut bytes = BytesMut::with_capacity(length);
    bytes.put_u8(kind);
    bytes.put_u128_le(request.0);
    for number in numbers {
        bytes.put_u64_le(*number);
    }
    bytes.put_slice(command);
    bytes.freeze()
}

/// Tells whose proposal it is, and what it asks; `None` where nobody sealed it.
#[must_use]
pub fn open_proposal(proposal: &[u8]) -> Option<(RequestId, Proposal<'_>)> {
    let (kind, rest) = proposal.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let proposal = match *kind {
        COMMAND => Proposal::Command(rest),
        OPEN_SESSION => {
            let ([max_sessions, max_answers, max_answer_bytes], []) = split_numbers(rest)? else {
                return None;
            };
            Proposal::OpenSession(SessionLimits { max_sessions, max_answers, max_answer_bytes })
        }
        IN_SESSION => {
            let ([session, sequence, acknowledged_below], command) = split_numbers(rest)?;
            Proposal::InSession(Ticket { session: SessionId(session), sequence, acknowledged_below }, command)
        }
        CLOSE_SESSION => {
            let ([session], []) = split_numbers(rest)? else { return None };
            Proposal::CloseSession(SessionId(session))
        }
        _ => return None,
    };
    Some((RequestId(u128::from_le_bytes(*id)), proposal))
}

fn split_numbers<const N: usize>(bytes: &[u8]) -> Option<([u64; N], &[u8])> {
    let mut numbers = [0; N];
    let mut rest = bytes;
    for number in &mut numbers {
        let (word, after) = rest.split_first_chunk()?;
        *number = u64::from_le_bytes(*word);
        rest = after;
    }
    Some((numbers, rest))
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_of_another_kind_or_length_is_nobodys_proposal() {
        let sealed_with = |kind: u8, bytes: usize| [&[kind][..], &vec![0; bytes]].concat();
        for (kind, shortest, longest) in [(0, 16, 99), (1, 40, 40), (2, 40, 99), (3, 24, 24)] {
            for bytes in 0..=99 {
                let is_proposal = open_proposal(&sealed_with(kind, bytes)).is_some();
                assert_eq!(is_proposal, (shortest..=longest).contains(&bytes), "kind {kind}, {bytes} bytes");
            }
        }
        assert_eq!(open_proposal(&[]), None);
        assert_eq!(open_proposal(&sealed_with(4, 99)), None);
        assert_eq!(open_proposal(&sealed_with(255, 99)), None);
    }

    #[test]
    fn each_kind_has_the_bytes_that_it_has_always_had() {
        let id = [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let numbers = [1_u64, 2, 3].map(u64::to_le_bytes).concat();
        let ticket = Ticket { session: SessionId(1), sequence: 2, acknowledged_below: 3 };
        let limits = SessionLimits { max_sessions: 1, max_answers: 2, max_answer_bytes: 3 };
        for (proposal, expected) in [
            (Proposal::Command(b"ab"), [&[0][..], &id, b"ab"].concat()),
            (Proposal::OpenSession(limits), [&[1][..], &id, &numbers].concat()),
            (Proposal::InSession(ticket, b"ab"), [&[2][..], &id, &numbers, b"ab"].concat()),
            (Proposal::CloseSession(SessionId(1)), [&[3][..], &id, &numbers[..8]].concat()),
        ] {
            assert_eq!(seal_proposal(RequestId(7), proposal), expected, "{proposal:?}");
        }
    }

    proptest! {
        #[test]
        fn a_sealed_proposal_opens_to_what_was_put_in(
            id: u128,
            kind in 0..4_u8,
            numbers: [u64; 3],
            command: Vec<u8>,
        ) {
            let [first, second, third] = numbers;
            let session = SessionId(first);
            let proposal = match kind {
                0 => Proposal::Command(&command),
                1 => Proposal::OpenSession(SessionLimits {
                    max_sessions: first,
                    max_answers: second,
                    max_answer_bytes: third,
                }),
                2 => Proposal::InSession(
                    Ticket { session, sequence: second, acknowledged_below: third },
                    &command,
                ),
                _ => Proposal::CloseSession(session),
            };
            let sealed = seal_proposal(RequestId(id), proposal);
            prop_assert_eq!(open_proposal(&sealed), Some((RequestId(id), proposal)));
        }
    }
}
