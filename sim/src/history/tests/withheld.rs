//! The search on one key where many operations overlap, with whatever a model need not tell it withheld at random: each
//! hint leads it another way, and to the same verdict. A third checker, which remembers what it has tried, says which.

use std::collections::BTreeSet;

use super::*;

/// [`Lists`], which keeps some of its hints to itself.
#[derive(Clone, Copy, Debug)]
struct Withheld {
    is_read: bool,
    effect: bool,
    may_make: bool,
    seen: bool,
    states_before: bool,
    mark: bool,
}

impl Model for Withheld {
    type Key = u8;
    type State = Vec<u8>;
    type Input = Input;
    type Output = Output;

    fn key(&self, input: &Input) -> u8 {
        Lists.key(input)
    }

    fn initial(&self, key: &u8) -> Vec<u8> {
        Lists.initial(key)
    }

    fn step(&self, state: &mut Vec<u8>, input: &Input) -> Output {
        Lists.step(state, input)
    }

    fn accepts(&self, expected: &Output, actual: &Output) -> bool {
        Lists.accepts(expected, actual)
    }

    fn is_read(&self, input: &Input, output: Option<&Output>) -> bool {
        !self.is_read && Lists.is_read(input, output)
    }

    fn effect(&self, input: &Input) -> Effect<Vec<u8>> {
        if self.effect { Effect::Any } else { Lists.effect(input) }
    }

    fn may_make(&self, input: &Input, state: &Vec<u8>) -> bool {
        self.may_make || Lists.may_make(input, state)
    }

    fn seen(&self, input: &Input, output: &Output) -> Seen<Vec<u8>> {
        if self.seen { Seen::Unclear } else { Lists.seen(input, output) }
    }

    /// What it lists of a write it does not, for a write has an effect that is told.
    fn states_before(&self, input: &Input, state: &Vec<u8>) -> Option<Vec<Vec<u8>>> {
        if self.states_before || self.effect { None } else { Lists.states_before(input, state) }
    }

    /// Marks are those of appends, where nothing else is said to have any effect.
    fn leaves(&self, input: &Input) -> u64 {
        if self.mark || self.effect || self.is_read { 0 } else { Lists.leaves(input) }
    }

    fn mark(&self, state: &Vec<u8>) -> u64 {
        if self.mark || self.effect || self.is_read { 0 } else { Lists.mark(state) }
    }
}

fn withheld() -> impl Strategy<Value = Withheld> {
    any::<[bool; 6]>().prop_map(|[is_read, effect, may_make, seen, states_before, mark]| Withheld {
        is_read,
        effect,
        may_make,
        seen,
        states_before,
        mark,
    })
}

/// Whether some order explains these answers, whatever is true of the others. One bit stands for each operation that is
/// still to come, or never will.
struct EveryOrder<'a> {
    told: Vec<Told<'a>>,
    in_vain: BTreeSet<(u32, Vec<u8>)>,
}

impl EveryOrder<'_> {
    fn explains(&mut self, left: u32, state: &[u8]) -> bool {
        let len = self.told.len();
        let members = |left: u32| (0..len).filter(move |place| left >> place & 1 == 1);
        if !members(left).any(|place| self.told[place].1) {
            return true;
        }
        if !self.in_vain.insert((left, state.to_vec())) {
            return false;
        }
        for next in members(left) {
            let (operation, is_certain) = self.told[next];
            let had_returned = |place: &usize| {
                let other = self.told[*place].0;
                matches!(other.outcome, Outcome::Returned { at, .. } if at < operation.call)
            };
            let too_late: Vec<usize> = members(left & !(1 << next)).filter(had_returned).collect();
            if too_late.iter().any(|place| self.told[*place].1) {
                continue;
            }
            let mut state = state.to_vec();
            let expected = Lists.step(&mut state, &operation.input);
            if let Outcome::Returned { output, .. } = &operation.outcome
                && is_certain
                && *output != expected
            {
                continue;
            }
            let gone = too_late.iter().fold(1 << next, |gone, place| gone | 1 << place);
            if self.explains(left & !gone, &state) {
                return true;
            }
        }
        false
    }
}

fn is_explained(history: &[ListOperation], is_certain: impl Fn(u32) -> bool) -> bool {
    let told = (0_u32..)
        .zip(history)
        .map(|(number, operation)| (operation, operation.outcome != Outcome::Unknown && is_certain(number)));
    let mut every = EveryOrder { told: told.collect(), in_vain: BTreeSet::new() };
    every.explains((1 << history.len()) - 1, &[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_two_that_try_every_order_agree(history in lied(1, 1..6), kept in vec(any::<bool>(), 6)) {
        let is_kept = |number: u32| kept[number as usize];
        prop_assert_eq!(is_explained(&history, is_kept), are_linearizable(&history, is_kept));
    }

    /// Nor does it lie where its means are small.
    #[test]
    fn a_verdict_depends_on_no_hint(history in lied(1, 4..11), model in withheld(), few in 0_u64..400) {
        let truth = is_explained(&history, |_| true);
        let verdict = check(&model, &history, Budget::default());
        prop_assert!(!matches!(verdict, Verdict::Budget(_)));
        prop_assert_eq!(verdict == Verdict::Linearizable, truth);
        let small = Budget { steps_max: few * 10, explanation_steps_max: few, ..Budget::default() };
        match check(&model, &history, small) {
            Verdict::Linearizable => prop_assert!(truth),
            Verdict::Violation(explanation) => {
                let is_named = |number: u32| explanation.conflict.contains(&number);
                prop_assert!(!is_explained(&history, is_named), "{}", explanation);
                for &number in explanation.conflict.iter().filter(|_| explanation.is_minimal) {
                    prop_assert!(is_explained(&history, |other| other != number && is_named(other)));
                }
            }
            Verdict::Budget(_) => {}
        }
    }

    #[test]
    fn what_is_forgotten_is_forgotten_whatever_the_hints(
        history in lied(1, 4..11),
        model in withheld(),
        kept in vec(any::<bool>(), 11),
    ) {
        let mut numbers: Vec<u32> = (0..history.len() as u32).collect();
        numbers.sort_by_key(|&number| history[number as usize].call);
        let key_history = KeyHistory::new(&model, &history, &0, &numbers);
        let is_kept = |number: u32| kept[number as usize] && key_history.place(number).is_some();
        let kept: Vec<u32> = numbers.iter().copied().filter(|&number| is_kept(number)).collect();
        let mut meter = Meter::new(Budget::default());
        match key_history.order_of(&kept, key_history.len(), u64::MAX, &mut meter) {
            Ok(Ordered::Using(_)) => prop_assert!(is_explained(&history, is_kept)),
            Ok(Ordered::Never) => prop_assert!(!is_explained(&history, is_kept)),
            Ok(Ordered::Unknown) | Err(_) => prop_assert!(false),
        }
    }
}
