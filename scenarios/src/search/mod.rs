//! Bounded exhaustive search over the real core: every interleaving of what may happen to a few nodes, a stated number of
//! times.
//!
//! *What happens.* A node campaigns; a leader proposes, changes the membership, sends heartbeats; a message arrives, in
//! any order with others, perhaps again; a write is done; the power fails on a node, which leaves any number of its
//! writes under way done, in order, and of the next one perhaps term and vote; it starts again from what the real storage recovers. After every step the ghost
//! judges (`ghost`): who led, what is committed, whether logs match. See docs/exploration.md.
//!
//! *What does not.* No time passes but what a heartbeat takes, so that pre-votes, the check of the quorum, leases and reads are
//! off. There are no snapshots and no damaged disks. A node that is down is one to which nothing arrives.
//!
//! *Losses* need no steps. No delivery is ever forced, so that whatever can happen after a message was lost can happen
//! while it is still under way, and is searched there: any number of losses is covered.
//!
//! *Reductions*, and why they hide nothing:
//! - The ghost looks at nodes only, so a state with fewer messages, and otherwise alike, can go nowhere where the one with
//!   more cannot. A delivery that changes no node, and is not answered, is not taken.
//! - Nodes are alike until something happens to them. In every state that is met, exchanging two that are *untouched* gives the same state
//!   back: that holds at first, and a step treats alike those that it does not name, for the core compares ids for
//!   equality only. So of steps that touch an untouched node, those on the first suffice. Where the membership changes the core
//!   does not: a leader that was removed hands over to the lower id of two that are as good. There all nodes are tried.
//! - A message is dropped if its receiver will never take notice of it. Which are is guessed, and the guess is held
//!   against every state of the receiver, and every step from it, when the search is over; what was guessed wrongly is kept, and
//!   the search begins anew. So nothing about the core is presupposed (`model`).
//! - The core's random timeouts are forgotten ([`squall_raft::Raft::forget_draw`]): nobody waits for them.

mod bounds;
mod breadth;
mod disk;
mod ghost;
mod intern;
mod left;
mod model;
mod node;
mod script;
#[cfg(test)]
mod tests;
mod visited;

pub use bounds::{Bounds, DiskPace, Start};
pub use breadth::{End, Found, Progress, search};
pub use script::{Replayed, replay, scenario_of};

pub(crate) use script::SECTION;
