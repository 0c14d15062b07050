//! The world that is searched: which steps a state has, and what each leads to.
//!
//! A state is a handful of numbers: of each node's own state, of what was seen so far ([`super::ghost`]), of the
//! messages under way, and what is left of the bounds. The numbers stand for values that are kept once
//! ([`super::intern`]); and a step of one node on one input is taken once, by the real core, and looked up from then
//! on. What is searched are millions of combinations of some thousand steps.

use squall_raft::Message;
use squall_sim::Violation;

use super::bounds::{Bounds, DiskPace, Start};
use super::ghost::{self, Ghost, Sight};
use super::intern::{Id, Interner};
use super::left::Left;
use super::node::{Answer, Behaviour, Fate, Input, Node, Office, Stepped};

#[cfg(test)]
mod tests;

/// A state of the world: the numbers of the nodes, of the ghost, [`Left`] in two words, then the messages, rising.
pub(super) type State = Vec<u32>;

/// One step: something happens to one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) node: u8,
    pub(super) input: Input,
    pub(super) fate: Fate,
    /// The message that is delivered may arrive once more.
    pub(super) keeps: bool,
}

/// What a step leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// Nowhere: it changes nothing, or less than nothing ([`Model::take`]).
    Nothing,
    /// A state, which stands in the buffer given.
    State,
    /// Something that must not be.
    Violation(Violation),
}

/// What a step of one node comes to.
struct Effect {
    node: Id,
    /// What the node showed meanwhile, and in the end.
    shown: Vec<Id>,
    /// In the order in which they were sent, and rising.
    sent: Vec<Id>,
    sorted: Vec<Id>,
    /// Parts of the writes that the step gave rise to.
    parts: u8,
    /// What it said when it panicked.
    panic: Option<String>,
}

/// Where a message goes, and what it answers; nothing, too, where it must not be dropped ([`Model::misjudged`]).
#[derive(Clone, Copy)]
struct Address {
    to: u8,
    answer: Option<Answer>,
}

/// What is known of a node's own state.
struct Known {
    sight: Id,
    office: Office,
    /// Parts of the writes under way.
    parts: u8,
    /// The steps that were taken from it, sorted, with the number of what each came to; that of nothing is [`NOTHING`].
    steps: Vec<((Input, Fate), u32)>,
}

const NOTHING: u32 = u32::MAX;

/// The world, and all that was learnt of it.
pub(super) struct Model {
    bounds: Bounds,
    behaviour: Behaviour,
    nodes: Interner<Node>,
    known: Vec<Known>,
    first: Vec<Id>,
    messages: Interner<Message>,
    /// Of each message.
    addresses: Vec<Address>,
    effects: Vec<Effect>,
    sights: Interner<Sight>,
    ghosts: Interner<Ghost>,
    /// For each ghost what it becomes after a sight, sorted.
    after: Vec<Vec<(Id, Result<Id, Violation>)>>,
}

impl Model {
    pub(super) fn new(bounds: Bounds) -> Self {
        let behaviour = Behaviour { voters: bounds.nodes, one_entry_messages: bounds.one_entry_messages };
        let mut model = Self {
            bounds,
            behaviour,
            nodes: Interner::default(),
            known: Vec::new(),
            first: Vec::new(),
            messages: Interner::default(),
            effects: Vec::new(),
            sights: Interner::default(),
            ghosts: Interner::default(),
            after: Vec::new(),
            addresses: Vec::new(),
        };
        for id in 0..bounds.all_nodes() {
            let first = model.know(Node::first(id, behaviour));
            model.first.push(first);
        }
        model
    }

    /// The state in which the world begins.
    pub(super) fn first_state(&mut self) -> State {
        let left = Left::of(&self.bounds);
        let mut state = self.first.clone();
        state.push(self.ghost(Ghost::default()));
        state.extend(left.words());
        match self.bounds.start {
            Start::Fresh => state,
            Start::Elected => self.elected(state, left),
        }
    }

    /// Elects `n0`, and delivers whatever is sent, in order, until nothing is. It treats the others alike.
    fn elected(&mut self, mut state: State, left: Left) -> State {
        let ghost = self.place_of_ghost();
        let mut inputs = vec![(0, Input::Campaign)];
        while !inputs.is_empty() {
            let (node, input) = inputs.remove(0);
            let number = self.effect(state[usize::from(node)], input, Fate::Done);
            let Some(effect) = self.effects.get(number as usize) else { continue };
            assert_eq!(effect.panic, None, "an election without faults");
            state[usize::from(node)] = effect.node;
            inputs.extend(effect.sent.iter().map(|id| (self.receiver(*id), Input::Deliver(*id))));
            for sight in effect.shown.clone() {
                state[ghost] = self.ghost_after(state[ghost], sight).expect("an election without faults");
            }
        }
        state[ghost + 1..].copy_from_slice(&left.touching(0).words());
        state
    }

    fn place_of_ghost(&self) -> usize {
        self.first.len()
    }

    fn place_of_messages(&self) -> usize {
        self.first.len() + 3
    }

    fn left(&self, state: &[u32]) -> Left {
        Left::from_words(&state[self.place_of_ghost() + 1..])
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(super) fn message(&self, id: Id) -> &Message {
        self.messages.value(id)
    }

    /// A node in a state.
    pub(super) fn node(&self, state: &[u32], node: u8) -> &Node {
        self.nodes.value(state[usize::from(node)])
    }

    /// What a step sends, in order; it has been taken from this state.
    pub(super) fn sent(&mut self, state: &[u32], step: Step) -> &[Id] {
        let number = self.effect(state[usize::from(step.node)], step.input, step.fate);
        self.effects.get(number as usize).map_or(&[], |effect| &effect.sent)
    }

    fn receiver(&self, id: Id) -> u8 {
        self.addresses[id as usize].to
    }

    /// How many parts of writes of a node are under way.
    pub(super) fn parts_under_way(&self, state: &[u32], node: u8) -> u8 {
        self.known[state[usize::from(node)] as usize].parts
    }

    /// How writes end where the power does not fail.
    pub(super) fn fate(&self) -> Fate {
        match self.bounds.disk {
            DiskPace::Prompt => Fate::Done,
            DiskPace::Free => Fate::Wait,
        }
    }

    /// Puts the steps that a state may have into `steps`: some of them change nothing.
    pub(super) fn steps(&mut self, state: &[u32], steps: &mut Vec<Step>) {
        steps.clear();
        let (left, forever) = (self.left(state), self.bounds.duplicates.is_none());
        let (all, commands) = (0..self.bounds.all_nodes(), self.bounds.proposals - left.proposals());
        let mut push = |step: Step| {
            if left.after(step, forever).is_some() {
                steps.push(step);
            }
        };
        for node in all.clone().filter(|node| self.may_touch(*node, left)) {
            let step = |input| Step { node, input, fate: self.fate(), keeps: false };
            push(step(Input::Campaign));
            push(step(Input::Heartbeat));
            push(step(Input::Propose(commands)));
            for other in all.clone().filter(|other| self.may_touch(*other, left)) {
                push(step(Input::Remove(other)));
                push(step(Input::Add(other)));
            }
            let parts = self.parts_under_way(state, node);
            if parts > 0 {
                push(step(Input::Persisted));
            }
            if state[usize::from(node)] != self.first[usize::from(node)] {
                // That all of them are done is covered by their being done, and a crash after that.
                (0..parts.max(1)).for_each(|done| push(step(Input::Crash(done))));
            }
        }
        let messages = &state[self.place_of_messages()..];
        for (at, id) in messages.iter().enumerate() {
            let node = self.receiver(*id);
            if self.may_touch(node, left) && (at == 0 || messages[at - 1] != *id) {
                let step = Step { node, input: Input::Deliver(*id), fate: self.fate(), keeps: forever };
                push(step);
                if !forever {
                    push(Step { keeps: true, ..step });
                }
            }
        }
        if left.may_crash() {
            for at in 0..steps.len() {
                let step = steps[at];
                steps.extend(
                    (0..self.parts_of(state, step)).map(|done| Step { fate: Fate::Lost(done), ..step }),
                );
            }
        }
    }

    /// How many parts of writes a step does at once: after each of them, and before the first, the power may fail.
    fn parts_of(&mut self, state: &[u32], step: Step) -> u8 {
        let is_crash = matches!(step.input, Input::Crash(_));
        match step.fate {
            Fate::Done if !is_crash => {
                let number = self.effect(state[usize::from(step.node)], step.input, step.fate);
                self.effects.get(number as usize).map_or(0, |effect| effect.parts)
            }
            Fate::Done | Fate::Wait | Fate::Lost(_) => 0,
        }
    }

    /// Whether something may happen to this node: it was touched, or it is the first of those like it that were not. Where the
    /// membership changes all are tried: a leader that was removed hands over to the lower id of two that are as good.
    fn may_touch(&self, node: u8, left: Left) -> bool {
        let mut alike = if node < self.bounds.nodes { 0..node } else { self.bounds.nodes..node };
        let has_symmetry = self.bounds.symmetry && self.bounds.changes == 0;
        !has_symmetry || left.is_touched(node) || alike.all(|other| left.is_touched(other))
    }

    /// Takes a step, if it leads anywhere. A delivery that changes nothing but that the message is gone leads to less than
    /// what it came from: a message need never be delivered.
    pub(super) fn take(&mut self, state: &[u32], step: Step, next: &mut State) -> Taken {
        let place = usize::from(step.node);
        let number = self.effect(state[place], step.input, step.fate);
        let forever = self.bounds.duplicates.is_none();
        let left = self.left(state).after(step, forever);
        let (Some(effect), Some(left)) = (self.effects.get(number as usize), left) else {
            return Taken::Nothing;
        };
        if let Some(said) = &effect.panic {
            let message = format!("n{}: {said}", step.node);
            return Taken::Violation(Violation { class: "Panic", message });
        }
        next.clear();
        next.extend_from_slice(&state[..self.place_of_ghost()]);
        next[place] = effect.node;
        match self.judge(state, place, number) {
            Ok(ghost) => next.push(ghost),
            Err(violation) => return Taken::Violation(violation),
        }
        next.extend(left.words());
        let messages = &state[self.place_of_messages()..];
        let gone = step.input.message().filter(|_| !step.keeps);
        merge(messages, gone, &self.effects[number as usize].sorted, forever, next);
        if self.bounds.drops_spent {
            self.drop_spent(next);
        }
        let is_less = gone.is_some()
            && next.len() + 1 == state.len()
            && next[..self.place_of_messages()] == state[..self.place_of_messages()];
        if is_less { Taken::Nothing } else { Taken::State }
    }

    fn drop_spent(&self, state: &mut State) {
        let first = self.place_of_messages();
        let mut end = first;
        for at in first..state.len() {
            let Address { to, answer } = self.addresses[state[at] as usize];
            let office = self.known[state[usize::from(to)] as usize].office;
            if !answer.is_some_and(|answer| office.has_done_with(answer)) {
                state[end] = state[at];
                end += 1;
            }
        }
        state.truncate(end);
    }

    /// Holds what a node showed in a step against the others and the ghost, which it returns as it is then.
    fn judge(&mut self, state: &[u32], place: usize, number: u32) -> Result<Id, Violation> {
        let mut ghost = state[self.place_of_ghost()];
        let mut before = self.known[state[place] as usize].sight;
        for at in 0..self.effects[number as usize].shown.len() {
            let sight = self.effects[number as usize].shown[at];
            if sight != before {
                self.check_logs(&state[..self.place_of_ghost()], place, sight)?;
            }
            ghost = self.ghost_after(ghost, sight)?;
            before = sight;
        }
        Ok(ghost)
    }

    fn check_logs(&self, nodes: &[u32], place: usize, sight: Id) -> Result<(), Violation> {
        let sight = self.sights.value(sight);
        let others = nodes.iter().enumerate().filter(|(other, _)| *other != place);
        let mut others = others.map(|(_, node)| self.sights.value(self.known[*node as usize].sight));
        others.try_for_each(|other| ghost::check_log_matching(sight, other))
    }

    /// What a step of a node comes to: taken by the core where it was not taken before.
    fn effect(&mut self, node: Id, input: Input, fate: Fate) -> u32 {
        let step = (input, fate);
        let steps = &self.known[node as usize].steps;
        let place = match steps.binary_search_by_key(&step, |(known, _)| *known) {
            Ok(place) => return steps[place].1,
            Err(place) => place,
        };
        let message = input.message().map(|id| self.messages.value(id));
        let stepped = self.nodes.value(node).step(input, fate, message, self.behaviour);
        let number = self.note(node, stepped);
        self.known[node as usize].steps.insert(place, (step, number));
        number
    }

    fn note(&mut self, from: Id, stepped: Result<Stepped, String>) -> u32 {
        let effect = match stepped {
            Ok(Stepped { node, sent, parts, shown }) => {
                let node = self.know(node);
                let shown: Vec<Id> = shown.into_iter().map(|sight| self.sights.intern(sight)).collect();
                if node == from && sent.is_empty() && shown == [self.known[from as usize].sight] {
                    return NOTHING;
                }
                let sent: Vec<Id> = sent.into_iter().map(|message| self.message_id(message)).collect();
                let mut sorted = sent.clone();
                sorted.sort_unstable();
                Effect { node, shown, sent, sorted, parts, panic: None }
            }
            Err(said) => {
                let (shown, sent, sorted) = (Vec::new(), Vec::new(), Vec::new());
                Effect { node: from, shown, sent, sorted, parts: 0, panic: Some(said) }
            }
        };
        self.effects.push(effect);
        u32::try_from(self.effects.len() - 1).expect("memory ends before the numbers do")
    }

    fn message_id(&mut self, message: Message) -> Id {
        let to = u8::try_from(message.to.0).expect("a node of this world");
        let address = Address { to, answer: Answer::of(&message) };
        let id = self.messages.intern(message);
        if id as usize == self.addresses.len() {
            self.addresses.push(address);
        }
        id
    }

    fn know(&mut self, node: Node) -> Id {
        let (sight, office, parts) = (node.sight(), node.office(), node.parts());
        let id = self.nodes.intern(node);
        if id as usize == self.known.len() {
            let sight = self.sights.intern(sight);
            self.known.push(Known { sight, office, parts, steps: Vec::new() });
        }
        id
    }

    fn ghost(&mut self, ghost: Ghost) -> Id {
        let id = self.ghosts.intern(ghost);
        self.after.resize_with(self.ghosts.len(), Vec::new);
        id
    }

    fn ghost_after(&mut self, ghost: Id, sight: Id) -> Result<Id, Violation> {
        let known = &self.after[ghost as usize];
        let place = match known.binary_search_by_key(&sight, |(known, _)| *known) {
            Ok(place) => return known[place].1.clone(),
            Err(place) => place,
        };
        let after = self.ghosts.value(ghost).after(self.sights.value(sight));
        let after = after.map(|after| self.ghost(after));
        self.after[ghost as usize].insert(place, (sight, after.clone()));
        after
    }

    /// After a search: keeps from now on the messages that were dropped as spent and may not have been, and returns how many there
    /// are. A message is spent for a node's state if no later state of that node takes any notice of it. It was guessed
    /// ([`Office::has_done_with`]); here it is held against every state of that node that was met, and every step.
    pub(super) fn misjudged(&mut self) -> usize {
        if !self.bounds.drops_spent {
            return 0;
        }
        let all = 0..self.messages.len() as Id;
        let misjudged: Vec<Id> = all.filter(|id| !self.is_spent_where_it_looks_so(*id)).collect();
        misjudged.iter().for_each(|id| self.addresses[*id as usize].answer = None);
        misjudged.len()
    }

    fn is_spent_where_it_looks_so(&self, id: Id) -> bool {
        let (message, Address { answer, .. }) = (self.messages.value(id), self.addresses[id as usize]);
        let Some(answer) = answer else { return true };
        let looks_spent = |node: &Known| node.office.has_done_with(answer);
        let of_receiver =
            (0..).zip(&self.known).filter(|(node, _)| self.nodes.value(*node).id() == message.to);
        of_receiver.filter(|(_, known)| looks_spent(known)).all(|(node, known)| {
            let mut effects = known.steps.iter().filter_map(|(_, number)| self.effects.get(*number as usize));
            effects.all(|effect| looks_spent(&self.known[effect.node as usize]))
                && self.nodes.value(node).takes_no_notice_of(message, self.behaviour)
        })
    }

    /// How many of each were met: nodes' own states, messages, steps of one node.
    pub(super) fn sizes(&self) -> [u64; 3] {
        [self.nodes.len(), self.messages.len(), self.effects.len()].map(|size| size as u64)
    }
}

/// The messages under way after a step. Where messages arrive any number of times, there is one of each.
fn merge(messages: &[Id], mut gone: Option<Id>, sent: &[Id], once: bool, out: &mut State) {
    let begin = out.len();
    let (mut old, mut new) = (messages.iter().copied().peekable(), sent.iter().copied().peekable());
    loop {
        let is_old = match (old.peek(), new.peek()) {
            (Some(left), Some(right)) => left <= right,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return,
        };
        let Some(id) = (if is_old { old.next() } else { new.next() }) else { return };
        if is_old && gone == Some(id) {
            gone = None;
        } else if !once || out[begin..].last() != Some(&id) {
            out.push(id);
        }
    }
}
