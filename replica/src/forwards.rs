//! The requests that a follower has sent on to its leader, until it learns what became of them.
//!
//! It learns that from the log, when it applies a copy of the request itself; from the leader, where that one refuses;
//! or not at all, and then it says so after a while. Requests of sessions only: a message that arrives twice is two
//! entries, and only the session table makes them one request.

use std::collections::BTreeMap;

use squall_raft::NodeId;

use crate::{RequestId, SessionId, Ticket};

/// Requests by their number, which is their order in time.
#[derive(Clone, Debug)]
pub(crate) struct Forwards {
    by_number: BTreeMap<u64, Forwarded>,
    /// Invariant: the number of each request of `by_number`, and no other.
    by_place: BTreeMap<Place, u64>,
    next_number: u64,
}

/// What all copies of one request share.
type Place = (SessionId, u64);

#[derive(Clone, Debug)]
struct Forwarded {
    request: RequestId,
    /// The leader that it was sent on to.
    to: NodeId,
    place: Place,
    /// When to give up, in ticks of this life.
    /// Invariant: rises with the number.
    deadline: u64,
}

impl Forwards {
    /// None yet, in the life of that number. No two lives give a request the same number, so that a late answer to an
    /// earlier one is not taken for another's.
    pub(crate) fn new(boot: u64) -> Self {
        Self { by_number: BTreeMap::new(), by_place: BTreeMap::new(), next_number: boot << 32 }
    }

    pub(crate) fn len(&self) -> u64 {
        self.by_number.len() as u64
    }

    /// The number of the next request.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Adds a request that was sent on under `next_number`. The one that it repeats is given up, and returned.
    pub(crate) fn add(
        &mut self,
        request: RequestId,
        ticket: Ticket,
        to: NodeId,
        deadline: u64,
    ) -> Option<RequestId> {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let place = place_of(ticket);
        let repeated = self.by_place.insert(place, number);
        self.by_number.insert(number, Forwarded { request, to, place, deadline });
        repeated.and_then(|number| self.by_number.remove(&number)).map(|forwarded| forwarded.request)
    }

    /// Takes out the request of which a copy was applied.
    pub(crate) fn settle(&mut self, ticket: Ticket) -> Option<RequestId> {
        let number = self.by_place.remove(&place_of(ticket))?;
        self.by_number.remove(&number).map(|forwarded| forwarded.request)
    }

    /// Takes out the request of that number, where `by` is who it was sent on to, and refused it.
    pub(crate) fn refuse(&mut self, number: u64, by: NodeId) -> Option<RequestId> {
        self.by_number.get(&number).filter(|forwarded| forwarded.to == by)?;
        self.take(number)
    }

    fn take(&mut self, number: u64) -> Option<RequestId> {
        let forwarded = self.by_number.remove(&number)?;
        self.by_place.remove(&forwarded.place);
        Some(forwarded.request)
    }

    /// Takes out the oldest request, where it has waited long enough at `now`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<RequestId> {
        let oldest = self.by_number.first_entry()?;
        let number = *oldest.key();
        if oldest.get().deadline <= now { self.take(number) } else { None }
    }

    /// When the oldest request has waited long enough.
    pub(crate) fn due_at(&self) -> Option<u64> {
        self.by_number.values().next().map(|oldest| oldest.deadline)
    }
}

fn place_of(ticket: Ticket) -> Place {
    (ticket.session, ticket.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: NodeId = NodeId(2);

    fn ticket(sequence: u64) -> Ticket {
        Ticket { session: SessionId(9), sequence, acknowledged_below: 0 }
    }

    #[test]
    fn a_request_that_is_sent_on_again_takes_the_place_of_the_first() {
        let mut forwards = Forwards::new(1);
        let first = forwards.next_number();
        assert_eq!(forwards.add(RequestId(1), ticket(4), LEADER, 10), None);
        assert_eq!(forwards.add(RequestId(2), ticket(4), LEADER, 20), Some(RequestId(1)));
        assert_eq!(forwards.refuse(first, LEADER), None, "it was given up");
        assert_eq!(forwards.expire(19), None);
        assert_eq!(forwards.settle(ticket(4)), Some(RequestId(2)));
        assert_eq!((forwards.len(), forwards.due_at(), forwards.settle(ticket(4))), (0, None, None));
    }

    #[test]
    fn who_has_waited_long_enough_is_given_up_one_after_the_other() {
        let mut forwards = Forwards::new(1);
        for sequence in 0..3 {
            forwards.add(RequestId(u128::from(sequence)), ticket(sequence), LEADER, 10 + sequence / 2);
        }
        assert_eq!((forwards.due_at(), forwards.expire(9)), (Some(10), None));
        assert_eq!((forwards.expire(10), forwards.expire(10)), (Some(RequestId(0)), Some(RequestId(1))));
        assert_eq!((forwards.expire(10), forwards.len()), (None, 1));
    }

    #[test]
    fn an_answer_to_a_former_life_is_nobodys() {
        let mut former = Forwards::new(1);
        let number = former.next_number();
        former.add(RequestId(1), ticket(4), LEADER, 10);
        let mut forwards = Forwards::new(2);
        forwards.add(RequestId(2), ticket(4), LEADER, 10);
        assert_eq!(forwards.refuse(number, LEADER), None);
        assert_eq!(forwards.len(), 1);
    }

    #[test]
    fn only_who_it_was_sent_on_to_can_refuse_it() {
        let mut forwards = Forwards::new(1);
        let number = forwards.next_number();
        forwards.add(RequestId(1), ticket(4), LEADER, 10);
        assert_eq!(forwards.refuse(number, NodeId(3)), None);
        assert_eq!(forwards.refuse(number, LEADER), Some(RequestId(1)));
    }
}
