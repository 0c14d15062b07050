//! The two checkers against a third, which tries every order.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

use super::refutation::Ordered;
use super::*;

mod withheld;

/// A list under each key.
#[derive(Debug)]
struct Lists;

#[derive(Clone, PartialEq, Eq)]
struct Input {
    key: u8,
    action: Action,
}

/// The key is told beside it.
impl Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.action)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Read,
    Write(u8),
    Append(u8),
    /// Writes the second where the list is just the first.
    Swap(u8, u8),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Output {
    List(Vec<u8>),
    Done,
    Swapped(bool),
}

type ListOperation = Operation<Input, Output>;

impl Model for Lists {
    type Key = u8;
    type State = Vec<u8>;
    type Input = Input;
    type Output = Output;

    fn key(&self, input: &Input) -> u8 {
        input.key
    }

    fn initial(&self, _key: &u8) -> Vec<u8> {
        Vec::new()
    }

    fn step(&self, state: &mut Vec<u8>, input: &Input) -> Output {
        match input.action {
            Action::Read => return Output::List(state.clone()),
            Action::Write(value) => *state = vec![value],
            Action::Append(value) => state.push(value),
            Action::Swap(expected, value) => {
                let is_as_expected = *state == [expected];
                if is_as_expected {
                    *state = vec![value];
                }
                return Output::Swapped(is_as_expected);
            }
        }
        Output::Done
    }

    fn accepts(&self, expected: &Output, actual: &Output) -> bool {
        expected == actual
    }

    fn is_read(&self, input: &Input, output: Option<&Output>) -> bool {
        match input.action {
            Action::Read => true,
            Action::Swap(..) => output == Some(&Output::Swapped(false)),
            Action::Write(_) | Action::Append(_) => false,
        }
    }

    fn effect(&self, input: &Input) -> Effect<Vec<u8>> {
        match input.action {
            Action::Write(value) => Effect::Sets(vec![value]),
            Action::Swap(_, value) => Effect::MaySet(vec![value]),
            Action::Read | Action::Append(_) => Effect::Any,
        }
    }

    fn may_make(&self, input: &Input, state: &Vec<u8>) -> bool {
        match input.action {
            Action::Append(value) => state.last() == Some(&value),
            Action::Read | Action::Write(_) | Action::Swap(..) => true,
        }
    }

    fn seen(&self, input: &Input, output: &Output) -> Seen<Vec<u8>> {
        match (&input.action, output) {
            (Action::Read, Output::List(list)) => Seen::Only(list.clone()),
            (Action::Swap(expected, _), Output::Swapped(true)) => Seen::Only(vec![*expected]),
            (Action::Swap(expected, _), Output::Swapped(false)) => Seen::AllBut(vec![*expected]),
            (Action::Write(_) | Action::Append(_), Output::Done) => Seen::Every,
            _ => Seen::Unclear,
        }
    }

    fn states_before(&self, input: &Input, state: &Vec<u8>) -> Option<Vec<Vec<u8>>> {
        Some(match (&input.action, state.split_last()) {
            (Action::Append(value), Some((last, before))) if value == last => vec![before.to_vec()],
            (Action::Swap(expected, value), _) if *state == [*value] && expected != value => {
                vec![vec![*expected]]
            }
            _ => Vec::new(),
        })
    }

    fn leaves(&self, input: &Input) -> u64 {
        if let Action::Append(value) = input.action { u64::from(value) } else { 0 }
    }

    fn mark(&self, state: &Vec<u8>) -> u64 {
        state.last().map_or(0, |last| u64::from(*last))
    }
}

fn returned(call: u64, at: u64, action: Action, output: Output) -> ListOperation {
    Operation { client: 0, call, input: Input { key: 0, action }, outcome: Outcome::Returned { at, output } }
}

fn write(call: u64, at: u64, value: u8) -> ListOperation {
    returned(call, at, Action::Write(value), Output::Done)
}

fn read(call: u64, at: u64, list: &[u8]) -> ListOperation {
    returned(call, at, Action::Read, Output::List(list.to_vec()))
}

fn unknown(call: u64, action: Action) -> ListOperation {
    Operation { client: 0, call, input: Input { key: 0, action }, outcome: Outcome::Unknown }
}

fn judged(history: &[ListOperation]) -> Verdict {
    check(&Lists, history, Budget::default())
}

fn explained(history: &[ListOperation]) -> Explanation {
    match judged(history) {
        Verdict::Violation(explanation) => *explanation,
        verdict @ (Verdict::Linearizable | Verdict::Budget(_)) => panic!("{verdict:?} of {history:?}"),
    }
}

fn exhausted(history: &[ListOperation], budget: Budget) -> Exhausted {
    match check(&Lists, history, budget) {
        Verdict::Budget(exhausted) => *exhausted,
        verdict @ (Verdict::Linearizable | Verdict::Violation(_)) => panic!("{verdict:?} of {history:?}"),
    }
}

/// An operation, and whether it took effect, and answered so, for certain.
type Told<'a> = (&'a ListOperation, bool);

/// Tries every order: an operation may come next where no other that is still to come had returned before its call.
fn some_order_explains(states: &[Vec<u8>; 2], left: &[Told<'_>]) -> bool {
    if !left.iter().any(|(_, is_certain)| *is_certain) {
        return true;
    }
    (0..left.len()).any(|next| {
        let (operation, is_certain) = left[next];
        let mut rest = left.to_vec();
        rest.remove(next);
        let returned_before = |(other, _): &Told<'_>| {
            matches!(other.outcome, Outcome::Returned { at, .. } if at < operation.call)
        };
        if rest.iter().any(|told| told.1 && returned_before(told)) {
            return false;
        }
        // Those that are not certain never took effect, then.
        rest.retain(|told| !returned_before(told));
        let mut states = states.clone();
        let expected = Lists.step(&mut states[usize::from(operation.input.key)], &operation.input);
        match &operation.outcome {
            Outcome::Returned { output, .. } if is_certain && *output != expected => false,
            Outcome::Returned { .. } | Outcome::Unknown => some_order_explains(&states, &rest),
        }
    })
}

/// Whether an order explains these answers, whatever is true of the others.
fn are_linearizable(history: &[ListOperation], is_certain: impl Fn(u32) -> bool) -> bool {
    let told = (0_u32..)
        .zip(history)
        .map(|(number, operation)| (operation, operation.outcome != Outcome::Unknown && is_certain(number)));
    some_order_explains(&Default::default(), &told.collect::<Vec<_>>())
}

fn is_linearizable(history: &[ListOperation]) -> bool {
    are_linearizable(history, |_| true)
}

#[test]
fn a_read_that_misses_a_finished_write_is_explained_in_words() {
    let mut history = vec![write(0, 10, 1), write(20, 30, 2), read(25, 60, &[2]), read(40, 50, &[1])];
    history.push(unknown(5, Action::Write(3)));
    let explanation = explained(&history);
    assert_eq!((explanation.operation, &explanation.conflict[..]), (3, &[1, 3][..]));
    let words = "\
no order explains these 2 operations on key 0:
  operation  client  called  returned  asked for  answered
          1       0      20        30  Write(2)   Done
          3       0      40        50  Read       List([1])
whether or not each of the 2 others on this key took effect, between its call and its return
each of them is needed for that, and all that was answered before operation 3 can be explained; \
it could have answered List([2]) or List([3])";
    assert_eq!(explanation.to_string(), words);
}

#[test]
fn histories_of_a_few_operations_are_judged_as_they_are_told() {
    let cases: [(&str, bool, Vec<ListOperation>); 8] = [
        ("nothing happened", true, vec![]),
        ("a write overlaps a read of the old value", true, vec![write(0, 10, 1), read(5, 7, &[])]),
        ("they touch at equal stamps", true, vec![write(0, 5, 1), read(5, 7, &[])]),
        ("they do not touch", false, vec![write(0, 5, 1), read(6, 7, &[])]),
        ("the old value comes back", false, vec![write(0, 9, 1), read(2, 3, &[1]), read(4, 5, &[])]),
        (
            "a write of unknown outcome takes effect late",
            true,
            vec![unknown(0, Action::Write(1)), read(1, 2, &[]), read(3, 4, &[1])],
        ),
        (
            "a write of unknown outcome takes effect and is undone",
            false,
            vec![unknown(0, Action::Write(1)), read(1, 2, &[1]), read(3, 4, &[])],
        ),
        (
            "a write of unknown outcome takes effect before it was called",
            false,
            vec![read(1, 2, &[1]), unknown(3, Action::Write(1))],
        ),
    ];
    for (story, linearizable, history) in cases {
        assert_eq!(judged(&history) == Verdict::Linearizable, linearizable, "{story}");
        assert_eq!(is_linearizable(&history), linearizable, "{story}");
    }
}

#[test]
fn an_order_is_refused_for_the_first_reason_that_there_is() {
    let history = [write(0, 10, 1), read(20, 30, &[1]), unknown(5, Action::Write(2))];
    let refusal = |order: &[u32]| check_witness(&Lists, &history, order);
    assert_eq!(refusal(&[0, 1]), Ok(()));
    assert_eq!(refusal(&[2, 0, 1]), Ok(()));
    assert_eq!(refusal(&[0, 9]), Err(WitnessRefusal::NotInHistory { operation: 9 }));
    assert_eq!(refusal(&[0, 1, 0]), Err(WitnessRefusal::Repeated { operation: 0 }));
    assert_eq!(refusal(&[0, 2]), Err(WitnessRefusal::Missing { operation: 1 }));
    let (actual, expected) = ("List([1])".to_owned(), "List([2])".to_owned());
    assert_eq!(refusal(&[0, 2, 1]), Err(WitnessRefusal::WrongAnswer { operation: 1, actual, expected }));
    let late = [write(0, 10, 1), write(20, 30, 2)];
    assert_eq!(check_witness(&Lists, &late, &[1, 0]), Err(WitnessRefusal::RealTime { first: 1, second: 0 }));
}

#[test]
fn a_bad_witness_convicts_nobody() {
    let mut history: Vec<ListOperation> =
        (0..=SMALL_HISTORY).map(|at| write(at * 10, at * 10 + 5, 1)).collect();
    let order: Vec<u32> = (0..history.len() as u32).rev().collect();
    assert!(check_witness(&Lists, &history, &order).is_err());
    assert_eq!(judge(&Lists, &history, &order, Budget::default()), Verdict::Linearizable);
    // A history that is short enough for a second opinion, which would take too long.
    let few = Budget { steps_max: 1, ..Budget::default() };
    assert_eq!(judge(&Lists, &history[..2], &[0, 1], few), Verdict::Linearizable);
    history.push(read(9999, 9999, &[2]));
    assert!(matches!(judge(&Lists, &history, &order, Budget::default()), Verdict::Violation(_)));
}

#[test]
fn a_search_that_runs_out_of_its_budget_says_so() {
    let append = |value| returned(0, 99, Action::Append(value), Output::Done);
    let impossible: Vec<u8> = (1..20).chain([19]).collect();
    let history: Vec<ListOperation> = (0..20).map(append).chain([read(100, 100, &impossible)]).collect();
    let small = Budget { steps_max: 1000, ..Budget::default() };
    assert_eq!(exhausted(&history, small).resource, Resource::Steps { max: 1000 });
    let small = Budget { memory_bytes_max: 50_000, ..Budget::default() };
    assert_eq!(exhausted(&history, small).resource, Resource::Memory { max: 50_000 });
    let crowd: Vec<ListOperation> = (0..129).map(|_| write(0, 1, 1)).collect();
    assert_eq!(exhausted(&crowd, Budget::default()).resource, Resource::OpenOperations { max: 128 });
    assert_eq!(judged(&crowd[1..]), Verdict::Linearizable);
}

/// Each of a hundred lost writes might still take effect at any time: they must not multiply the search.
#[test]
fn writes_that_never_took_effect_cost_next_to_nothing() {
    let mut history: Vec<ListOperation> =
        (0..100).map(|at| unknown(at, Action::Write(100 + at as u8))).collect();
    for round in 0..500 {
        let (at, value) = (200 + round * 10, (round % 100) as u8);
        history.extend([
            write(at, at + 3, value),
            read(at + 2, at + 4, &[value]),
            read(at + 5, at + 6, &[value]),
        ]);
    }
    let budget = Budget { steps_max: 10_000, ..Budget::default() };
    assert_eq!(check(&Lists, &history, budget), Verdict::Linearizable);
    history.push(read(6000, 6001, &[250]));
    assert_eq!(
        explained(&history).conflict,
        [1600],
        "nobody ever wrote that: the read stands against all others"
    );
}

/// Slots are few, but an operation may stay under way while thousands come and go.
#[test]
fn an_operation_that_takes_for_ever_is_no_harder_than_a_short_one() {
    let mut history = vec![write(0, 1_000_000, 250)];
    for round in 0..5000 {
        let (at, value) = (10 + round * 10, (round % 250) as u8);
        history.extend([write(at, at + 3, value), read(at + 5, at + 6, &[value])]);
    }
    history.extend([read(900_000, 900_001, &[250]), read(1_000_001, 1_000_002, &[250])]);
    let budget = Budget { steps_max: 100_000, ..Budget::default() };
    assert_eq!(check(&Lists, &history, budget), Verdict::Linearizable);
    history.push(read(900_002, 900_003, &[99]));
    assert_eq!(explained(&history).conflict, [10_001, 10_003]);
}

/// A history as it happens: operations take effect at moments of their own, somewhere between call and return.
#[derive(Clone, Debug)]
struct Happened {
    history: Vec<ListOperation>,
    order: Vec<u32>,
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Read),
        2 => (0_u8..3).prop_map(Action::Write),
        1 => (0_u8..3).prop_map(Action::Append),
        1 => (0_u8..3, 0_u8..3).prop_map(|(expected, value)| Action::Swap(expected, value)),
    ]
}

/// On so many keys, two at most.
fn happened(keys: u8, length: std::ops::Range<usize>) -> impl Strategy<Value = Happened> {
    let fate = prop_oneof![6 => Just(0_u8), 1 => Just(1), 1 => Just(2)];
    vec((0..keys, any_action(), 0_u64..40, 0_u64..40, fate), length).prop_map(|operations| {
        let mut states: [Vec<u8>; 2] = Default::default();
        let mut history = Vec::new();
        let mut order = Vec::new();
        for (number, (key, action, before, after, fate)) in (0_u32..).zip(operations) {
            let moment = 100 + u64::from(number) * 10;
            let input = Input { key, action };
            let mut outcome = Outcome::Unknown;
            if fate < 2 {
                let output = Lists.step(&mut states[usize::from(key)], &input);
                order.push(number);
                if fate == 0 {
                    outcome = Outcome::Returned { at: moment + after, output };
                }
            }
            history.push(Operation { client: number, call: moment - before, input, outcome });
        }
        Happened { history, order }
    })
}

/// What clients may say that is not true.
fn lied(keys: u8, length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<ListOperation>> {
    let output =
        prop_oneof![vec(0_u8..3, 0..3).prop_map(Output::List), any::<bool>().prop_map(Output::Swapped),];
    (happened(keys, length), vec((any::<prop::sample::Index>(), output, 0_u64..30), 0..3)).prop_map(
        |(happened, lies)| {
            let mut history = happened.history;
            for (place, lie, earlier) in lies {
                let at = place.index(history.len());
                let Operation { call, input, outcome, .. } = &mut history[at];
                if let Outcome::Returned { at, output } = outcome {
                    *at = (*at).saturating_sub(earlier).max(*call);
                    match (&input.action, &lie) {
                        (Action::Read, Output::List(_)) | (Action::Swap(..), Output::Swapped(_)) => {
                            *output = lie;
                        }
                        _ => {}
                    }
                }
            }
            history
        },
    )
}

/// The history of an operation's key as it was known just after it had returned, or just before.
fn known_at(history: &[ListOperation], operation: u32, is_before: bool) -> Vec<ListOperation> {
    let Operation { input, outcome, .. } = &history[operation as usize];
    let Outcome::Returned { at: end, .. } = *outcome else { panic!("it returned") };
    let is_known = |other: &&ListOperation| other.input.key == input.key && other.call <= end;
    let mut known: Vec<ListOperation> = history.iter().filter(is_known).cloned().collect();
    for other in &mut known {
        if matches!(other.outcome, Outcome::Returned { at, .. } if at > end || (is_before && at == end)) {
            other.outcome = Outcome::Unknown;
        }
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_happened_is_accepted_by_both_checkers(Happened { history, order } in happened(2, 0..60)) {
        prop_assert_eq!(check_witness(&Lists, &history, &order), Ok(()));
        prop_assert_eq!(judged(&history), Verdict::Linearizable);
    }

    /// Whatever is forgotten of it, and wherever a contradiction is looked for.
    #[test]
    fn what_happened_contradicts_itself_nowhere(Happened { history, .. } in happened(2, 0..60), place in 0_u32..60) {
        for key in 0..2 {
            let mut numbers: Vec<u32> = (0..history.len() as u32).collect();
            numbers.retain(|&number| history[number as usize].input.key == key);
            numbers.sort_by_key(|&number| history[number as usize].call);
            let key_history = KeyHistory::new(&Lists, &history, &key, &numbers);
            let end = key_history.len();
            let mut meter = Meter::new(Budget::default());
            let refuted = key_history.refute_near(place.min(end), end, 20_000, &mut meter);
            prop_assert_eq!(refuted, Ok(None));
        }
    }

    #[test]
    fn the_search_agrees_with_trying_every_order(history in lied(2, 1..7)) {
        prop_assert_eq!(judged(&history) == Verdict::Linearizable, is_linearizable(&history));
    }

    #[test]
    fn the_search_agrees_where_some_answers_are_forgotten(history in lied(2, 1..7), kept in vec(any::<bool>(), 7)) {
        let key = 0;
        let mut numbers: Vec<u32> = (0..history.len() as u32).collect();
        numbers.retain(|&number| history[number as usize].input.key == key);
        numbers.sort_by_key(|&number| history[number as usize].call);
        let key_history = KeyHistory::new(&Lists, &history, &key, &numbers);
        let is_kept = |number: u32| kept[number as usize] && key_history.place(number).is_some();
        let kept: Vec<u32> = numbers.iter().copied().filter(|&number| is_kept(number)).collect();
        let mut meter = Meter::new(Budget::default());
        let ordered = key_history.order_of(&kept, key_history.len(), u64::MAX, &mut meter);
        match ordered {
            Ok(Ordered::Using(_)) => prop_assert!(are_linearizable(&history, is_kept)),
            Ok(Ordered::Never) => prop_assert!(!are_linearizable(&history, is_kept)),
            Ok(Ordered::Unknown) | Err(_) => prop_assert!(false, "{:?}", ordered),
        }
        if let Ok(Some(kept)) = key_history.refute_near(3, key_history.len(), u64::MAX, &mut meter) {
            prop_assert!(!are_linearizable(&history, |number| kept.contains(&number)));
        }
    }

    #[test]
    fn a_witness_that_is_accepted_is_right(history in lied(2, 1..7), order in Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle()) {
        let returned = |number: &u32| {
            history.get(*number as usize).is_some_and(|operation| operation.outcome != Outcome::Unknown)
        };
        let order: Vec<u32> = order.into_iter().filter(returned).collect();
        if check_witness(&Lists, &history, &order).is_ok() {
            prop_assert!(is_linearizable(&history));
        }
    }

    #[test]
    fn an_explanation_names_the_first_impossible_answer_and_a_conflict_that_stands_by_itself(history in lied(2, 1..7)) {
        if let Verdict::Violation(explanation) = judged(&history) {
            let is_named = |number: u32| explanation.conflict.contains(&number);
            prop_assert!(!are_linearizable(&history, is_named), "{}", explanation);
            prop_assert!(is_linearizable(&known_at(&history, explanation.operation, true)), "{}", explanation);
            prop_assert!(!is_linearizable(&known_at(&history, explanation.operation, false)), "{}", explanation);
            prop_assert!(explanation.is_minimal, "{}", explanation);
            for &number in &explanation.conflict {
                let fewer = |other| other != number && is_named(other);
                prop_assert!(
                    are_linearizable(&history, fewer),
                    "operation {} is not needed in {}",
                    number,
                    explanation
                );
            }
        }
    }
}
