//! A copy of a disk is recovered in earnest, as a power loss would leave it now: all that was promised comes out.
//!
//! Term and vote are held against what the node has revealed, the log against what its core takes for durable. Of
//! the entries only the terms are compared here; their bytes are, where they are acknowledged and at each restart.

use squall_raft::{LogIndex, Recovered, Term};
use squall_sim::process::Violation;
use squall_sim::{ProcessId, SimDisk};
use squall_storage::Storage;

use crate::atlas::Damage;
use crate::invariants::Invariants;
use crate::server::{Server, node_id};

/// Checks the disk of a server that is up. One that was ruined need not open, and may lack a snapshot.
pub(crate) fn check(
    id: ProcessId,
    server: &Server,
    disk: &SimDisk,
    invariants: &Invariants,
    damage: &Damage,
) -> Result<(), Violation> {
    let setup = server.setup();
    let opened = Storage::open(&mut disk.worst_case_clone(), setup.identity(id), &setup.storage);
    let is_ruined = damage.is_ruined(id);
    if is_ruined && opened.is_err() {
        return Ok(());
    }
    let checked =
        opened.map_err(|error| format!("what does not open: {error}")).and_then(|(_, recovered)| {
            invariants
                .check_hard_state(node_id(id), recovered.hard_state)
                .map_err(|violation| format!("less than was said: {}", violation.message))?;
            let raft = server.replica().raft();
            let known = raft.snapshot().map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
            let found = recovered.lost_snapshot.or(recovered.snapshot);
            let found = found.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
            let is_missing = found < known && !is_ruined && !damage.has_snapshot(id, known);
            if is_missing {
                return Err(format!("a snapshot of {found}, where there is one of {known}"));
            }
            check_log(&recovered, raft.status().durable_index, |index| raft.term_at(index))
        });
    checked.map_err(|what| Violation {
        class: "RecoveryKeepsPromises",
        message: format!("{id}: a power loss now would leave {what}"),
    })
}

/// Checks the log up to `durable` against the terms of its entries, as far as the core still knows them. Terms never fall
/// along a log, so that a run which begins and ends in the right term is right throughout, and the runs leave nothing
/// out where the first follows the base, and a snapshot stands for all up to there. A log that does not hold the
/// snapshot's last entry is discarded for it, so that it need not be right.
fn check_log(
    recovered: &Recovered,
    durable: LogIndex,
    term_at: impl Fn(LogIndex) -> Option<Term>,
) -> Result<(), String> {
    let Recovered { snapshot, lost_snapshot, base, terms, last_index, .. } = recovered;
    let kept = lost_snapshot.or(*snapshot).map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
    if base.index > kept {
        return Err(format!("a log that begins after {base}, and a snapshot of {kept}"));
    }
    if durable <= kept {
        return Ok(());
    }
    if *last_index < durable {
        return Err(format!("a log that ends at {last_index}, where it is durable up to {durable}"));
    }
    let first = terms.first().map_or(LogIndex::ZERO, |run| run.index);
    if first != base.index.next() {
        return Err(format!("a log whose first known entry is {first}, where it begins after {base}"));
    }
    let ends = terms.iter().skip(1).map(|run| run.index.prev()).chain([*last_index]);
    for (run, end) in terms.iter().zip(ends).filter(|(run, _)| run.index <= durable) {
        let (first, end) = (run.index, end.min(durable));
        // What the core has compacted it cannot tell.
        let terms = [term_at(first).unwrap_or(run.term), term_at(end).unwrap_or(run.term)];
        if terms != [run.term; 2] {
            return Err(format!(
                "entries {first} to {end} of term {}, where they are of {terms:?}",
                run.term
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use squall_disk::Disk;
    use squall_raft::{LogPosition, NodeId};
    use squall_sim::{Choice, Time};

    use super::*;
    use crate::small_world::{Cluster, cluster};
    use crate::stage::{Cast, vote_response};

    /// The log of the core: 1@1 1@2 3@3 3@4, of which three entries are durable.
    fn checked(runs: &[(u64, u64)], last_index: u64) -> Result<(), String> {
        let terms = runs.iter().map(|(term, index)| LogPosition::new(*term, *index)).collect();
        let recovered = Recovered { terms, last_index: LogIndex(last_index), ..Recovered::default() };
        let term_at =
            |index: LogIndex| (1..=4).contains(&index.0).then_some(Term(if index.0 < 3 { 1 } else { 3 }));
        check_log(&recovered, LogIndex(3), term_at)
    }

    #[test]
    fn a_log_that_keeps_what_is_durable_is_right_whatever_follows() {
        assert_eq!(checked(&[(1, 1), (3, 3)], 3), Ok(()));
        assert_eq!(checked(&[(1, 1), (3, 3)], 4), Ok(()));
        assert_eq!(
            checked(&[(1, 1), (3, 3), (4, 4)], 9),
            Ok(()),
            "what is not durable may be there, or another"
        );
    }

    #[test]
    fn a_log_that_lost_or_changed_what_is_durable_is_caught() {
        for (runs, last_index, what) in [
            (&[(1, 1)][..], 2, "ends early"),
            (&[(1, 1), (2, 3)], 3, "has another last entry"),
            (&[(1, 1), (2, 2), (3, 3)], 3, "has another entry in the middle"),
            (&[(1, 1), (3, 2)], 3, "begins a term too early"),
            (&[(3, 1)], 3, "has the right last entry only"),
            (&[], 3, "knows no entry"),
            (&[(1, 2), (3, 3)], 3, "lacks its beginning"),
        ] {
            assert!(checked(runs, last_index).is_err(), "a log that {what}");
        }
    }

    const N1: ProcessId = ProcessId(1);

    /// A cluster that has served its clients for a while.
    fn busy() -> Cluster {
        let mut world = cluster("processes count=3\nlimits safety=5s\n");
        world.run_until(Time(2_000_000));
        world
    }

    /// Checks a disk as that of n1.
    fn checked_disk(world: &Cluster, disk: &SimDisk, invariants: &Invariants) -> Result<(), Violation> {
        check(N1, world.processes().process(N1).expect("it is up"), disk, invariants, &Damage::default())
    }

    fn nothing_said() -> Invariants {
        let nodes = [NodeId(0), NodeId(1), NodeId(2)];
        Invariants::new(&nodes, &nodes)
    }

    /// Another disk with all files of this one, whose bytes are synced or just written.
    fn copy_of(disk: &SimDisk, is_synced: bool) -> SimDisk {
        let mut source = disk.clone();
        source.settle();
        let mut copy = SimDisk::new(N1, Default::default(), Choice::from_seed(1));
        for name in source.list().expect("a sound disk") {
            let file = source.open(&name).expect("a sound disk");
            let mut bytes = vec![0; source.len(file).expect("a sound disk") as usize];
            source.read_at(file, 0, &mut bytes).expect("a sound disk");
            let file = copy.create(&name).expect("a fresh disk");
            copy.write_at(file, 0, &bytes).expect("a sound disk");
            if is_synced {
                copy.sync(file).expect("a sound disk");
            }
        }
        copy.sync_dir().expect("a sound disk");
        copy.settle();
        copy
    }

    #[test]
    fn a_disk_that_keeps_everything_is_right_and_so_is_a_copy_of_it() {
        let world = busy();
        let disk = world.processes().disk(N1);
        let durable = world.processes().process(N1).expect("it is up").status().durable_index;
        assert!(durable > LogIndex(10), "there is something to lose");
        assert_eq!(checked_disk(&world, disk, &nothing_said()), Ok(()));
        assert_eq!(checked_disk(&world, &copy_of(disk, true), &nothing_said()), Ok(()));
    }

    #[test]
    fn a_disk_that_would_lose_what_is_taken_for_durable_is_caught() {
        let world = busy();
        let processes = world.processes();
        let beginning = cluster("processes count=3\n");
        for (disk, what) in [
            (copy_of(processes.disk(N1), false), "what does not open"),
            (processes.disk(ProcessId(0)).clone(), "what does not open"),
            (beginning.processes().disk(N1).clone(), "a log that ends at 0"),
        ] {
            let violation = checked_disk(&world, &disk, &nothing_said()).expect_err(what);
            assert_eq!(violation.class, "RecoveryKeepsPromises");
            let expected = format!("n1: a power loss now would leave {what}");
            assert!(violation.message.starts_with(&expected), "{}", violation.message);
        }
    }

    #[test]
    fn a_disk_that_does_not_hold_the_vote_that_was_revealed_is_caught() {
        let world = busy();
        let mut cast = Cast::of_invariants(3);
        let voted = cast.event(1, |n| n.ticks().votes(1_000, 2).persists().sends(2, vote_response(true)));
        assert_eq!(voted, Ok(()));
        let violation = checked_disk(&world, world.processes().disk(N1), &cast.judge).expect_err("no vote");
        assert_eq!(violation.class, "RecoveryKeepsPromises");
        assert!(violation.message.contains("less than was said"), "{}", violation.message);
    }
}
