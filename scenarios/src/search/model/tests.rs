//! The reduction by symmetry, held against all states: renaming nodes leads from states to states, and every state of the
//! whole search is one of the reduced search, renamed.
//!
//! A node's state cannot be renamed as a value, so it is as text: what `Debug` says of it, with other ids, and with every list
//! in one order. Lists whose order matters name positions or sequence numbers in what they hold.
//!
//! And what is remembered of a step that the power does not survive.

use std::collections::{BTreeMap, BTreeSet};

use squall_raft::{NodeId, Term};
use xxhash_rust::xxh3::xxh3_64;

use super::*;

/// What stands for each node.
type Renaming = Vec<u8>;

/// A state as the hashes of its parts.
type Key = Vec<u64>;

/// Hashes of the parts that were met, each by its number and the renaming, in octal digits.
#[derive(Default)]
struct Renamer {
    nodes: Hashes,
    messages: Hashes,
    ghosts: Hashes,
}

type Hashes = BTreeMap<(Id, u32), u64>;

impl Renamer {
    fn key(&mut self, model: &Model, state: &[u32], renaming: &Renaming) -> Key {
        let (ghost, first_message) = (model.place_of_ghost(), model.place_of_messages());
        let (mut touched, mut key) = (vec![false; ghost], vec![0; ghost]);
        let left = model.left(state);
        for (node, other) in (0_u8..).zip(renaming) {
            let id = state[usize::from(node)];
            let part = || sorted(&renamed(&without_draws(model.nodes.value(id)), renaming));
            key[usize::from(*other)] = hash(&mut self.nodes, id, renaming, part);
            touched[usize::from(*other)] = left.is_touched(node);
        }
        let id = state[ghost];
        let part = || renamed(&format!("{:?}", model.ghosts.value(id)), renaming);
        key.push(hash(&mut self.ghosts, id, renaming, part));
        let [spent, others] = left.words();
        key.extend([u64::from(spent), u64::from(others & 0xffff)]);
        key.extend(touched.into_iter().map(u64::from));
        let under_way = key.len();
        for id in &state[first_message..] {
            let part = || sorted(&renamed(&format!("{:?}", model.messages.value(*id)), renaming));
            key.push(hash(&mut self.messages, *id, renaming, part));
        }
        key[under_way..].sort_unstable();
        key
    }
}

fn hash(known: &mut Hashes, id: Id, renaming: &Renaming, part: impl FnOnce() -> String) -> u64 {
    let digits = renaming.iter().fold(0, |digits, digit| digits << 3 | u32::from(*digit));
    *known.entry((id, digits)).or_insert_with(|| xxh3_64(part().as_bytes()))
}

/// Equality leaves out the random stream, and so does this.
fn without_draws(node: &Node) -> String {
    let text = format!("{node:?}");
    let (before, rest) = text.split_once("random: ").expect("its stream is named");
    let (_, after) = rest.split_once(", now: ").expect("the time stands behind it");
    format!("{before}{after}")
}

/// The text with other ids; where ids follow each other, as in a configuration, they rise.
fn renamed(text: &str, renaming: &Renaming) -> String {
    let word = |word: &str| {
        let id = word.strip_prefix('n').and_then(|rest| rest.get(..1)?.parse::<usize>().ok());
        id.map_or_else(|| word.to_owned(), |id| format!("n{}{}", renaming[id], &word[2..]))
    };
    let pieces = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    let text: String = pieces.map(word).collect();
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let is_id = |word: &str| word.starts_with('n') && word[1..].parse::<u8>().is_ok();
    for run in words.chunk_by_mut(|left, right| is_id(left) && right.get(..2).is_some_and(is_id)) {
        if run.len() > 1 {
            let mut ids: Vec<String> = run.iter().map(|word| word[..2].to_owned()).collect();
            ids.sort_unstable();
            run.iter_mut().zip(&ids).for_each(|(word, id)| word.replace_range(..2, id));
        }
    }
    words.join(" ")
}

/// The text with the elements of every list in rising order.
fn sorted(text: &str) -> String {
    let (mut done, mut lists) = (String::new(), Vec::new());
    let mut depths = Vec::new();
    for letter in text.chars() {
        match letter {
            '[' => {
                lists.push((std::mem::take(&mut done), Vec::new()));
                depths.push(0);
            }
            ']' => {
                let (before, mut elements): (String, Vec<String>) = lists.pop().expect("a list that began");
                depths.pop();
                elements.push(std::mem::take(&mut done).trim().to_owned());
                elements.sort_unstable();
                done = format!("{before}[{}]", elements.join(", "));
            }
            ',' if depths.last() == Some(&0) => {
                let (_, elements) = lists.last_mut().expect("a list that began");
                elements.push(std::mem::take(&mut done).trim().to_owned());
            }
            _ => {
                if let Some(depth) = depths.last_mut() {
                    *depth += i32::from(matches!(letter, '(' | '{')) - i32::from(matches!(letter, ')' | '}'));
                }
                done.push(letter);
            }
        }
    }
    done
}

/// All states within the bounds.
fn reachable(bounds: Bounds) -> (Model, BTreeSet<State>) {
    let mut model = Model::new(bounds);
    let mut waiting = vec![model.first_state()];
    let mut states: BTreeSet<State> = waiting.iter().cloned().collect();
    let (mut steps, mut next) = (Vec::new(), State::new());
    while let Some(state) = waiting.pop() {
        model.steps(&state, &mut steps);
        for step in &steps {
            match model.take(&state, *step, &mut next) {
                Taken::State if states.insert(next.clone()) => waiting.push(next.clone()),
                Taken::State | Taken::Nothing => {}
                Taken::Violation(violation) => panic!("{violation:?}"),
            }
        }
    }
    assert_eq!(model.misjudged(), 0);
    (model, states)
}

fn renamings(nodes: u8) -> Vec<Renaming> {
    let Some(last) = nodes.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |shorter: Renaming| {
        (0..=shorter.len()).map(move |place| {
            let mut longer = shorter.clone();
            longer.insert(place, last);
            longer
        })
    };
    renamings(last).into_iter().flat_map(insert).collect()
}

/// Searches with and without symmetry; `alike` is how many renamings leave the first state as it is.
fn check(bounds: Bounds, alike: usize) {
    let (mut model, whole) = reachable(Bounds { symmetry: false, ..bounds });
    let first = model.first_state();
    let own: Renaming = (0..bounds.all_nodes()).collect();
    let mut renamer = Renamer::default();
    let first_key = renamer.key(&model, &first, &own);
    let mut group = renamings(bounds.all_nodes());
    group.retain(|renaming| renamer.key(&model, &first, renaming) == first_key);
    assert_eq!(group.len(), alike, "{bounds:?}");

    let keys: BTreeSet<Key> = whole.iter().map(|state| renamer.key(&model, state, &own)).collect();
    assert_eq!(keys.len(), whole.len(), "states that differ differ as text: {bounds:?}");
    let mut orbits = BTreeSet::new();
    for state in &whole {
        let images: BTreeSet<Key> =
            group.iter().map(|renaming| renamer.key(&model, state, renaming)).collect();
        assert!(images.is_subset(&keys), "a state, renamed, is none: {state:?}, {bounds:?}");
        orbits.extend(images.into_iter().next());
    }

    let (model, reduced) = reachable(Bounds { symmetry: true, ..bounds });
    let mut renamer = Renamer::default();
    let mut least = |state: &State| group.iter().map(|renaming| renamer.key(&model, state, renaming)).min();
    let found: BTreeSet<Key> = reduced.iter().filter_map(&mut least).collect();
    assert!(reduced.len() < whole.len(), "{bounds:?}");
    assert!(found == orbits, "{} of {} states up to renaming: {bounds:?}", found.len(), orbits.len());
}

#[test]
fn symmetry_hides_no_state_but_by_its_name() {
    let prompt = Bounds { disk: DiskPace::Prompt, ..Bounds::of(3) };
    for (bounds, alike) in [
        (Bounds { elections: 1, crashes: 1, ..Bounds::of(3) }, 6),
        (Bounds { elections: 2, ..prompt }, 6),
        (Bounds { elections: 2, drops_spent: false, ..prompt }, 6),
        (Bounds { nodes: 4, elections: 1, ..prompt }, 24),
        (Bounds { elections: 1, start: Start::Elected, ..prompt }, 2),
    ] {
        check(bounds, alike);
    }
}

#[test]
fn a_world_that_begins_elected_has_treated_the_others_alike() {
    for (nodes, spares, alike) in [(3, 2, 4), (4, 0, 6), (4, 2, 12), (5, 0, 24)] {
        for one_entry_messages in [false, true] {
            let bounds = Bounds { spares, start: Start::Elected, one_entry_messages, ..Bounds::of(nodes) };
            let (mut model, mut renamer) = (Model::new(bounds), Renamer::default());
            let first = model.first_state();
            let own: Renaming = (0..bounds.all_nodes()).collect();
            let first_key = renamer.key(&model, &first, &own);
            let is_alike = |renaming: &Renaming| renamer.key(&model, &first, renaming) == first_key;
            let group: Vec<Renaming> = renamings(bounds.all_nodes()).into_iter().filter(is_alike).collect();
            assert_eq!(group.len(), alike, "{bounds:?}");
        }
    }
}

/// The message to this node, where there is one only.
fn arrives(model: &Model, state: &[u32], node: u8) -> Input {
    let to_node: Vec<Id> =
        state[model.place_of_messages()..].iter().copied().filter(|id| model.receiver(*id) == node).collect();
    let [id] = to_node[..] else { panic!("one message to n{node}: {to_node:?}") };
    Input::Deliver(id)
}

#[test]
fn who_loses_its_power_in_the_step_that_made_it_leader_has_led() {
    let bounds = Bounds { elections: 1, crashes: 1, disk: DiskPace::Prompt, ..Bounds::of(3) };
    let mut model = Model::new(bounds);
    let (mut state, mut next) = (model.first_state(), State::new());
    for (node, fate) in [(0, Fate::Done), (1, Fate::Done), (0, Fate::Lost(0))] {
        let has_begun = state.len() > model.place_of_messages();
        let input = if has_begun { arrives(&model, &state, node) } else { Input::Campaign };
        let step = Step { node, input, fate, keeps: false };
        assert_eq!(model.take(&state, step, &mut next), Taken::State, "{step:?}");
        std::mem::swap(&mut state, &mut next);
    }
    assert!(!model.sights.value(model.known[state[0] as usize].sight).leads, "it has crashed");
    let rival = Sight { node: NodeId(1), term: Term(1), leads: true, log: Vec::new(), commit: 0 };
    let rival = model.sights.intern(rival);
    let seen = model.ghost_after(state[model.place_of_ghost()], rival);
    assert_eq!(seen.map_err(|violation| violation.class), Err("ElectionSafety"));
}
