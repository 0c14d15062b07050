//! What became of the decisions that a script states: which were asked for, and which could be taken as they stand.
//!
//! A line of a scenario that decides nothing says something to its reader that is not so. A source of decisions keeps for
//! itself what it was asked; the world puts that together ([`crate::RunResult::unheeded`]). Seeds and bytes keep nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Decision, DrawKey, Fields};

/// Decisions that are stated, and those that were asked for.
#[derive(Clone, Debug)]
pub(super) struct Script {
    stated: Arc<BTreeMap<DrawKey, Fields>>,
    taken: Vec<Taken>,
}

/// A stated decision that was asked for.
#[derive(Clone, Debug)]
struct Taken {
    key: DrawKey,
    field: &'static str,
    stated: u64,
    value: u64,
}

/// What a script says of one event.
pub(super) struct OfEvent<'a> {
    key: DrawKey,
    fields: &'a [(Cow<'static, str>, u64)],
    taken: &'a mut Vec<Taken>,
}

impl Script {
    pub(super) fn of(stated: BTreeMap<DrawKey, Fields>) -> Script {
        Script { stated: Arc::new(stated), taken: Vec::new() }
    }

    /// The same decisions, of which none was asked for.
    pub(super) fn fork(&self) -> Script {
        Script { stated: Arc::clone(&self.stated), taken: Vec::new() }
    }

    /// What is stated of an event, if anything is.
    pub(super) fn of_event(&mut self, key: DrawKey) -> Option<OfEvent<'_>> {
        let fields = self.stated.get(&key)?;
        Some(OfEvent { key, fields, taken: &mut self.taken })
    }
}

impl OfEvent<'_> {
    /// The value of a field, brought to what can be; `None` where nothing is stated.
    pub(super) fn take(&mut self, field: &'static str, bring: impl FnOnce(u64) -> u64) -> Option<u64> {
        let (_, stated) = self.fields.iter().find(|(name, _)| name == field)?;
        let value = bring(*stated);
        self.taken.push(Taken { key: self.key, field, stated: *stated, value });
        Some(value)
    }
}

/// The decisions of a script that had no effect, or another one than they state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unheeded {
    /// Nobody asked for these.
    pub unasked: Vec<Decision>,
    /// These could not be as they are stated; what they were taken as stands beside them.
    pub clamped: Vec<(Decision, u64)>,
}

impl Unheeded {
    /// What some scripts with the same decisions did not heed between them.
    pub(super) fn of<'a>(scripts: impl Iterator<Item = &'a Script>) -> Unheeded {
        let scripts: Vec<&Script> = scripts.collect();
        let Some(first) = scripts.first() else { return Unheeded::default() };
        let taken = || scripts.iter().flat_map(|script| &script.taken);
        let asked: BTreeSet<(DrawKey, &str)> = taken().map(|taken| (taken.key, taken.field)).collect();
        let mut unasked = Vec::new();
        for (&key, fields) in &*first.stated {
            let of_key = fields.iter().filter(|(field, _)| !asked.contains(&(key, &**field)));
            unasked.extend(of_key.map(|(field, value)| Decision {
                key,
                field: field.clone(),
                value: *value,
            }));
        }
        let brought = taken().filter(|taken| taken.stated != taken.value);
        let clamped = brought.map(|Taken { key, field, stated, value }| {
            (Decision { key: *key, field: Cow::Borrowed(*field), value: *stated }, *value)
        });
        let mut clamped: Vec<(Decision, u64)> = clamped.collect();
        clamped.sort();
        clamped.dedup();
        Unheeded { unasked, clamped }
    }
}

/// Prints as on a line of a scenario: `net n0>n1#3 loss=1`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}={}", self.key, self.field, self.value)
    }
}
