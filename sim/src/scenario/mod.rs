//! The text form of one concrete run: a `.scn` file.
//!
//! A scenario needs no seed. It states the run's parameters, its faults, and every decision that is not the
//! default; it says what is expected of the run. Line by line, in a fixed order and spelling, so that two
//! scenarios can be compared by `diff` and a shrunk failure can be read:
//!
//! ```text
//! squall-scenario 1
//! # The old leader is cut off and comes back after another was elected.
//! cluster voters=3 clients=1
//! network delay_us_min=1000 fifo=0
//! e1 @2s partition isolate=most-prominent for=300ms
//! e4 @n2:leads+30ms since=e1:begins crash n2 kind=power outage=500ms after-disk-operations=2
//! net n0>n2#17 delay=1203 loss=1
//! expect failed ElectionSafety
//! hash 0f1e2d3c4b5a69788796a5b4c3d2e1f0
//! ```
//!
//! What the sections' keys mean is not known here: whoever reads a section checks it. Comments stand on
//! lines of their own; those before the first other line, but for that of the version, are kept as the scenario's notes,
//! others are not.

mod anchor;
mod decision;
mod error;
mod fault;
mod fields;
#[cfg(test)]
mod garbled;
mod line;
mod misfit;
mod parameters;
mod parse;
mod section;
mod step;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod write;

pub(crate) use error::Complaint;
pub use error::ScenarioError;
pub use fields::Fields;
pub use misfit::{Misfit, Subject};
pub use parameters::{is_parameter_section, parameters_from, section_names, sections_of};
pub use parse::parse;
pub use section::Section;
pub use step::Step;

use std::collections::BTreeSet;

use crate::anchor::Turn;
use crate::choice::{Choice, Decision};
use crate::fault::FaultEvent;
use crate::parameters::Parameters;

/// The version of the text form that is written and read.
pub const VERSION: u32 = 1;

/// One concrete run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scenario {
    /// What a reader should know, one line each; a note never ends in white space.
    pub notes: Vec<String>,
    /// The run's parameters, in the order in which they are written.
    pub sections: Vec<Section>,
    /// The faults; each has a number of its own.
    pub events: Vec<FaultEvent>,
    /// What was decided otherwise than by default, in the order of [`Scenario::sort_decisions`].
    pub decisions: Vec<Decision>,
    /// What happens, where the run is one of steps and not of time; in the order of their numbers.
    pub steps: Vec<Step>,
    /// What must come of it, if anything is stated.
    pub expected: Option<Expected>,
    /// The hash of the run's trace, if it is stated.
    pub hash: Option<u128>,
}

/// What must come of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Everything holds.
    Passed,
    /// A violation of this class.
    Failed(String),
}

impl Scenario {
    /// Brings the decisions into the order of the text form: by the event that is decided, then as they were
    /// taken. A recording has them by time, which says less to a reader.
    pub fn sort_decisions(&mut self) {
        self.decisions.sort_by_key(|decision| decision.key);
    }

    /// The decisions as a source for a run.
    #[must_use]
    pub fn choice(&self) -> Choice {
        Choice::from_script(self.decisions.iter().cloned())
    }

    /// The simulator's own parameters, out of the sections; what is not stated is as in
    /// [`Parameters::calm`].
    ///
    /// # Errors
    /// Where a value cannot be read, a key is not known, the whole cannot be simulated, a fault or a
    /// decision concerns a process or a client that there is not, or a fault waits for what cannot come.
    pub fn parameters(&self) -> Result<Parameters, Misfit> {
        let parameters = parameters_from(&self.sections)?;
        let (processes, clients) = (parameters.processes(), parameters.clients.count);
        for event in &self.events {
            fault::check(event, processes)?;
        }
        crate::anchor::check(&self.events).map_err(Subject::misfit_of_anchor)?;
        for decision in &self.decisions {
            let complain = |complaint| Subject::Decision(decision.key).misfit(complaint);
            decision::check(decision.key, processes, clients).map_err(complain)?;
            decision::check_field(decision).map_err(complain)?;
        }
        Ok(parameters)
    }

    /// Says whether all milestones that faults wait for are among these, which the processes name.
    ///
    /// # Errors
    /// Where one is not.
    pub fn check_milestones(&self, known: &[&str]) -> Result<(), Misfit> {
        crate::anchor::check_milestones(&self.events, known).map_err(Subject::misfit_of_anchor)
    }

    /// Says which line has no effect in any run, as far as the file alone can tell. Such a scenario can be run; who wrote the
    /// line by hand wants to know.
    ///
    /// # Errors
    /// Where a fault strikes when the storm is over that the file states, or a link leads from a process to itself.
    pub fn check_effects(&self) -> Result<(), Misfit> {
        let safety_us = self.stated_safety_us();
        for event in &self.events {
            if safety_us.is_some_and(|safety_us| event.is_late(safety_us)) {
                let expected = "a time before that of `limits safety=`, or a longer storm";
                let complaint = Complaint::new("it would strike when the storm is over", expected);
                return Err(Subject::Milestone(event.id).misfit(complaint));
            }
            if let Some(link) = event.fault.links().iter().find(|link| link.from == link.to) {
                let subject = Subject::Word { event: event.id, word: link.to_string() };
                return Err(subject.misfit(decision::own_link()));
            }
        }
        match self.decisions.iter().find(|decision| decision::is_of_own_link(decision.key)) {
            Some(decision) => Err(Subject::Decision(decision.key).misfit(decision::own_link())),
            None => Ok(()),
        }
    }

    /// Takes out the faults that strike when the storm is over, and those that wait for them.
    pub fn drop_late(&mut self) {
        if let Some(safety_us) = self.stated_safety_us() {
            self.events.retain(|event| !event.is_late(safety_us));
            self.drop_orphans();
        }
    }

    /// How long the storm lasts, where that is stated.
    fn stated_safety_us(&self) -> Option<u64> {
        value::duration_us(self.section("limits")?.get("safety")?).ok()
    }

    /// Takes out what concerns a process or a client that is not among so many, and the faults that wait for such a one.
    pub fn retain_for(&mut self, processes: u32, clients: u32) {
        self.sections.retain(|section| parameters::concerns_one_of(section, processes));
        self.events.retain(|event| fault::check(event, processes).is_ok());
        self.drop_orphans();
        self.decisions.retain(|decision| decision::check(decision.key, processes, clients).is_ok());
    }

    /// Takes out the faults that wait for one that is not there, and those that wait for them.
    pub fn drop_orphans(&mut self) {
        loop {
            let before = self.events.len();
            let there: BTreeSet<u32> = self.events.iter().map(|event| event.id).collect();
            let is_there = |turn: Turn| there.contains(&turn.event());
            self.events.retain(|event| event.turn().is_none_or(is_there));
            if self.events.len() == before {
                return;
            }
        }
    }

    /// The section of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}
