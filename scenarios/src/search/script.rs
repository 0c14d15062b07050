//! A way through the states as a scenario file, and back: steps in words, and what comes of them.
//!
//! The section `explore` says which world it is, and each step what happens in it:
//!
//! ```text
//! explore nodes=3 prompt_disk=yes
//! s1 campaign n0
//! s2 deliver n0>n1#1
//! s3 crash n1 done=0
//! ```
//!
//! `n0>n1#2` is the second message that `n0` sends to `n1`. A step that the world cannot take, such as the arrival of a message
//! that was never sent, is passed over and told ([`Replayed::missed`]): the code has changed, and the file may show nothing any
//! more. That the core refuses what it is asked, or learns nothing from a message, is an answer of its own, and mostly the one
//! that is wanted. A replay knows no bounds but that nothing is done more than 255 times, and no message is used up.

use std::collections::BTreeMap;

use squall_raft::NodeId;
use squall_sim::Violation;
use squall_sim::scenario::{Expected, Fields, Misfit, Scenario, Section, Step as Line, Subject};
use xxhash_rust::xxh3::xxh3_128;

use super::bounds::{Bounds, DiskPace, Start};
use super::breadth::Found;
use super::intern::Id;
use super::model::{Model, State, Step, Taken};
use super::node::{Fate, Input};

/// The section that makes a scenario one of steps.
pub(crate) const SECTION: &str = "explore";

/// What came of a scenario's steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// What is wrong, if anything.
    pub violation: Option<Violation>,
    /// Each step, what it was, and how its node stands after it.
    pub story: Vec<String>,
    /// Steps that led to another state; the others were refused, changed nothing, or could not be taken.
    pub taken: u64,
    /// Which steps could not be taken, and why.
    pub missed: Vec<String>,
    /// Of all that happened.
    pub hash: u128,
}

/// The scenario of what a search has found.
#[must_use]
pub fn scenario_of(bounds: &Bounds, found: &Found) -> Scenario {
    Scenario {
        notes: vec![found.violation.message.clone()],
        sections: vec![section_of(bounds)],
        steps: found.steps.clone(),
        expected: Some(Expected::Failed(found.violation.class.to_owned())),
        ..Scenario::default()
    }
}

fn section_of(bounds: &Bounds) -> Section {
    let mut fields = Fields::write(SECTION);
    world_fields(&mut fields, &mut bounds.clone());
    fields.into_section()
}

fn world_fields(fields: &mut Fields, bounds: &mut Bounds) {
    let (mut elected, mut prompt) = (bounds.start == Start::Elected, bounds.disk == DiskPace::Prompt);
    fields.number("nodes", &mut bounds.nodes);
    fields.number("spares", &mut bounds.spares);
    fields.flag("elected", &mut elected);
    fields.flag("prompt_disk", &mut prompt);
    fields.flag("one_entry_messages", &mut bounds.one_entry_messages);
    bounds.start = if elected { Start::Elected } else { Start::Fresh };
    bounds.disk = if prompt { DiskPace::Prompt } else { DiskPace::Free };
}

/// The world of a scenario, in which anything may happen any number of times.
fn world_of(scenario: &Scenario) -> Result<Bounds, Misfit> {
    let mut bounds = Bounds::of(3);
    for section in &scenario.sections {
        if section.name != SECTION {
            let expected = format!("`{SECTION}` alone, or none of that name");
            return Err(Misfit::of_section(&section.name, "a scenario of steps has no time", expected));
        }
        let mut fields = Fields::read(section);
        world_fields(&mut fields, &mut bounds);
        fields.finish()?;
    }
    if let Some(event) = scenario.events.first() {
        return Err(Misfit {
            subject: Subject::Event(event.id),
            what: "a scenario of steps has no time".to_owned(),
            expected: "steps alone, as `s1 campaign n0`".to_owned(),
        });
    }
    if let Some(decision) = scenario.decisions.first() {
        return Err(Misfit {
            subject: Subject::Decision(decision.key),
            what: "a scenario of steps decides nothing beside them".to_owned(),
            expected: "steps alone, as `s1 campaign n0`".to_owned(),
        });
    }
    bounds.check().map_err(|(key, what, expected)| Misfit::of_key(SECTION, key, what, expected))?;
    let any = u8::MAX;
    let (elections, proposals, crashes, changes, heartbeats) = (any, any, any, any, any);
    let (duplicates, symmetry, drops_spent) = (None, false, false);
    Ok(Bounds {
        elections,
        proposals,
        crashes,
        changes,
        heartbeats,
        duplicates,
        symmetry,
        drops_spent,
        ..bounds
    })
}

/// All messages that were sent, by the link and in order.
#[derive(Default)]
struct Sent(BTreeMap<(NodeId, NodeId), Vec<Id>>);

impl Sent {
    fn note(&mut self, model: &mut Model, state: &[u32], step: Step) {
        for id in model.sent(state, step).to_vec() {
            let message = model.message(id);
            self.0.entry((message.from, message.to)).or_default().push(id);
        }
    }

    /// The name of a message: the first one on its link that says the same.
    fn name(&self, model: &Model, id: Id) -> String {
        let message = model.message(id);
        let link = self.0.get(&(message.from, message.to));
        let place = link.and_then(|link| link.iter().position(|sent| *sent == id));
        format!("{}>{}#{}", message.from, message.to, place.expect("it was sent before it arrives") + 1)
    }
}

/// The steps of a way in words.
pub(super) fn written(model: &mut Model, way: &[Step]) -> Vec<Line> {
    let (mut state, mut next, mut sent) = (model.first_state(), State::new(), Sent::default());
    let mut lines = Vec::new();
    for (id, step) in (1..).zip(way) {
        let node = format!("n{}", step.node);
        let mut words: Vec<String> = match step.input {
            Input::Campaign => vec!["campaign".to_owned(), node],
            Input::Heartbeat => vec!["heartbeat".to_owned(), node],
            Input::Propose(_) => vec!["propose".to_owned(), node],
            Input::Remove(other) => vec!["remove".to_owned(), node, format!("n{other}")],
            Input::Add(other) => vec!["add".to_owned(), node, format!("n{other}")],
            Input::Deliver(id) => vec!["deliver".to_owned(), sent.name(model, id)],
            Input::Persisted => vec!["persisted".to_owned(), node],
            Input::Crash(done) => vec!["crash".to_owned(), node, format!("done={done}")],
        };
        if let Fate::Lost(done) = step.fate {
            words.push(format!("crash={done}"));
        }
        lines.push(Line { id, words });
        sent.note(model, &state, *step);
        if model.take(&state, *step, &mut next) == Taken::State {
            std::mem::swap(&mut state, &mut next);
        }
    }
    lines
}

/// Runs the steps of a scenario.
///
/// # Errors
/// Where a line makes no sense.
pub fn replay(scenario: &Scenario) -> Result<Replayed, Misfit> {
    let mut model = Model::new(world_of(scenario)?);
    let (mut state, mut next, mut sent) = (model.first_state(), State::new(), Sent::default());
    let (mut story, mut taken, mut violation, mut proposals) = (Vec::new(), 0, None, 0);
    let mut missed = Vec::new();
    for line in &scenario.steps {
        let step = read(line, &model, &sent, proposals)?;
        let step = step.and_then(|step| check_writes(step, &model, &state));
        let step = match step {
            Ok(step) => step,
            Err(why) => {
                story.push(format!("s{} {}: {why}", line.id, line.words.join(" ")));
                missed.push(format!("s{} was not taken: `{}`, and {why}", line.id, line.words.join(" ")));
                continue;
            }
        };
        proposals += u8::from(matches!(step.input, Input::Propose(_)));
        let told = step.input.message().map_or_else(String::new, |id| format!(" ({})", model.message(id)));
        let told = format!("s{} {}{told}", line.id, line.words.join(" "));
        let mut says = |what: String| story.push(format!("{told}: {what}"));
        match model.take(&state, step, &mut next) {
            Taken::Nothing => says("nothing happens".to_owned()),
            Taken::State => {
                sent.note(&mut model, &state, step);
                std::mem::swap(&mut state, &mut next);
                let status = model.node(&state, step.node).status();
                let (id, role, term) = (status.id, status.role, status.current_term);
                let (last, commit) = (status.last_log, status.commit_index);
                says(format!("{id} {role:?} of term {term}, log to {last}, committed to {commit}"));
                taken += 1;
            }
            Taken::Violation(found) => {
                says(format!("{}: {}", found.class, found.message));
                violation = Some(found);
                break;
            }
        }
    }
    let hash = xxh3_128(story.join("\n").as_bytes());
    Ok(Replayed { violation, story, taken, missed, hash })
}

/// A step again, or why the node's disk cannot do it.
fn check_writes(step: Step, model: &Model, state: &[u32]) -> Result<Step, String> {
    let parts = model.parts_under_way(state, step.node);
    let wanted = match step.input {
        Input::Persisted => 1,
        Input::Crash(done) => done,
        Input::Campaign
        | Input::Heartbeat
        | Input::Propose(_)
        | Input::Remove(_)
        | Input::Add(_)
        | Input::Deliver(_) => 0,
    };
    if wanted <= parts {
        return Ok(step);
    }
    Err(match parts {
        0 => format!("n{} has no write under way", step.node),
        1 => format!("n{} has a write of one part under way", step.node),
        _ => format!("n{} has writes of {parts} parts under way", step.node),
    })
}

/// What a line says; or, where it names a message that was not sent, what was.
fn read(line: &Line, model: &Model, sent: &Sent, proposals: u8) -> Result<Result<Step, String>, Misfit> {
    let misfit = |word: usize, expected: &str| Misfit {
        subject: Subject::Step { id: line.id, word },
        what: line.words.get(word).map_or("the line ends".to_owned(), |word| format!("`{word}` stands here")),
        expected: expected.to_owned(),
    };
    let (mut words, mut fate) = (&line.words[..], model.fate());
    if let Some(done) = words.last().and_then(|word| word.strip_prefix("crash=")) {
        let place = words.len() - 1;
        let done = done
            .parse()
            .map_err(|_| misfit(place, "`crash=` and how many parts of writes were done, as `crash=0`"))?;
        (fate, words) = (Fate::Lost(done), &words[..place]);
    }
    let all = model.bounds().all_nodes();
    let node = |place: usize| {
        let id = words.get(place).and_then(|word| node_of(word)).filter(|id| *id < all);
        id.ok_or_else(|| misfit(place, &format!("a node, `n0` to `n{}`", all - 1)))
    };
    let (count, node, input) = match words.first().map(String::as_str) {
        Some("campaign") => (2, node(1)?, Input::Campaign),
        Some("heartbeat") => (2, node(1)?, Input::Heartbeat),
        Some("propose") if proposals == u8::MAX => return Err(misfit(0, "no more than 255 proposals")),
        Some("propose") => (2, node(1)?, Input::Propose(proposals)),
        Some("remove") => (3, node(1)?, Input::Remove(node(2)?)),
        Some("add") => (3, node(1)?, Input::Add(node(2)?)),
        Some("persisted") => (2, node(1)?, Input::Persisted),
        Some("crash") => {
            let done = words.get(2).and_then(|word| word.strip_prefix("done=")?.parse().ok());
            let expected = "`done=` and how many parts of the writes under way were done, as `done=0`";
            (3, node(1)?, Input::Crash(done.ok_or_else(|| misfit(2, expected))?))
        }
        Some("deliver") => {
            let link = words.get(1).and_then(|word| link_of(word));
            let link = link.filter(|(from, to, place)| *from < all && *to < all && *place > 0);
            let (from, to, place) =
                link.ok_or_else(|| misfit(1, "a message by its link and its place there, as `n0>n1#1`"))?;
            let link = sent.0.get(&(NodeId(from.into()), NodeId(to.into())));
            match link.and_then(|link| link.get(place - 1)) {
                Some(id) => (2, to, Input::Deliver(*id)),
                None => {
                    let sent = match link.map_or(0, Vec::len) {
                        0 => "nothing".to_owned(),
                        1 => "one message".to_owned(),
                        many => format!("{many} messages"),
                    };
                    return Ok(Err(format!("n{from} has sent n{to} {sent} so far")));
                }
            }
        }
        Some(_) | None => {
            let expected =
                "`campaign`, `heartbeat`, `propose`, `remove`, `add`, `deliver`, `persisted` or `crash`";
            return Err(misfit(0, expected));
        }
    };
    if words.len() > count {
        return Err(misfit(count, "the end of the line"));
    }
    Ok(Ok(Step { node, input, fate, keeps: true }))
}

fn node_of(word: &str) -> Option<u8> {
    word.strip_prefix('n')?.parse().ok()
}

fn link_of(word: &str) -> Option<(u8, u8, usize)> {
    let (link, place) = word.split_once('#')?;
    let (from, to) = link.split_once('>')?;
    Some((node_of(from)?, node_of(to)?, place.parse().ok()?))
}
