//! The event queue: what happens when, in order of time and, at one time, in the order of scheduling.
//!
//! An entry is one 128-bit word (time, sequence, event), so that a comparison is one instruction or two and
//! the whole heap of a busy world stays in the first-level cache. Nothing is ever removed but the first:
//! whoever cancels an event remembers the sequence number of the valid one and ignores the others.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::{ClientId, ProcessId};
use crate::time::Time;

/// Something that is due at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A piece of mail reaches its receiver; its place in the post office.
    Arrival(u32),
    /// A process's timer.
    Timer(ProcessId),
    /// The first operation in a disk's queue completes.
    Disk(ProcessId),
    /// A process that is down starts again.
    Restart(ProcessId),
    /// A paused process goes on.
    Resume(ProcessId),
    /// A client makes its next call, or tries the same once more.
    Call(ClientId),
    /// A client gives up waiting.
    Timeout(ClientId),
    /// A fault of the plan strikes; its place in the plan.
    Fault(u32),
    /// A fault that takes its time comes to its next step; its place among those that are going on.
    FaultStep(u32),
}

/// The number of an entry: increasing, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Sequence(u64);

const EVENT_BITS: u32 = 40;
const SEQUENCE_BITS: u32 = 40;
const _: () = assert!(EVENT_BITS + SEQUENCE_BITS + (64 - Time::END.0.leading_zeros()) == 128);

/// What is due, soonest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventQueue {
    heap: BinaryHeap<Reverse<u128>>,
    last: u64,
}

impl EventQueue {
    /// Schedules an event.
    #[inline]
    pub(crate) fn push(&mut self, at: Time, event: Event) -> Sequence {
        self.last += 1;
        debug_assert!(at <= Time::END && self.last >> SEQUENCE_BITS == 0);
        let order = u128::from(at.0) << SEQUENCE_BITS | u128::from(self.last);
        self.heap.push(Reverse(order << EVENT_BITS | u128::from(event.pack())));
        Sequence(self.last)
    }

    /// Takes the next event.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Time, Sequence, Event)> {
        let Reverse(word) = self.heap.pop()?;
        let time = Time((word >> (SEQUENCE_BITS + EVENT_BITS)) as u64);
        let sequence = Sequence((word >> EVENT_BITS) as u64 & ((1 << SEQUENCE_BITS) - 1));
        Some((time, sequence, Event::unpack(word as u64 & ((1 << EVENT_BITS) - 1))))
    }

    /// When the next event is due.
    #[inline]
    pub(crate) fn next_time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(word)| Time((word >> (SEQUENCE_BITS + EVENT_BITS)) as u64))
    }
}

impl Event {
    #[inline]
    fn pack(self) -> u64 {
        let (kind, number) = match self {
            Event::Arrival(place) => (0, place),
            Event::Timer(process) => (1, process.0),
            Event::Disk(process) => (2, process.0),
            Event::Restart(process) => (3, process.0),
            Event::Resume(process) => (4, process.0),
            Event::Call(client) => (5, client.0),
            Event::Timeout(client) => (6, client.0),
            Event::Fault(place) => (7, place),
            Event::FaultStep(place) => (8, place),
        };
        kind << 32 | u64::from(number)
    }

    #[inline]
    fn unpack(word: u64) -> Event {
        let number = word as u32;
        match word >> 32 {
            0 => Event::Arrival(number),
            1 => Event::Timer(ProcessId(number)),
            2 => Event::Disk(ProcessId(number)),
            3 => Event::Restart(ProcessId(number)),
            4 => Event::Resume(ProcessId(number)),
            5 => Event::Call(ClientId(number)),
            6 => Event::Timeout(ClientId(number)),
            7 => Event::Fault(number),
            8 => Event::FaultStep(number),
            kind => unreachable!("only `pack` makes words, and it knows no kind {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, EventQueue};
    use crate::ids::{ClientId, ProcessId};
    use crate::time::Time;
    use proptest::prelude::*;

    #[test]
    fn every_event_survives_packing() {
        for event in [
            Event::Arrival(u32::MAX),
            Event::Timer(ProcessId(1)),
            Event::Disk(ProcessId(2)),
            Event::Restart(ProcessId(3)),
            Event::Resume(ProcessId(4)),
            Event::Call(ClientId(6)),
            Event::Timeout(ClientId(u32::MAX)),
            Event::Fault(8),
            Event::FaultStep(9),
        ] {
            assert_eq!(Event::unpack(event.pack()), event);
        }
    }

    proptest! {
        #[test]
        fn events_come_in_order_of_time_and_then_of_scheduling(times in prop::collection::vec(0_u64..50, 0..200)) {
            let mut queue = EventQueue::default();
            for (number, time) in times.iter().enumerate() {
                queue.push(Time(*time), Event::Fault(number as u32));
            }
            let mut expected: Vec<_> = times.iter().enumerate().map(|(number, time)| (*time, number)).collect();
            expected.sort_unstable();
            for (time, number) in expected {
                prop_assert_eq!(queue.next_time(), Some(Time(time)));
                let (at, _, event) = queue.pop().expect("as many as were pushed");
                prop_assert_eq!((at, event), (Time(time), Event::Fault(number as u32)));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }
}
