//! Worlds that go another way: from some moment on other decisions are drawn, and other faults strike.
//!
//! A copy of a world that came into a rare situation, sent on many ways, sees what follows from that situation more often than fresh worlds
//! would, which seldom come there. What was decided stays; a recording of both parts replays as one run.

use super::World;
use crate::fault::FaultEvent;
use crate::mark::Marks;
use crate::process::{Oracle, Process, Workload};

impl<P: Process, O: Oracle<P>, W: Workload<P>> World<P, O, W> {
    /// From now on decisions follow from this seed, and of these faults those strike that are later than the one that is due next. The
    /// plan's own later faults do not. Faults get the numbers behind those of the plan.
    ///
    /// # Panics
    /// Where a fault waits for something (neither the plan's nor these may), or cannot be in this world.
    pub fn branch(&mut self, seed: u64, faults: Vec<FaultEvent>) {
        // The fault that is due next is in the queue already, and keeps its place.
        let is_one_due = (self.next_fault as usize) < self.plan.len();
        let kept = self.next_fault as usize + usize::from(is_one_due);
        let waits = |event: &FaultEvent| event.after.is_some();
        assert!(!self.plan.iter().chain(&faults).any(waits), "a branch cannot say what a fault waits for");
        self.choice.reseed(seed);
        self.slots.iter_mut().for_each(|slot| slot.disk.reseed(seed));
        let mut plan = self.plan[..kept].to_vec();
        let mut id = self.plan.iter().map(|event| event.id).max().unwrap_or(0);
        let due = plan.last().map_or(self.now, |event| event.at.max(self.now));
        let mut later: Vec<FaultEvent> = faults.into_iter().filter(|event| event.at > due).collect();
        later.sort_by_key(|event| event.at);
        for mut event in later {
            assert_eq!(event.check(self.parameters.processes()), Ok(()));
            id += 1;
            event.id = id;
            plan.push(event);
        }
        self.plan = plan.into();
        if !is_one_due {
            self.schedule_fault(self.next_fault);
        }
    }

    /// The faults of the run, those that struck and those that will.
    #[must_use]
    pub fn plan(&self) -> &[FaultEvent] {
        &self.plan
    }

    /// The marks that were reached so far: the framework's, and those of process, oracle and workload.
    #[must_use]
    pub fn marks(&self) -> (Marks, Marks) {
        let mut user_marks = self.user_marks;
        user_marks.add(self.oracle.marks());
        user_marks.add(self.workload.marks());
        (self.marks, user_marks)
    }
}
