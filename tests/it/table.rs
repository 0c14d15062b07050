//! The table of "Protocol-Aware Recovery for Consensus-Based Storage" (Alagappan et al., FAST '18), and what the paper left
//! out.
//!
//! A cluster with committed and uncommitted entries is stopped, its disks are damaged, one choice of pieces after the other,
//! and it is started again. Whatever has a sound copy somewhere must come back, and where something that was committed has
//! none, nothing may be served. What is to be expected is worked out without the code under test (see `damage.rs`). No
//! message is lost here: this is about damage. `cargo test -p squall-tests table:: -- --nocapture` shows the counts.

mod cluster;
mod damage;
mod disk;

use std::collections::{BTreeMap, BTreeSet};

use squall_replica::SnapshotPolicy;
use squall_storage::{Part, Piece};

use cluster::Cluster;
use damage::{Draws, Expected, How, Place, Scene, entry_of, is_data};

/// A cluster that can recover has so many ticks; its election timeout is 15 to 30.
const PATIENCE: u64 = 3_000;
/// One that cannot is watched for so many.
const WATCHED: u64 = 600;

/// What was expected how often.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<Expected, u64>,
    /// Of those that may serve, how many do.
    served: u64,
    cases: u64,
}

impl Tally {
    /// Damages a scene, and fails where it does not do what it has to.
    fn judge(&mut self, scene: &Scene, damaged: &BTreeSet<Place>, how: How) {
        let expected = scene.expected(damaged);
        let ticks = match expected {
            Expected::Recovers | Expected::GoesOn => PATIENCE,
            Expected::Waits | Expected::Either => WATCHED,
        };
        let (ran, _) = scene.run(damaged, how, self.cases, ticks);
        if !ran.is_right(expected) {
            let pieces: Vec<String> = damaged.iter().map(|place| told(scene, *place)).collect();
            panic!(
                "{}: expected {expected:?}, found {ran:?}, after {how:?} of\n  {}",
                scene.name,
                pieces.join("\n  ")
            );
        }
        self.cases += 1;
        self.served += u64::from(expected == Expected::Either && ran.is_served);
        *self.counts.entry(expected).or_default() += 1;
    }

    fn count(&self, expected: Expected) -> u64 {
        self.counts.get(&expected).copied().unwrap_or(0)
    }

    fn tell(&self, table: &str) {
        let [recovers, goes_on, waits, either] =
            [Expected::Recovers, Expected::GoesOn, Expected::Waits, Expected::Either]
                .map(|expected| self.count(expected));
        print!("{table}: {} cases: {recovers} recoverable, all recovered", self.cases);
        if goes_on > 0 {
            print!("; {goes_on} in which some cannot start, and the others go on");
        }
        print!("; {waits} unrecoverable, all safely unavailable");
        if either > 0 {
            print!("; {either} in which it may serve or wait, all safe, {} served", self.served);
        }
        println!();
    }
}

fn told(scene: &Scene, place: Place) -> String {
    let Piece { file, offset, part, .. } = scene.piece(place);
    format!("node {}, {file} at {offset}: {part}", place.0)
}

/// All choices of at least one and at most `most` of them.
fn choices<T: Copy + Ord>(all: &[T], most: usize) -> impl Iterator<Item = BTreeSet<T>> {
    let chosen = |mask: u32| {
        let places = all.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1);
        places.map(|(_, item)| *item).collect::<BTreeSet<T>>()
    };
    (1..1_u32 << all.len()).filter(move |mask| mask.count_ones() as usize <= most).map(chosen)
}

/// Three nodes, all of which have four committed commands.
fn with_four_entries() -> Cluster {
    let mut cluster = started(vec![None; 3]);
    cluster.elect(0);
    for key in ["a", "b", "c", "d"] {
        cluster.put(0, &[(key, 100)]);
    }
    cluster.pass(20);
    cluster
}

/// The same, of which each was started once more.
fn four_entries() -> Scene {
    Scene::new("four entries", sealed(stopped(with_four_entries())))
}

/// Terms, groups of several entries, followers that lag, and tails that only a minority has.
fn ragged(name: &'static str, count: usize, is_sealed: bool) -> Scene {
    let (minority, majority) = ((count - 1) / 2, count / 2 + 1);
    let mut cluster = started(vec![None; count]);
    cluster.elect(0);
    cluster.put(0, &[("a", 100)]);
    cluster.put(0, &[("b", 30), ("c", 5_000), ("d", 0)]);
    // The last of them lag.
    cluster.only(0..majority);
    cluster.put(0, &[("e", 700)]);
    cluster.put(0, &[("f", 60), ("g", 10)]);
    assert_eq!(cluster.ledger.acknowledged.len(), 7, "a majority has it");
    if minority > 0 {
        // The first of them have what nobody else will ever have.
        cluster.only(0..minority);
        cluster.put(0, &[("h", 40), ("i", 9_000)]);
        cluster.put(0, &[("j", 50)]);
    }
    (0..minority).for_each(|node| cluster.stop(node));
    cluster.only(0..count);
    cluster.pass(60);
    cluster.elect(minority);
    cluster.put(minority, &[("k", 80)]);
    cluster.pass(60);
    cluster.elect(minority + 1);
    cluster.put(minority + 1, &[("l", 300), ("m", 20)]);
    assert_eq!(cluster.ledger.acknowledged.len(), 10, "the rest is not acknowledged");
    cluster.only(minority + 1..minority + majority);
    cluster.put(minority + 1, &[("n", 90), ("o", 45)]);
    assert_eq!(cluster.ledger.acknowledged.len(), 10, "nor is this");
    Scene::new(name, if is_sealed { sealed(cluster) } else { cluster })
}

/// How three nodes came by their snapshots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compaction {
    /// All logs begin behind the same one.
    All,
    /// One node lags, and needs the others'.
    ButOneThatLags,
    /// One node never takes any. It has all entries, and a tail that nobody else has.
    ButOneThatKeepsAll,
}

/// Three nodes whose logs begin behind a snapshot.
fn compacted(name: &'static str, compaction: Compaction) -> Scene {
    let policy = SnapshotPolicy { every_entries: 4, keep_entries: 0, ..SnapshotPolicy::default() };
    let mut policies = vec![Some(policy); 3];
    if compaction == Compaction::ButOneThatKeepsAll {
        policies[0] = None;
    }
    let mut cluster = started(policies);
    cluster.elect(0);
    for (number, key) in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].into_iter().enumerate() {
        if compaction == Compaction::ButOneThatLags && number == 3 {
            cluster.only(0..2);
        }
        cluster.put(0, &[(key, 1_500)]);
    }
    cluster.pass(20);
    if compaction == Compaction::ButOneThatKeepsAll {
        cluster.only(0..1);
        cluster.put(0, &[("k", 200)]);
    }
    Scene::new(name, sealed(stopped(cluster)))
}

fn started(policies: Vec<Option<SnapshotPolicy>>) -> Cluster {
    let mut cluster = Cluster::formatted(policies);
    (0..cluster.count()).for_each(|node| cluster.start(node).expect("it was just formatted"));
    cluster
}

fn stopped(mut cluster: Cluster) -> Cluster {
    (0..cluster.count()).for_each(|node| cluster.stop(node));
    cluster
}

/// Each node starts once more, and stops: then nothing can be taken for torn.
fn sealed(mut cluster: Cluster) -> Cluster {
    for node in 0..cluster.count() {
        cluster.start(node).expect("nothing has happened to it");
        cluster.stop(node);
    }
    cluster
}

/// The paper damages four entries on any of three nodes. 2,401 patterns leave a copy of each; the systems of the day
/// recovered from 46 of them.
#[test]
fn of_four_entries_damaged_anywhere_all_come_back_that_have_a_copy() {
    let scene = four_entries();
    let commands: Vec<_> = scene.entries().into_iter().collect();
    let places: Vec<Vec<Place>> = commands
        .iter()
        .map(|position| scene.find(|piece| is_data(piece) && entry_of(piece) == Some(*position)))
        .filter(|places| !places.is_empty())
        .collect();
    assert_eq!(places.iter().map(Vec::len).collect::<Vec<_>>(), [3; 4]);
    let places = places.concat();
    for how in How::ALL {
        let mut tally = Tally::default();
        for pattern in 0..1_u32 << places.len() {
            let is_hit = |(bit, _): &(usize, &Place)| pattern >> bit & 1 == 1;
            let damaged = places.iter().enumerate().filter(is_hit).map(|(_, place)| *place).collect();
            tally.judge(&scene, &damaged, how);
        }
        tally.tell(&format!("paper's table, {how:?}"));
        assert_eq!((tally.count(Expected::Recovers), tally.count(Expected::Waits)), (2_401, 1_695));
    }
}

/// The one case in which something acknowledged is given up, and the fault model says so: the last entry of all, of which every
/// copy goes bad while it is the last thing on its disk. No log can tell that from a loss of power.
#[test]
#[should_panic(expected = "two entries were committed at 5")]
fn what_was_the_last_thing_on_every_disk_and_is_lost_on_all_is_given_up() {
    let scene = Scene::new("four entries, just written", stopped(with_four_entries()));
    let last = *scene.entries().last().expect("there are five");
    let copies = scene.find(|piece| is_data(piece) && entry_of(piece) == Some(last));
    for damaged in choices(&copies, 2) {
        let (ran, _) = scene.run(&damaged, How::Zero, 0, PATIENCE);
        assert!(ran.is_right(Expected::Recovers), "{damaged:?}: {ran:?}");
    }
    scene.run(&copies.into_iter().collect(), How::Zero, 0, PATIENCE);
}

/// What came back is durable where it came back to: the copies that it came from may go.
#[test]
fn what_came_back_is_there_when_all_other_copies_are_lost() {
    let (scene, mut tally) = (four_entries(), Tally::default());
    let of_nodes = |scene: &Scene, nodes: &BTreeSet<usize>| -> BTreeSet<Place> {
        let all = nodes.iter().flat_map(|node| (0..scene.pieces[*node].len()).map(|piece| (*node, piece)));
        all.filter(|place| is_data(scene.piece(*place))).collect()
    };
    for (nodes, how) in choices(&[0, 1, 2], 2).flat_map(|nodes| How::ALL.map(|how| (nodes.clone(), how))) {
        let (ran, cluster) = scene.run(&of_nodes(&scene, &nodes), how, 0, PATIENCE);
        assert!(ran.is_right(Expected::Recovers), "{nodes:?}: {ran:?}");
        let again = Scene::new("four entries, repaired", sealed(stopped(cluster)));
        let others: BTreeSet<usize> = (0..3).filter(|node| !nodes.contains(node)).collect();
        // The records that were lost at first still are; those that took their place are sound.
        tally.judge(&again, &of_nodes(&again, &others), how);
    }
    tally.tell("repaired, and damaged again");
    assert_eq!(tally.count(Expected::Recovers), tally.cases);
}

/// Anything at once: records, slots, and copies of metadata, few or many of them.
#[test]
fn whatever_is_damaged_at_once_comes_back_or_is_waited_for() {
    let scenes = [
        ragged("two, ragged", 2, false),
        ragged("three, ragged", 3, false),
        ragged("four, ragged", 4, false),
        ragged("five, ragged", 5, false),
        ragged("two, ragged, started once more", 2, true),
        ragged("three, ragged, started once more", 3, true),
        ragged("four, ragged, started once more", 4, true),
        ragged("five, ragged, started once more", 5, true),
    ];
    let mut tally = Tally::default();
    for (number, scene) in scenes.iter().enumerate() {
        // Where nothing can be taken for torn, records may be lost with their slots.
        anything(scene, 2_500, number >= 4, &mut tally);
    }
    tally.tell("anything at once");
    for expected in [Expected::Recovers, Expected::Waits, Expected::Either] {
        assert!(tally.count(expected) > 100, "{expected:?}: {}", tally.count(expected));
    }
}

/// Damages a scene so often, in few places or in many.
fn anything(scene: &Scene, times: u64, takes_twins: bool, tally: &mut Tally) {
    for number in 0..times {
        let mut draws = Draws(number);
        let one_in = [2, 3, 8, 40, 200][usize::try_from(number % 5).expect("below 5")];
        let takes_twins = takes_twins && draws.is_one_in(4);
        let how = How::ALL[usize::try_from(number / 5 % 3).expect("below 3")];
        let mut damaged = BTreeSet::new();
        let nodes = 0..scene.count();
        for place in nodes.flat_map(|node| (0..scene.pieces[node].len()).map(move |piece| (node, piece))) {
            let has_twin = scene.twin(place).is_some_and(|twin| damaged.contains(&twin));
            if draws.is_one_in(one_in) && (!has_twin || (takes_twins && draws.is_one_in(4))) {
                damaged.insert(place);
            }
        }
        tally.judge(scene, &damaged, how);
    }
}

#[test]
fn each_record_and_each_slot_damaged_on_any_nodes_comes_back_or_is_waited_for() {
    let scenes = [
        ragged("three, ragged", 3, false),
        ragged("three, ragged, started once more", 3, true),
        ragged("five, ragged", 5, false),
    ];
    let mut all = Tally::default();
    for scene in &scenes {
        for position in scene.entries() {
            let is_of_entry = |piece: &Piece| entry_of(piece) == Some(position);
            let records = scene.find(|piece| is_of_entry(piece) && matches!(piece.part, Part::Record(_)));
            let slots = scene.find(|piece| is_of_entry(piece) && matches!(piece.part, Part::Slot(_)));
            for (places, how) in [records, slots].iter().flat_map(|places| How::ALL.map(|how| (places, how)))
            {
                choices(places, places.len()).for_each(|damaged| all.judge(scene, &damaged, how));
            }
        }
    }
    all.tell("records and slots");
    assert!(all.count(Expected::Recovers) > 1_000 && all.count(Expected::Waits) > 50);
    assert_eq!(all.count(Expected::GoesOn) + all.count(Expected::Either), 0);
}

#[test]
fn a_record_lost_with_its_slot_stops_its_node_and_no_other() {
    let mut all = Tally::default();
    for scene in [ragged("three, ragged", 3, true), ragged("five, ragged", 5, true)] {
        for position in scene.entries() {
            let is_record = |piece: &Piece| matches!(piece.part, Part::Record(_));
            let records = scene.find(|piece| entry_of(piece) == Some(position) && is_record(piece));
            for (damaged, how) in choices(&records, records.len())
                .flat_map(|damaged| How::ALL.map(|how| (damaged.clone(), how)))
            {
                let twins = damaged.iter().map(|place| scene.twin(*place).expect("a record has a slot"));
                all.judge(&scene, &damaged.iter().copied().chain(twins).collect(), how);
            }
        }
    }
    all.tell("records with their slots");
    assert!(all.count(Expected::GoesOn) > 100 && all.count(Expected::Waits) > 100);
}

#[test]
fn each_copy_of_metadata_damaged_on_a_minority_costs_nothing_or_stops_that_minority() {
    let mut all = Tally::default();
    for scene in [ragged("three, ragged", 3, false), ragged("five, ragged", 5, false)] {
        let pairs: Vec<Vec<[Place; 2]>> =
            (0..scene.count()).map(|node| pairs_of(&scene, node, is_metadata)).collect();
        let most = pairs.iter().map(Vec::len).max().expect("there are nodes");
        for (number, copies) in (0..most).flat_map(|number| [1, 2, 3].map(|copies| (number, copies))) {
            let nodes: Vec<usize> = (0..scene.count()).filter(|node| number < pairs[*node].len()).collect();
            let is_hit = |copy: usize| copies >> copy & 1 == 1;
            for nodes in choices(&nodes, scene.count() / 2) {
                let places = nodes.iter().flat_map(|node| {
                    pairs[*node][number].into_iter().enumerate().filter(|(copy, _)| is_hit(*copy))
                });
                let damaged: BTreeSet<Place> = places.map(|(_, place)| place).collect();
                How::ALL.into_iter().for_each(|how| all.judge(&scene, &damaged, how));
            }
        }
    }
    all.tell("metadata");
    assert!(all.count(Expected::Recovers) > 200 && all.count(Expected::GoesOn) > 100);
    assert_eq!(all.count(Expected::Waits), 0, "a minority was damaged");
}

#[test]
fn each_part_of_a_snapshot_damaged_on_any_nodes_is_masked_or_stops_them() {
    let (scene, mut tally) = (compacted("compacted", Compaction::All), Tally::default());
    let is_header = |piece: &Piece| piece.part == Part::SnapshotHeader;
    let headers: Vec<[Place; 2]> =
        (0..scene.count()).map(|node| pairs_of(&scene, node, is_header)[0]).collect();
    let chunks = (0..).map(|number| {
        scene.find(|piece| matches!(piece.part, Part::SnapshotChunk { number: found, .. } if found == number))
    });
    let chunks: Vec<Vec<Place>> = chunks.take_while(|places| !places.is_empty()).collect();
    assert!(chunks.len() > 2 && chunks.iter().all(|places| places.len() == 3), "{chunks:?}");
    for how in How::ALL {
        for places in &chunks {
            choices(places, 3).for_each(|damaged| tally.judge(&scene, &damaged, how));
        }
        for nodes in choices(&[0, 1, 2], 3) {
            for copies in [&[0][..], &[1], &[0, 1]] {
                let places = nodes.iter().flat_map(|node| copies.iter().map(|copy| headers[*node][*copy]));
                tally.judge(&scene, &places.collect(), how);
            }
        }
    }
    tally.tell("snapshots");
    assert!(tally.count(Expected::Recovers) > 0 && tally.count(Expected::Waits) > 0);
}

#[test]
fn what_is_damaged_beside_snapshots_comes_back_as_an_entry_or_as_a_snapshot() {
    let mut tally = Tally::default();
    for scene in [
        compacted("compacted", Compaction::All),
        compacted("compacted but for one that lags", Compaction::ButOneThatLags),
        compacted("compacted but for one that keeps all", Compaction::ButOneThatKeepsAll),
    ] {
        for position in scene.entries() {
            let is_record = |piece: &Piece| matches!(piece.part, Part::Record(_));
            let records = scene.find(|piece| entry_of(piece) == Some(position) && is_record(piece));
            choices(&records, 3).for_each(|damaged| tally.judge(&scene, &damaged, How::Zero));
        }
        anything(&scene, 2_000, false, &mut tally);
    }
    tally.tell("beside snapshots");
    assert!(tally.count(Expected::Recovers) > 1_000);
}

fn is_metadata(piece: &Piece) -> bool {
    matches!(piece.part, Part::Identity | Part::HardState | Part::SegmentHeader)
}

/// The pieces that stand twice, with both places.
fn pairs_of(scene: &Scene, node: usize, holds: impl Fn(&Piece) -> bool) -> Vec<[Place; 2]> {
    let pieces = 0..scene.pieces[node].len();
    let pairs = pieces.filter(|piece| holds(&scene.pieces[node][*piece])).filter_map(|piece| {
        let twin = scene.twin((node, piece)).expect("metadata stands twice");
        (twin.1 > piece).then_some([(node, piece), twin])
    });
    pairs.collect()
}
