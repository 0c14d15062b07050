//! A snapshot on its way to this node: which parts are there, which are under way, and whom to ask for the rest.
//!
//! The receiver draws the parts itself, so that nobody has to keep account of it: a transfer outlives loss, restarts
//! and leaders, because a part is named by the snapshot's identity and its offset, and by nothing else. Parts may
//! come in any order and from anyone; they are stored in order. What is under way is counted from what is stored, so
//! that a slow disk slows the transfer and fills no memory.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::{Config, Ignored, Member, NodeId, SnapshotId};

/// A request waits for at most so many times as long as the least.
const PATIENCE_MAX: u64 = 16;

/// Whoever was asked in vain is avoided for so many times as long as was waited for it: what is lost with those who do not
/// serve stays a small part of the whole.
const AVOIDED_TIMES: u64 = 16;

/// One snapshot that is being received.
///
/// Invariant: `stored <= handed <= snapshot.bytes`, and `parts` follow one another from `handed` on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Receiving {
    pub(crate) snapshot: SnapshotId,
    /// So many bytes the driver has stored, and so many it has been given.
    pub(crate) stored: u64,
    handed: u64,
    parts: VecDeque<Part>,
    /// Who was asked in vain.
    avoided: Vec<Avoided>,
    /// It is what the leader offers. Where it is not, perhaps nobody has it any more.
    is_offered: bool,
    /// Ask nobody but the leader.
    leader_only: bool,
    /// A damaged copy is here, and has been since this life began.
    has_copy: bool,
    /// Requests so far.
    asked: u64,
    /// What is patient enough is learned on the way.
    patience: u64,
    /// Since when whoever was asked was asked in vain: nothing has come since.
    in_vain_since: Option<u64>,
}

/// Somebody who is better not asked for a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Avoided {
    node: NodeId,
    until: u64,
    /// It said that it does not have the snapshot; else it kept silent.
    lacks: bool,
}

/// Invariant: `here.len() <= bytes`; where it is all here, nobody is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Part {
    offset: u64,
    bytes: u64,
    /// Its first bytes: all of them, unless whoever answers sends smaller parts than were asked for.
    here: Bytes,
    /// Who was asked for the rest, and when.
    asked: Option<(NodeId, u64)>,
    times_asked: u64,
}

impl Part {
    fn is_whole(&self) -> bool {
        self.here.len() as u64 == self.bytes
    }

    fn next_offset(&self) -> u64 {
        self.offset + self.here.len() as u64
    }
}

/// One request to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ask {
    pub(crate) of: NodeId,
    pub(crate) offset: u64,
    pub(crate) max_bytes: u64,
}

impl Receiving {
    /// Begins, or goes on where `stored` bytes are there already.
    pub(crate) fn new(snapshot: SnapshotId, stored: u64) -> Self {
        assert!(stored <= snapshot.bytes, "{stored} bytes of {snapshot:?} were kept");
        let (parts, avoided) = (VecDeque::new(), Vec::new());
        let (is_offered, leader_only, has_copy) = (true, false, false);
        Self {
            snapshot,
            stored,
            handed: stored,
            parts,
            avoided,
            is_offered,
            leader_only,
            has_copy,
            asked: 0,
            patience: 0,
            in_vain_since: None,
        }
    }

    /// Begins with what a damaged copy still has: `stored` bytes, and more behind what it lacks.
    pub(crate) fn of_damaged(snapshot: SnapshotId, stored: u64) -> Self {
        Self { has_copy: true, ..Self::new(snapshot, stored) }
    }

    /// What came from many was not what it should have been: it begins anew, and asks nobody but the leader.
    pub(crate) fn begin_anew(&mut self) {
        let Self { is_offered, has_copy, .. } = *self;
        *self = Self { is_offered, has_copy, leader_only: true, ..Self::new(self.snapshot, 0) };
    }

    /// The next request, where there is room for one and somebody to ask: the leader for every other part, the
    /// other members in turn for those between.
    pub(crate) fn next_ask(
        &mut self,
        leader: NodeId,
        members: &[Member],
        config: &Config,
        now: u64,
    ) -> Option<Ask> {
        self.make_room(config);
        let wanted = self.parts.iter().position(|part| part.asked.is_none() && !part.is_whole())?;
        let of = self.choose_source(leader, members, config.id, now)?;
        self.asked += 1;
        let part = &mut self.parts[wanted];
        part.asked = Some((of, now));
        part.times_asked += 1;
        let offset = part.next_offset();
        Some(Ask { of, offset, max_bytes: part.offset + part.bytes - offset })
    }

    /// Adds parts up to the end of the window.
    fn make_room(&mut self, config: &Config) {
        let part_bytes = config.max_snapshot_chunk_bytes;
        let window = part_bytes.saturating_mul(config.max_snapshot_in_flight);
        loop {
            let offset = self.parts.back().map_or(self.handed, |part| part.offset + part.bytes);
            let bytes = part_bytes.min(self.snapshot.bytes - offset);
            if bytes == 0 || offset - self.stored >= window {
                return;
            }
            self.parts.push_back(Part { offset, bytes, here: Bytes::new(), asked: None, times_asked: 0 });
        }
    }

    /// Of those that serve, the leader for every other part, and the others in turn; where nobody does, the leader. What it
    /// does not offer, each is asked for in vain but once, so that it comes to an end.
    fn choose_source(&self, leader: NodeId, members: &[Member], own: NodeId, now: u64) -> Option<NodeId> {
        let avoided = |id: NodeId| self.avoided.iter().find(|avoided| avoided.node == id);
        let serves = |id: NodeId| avoided(id).is_none_or(|avoided| self.is_offered && avoided.until <= now);
        let copies = || members.iter().filter(|member| !member.is_witness()).map(|member| member.id);
        let others = || copies().filter(|id| *id != leader && *id != own && serves(*id));
        let count = others().count() as u64;
        if self.leader_only || count == 0 {
            let has_it = || self.is_offered && avoided(leader).is_some_and(|avoided| !avoided.lacks);
            return (serves(leader) || has_it()).then_some(leader);
        }
        if serves(leader) && self.asked.is_multiple_of(2) {
            return Some(leader);
        }
        let turn = usize::try_from(self.asked / 2 % count).expect("less than the number of members");
        others().nth(turn)
    }

    /// A part arrives. What was not asked for, or not at this place, is of no use.
    pub(crate) fn take(
        &mut self,
        from: NodeId,
        offset: u64,
        data: Bytes,
        least: u64,
        now: u64,
    ) -> Result<(), Ignored> {
        let awaited = |part: &&mut Part| part.asked.is_some() && part.next_offset() == offset;
        let Some(part) = self.parts.iter_mut().find(awaited) else { return Err(Ignored::StaleResponse) };
        if data.is_empty() {
            let asked = part.asked.take_if(|(of, _)| *of == from);
            let (_, at) = asked.ok_or(Ignored::StaleResponse)?;
            // Who answers within a tick is not asked again within it.
            let waited = (now - at).clamp(1, self.patience(least));
            self.avoid(Avoided { node: from, until: now + AVOIDED_TIMES * waited, lacks: true });
            self.in_vain_since.get_or_insert(now);
            return Ok(());
        }
        if data.len() as u64 > part.offset + part.bytes - offset {
            return Err(Ignored::Malformed);
        }
        self.avoided.retain(|avoided| avoided.node != from);
        self.in_vain_since = None;
        part.here = if part.here.is_empty() { data } else { [&part.here[..], &data].concat().into() };
        // Where it was asked for more than once, this may be the answer to any of the requests (Karn and Partridge, 1987).
        if let (Some((_, at)), 1) = (part.asked.take(), part.times_asked) {
            self.patience = 2 * (now - at);
        }
        Ok(())
    }

    /// The next part to store, where it is there.
    pub(crate) fn next_to_store(&mut self) -> Option<(u64, Bytes)> {
        if !self.parts.front()?.is_whole() {
            return None;
        }
        let Part { offset, bytes, here, .. } = self.parts.pop_front()?;
        assert_eq!(offset, self.handed, "parts are stored in order");
        self.handed += bytes;
        Some((offset, here))
    }

    /// So many bytes are stored: more than were handed out, where a damaged copy still had what comes next. A report about
    /// an earlier attempt is no news.
    pub(crate) fn stored(&mut self, bytes: u64) {
        if self.has_copy && bytes > self.handed && bytes <= self.snapshot.bytes {
            self.handed = bytes;
            self.parts.clear();
        }
        if bytes <= self.handed {
            self.stored = self.stored.max(bytes);
            self.in_vain_since = None;
        }
    }

    /// Whoever has not answered for too long is avoided. What is too long is at least `least` ticks, twice as long as the
    /// last part took, and twice as long with each time: a slow link that is asked for the same part again and again
    /// carries nothing else.
    pub(crate) fn give_up_waiting(&mut self, least: u64, now: u64) {
        let patience = self.patience(least);
        let mut is_given_up = false;
        for position in 0..self.parts.len() {
            let asked = &mut self.parts[position].asked;
            if let Some((node, _)) = asked.take_if(|(_, at)| *at + patience <= now) {
                is_given_up = true;
                self.avoid(Avoided { node, until: now + AVOIDED_TIMES * patience, lacks: false });
            }
        }
        if is_given_up {
            self.patience = patience * 2;
            self.in_vain_since.get_or_insert(now);
        }
    }

    fn patience(&self, least: u64) -> u64 {
        self.patience.clamp(least, least * PATIENCE_MAX)
    }

    /// Whether somebody has been asked, or what came waits for the disk: it is not at a loss.
    pub(crate) fn gets_on(&self) -> bool {
        self.stored < self.handed || self.parts.iter().any(|part| part.asked.is_some())
    }

    /// Whether whoever was asked was asked in vain for so long, and for longer than two requests are waited for, and nothing waits for
    /// the disk.
    pub(crate) fn is_stuck(&self, patience: u64, least: u64, now: u64) -> bool {
        let patience = patience.max(2 * least * PATIENCE_MAX);
        self.stored == self.handed && self.in_vain_since.is_some_and(|since| since + patience < now)
    }

    /// When the request that has waited longest has waited too long.
    pub(crate) fn due_at(&self, least: u64) -> Option<u64> {
        let waiting_since = self.parts.iter().filter_map(|part| part.asked).map(|(_, at)| at).min();
        waiting_since.map(|since| since + self.patience(least))
    }

    /// The leader offers it, and so has it.
    pub(crate) fn offered_again(&mut self, leader: NodeId) {
        self.is_offered = true;
        self.avoided.retain(|avoided| avoided.node != leader || !avoided.lacks);
    }

    /// The leader offers another one.
    pub(crate) fn other_offered(&mut self) {
        self.is_offered = false;
    }

    fn avoid(&mut self, avoided: Avoided) {
        match self.avoided.iter_mut().find(|present| present.node == avoided.node) {
            Some(present) => *present = Avoided { until: present.until.max(avoided.until), ..avoided },
            None => self.avoided.push(avoided),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{Configuration, LogPosition};

    const LEADER: NodeId = NodeId(2);
    /// So many ticks are waited, at the least.
    const LEAST: u64 = 10;

    /// Node 1 of four draws parts of ten bytes, three at a time.
    fn config() -> Config {
        let voters = (1..=4).map(NodeId).collect();
        Config { max_snapshot_chunk_bytes: 10, max_snapshot_in_flight: 3, ..Config::new(NodeId(1), voters) }
    }

    fn receiving(bytes: u64) -> Receiving {
        Receiving::new(SnapshotId { last: LogPosition::new(1, 9), bytes, checksum: 7 }, 0)
    }

    /// What is asked for next, as (node, offset, bytes).
    fn asks(receiving: &mut Receiving, now: u64) -> Vec<(u64, u64, u64)> {
        let members = Configuration::first(&config().voters);
        let ask = || receiving.next_ask(LEADER, members.members(), &config(), now);
        core::iter::from_fn(ask).map(|ask| (ask.of.0, ask.offset, ask.max_bytes)).collect()
    }

    fn bytes(count: usize) -> Bytes {
        Bytes::from(vec![5; count])
    }

    #[test]
    fn the_leader_is_asked_for_every_other_part_and_the_others_in_turn() {
        let mut receiving = receiving(65);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 10)]);
        receiving.take(LEADER, 0, bytes(10), LEAST, 0).expect("it was asked for");
        assert_eq!(receiving.next_to_store(), Some((0, bytes(10))));
        assert_eq!(asks(&mut receiving, 0), [], "what is not stored counts as under way");
        receiving.stored(10);
        assert_eq!(asks(&mut receiving, 0), [(4, 30, 10)]);
    }

    #[test]
    fn parts_come_in_any_order_and_are_stored_in_the_right_one() {
        let mut receiving = receiving(25);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 5)]);
        receiving.take(NodeId(2), 20, bytes(5), LEAST, 0).expect("it was asked for");
        receiving.take(NodeId(4), 10, bytes(10), LEAST, 0).expect("whoever sends it");
        assert_eq!(receiving.next_to_store(), None);
        receiving.take(NodeId(2), 0, bytes(10), LEAST, 0).expect("it was asked for");
        let stored: Vec<u64> =
            core::iter::from_fn(|| receiving.next_to_store()).map(|(offset, _)| offset).collect();
        assert_eq!(stored, [0, 10, 20]);
        receiving.stored(25);
        assert_eq!(asks(&mut receiving, 0), []);
    }

    #[test]
    fn one_whose_parts_wait_for_the_disk_gets_on() {
        let mut receiving = receiving(10);
        assert!(!receiving.gets_on(), "nobody was asked");
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10)]);
        receiving.take(LEADER, 0, bytes(10), LEAST, 0).expect("it was asked for");
        assert_eq!(receiving.next_to_store(), Some((0, bytes(10))));
        assert!(receiving.gets_on());
    }

    #[test]
    fn what_was_not_asked_for_is_not_taken() {
        let mut receiving = receiving(100);
        asks(&mut receiving, 0);
        assert_eq!(receiving.take(LEADER, 5, bytes(1), LEAST, 0), Err(Ignored::StaleResponse));
        assert_eq!(receiving.take(LEADER, 90, bytes(10), LEAST, 0), Err(Ignored::StaleResponse));
        assert_eq!(receiving.take(LEADER, 0, bytes(11), LEAST, 0), Err(Ignored::Malformed));
        assert_eq!(receiving.take(NodeId(4), 0, bytes(0), LEAST, 0), Err(Ignored::StaleResponse));
        receiving.take(LEADER, 0, bytes(10), LEAST, 0).expect("it was asked for");
        assert_eq!(receiving.take(LEADER, 0, bytes(10), LEAST, 0), Err(Ignored::StaleResponse));
        assert_eq!(receiving.take(LEADER, u64::MAX, bytes(10), LEAST, 0), Err(Ignored::StaleResponse));
    }

    #[test]
    fn the_rest_of_a_part_that_comes_in_pieces_is_asked_for() {
        let mut receiving = receiving(10);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10)]);
        receiving.take(LEADER, 0, bytes(4), LEAST, 0).expect("a piece");
        assert_eq!(asks(&mut receiving, 0), [(3, 4, 6)]);
        receiving.take(NodeId(3), 4, bytes(6), LEAST, 0).expect("the rest");
        assert_eq!(receiving.next_to_store(), Some((0, bytes(10))));
    }

    #[test]
    fn who_lacks_it_or_keeps_silent_is_avoided() {
        let mut receiving = receiving(30);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 10)]);
        receiving.take(NodeId(3), 10, bytes(0), LEAST, 1).expect("a word from who was asked");
        assert_eq!(asks(&mut receiving, 4), [(4, 10, 10)]);
        assert_eq!(receiving.due_at(LEAST), Some(10));
        receiving.give_up_waiting(LEAST, 10);
        assert_eq!(asks(&mut receiving, 10), [(4, 0, 10), (4, 20, 10)], "the leader is silent");
        receiving.take(NodeId(4), 0, bytes(0), LEAST, 11).expect("a word from who was asked");
        assert_eq!(asks(&mut receiving, 11), [(2, 0, 10)], "nobody else is left");
        receiving.take(LEADER, 0, bytes(0), LEAST, 12).expect("the leader has it no more");
        assert_eq!(asks(&mut receiving, 12), [], "nobody is left");
        receiving.offered_again(LEADER);
        assert_eq!(asks(&mut receiving, 12), [(2, 0, 10)]);
    }

    #[test]
    fn who_lacks_it_is_avoided_for_a_while_even_where_it_says_so_at_once() {
        let mut receiving = receiving(1_000);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 10)]);
        receiving.take(NodeId(3), 10, bytes(0), LEAST, 0).expect("a word from who was asked");
        assert_eq!((is_asked(&receiving, 15), is_asked(&receiving, 16)), (vec![2, 4], vec![2, 3, 4]));
        asks(&mut receiving, 16);
        receiving.take(NodeId(4), 10, bytes(0), LEAST, 5_000).expect("a word from who was asked");
        assert_eq!(is_asked(&receiving, 5_159), [2, 3], "it is blamed for no more than was patient");
        assert_eq!(is_asked(&receiving, 5_160), [2, 3, 4]);
    }

    /// Of 2, who leads, 3 and 4, those who are asked for the next part at `now`.
    fn is_asked(receiving: &Receiving, now: u64) -> Vec<u64> {
        let members = Configuration::first(&config().voters);
        let ask = |asked| {
            let mut next = Receiving { parts: VecDeque::new(), asked, ..receiving.clone() };
            next.next_ask(LEADER, members.members(), &config(), now).map(|ask| ask.of.0)
        };
        let mut of: Vec<u64> = (0..4).filter_map(ask).collect();
        of.sort_unstable();
        of.dedup();
        of
    }

    #[test]
    fn whoever_was_asked_in_vain_is_avoided_for_many_times_as_long_as_was_waited() {
        let mut receiving = receiving(1_000);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 10)]);
        receiving.give_up_waiting(LEAST, 5_000);
        for (now, asked) in [(5_000, &[4][..]), (5_159, &[4]), (5_160, &[2, 3, 4])] {
            assert_eq!(is_asked(&receiving, now), asked, "at {now}");
        }
        receiving.offered_again(LEADER);
        assert_eq!(is_asked(&receiving, 5_000), [4], "an offer does not say that its parts arrive");
        receiving.take(NodeId(3), 10, bytes(10), LEAST, 5_001).expect_err("it was given up");
        asks(&mut receiving, 5_001);
        receiving.take(NodeId(3), 10, bytes(10), LEAST, 5_001).expect("it was asked for again, of 4");
        assert_eq!(is_asked(&receiving, 5_001), [3, 4], "who sends a part serves");
    }

    #[test]
    fn what_the_leader_does_not_offer_each_is_asked_for_in_vain_but_once() {
        let mut receiving = receiving(10);
        receiving.other_offered();
        for now in [0, 1_000, 10_000] {
            assert_eq!(asks(&mut receiving, now).len(), 1);
            receiving.give_up_waiting(LEAST, now + 1_000);
        }
        assert_eq!(asks(&mut receiving, 1_000_000), []);
        assert!(!receiving.gets_on(), "it is at a loss");
        receiving.offered_again(LEADER);
        assert_eq!(is_asked(&receiving, 1_000_000), [2, 3, 4], "now somebody has it");
    }

    #[test]
    fn what_came_from_many_and_was_wrong_is_asked_of_the_leader_alone() {
        let mut receiving = receiving(30);
        receiving.begin_anew();
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (2, 10, 10), (2, 20, 10)]);
        receiving.give_up_waiting(LEAST, 10);
        assert_eq!(asks(&mut receiving, 10), [(2, 0, 10), (2, 10, 10), (2, 20, 10)], "silent as it is");
    }

    #[test]
    fn an_absurd_length_takes_no_room() {
        let mut receiving = receiving(u64::MAX);
        assert_eq!(asks(&mut receiving, 0).len(), 3);
        let mut at_the_end = Receiving::new(receiving.snapshot, u64::MAX - 5);
        assert_eq!(asks(&mut at_the_end, 0), [(2, u64::MAX - 5, 5)]);
    }

    /// A link that carries a part in 30 ticks is not asked for it again each 10.
    #[test]
    fn patience_grows_with_what_parts_take() {
        let mut receiving = receiving(1_000);
        asks(&mut receiving, 0);
        for (now, due_at) in [(10, 30), (30, 70)] {
            receiving.give_up_waiting(LEAST, now);
            asks(&mut receiving, now);
            assert_eq!(receiving.due_at(LEAST), Some(due_at), "twice as long each time");
        }
        receiving.take(LEADER, 0, bytes(10), LEAST, 35).expect("the answer to one of the requests");
        assert_eq!(receiving.due_at(LEAST), Some(70), "which, nobody knows");
        for _ in 0..20 {
            let due_at = receiving.due_at(LEAST).expect("the leader is asked again");
            receiving.give_up_waiting(LEAST, due_at);
            asks(&mut receiving, due_at);
        }
        let asked_at = receiving.due_at(LEAST).expect("the leader is asked again") - 160;
        receiving.give_up_waiting(LEAST, asked_at + 159);
        assert_eq!(asks(&mut receiving, asked_at + 159), [], "and at most 16 times as long");
    }

    #[test]
    fn who_was_silent_makes_nobody_wait_longer_for_those_who_answer() {
        let mut receiving = receiving(1_000);
        asks(&mut receiving, 0);
        receiving.give_up_waiting(LEAST, 10);
        assert_eq!(asks(&mut receiving, 10), [(4, 0, 10), (4, 10, 10), (4, 20, 10)]);
        receiving.take(NodeId(4), 0, bytes(10), LEAST, 12).expect("it was asked for");
        receiving.next_to_store().expect("the first part");
        receiving.stored(10);
        assert_eq!(receiving.due_at(LEAST), Some(30), "nothing is known of how long parts take");
        assert_eq!(asks(&mut receiving, 12), [(4, 30, 10)]);
        receiving.take(NodeId(4), 30, bytes(10), LEAST, 14).expect("it was asked for");
        assert_eq!(receiving.due_at(LEAST), Some(20), "of those that were asked for at 10");
    }

    #[test]
    fn a_damaged_copy_gives_what_it_still_has_and_nothing_else_skips_a_part() {
        let snapshot = receiving(100).snapshot;
        let mut whole = receiving(100);
        let mut damaged = Receiving::of_damaged(snapshot, 0);
        let mut begun_anew = damaged.clone();
        begun_anew.begin_anew();
        for (receiving, next) in [(&mut whole, 30), (&mut damaged, 60), (&mut begun_anew, 60)] {
            asks(receiving, 0);
            receiving.stored(60);
            asks(receiving, 0);
            let next_asked = receiving.parts.front().map(|part| part.offset);
            assert_eq!(
                (receiving.stored, next_asked),
                if next == 60 { (60, Some(60)) } else { (0, Some(0)) }
            );
        }
    }

    #[test]
    fn a_part_that_is_stored_in_a_damaged_copy_makes_nobody_ask_again_for_the_next() {
        let mut receiving = Receiving::of_damaged(receiving(100).snapshot, 0);
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10), (3, 10, 10), (2, 20, 10)]);
        receiving.take(LEADER, 0, bytes(10), LEAST, 1).expect("it was asked for");
        receiving.next_to_store().expect("the first part");
        receiving.stored(10);
        assert_eq!(asks(&mut receiving, 1), [(4, 30, 10)]);
    }

    #[test]
    fn what_the_leader_does_not_offer_it_does_not_offer_because_it_is_begun_anew() {
        let mut receiving = receiving(10);
        receiving.other_offered();
        receiving.begin_anew();
        assert_eq!(asks(&mut receiving, 0), [(2, 0, 10)]);
        receiving.take(LEADER, 0, bytes(0), LEAST, 1).expect("the leader has it no more");
        assert_eq!(asks(&mut receiving, 1_000_000), []);
    }

    #[test]
    fn who_was_silent_for_long_is_not_forgiven_because_it_lacks_the_snapshot_too() {
        let mut receiving = receiving(1_000);
        for now in [0, 10, 30] {
            receiving.give_up_waiting(LEAST, now);
            asks(&mut receiving, now);
        }
        receiving.take(LEADER, 0, bytes(0), LEAST, 31).expect("nobody else was left to ask");
        assert_eq!(is_asked(&receiving, 169), [], "it kept silent until 10");
        assert_eq!(is_asked(&receiving, 170), [2, 3]);
    }
}
