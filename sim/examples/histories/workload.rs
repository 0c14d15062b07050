//! Histories of clients of an atomic map of lists: operations take effect at one moment between call and return, so
//! that the order of these moments is a witness. It judges nothing; what it spoils on request, a checker must find.

use std::collections::BTreeMap;

use squall_sim::Choice;
use squall_sim::choice::Purpose;
use squall_sim::history::{Effect, Model, Operation, Outcome, Seen};

/// The map: a list under each key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists;

/// What is asked of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Input {
    pub(crate) key: u32,
    pub(crate) action: Action,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Read,
    Write(u32),
    Append(u32),
    /// Writes the value where the list is the expected one.
    CompareAndSet(Vec<u32>, u32),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    List(Vec<u32>),
    Done,
    Swapped(bool),
}

pub(crate) type ListOperation = Operation<Input, Output>;

/// What a workload is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) operations: u32,
    pub(crate) clients: u32,
    pub(crate) keys: u32,
    /// How many operations in a thousand have an unknown outcome; half of them take effect, some much later.
    pub(crate) unknown_permille: u32,
    /// How many values there are to be written; with 0, each is written once.
    pub(crate) values: u32,
    /// Weights: read, write, append, compare-and-set.
    pub(crate) kinds: [u32; 4],
    /// The mean time between an answer and the next call; calls take 200 on average.
    pub(crate) think: u64,
}

/// What clients saw, and the order in which it took effect.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) history: Vec<ListOperation>,
    pub(crate) order: Vec<u32>,
}

impl Model for Lists {
    type Key = u32;
    type State = Vec<u32>;
    type Input = Input;
    type Output = Output;

    fn key(&self, input: &Input) -> u32 {
        input.key
    }

    fn initial(&self, _key: &u32) -> Vec<u32> {
        Vec::new()
    }

    fn step(&self, state: &mut Vec<u32>, input: &Input) -> Output {
        match &input.action {
            Action::Read => return Output::List(state.clone()),
            Action::Write(value) => *state = vec![*value],
            Action::Append(value) => state.push(*value),
            Action::CompareAndSet(expected, value) => {
                let is_as_expected = state == expected;
                if is_as_expected {
                    *state = vec![*value];
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
            Action::CompareAndSet(..) => output == Some(&Output::Swapped(false)),
            Action::Write(_) | Action::Append(_) => false,
        }
    }

    fn effect(&self, input: &Input) -> Effect<Vec<u32>> {
        match input.action {
            Action::Write(value) => Effect::Sets(vec![value]),
            Action::CompareAndSet(_, value) => Effect::MaySet(vec![value]),
            Action::Read | Action::Append(_) => Effect::Any,
        }
    }

    fn may_make(&self, input: &Input, state: &Vec<u32>) -> bool {
        match input.action {
            Action::Append(value) => state.last() == Some(&value),
            Action::Read | Action::Write(_) | Action::CompareAndSet(..) => true,
        }
    }

    fn seen(&self, input: &Input, output: &Output) -> Seen<Vec<u32>> {
        match (&input.action, output) {
            (Action::Read, Output::List(list)) => Seen::Only(list.clone()),
            (Action::CompareAndSet(expected, _), Output::Swapped(true)) => Seen::Only(expected.clone()),
            (Action::CompareAndSet(expected, _), Output::Swapped(false)) => Seen::AllBut(expected.clone()),
            (Action::Write(_) | Action::Append(_), Output::Done) => Seen::Every,
            (
                Action::Read | Action::Write(_) | Action::Append(_) | Action::CompareAndSet(..),
                Output::List(_) | Output::Done | Output::Swapped(_),
            ) => Seen::Unclear,
        }
    }

    fn states_before(&self, input: &Input, state: &Vec<u32>) -> Option<Vec<Vec<u32>>> {
        Some(match (&input.action, state.split_last()) {
            (Action::Append(value), Some((last, before))) if value == last => vec![before.to_vec()],
            (Action::CompareAndSet(expected, value), _) if state == &[*value] => vec![expected.clone()],
            (Action::Write(_), _) => return None,
            (Action::Read | Action::Append(_) | Action::CompareAndSet(..), _) => Vec::new(),
        })
    }

    fn leaves(&self, input: &Input) -> u64 {
        if let Action::Append(value) = input.action { u64::from(value) } else { 0 }
    }

    fn mark(&self, state: &Vec<u32>) -> u64 {
        state.last().map_or(0, |last| u64::from(*last))
    }

    fn state_bytes(&self, state: &Vec<u32>) -> u64 {
        size_of_val(state) as u64 + size_of_val(&state[..]) as u64
    }
}

impl Default for Workload {
    /// A hundred thousand operations of sixteen busy clients on one key.
    fn default() -> Self {
        Self {
            operations: 100_000,
            clients: 16,
            keys: 1,
            unknown_permille: 0,
            values: 0,
            kinds: [4, 3, 1, 2],
            think: 50,
        }
    }
}

/// What comes next at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Effect { number: u32, answered_at: Option<u64> },
    Call { client: u32 },
}

impl Workload {
    /// Lets it happen.
    pub(crate) fn happen(&self, seed: u64) -> Happened {
        let mut choice = Choice::from_seed(seed);
        let mut states: Vec<Vec<u32>> = vec![Vec::new(); self.keys as usize];
        let mut happened = Happened { history: Vec::new(), order: Vec::new() };
        let mut events: BTreeMap<(u64, u32), Event> = BTreeMap::new();
        let mut count = 0;
        let mut next = || {
            count += 1;
            count
        };
        for client in 0..self.clients {
            events.insert((u64::from(client), next()), Event::Call { client });
        }
        while let Some(((now, _), event)) = events.pop_first() {
            match event {
                Event::Effect { number, answered_at } => {
                    let operation = &mut happened.history[number as usize];
                    let output = Lists.step(&mut states[operation.input.key as usize], &operation.input);
                    happened.order.push(number);
                    if let Some(at) = answered_at {
                        operation.outcome = Outcome::Returned { at, output };
                    }
                }
                Event::Call { client } => {
                    let number = happened.history.len() as u32;
                    if number == self.operations {
                        continue;
                    }
                    let mut draw = choice.draw(Purpose::User, u64::from(number), 0);
                    let key = draw.range("key", 0, u64::from(self.keys) - 1) as u32;
                    let value = match self.values {
                        0 => number,
                        values => draw.range("value", 0, u64::from(values) - 1) as u32,
                    };
                    let action = match draw.pick("kind", &self.kinds) {
                        0 => Action::Read,
                        1 => Action::Write(value),
                        2 => Action::Append(value),
                        _ => Action::CompareAndSet(states[key as usize].clone(), value),
                    };
                    let mut effect_at = now + 10 + draw.exponential("to", 90, 2_000);
                    let answer_at = effect_at + 10 + draw.exponential("back", 90, 2_000);
                    let is_unknown = draw.range("unknown", 1, 1000) <= u64::from(self.unknown_permille);
                    if is_unknown {
                        effect_at += draw.exponential("late", 500, 100_000);
                    }
                    if !is_unknown || draw.range("lost", 0, 1) == 0 {
                        let answered_at = (!is_unknown).then_some(answer_at);
                        events.insert((effect_at, next()), Event::Effect { number, answered_at });
                    }
                    let think = 1 + draw.exponential("think", self.think, self.think * 20);
                    events.insert((answer_at + think, next()), Event::Call { client });
                    let (input, outcome) = (Input { key, action }, Outcome::Unknown);
                    happened.history.push(Operation { client, call: now, input, outcome });
                }
            }
        }
        happened
    }
}

impl Happened {
    /// Makes one read stale, the first that can be from this place of the history on: it answers what stood there before the last
    /// change that had been acknowledged when it was called. Tells which.
    pub(crate) fn spoil(&mut self, from: u32) -> u32 {
        let mut states: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        // For each key, what stood there before each change, and when that was acknowledged.
        let mut changes: BTreeMap<u32, Vec<(u64, Vec<u32>)>> = BTreeMap::new();
        for &number in &self.order {
            let Operation { call, input, outcome, .. } = &mut self.history[number as usize];
            let state = states.entry(input.key).or_default();
            let before = state.clone();
            Lists.step(state, input);
            let changes = changes.entry(input.key).or_default();
            if *state != before {
                let at = if let Outcome::Returned { at, .. } = outcome { *at } else { u64::MAX };
                changes.push((at, before));
            }
            if let Outcome::Returned { output: Output::List(list), .. } = outcome
                && number >= from
                && let Some((_, stale)) = changes.iter().rev().find(|(at, _)| *at < *call)
            {
                list.clone_from(stale);
                return number;
            }
        }
        panic!("no read from operation {from} on can be made stale");
    }
}
