//! One key's history, laid out for the search.
//!
//! Operations that must take effect stand in the order of their *returns*. Then a search that has explained all
//! returns before the first one left, `base`, is described by `base` and by which of the operations that are
//! under way at that return it has explained already: few, however long one of them takes. Each such operation
//! has a *slot*, which no other holds while it is under way, so that a bit mask names them.

use super::{Effect, Model, Operation, Outcome, Resource, Seen};

/// Slots are bits of a `u128`.
pub(super) const SLOTS: u32 = u128::BITS;

/// What is claimed of one operation.
#[derive(Debug)]
pub(super) enum Claim<'a, O> {
    /// It took effect before its return, and answered this.
    Answered(&'a O),
    /// It took effect before its return, and answered anything but these.
    AnsweredAnythingBut(&'a [O]),
    /// It takes effect at any time after its call, and before its return if it did return, or never.
    MayHaveHappened,
}

impl<O> Clone for Claim<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Claim<'_, O> {}

/// One operation's number, and what is claimed of it.
#[derive(Debug)]
pub(super) struct Part<'a, O> {
    pub(super) number: u32,
    pub(super) claim: Claim<'a, O>,
}

/// An operation that must take effect before it returns.
#[derive(Debug)]
pub(super) struct Required<'a, I, O> {
    pub(super) call: u64,
    pub(super) at: u64,
    pub(super) input: &'a I,
    pub(super) claim: Claim<'a, O>,
    pub(super) is_read: bool,
    /// Whether neither its answer nor the state that it leads to depend on the state before.
    pub(super) overwrites: bool,
    pub(super) slot: u32,
}

/// An operation that may take effect after its call and before its return, or never.
#[derive(Debug)]
pub(super) struct Optional<'a, I> {
    pub(super) number: u32,
    pub(super) call: u64,
    /// When it returned, `u64::MAX` where it did not.
    pub(super) at: u64,
    pub(super) input: &'a I,
    pub(super) overwrites: bool,
}

/// The history of one key.
#[derive(Debug)]
pub(super) struct Problem<'a, M: Model> {
    /// In the order of their returns.
    pub(super) required: Vec<Required<'a, M::Input, M::Output>>,
    /// In the order of their calls.
    pub(super) optional: Vec<Optional<'a, M::Input>>,
    /// The required operations that are under way at each required operation's return, one list after the other.
    open: Vec<u32>,
    /// Where each list ends.
    open_ends: Vec<usize>,
    /// For each number of required operations, in the order of their returns, the latest call of that many.
    latest_calls: Vec<u64>,
}

impl<'a, M: Model> Problem<'a, M> {
    /// Lays out the parts, which come in the order of their calls.
    pub(super) fn new(
        model: &M,
        operations: &'a [Operation<M::Input, M::Output>],
        parts: impl Iterator<Item = Part<'a, M::Output>>,
    ) -> Result<Self, Resource> {
        let mut required = Vec::new();
        let mut optional = Vec::new();
        for Part { number, claim } in parts {
            let Operation { call, input, outcome, .. } = &operations[number as usize];
            let answer = match claim {
                Claim::Answered(output) => Some(output),
                Claim::AnsweredAnythingBut(_) | Claim::MayHaveHappened => None,
            };
            let is_read = model.is_read(input, answer);
            match (claim, outcome) {
                (Claim::Answered(_) | Claim::AnsweredAnythingBut(_), Outcome::Returned { at, .. }) => {
                    assert!(call <= at, "operation {number} is called at {call} and returns at {at}");
                    let is_blind = answer.is_some_and(|answer| model.seen(input, answer) == Seen::Every);
                    let overwrites = is_blind && matches!(model.effect(input), Effect::Sets(_));
                    let (call, at, slot) = (*call, *at, 0);
                    required.push(Required { call, at, input, claim, is_read, overwrites, slot });
                }
                // What changes nothing and answers nobody constrains nothing.
                (Claim::MayHaveHappened, _) if is_read => {}
                (Claim::MayHaveHappened, _) => {
                    let overwrites = matches!(model.effect(input), Effect::Sets(_));
                    let at = if let Outcome::Returned { at, .. } = outcome { *at } else { u64::MAX };
                    optional.push(Optional { number, call: *call, at, input, overwrites });
                }
                (Claim::Answered(_) | Claim::AnsweredAnythingBut(_), Outcome::Unknown) => {
                    panic!("operation {number} is said to have returned, and did not")
                }
            }
        }
        let mut problem =
            Self { required, optional, open: Vec::new(), open_ends: Vec::new(), latest_calls: vec![0] };
        problem.lay_out()?;
        Ok(problem)
    }

    /// The required operations that are under way when `base` returns: those that may come next.
    pub(super) fn open(&self, base: u32) -> &[u32] {
        let start = base.checked_sub(1).map_or(0, |before| self.open_ends[before as usize]);
        &self.open[start..self.open_ends[base as usize]]
    }

    /// The latest call of those that return before `base`: what returned before that call can take effect no more.
    pub(super) fn latest_call(&self, base: u32) -> u64 {
        self.latest_calls[base as usize]
    }

    /// How many required operations there are.
    pub(super) fn len(&self) -> u32 {
        self.required.len() as u32
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory_bytes(&self) -> u64 {
        let lists = size_of_val(&self.required[..]) + size_of_val(&self.optional[..]);
        (lists + size_of_val(&self.open[..]) + size_of_val(&self.open_ends[..])) as u64
    }

    /// Sorts by return, gives out slots, and lists who is under way when.
    fn lay_out(&mut self) -> Result<(), Resource> {
        self.required.sort_by_key(|operation| operation.at);
        let mut by_call: Vec<u32> = (0..self.len()).collect();
        by_call.sort_by_key(|&index| self.required[index as usize].call);
        let mut next_call = by_call.iter().copied().peekable();
        let mut open: Vec<u32> = Vec::new();
        let mut taken: u128 = 0;
        for base in 0..self.len() {
            let at = self.required[base as usize].at;
            while let Some(index) = next_call.next_if(|&index| self.required[index as usize].call <= at) {
                let slot = taken.trailing_ones();
                if slot == SLOTS {
                    return Err(Resource::OpenOperations { max: u64::from(SLOTS) });
                }
                taken |= 1 << slot;
                self.required[index as usize].slot = slot;
                let place = open.partition_point(|&other| other < index);
                open.insert(place, index);
            }
            let latest_call = self.latest_calls[base as usize].max(self.required[base as usize].call);
            self.latest_calls.push(latest_call);
            assert_eq!(open.first(), Some(&base), "it is under way until it returns");
            self.open.extend_from_slice(&open);
            self.open_ends.push(self.open.len());
            open.remove(0);
            taken &= !(1 << self.required[base as usize].slot);
        }
        Ok(())
    }
}
