//! The states that were met: a 64-bit fingerprint of each, and from which it was first reached.
//!
//! States are numbered in the order in which they were met. That two share a fingerprint, so that one is overlooked, has a
//! probability of about n²/2^65 for n states: one in three thousand million for a hundred thousand, one in 4,000 for a hundred million.

/// The set of states.
pub(super) struct Visited {
    fingerprints: Vec<u64>,
    parents: Vec<u32>,
    /// One more than a state's number, at a place that its fingerprint leads to; 0 where there is none.
    slots: Vec<u32>,
}

impl Visited {
    const SLOTS_AT_FIRST: usize = 1 << 12;

    pub(super) fn new() -> Self {
        Self { fingerprints: Vec::new(), parents: Vec::new(), slots: vec![0; Self::SLOTS_AT_FIRST] }
    }

    pub(super) fn len(&self) -> usize {
        self.fingerprints.len()
    }

    pub(super) fn fingerprint(&self, number: u32) -> u64 {
        self.fingerprints[number as usize]
    }

    /// The state from which this one was first reached; the first state is its own.
    pub(super) fn parent(&self, number: u32) -> u32 {
        self.parents[number as usize]
    }

    /// Takes up a state. Returns whether it is new.
    pub(super) fn insert(&mut self, fingerprint: u64, parent: u32) -> bool {
        if self.fingerprints.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut place = first_place(fingerprint, mask);
        while self.slots[place] != 0 {
            if self.fingerprints[self.slots[place] as usize - 1] == fingerprint {
                return false;
            }
            place = (place + 1) & mask;
        }
        let number = u32::try_from(self.fingerprints.len()).expect("memory ends before the numbers do");
        self.slots[place] = number + 1;
        self.fingerprints.push(fingerprint);
        self.parents.push(parent);
        true
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for (number, fingerprint) in (1..).zip(&self.fingerprints) {
            let mut place = first_place(*fingerprint, mask);
            while slots[place] != 0 {
                place = (place + 1) & mask;
            }
            slots[place] = number;
        }
        self.slots = slots;
    }
}

/// The lower bits of a fingerprint are as good as any.
fn first_place(fingerprint: u64, mask: usize) -> usize {
    let place = fingerprint & mask as u64;
    usize::try_from(place).expect("a place in a table in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_new_once_and_remembers_where_it_came_from() {
        let mut visited = Visited::new();
        // Fingerprints that all begin at a few places, and more of them than there is room for at first.
        let fingerprint = |number: u64| (number % 3) | number << 20;
        for number in 0..10_000 {
            let parent = (number / 2) as u32;
            assert!(visited.insert(fingerprint(number), parent));
            assert!(!visited.insert(fingerprint(number / 2), 0));
        }
        assert_eq!(visited.len(), 10_000);
        assert_eq!((visited.parent(9_999), visited.fingerprint(9_999)), (4_999, fingerprint(9_999)));
    }
}
