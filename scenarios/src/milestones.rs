//! What a server tells when it comes to it, so that a fault of a scenario may wait for it: `@n1:leads+30ms`
//! (docs/debugging-a-seed.md, "Anchors").
//!
//! Each is a verb behind a server's name. What is written has been handed to the disk and is not durable yet; what is
//! sent leaves the server a moment before a fault that waits for it strikes.

/// The names, as scenarios spell them.
pub const NAMES: &[&str] = &[
    // It begins a life.
    "starts",
    // It asks for votes in a new term, having been granted pre-votes where there are such.
    "campaigns",
    // It gives its vote to another.
    "votes",
    // It becomes leader.
    "leads",
    // It is leader no longer, and lives on.
    "steps-down",
    // It hears of a leader that it did not know.
    "follows",
    // It writes entries to its log.
    "appends",
    // It takes entries in conflict out of its log.
    "truncates",
    // It tells a leader that it has entries on its disk.
    "acknowledges",
    // Its commit index advances.
    "commits",
    // It asks, or is asked, for a read that a quorum or a lease must confirm.
    "reads",
    // Such reads may be answered.
    "confirms-reads",
    // It has taken a snapshot of its own state.
    "takes-snapshot",
    // Its log begins anew behind a snapshot of another's.
    "installs-snapshot",
    // Its log puts a joint configuration in force.
    "enters-joint",
    // Its log puts an end to a joint configuration.
    "leaves-joint",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_on_scenarios_names_every_milestone_and_no_other() {
        let page = include_str!("../../docs/debugging-a-seed.md");
        let table = page.split("| milestone |").nth(1).expect("there is a table of them");
        let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<Vec<_>>(), super::NAMES);
    }
}
