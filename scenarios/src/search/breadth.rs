//! Breadth first: all states at one distance, then all at the next, so that what is found is as short as can be.

use squall_sim::Violation;
use xxhash_rust::xxh3::xxh3_64;

use super::bounds::Bounds;
use super::model::{Model, State, Step, Taken};
use super::script;
use super::visited::Visited;

/// How far a search has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Different states that were met.
    pub states: u64,
    /// Steps that were taken, to whatever state.
    pub steps: u64,
    /// The distance of the farthest state, in steps.
    pub depth: u32,
    /// States that were met, and from which no step was taken yet.
    pub waiting: u64,
    /// Different states of single nodes, different messages, and steps that the core itself has taken.
    pub local: [u64; 3],
    /// How often the search began anew, because a message had been dropped that may not have been.
    pub restarts: u32,
}

impl Progress {
    /// Two states have one fingerprint, so that one of them is overlooked, with a chance of about one in so many, if
    /// fingerprints are as good as random.
    #[must_use]
    pub fn by_chance_one_in(&self) -> u64 {
        let pairs = u128::from(self.states) * u128::from(self.states.saturating_sub(1)) / 2;
        u64::try_from((1 << 64) / pairs.max(1)).unwrap_or(u64::MAX)
    }
}

/// How a search ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every state within the bounds was met, and nothing was violated; but for [`Progress::by_chance_one_in`].
    Complete,
    /// It was told to stop.
    Stopped,
    /// Something was violated.
    Violated(Found),
}

/// A violation, and how it comes about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What is wrong.
    pub violation: Violation,
    /// The shortest way to it through states with no spent messages, as the steps of a scenario.
    pub steps: Vec<squall_sim::scenario::Step>,
}

/// States of one distance, one behind the other.
struct Layer {
    words: Vec<u32>,
    ends: Vec<usize>,
    /// The number of its first state.
    first: u32,
}

impl Layer {
    fn new(first: u32) -> Self {
        Self { words: Vec::new(), ends: Vec::new(), first }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, state: &[u32]) {
        self.words.extend_from_slice(state);
        self.ends.push(self.words.len());
    }

    fn state(&self, at: usize) -> &[u32] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.words[begin..self.ends[at]]
    }
}

/// Between two questions whether to go on, so many states are taken up.
const STATES_BETWEEN_QUESTIONS: usize = 1 << 10;

/// Searches all states within the bounds, for as long as `goes_on` says so.
pub fn search(bounds: Bounds, goes_on: impl FnMut(&Progress) -> bool) -> (End, Progress) {
    let mut search = Search {
        model: Model::new(bounds),
        visited: Visited::new(),
        progress: Progress::default(),
        goes_on,
        bytes: Vec::new(),
    };
    let end = loop {
        let end = search.run();
        if end != End::Complete || search.model.misjudged() == 0 {
            break end;
        }
        search.visited = Visited::new();
        search.progress = Progress { restarts: search.progress.restarts + 1, ..Progress::default() };
    };
    search.look();
    (end, search.progress)
}

struct Search<F> {
    model: Model,
    visited: Visited,
    progress: Progress,
    goes_on: F,
    bytes: Vec<u8>,
}

impl<F: FnMut(&Progress) -> bool> Search<F> {
    fn run(&mut self) -> End {
        let first = self.model.first_state();
        let mut layer = Layer::new(0);
        layer.push(&first);
        let fingerprint = self.fingerprint(&first);
        self.visited.insert(fingerprint, 0);
        while layer.len() > 0 {
            let mut following = Layer::new(number(self.visited.len()));
            for at in 0..layer.len() {
                if at % STATES_BETWEEN_QUESTIONS == 0 {
                    self.progress.waiting = (layer.len() - at + following.len()) as u64;
                    self.look();
                    if !(self.goes_on)(&self.progress) {
                        return End::Stopped;
                    }
                }
                if let Err(found) = self.leave(&layer, at, &mut following) {
                    return End::Violated(found);
                }
            }
            self.progress.depth += u32::from(following.len() > 0);
            layer = following;
        }
        self.progress.waiting = 0;
        End::Complete
    }

    /// Takes every step from a state.
    fn leave(&mut self, layer: &Layer, at: usize, following: &mut Layer) -> Result<(), Found> {
        let (state, from) = (layer.state(at), layer.first + number(at));
        let (mut steps, mut next) = (Vec::new(), State::new());
        self.model.steps(state, &mut steps);
        for step in steps {
            match self.model.take(state, step, &mut next) {
                Taken::Nothing => {}
                Taken::State => {
                    self.progress.steps += 1;
                    let fingerprint = self.fingerprint(&next);
                    if self.visited.insert(fingerprint, from) {
                        following.push(&next);
                    }
                }
                Taken::Violation(violation) => {
                    self.progress.depth += 1;
                    let mut way = self.way_to(from);
                    way.push(step);
                    return Err(Found { violation, steps: script::written(&mut self.model, &way) });
                }
            }
        }
        Ok(())
    }

    /// The steps that lead to a state: found anew from its forebears' fingerprints.
    fn way_to(&mut self, number: u32) -> Vec<Step> {
        let mut forebears = vec![number];
        while let Some(number) = forebears.last().copied().filter(|number| *number != 0) {
            forebears.push(self.visited.parent(number));
        }
        let (mut state, mut next, mut steps) = (self.model.first_state(), State::new(), Vec::new());
        let mut way = Vec::new();
        for number in forebears.iter().rev().skip(1) {
            self.model.steps(&state, &mut steps);
            let fingerprint = self.visited.fingerprint(*number);
            let leads_there = |step: &&Step| {
                self.model.take(&state, **step, &mut next) == Taken::State
                    && fingerprint_of(&next, &mut self.bytes) == fingerprint
            };
            way.push(*steps.iter().find(leads_there).expect("a state was reached from the one before it"));
            std::mem::swap(&mut state, &mut next);
        }
        way
    }

    fn look(&mut self) {
        self.progress.states = self.visited.len() as u64;
        self.progress.local = self.model.sizes();
    }

    fn fingerprint(&mut self, state: &[u32]) -> u64 {
        fingerprint_of(state, &mut self.bytes)
    }
}

fn number(states: usize) -> u32 {
    u32::try_from(states).expect("memory ends before the numbers do")
}

fn fingerprint_of(state: &[u32], bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    state.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    xxh3_64(bytes)
}
