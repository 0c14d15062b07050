//! Histories of 100,000 operations by 16 clients, judged with the true order as a witness and without. What it costs is
//! bounded in steps and bytes, not in time; `cargo run --release -p squall-sim --example histories` prints the time.

#[path = "../../examples/histories/workload.rs"]
mod workload;

use std::cell::Cell;

use squall_sim::history::{
    Budget, Cost, Effect, Model, Resource, Seen, Verdict, WitnessRefusal, check_witness, measure,
};

use workload::{Input, Lists, Output, Workload};

/// Lists that count how often they are asked.
#[derive(Default)]
struct Counted(Cell<u64>);

impl Model for Counted {
    type Key = u32;
    type State = Vec<u32>;
    type Input = Input;
    type Output = Output;

    fn key(&self, input: &Input) -> u32 {
        Lists.key(input)
    }

    fn initial(&self, key: &u32) -> Vec<u32> {
        Lists.initial(key)
    }

    fn step(&self, state: &mut Vec<u32>, input: &Input) -> Output {
        self.0.set(self.0.get() + 1);
        Lists.step(state, input)
    }

    fn accepts(&self, expected: &Output, actual: &Output) -> bool {
        Lists.accepts(expected, actual)
    }

    fn effect(&self, input: &Input) -> Effect<Vec<u32>> {
        Lists.effect(input)
    }

    fn seen(&self, input: &Input, output: &Output) -> Seen<Vec<u32>> {
        Lists.seen(input, output)
    }
}

/// Four steps for each operation, and 64 MiB.
const BOUND: Cost = Cost { steps: 400_000, memory_bytes_peak: 64 << 20 };

fn hot_and_wide() -> [Workload; 4] {
    let hot = Workload::default();
    let wide = Workload { keys: 16, ..hot };
    [hot, wide, Workload { unknown_permille: 10, ..hot }, Workload { unknown_permille: 100, ..wide }]
}

#[test]
fn a_witness_is_judged_with_one_step_for_each_operation() {
    for workload in hot_and_wide() {
        let happened = workload.happen(1);
        let counted = Counted::default();
        assert_eq!(check_witness(&counted, &happened.history, &happened.order), Ok(()));
        assert_eq!(counted.0.get(), happened.order.len() as u64, "{workload:?}");
    }
}

#[test]
fn the_search_finds_an_order_of_its_own_within_a_few_steps_for_each_operation() {
    for workload in hot_and_wide() {
        let happened = workload.happen(2);
        let budget = Budget { steps_max: BOUND.steps, ..Budget::default() };
        let (verdict, cost) = measure(&Lists, &happened.history, budget);
        assert_eq!(verdict, Verdict::Linearizable, "{workload:?}");
        assert!(cost.memory_bytes_peak < BOUND.memory_bytes_peak, "{cost:?} for {workload:?}");
    }
}

#[test]
fn a_stale_read_is_found_wherever_it_is_and_explained_by_few_operations() {
    for from in [100, 50_000, 99_900] {
        let mut happened = Workload { keys: 16, ..Workload::default() }.happen(1);
        let stale = happened.spoil(from);
        let refusal = check_witness(&Lists, &happened.history, &happened.order);
        assert!(
            matches!(refusal, Err(WitnessRefusal::WrongAnswer { operation, .. }) if operation == stale),
            "{refusal:?}"
        );
        let (verdict, _) = measure(&Lists, &happened.history, Budget::default());
        let Verdict::Violation(explanation) = verdict else { panic!("{verdict:?} of {stale}") };
        assert!(explanation.is_minimal && explanation.conflict.len() <= 4, "{explanation}");
        assert!(explanation.conflict.contains(&stale), "{explanation}");
    }
}

#[test]
fn a_search_without_the_means_says_what_ran_out_and_where() {
    let happened = Workload { keys: 2, ..Workload::default() }.happen(1);
    let steps = Budget { steps_max: 10_000, ..Budget::default() };
    let memory = Budget { memory_bytes_max: 8 << 20, ..Budget::default() };
    for (budget, resource) in
        [(steps, Resource::Steps { max: 10_000 }), (memory, Resource::Memory { max: 8 << 20 })]
    {
        let (verdict, _) = measure(&Lists, &happened.history, budget);
        let Verdict::Budget(exhausted) = verdict else { panic!("{verdict:?}") };
        assert_eq!((exhausted.resource, exhausted.keys), (resource, 2));
        assert!(exhausted.answers > 40_000 && exhausted.answers_explained < exhausted.answers);
        assert!(exhausted.to_string().starts_with(&format!("no verdict {resource}: ")), "{exhausted}");
    }
}
