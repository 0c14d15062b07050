//! Decides one key's history: searches for an order, and where it does not come by one, for a few operations that
//! have none.
//!
//! To search all orders of a long history in vain takes long, though often a few operations contradict one another
//! however the rest went. So a search that is stuck pauses, and the answers around the place where it is stuck
//! are looked at alone. All others are *released*: a read is left out, and any other operation may then have taken
//! effect between its call and its return, or never. Whatever order the whole history has is an order of what remains,
//! so that what is refuted here is refuted for good. Where an order is found, it is because some released
//! operation took effect at a time, or in a way, in which it did not: the released operations that this order
//! uses are kept from then on, and the question is asked again.

use super::configuration::Meter;
use super::problem::{Claim, Part, Problem};
use super::search::{Progress, Search};
use super::{Model, Operation, Outcome, Resource};

/// A search that got no further in so many steps pauses; each time it may take twice as many.
const PATIENCE_STEPS: u64 = 20_000;
/// So many answers around the place where the search is stuck are looked at alone.
const WIDTHS: [u32; 4] = [8, 32, 128, 512];
/// So often released operations are kept after all.
const ROUNDS: u32 = 24;

/// One key's history.
#[derive(Debug)]
pub(super) struct KeyHistory<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) operations: &'a [Operation<M::Input, M::Output>],
    pub(super) key: &'a M::Key,
    /// All operations of the key, in the order of their calls.
    pub(super) numbers: &'a [u32],
    /// Those that returned, in the order of their returns.
    pub(super) returned: Vec<u32>,
    /// The place in that order of each that returned, by number.
    places: Vec<(u32, u32)>,
}

/// What a history turned out to be, up to some return.
#[derive(Debug)]
pub(super) enum Decision {
    /// There is an order.
    Explained,
    /// These operations have none, whatever the others did; in the order of their returns.
    Refuted(Vec<u32>),
}

impl<'a, M: Model> KeyHistory<'a, M> {
    pub(super) fn new(
        model: &'a M,
        operations: &'a [Operation<M::Input, M::Output>],
        key: &'a M::Key,
        numbers: &'a [u32],
    ) -> Self {
        let at = |number: u32| match operations[number as usize].outcome {
            Outcome::Returned { at, .. } => Some(at),
            Outcome::Unknown => None,
        };
        let mut returned: Vec<u32> = numbers.iter().copied().filter(|&number| at(number).is_some()).collect();
        returned.sort_by_key(|&number| at(number));
        let mut places: Vec<(u32, u32)> = returned.iter().copied().zip(0..).collect();
        places.sort_unstable();
        Self { model, operations, key, numbers, returned, places }
    }

    /// How many operations returned.
    pub(super) fn len(&self) -> u32 {
        self.returned.len() as u32
    }

    /// Decides the history up to the return before place `end`; `furthest` becomes the first return that no order
    /// could reach.
    pub(super) fn decide(
        &self,
        end: u32,
        meter: &mut Meter,
        furthest: &mut u32,
    ) -> Result<Decision, Resource> {
        let claim = |number| self.claim(number, end, None);
        let problem = self.problem(claim)?;
        let mut search = Search::new(self.model, &problem, self.model.initial(self.key), meter)?;
        let mut patience = PATIENCE_STEPS;
        loop {
            let before = search.furthest();
            let progress = search.run(patience, meter);
            *furthest = search.furthest();
            match progress? {
                Progress::Found => return Ok(Decision::Explained),
                Progress::Refuted => return Ok(Decision::Refuted(self.returned[..end as usize].to_vec())),
                Progress::Paused if search.furthest() > before => {}
                Progress::Paused => {
                    let mut apart = meter.beside(search.memory_bytes());
                    let refuted = self.refute_near(search.furthest(), end, patience, &mut apart);
                    meter.come_back(&apart);
                    if let Some(kept) = refuted? {
                        return Ok(Decision::Refuted(kept));
                    }
                    patience *= 2;
                }
            }
        }
    }

    /// Looks for operations around a place that contradict one another, whatever all others did, with about so many
    /// steps.
    pub(super) fn refute_near(
        &self,
        place: u32,
        end: u32,
        steps_max: u64,
        meter: &mut Meter,
    ) -> Result<Option<Vec<u32>>, Resource> {
        for width in WIDTHS {
            let (first, last) = (place.saturating_sub(width / 4 * 3), (place + width / 4).min(end));
            let until = meter.steps.saturating_add(steps_max / WIDTHS.len() as u64);
            let mut kept = self.returned[first as usize..last as usize].to_vec();
            for _ in 0..ROUNDS {
                let left = until.saturating_sub(meter.steps);
                let mut added = match self.order_of(&kept, end, left, meter)? {
                    Ordered::Never => return Ok(Some(kept)),
                    Ordered::Unknown => break,
                    Ordered::Using(used) => used,
                };
                added.retain(|&number| self.place(number).is_some_and(|place| place < end));
                if added.is_empty() {
                    break;
                }
                kept.extend(added);
                kept.sort_unstable_by_key(|&number| self.place(number));
            }
        }
        Ok(None)
    }

    /// Whether there is an order of these operations, and which others it uses.
    pub(super) fn order_of(
        &self,
        kept: &[u32],
        end: u32,
        steps_max: u64,
        meter: &mut Meter,
    ) -> Result<Ordered, Resource> {
        let mut sorted = kept.to_vec();
        sorted.sort_unstable();
        let problem = self.problem(|number| self.claim(number, end, Some(&sorted)))?;
        let mut search = Search::new(self.model, &problem, self.model.initial(self.key), meter)?;
        Ok(match search.run(steps_max, meter)? {
            Progress::Found => Ordered::Using(search.used().collect()),
            Progress::Refuted => Ordered::Never,
            Progress::Paused => Ordered::Unknown,
        })
    }

    /// Lays out the operations of which something is claimed.
    pub(super) fn problem<'b>(
        &self,
        claim: impl Fn(u32) -> Option<Claim<'b, M::Output>>,
    ) -> Result<Problem<'b, M>, Resource>
    where
        'a: 'b,
    {
        let parts = self.numbers.iter().filter_map(|&number| Some(Part { number, claim: claim(number)? }));
        Problem::new(self.model, self.operations, parts)
    }

    /// What is claimed of an operation: nothing where it was called too late to matter; what it answered, where it
    /// returned before place `end`, and is among those that are kept (sorted by number), if not all are.
    pub(super) fn claim(&self, number: u32, end: u32, kept: Option<&[u32]>) -> Option<Claim<'a, M::Output>> {
        let operation = &self.operations[number as usize];
        if let Outcome::Returned { output, .. } = &operation.outcome
            && self.place(number).is_some_and(|place| place < end)
            && kept.is_none_or(|kept| kept.binary_search(&number).is_ok())
        {
            return Some(Claim::Answered(output));
        }
        let is_called = end == self.len() || operation.call <= self.end_at(end)?;
        is_called.then_some(Claim::MayHaveHappened)
    }

    /// An operation's place in the order of returns.
    pub(super) fn place(&self, number: u32) -> Option<u32> {
        let found = self.places.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        Some(self.places[found].1)
    }

    fn end_at(&self, end: u32) -> Option<u64> {
        let last = self.returned[..end as usize].last()?;
        match self.operations[*last as usize].outcome {
            Outcome::Returned { at, .. } => Some(at),
            Outcome::Unknown => None,
        }
    }
}

/// What is known of an order of some operations.
#[derive(Debug)]
pub(super) enum Ordered {
    /// There is one, in which these others take effect.
    Using(Vec<u32>),
    /// There is none.
    Never,
    /// It could not be told within the steps.
    Unknown,
}
