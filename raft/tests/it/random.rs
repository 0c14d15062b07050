//! Random schedules over the bare core: messages reordered, lost and repeated, writes late, crashes anywhere.
//! A small storm for fast feedback; the real one has its own crates.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_raft::{Change, Entry, LogIndex, NodeId, ReadId, RoleKind, Term};

use crate::cluster::Cluster;

#[derive(Clone, Debug)]
enum Step {
    Deliver(prop::sample::Index),
    Lose(prop::sample::Index),
    Repeat(prop::sample::Index),
    Write(u64),
    Tick(u64, u64),
    Propose(u64),
    Read(u64),
    Campaign(u64),
    Transfer(u64, u64),
    Change(u64, Vec<Change>),
    Image(u64),
    Finish(u64),
    Compact(u64, u64),
    Job(u64),
    Crash(u64),
    Restart(u64),
}

fn step(size: u64) -> BoxedStrategy<Step> {
    let node = move || 1..=size;
    let step = prop_oneof![
        20 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        2 => any::<prop::sample::Index>().prop_map(Step::Lose),
        2 => any::<prop::sample::Index>().prop_map(Step::Repeat),
        10 => node().prop_map(Step::Write),
        6 => (node(), 1..12_u64).prop_map(|(id, ticks)| Step::Tick(id, ticks)),
        4 => node().prop_map(Step::Propose),
        3 => node().prop_map(Step::Read),
        1 => node().prop_map(Step::Campaign),
        1 => (node(), node()).prop_map(|(from, to)| Step::Transfer(from, to)),
        2 => node().prop_map(Step::Image),
        3 => node().prop_map(Step::Finish),
        2 => (node(), 0..8_u64).prop_map(|(id, keep)| Step::Compact(id, keep)),
        8 => node().prop_map(Step::Job),
        1 => node().prop_map(Step::Crash),
        2 => node().prop_map(Step::Restart),
    ];
    step.boxed()
}

fn change(size: u64) -> impl Strategy<Value = Change> {
    let node = move || (1..=size).prop_map(NodeId);
    prop_oneof![
        (node(), any::<bool>()).prop_map(|(id, promote)| Change::AddLearner { id, promote }),
        node().prop_map(|id| Change::Promote { id }),
        node().prop_map(|id| Change::Demote { id }),
        node().prop_map(|id| Change::Remove { id }),
    ]
}

/// Steps of a cluster whose members come and go.
fn step_with_changes(size: u64) -> impl Strategy<Value = Step> {
    let changes = (1..=size, prop::collection::vec(change(size), 1..3));
    prop_oneof![12 => step(size), 1 => changes.prop_map(|(id, changes)| Step::Change(id, changes))]
}

/// What must hold in every state: one leader per term, ever; one entry per applied index, ever; no read that misses
/// what was committed anywhere before it was asked for.
#[derive(Default)]
struct Seen {
    leaders: BTreeMap<Term, NodeId>,
    applied: BTreeMap<LogIndex, Entry>,
    /// What each read has to see, and how many fates of each node were looked at.
    reads: BTreeMap<(NodeId, ReadId), LogIndex>,
    looked_at: BTreeMap<NodeId, usize>,
    served: u64,
}

impl Seen {
    fn check(&mut self, cluster: &mut Cluster) {
        for id in cluster.ids().into_iter().filter(|id| cluster.is_up(*id)).collect::<Vec<_>>() {
            let status = cluster.status(id.0);
            if cluster.witnesses.contains(&id) {
                assert_eq!(status.role, RoleKind::Follower, "{id} is a witness");
                assert!(cluster.applied[&id].is_empty(), "{id} is a witness, and applied something");
            }
            if status.role == RoleKind::Leader {
                let leader = self.leaders.entry(status.current_term).or_insert(id);
                assert_eq!(*leader, id, "two leaders in term {}", status.current_term);
            }
            for entry in &cluster.applied[&id] {
                let first = self.applied.entry(entry.index).or_insert_with(|| entry.clone());
                assert_eq!(first, entry, "two entries applied at one index");
            }
            self.check_reads(id, &cluster.reads[&id]);
        }
    }
}

impl Seen {
    fn check_reads(&mut self, id: NodeId, fates: &[(ReadId, Option<LogIndex>)]) {
        let looked_at = self.looked_at.entry(id).or_default();
        for (up_to, index) in &fates[*looked_at..] {
            let settled: Vec<_> =
                self.reads.range((id, ReadId(0))..=(id, *up_to)).map(|(key, _)| *key).collect();
            for key in settled {
                let needed = self.reads.remove(&key).expect("it has just been listed");
                assert!(
                    index.is_none_or(|index| index >= needed),
                    "{id} reads from {index:?}; {needed} is committed"
                );
                self.served += u64::from(index.is_some());
            }
        }
        *looked_at = fates.len();
    }

    /// A node that stopped answers nobody any more.
    fn forget(&mut self, id: NodeId) {
        self.reads.retain(|(reader, _), _| *reader != id);
        self.looked_at.insert(id, 0);
    }
}

/// Up to where anybody knows entries to be committed.
fn committed(cluster: &Cluster) -> LogIndex {
    let up = cluster.ids().into_iter().filter(|id| cluster.is_up(*id));
    up.map(|id| cluster.status(id.0).commit_index).max().unwrap_or_default()
}

/// Who is a witness is not added as anything else.
fn as_what_they_are(changes: &[Change], witnesses: &[NodeId]) -> Vec<Change> {
    let as_what_it_is = |change: &Change| match *change {
        Change::AddLearner { id, .. } if witnesses.contains(&id) => Change::AddWitness { id },
        Change::AddLearner { .. }
        | Change::AddWitness { .. }
        | Change::Promote { .. }
        | Change::Demote { .. }
        | Change::Remove { .. } => *change,
    };
    changes.iter().map(as_what_it_is).collect()
}

fn run(cluster: &mut Cluster, steps: &[Step]) {
    let mut seen = Seen::default();
    for step in steps {
        let up = |cluster: &Cluster, id: u64| cluster.is_up(NodeId(id));
        match step {
            Step::Deliver(which) | Step::Lose(which) | Step::Repeat(which) => {
                if cluster.network.is_empty() {
                    continue;
                }
                let position = which.index(cluster.network.len());
                let message = cluster.network[position].clone();
                if !matches!(step, Step::Repeat(_)) {
                    cluster.network.swap_remove(position);
                }
                if !matches!(step, Step::Lose(_)) {
                    let _ignored = cluster.deliver(message);
                }
            }
            Step::Write(id) if up(cluster, *id) => {
                cluster.write_one(NodeId(*id));
            }
            Step::Tick(id, ticks) if up(cluster, *id) => cluster.tick(*id, *ticks),
            Step::Propose(id) if up(cluster, *id) => {
                let _refused = cluster.propose(*id, "command");
            }
            Step::Read(id) if up(cluster, *id) => {
                let committed = committed(cluster);
                if let Ok(read) = cluster.read(*id) {
                    seen.reads.insert((NodeId(*id), read), committed);
                }
            }
            Step::Campaign(id) if up(cluster, *id) => cluster.campaign(*id),
            Step::Transfer(from, to) if up(cluster, *from) => {
                let _refused = cluster.node(*from).transfer_leadership(NodeId(*to));
            }
            Step::Change(id, changes) if up(cluster, *id) => {
                let _refused = cluster.change(*id, &as_what_they_are(changes, &cluster.witnesses));
            }
            Step::Image(id) if up(cluster, *id) => cluster.take_image(NodeId(*id)),
            Step::Finish(id) if up(cluster, *id) => cluster.finish_snapshot(NodeId(*id)),
            Step::Compact(id, keep) if up(cluster, *id) => {
                let applied = cluster.status(*id).last_applied.0;
                cluster.compact(*id, applied.saturating_sub(*keep));
            }
            Step::Job(id) if up(cluster, *id) => {
                cluster.job_one(NodeId(*id));
            }
            Step::Crash(id) if up(cluster, *id) => {
                seen.forget(NodeId(*id));
                cluster.crash(NodeId(*id));
            }
            Step::Restart(id) if !up(cluster, *id) => cluster.restart(NodeId(*id)),
            Step::Write(_)
            | Step::Tick(..)
            | Step::Propose(_)
            | Step::Read(_)
            | Step::Campaign(_)
            | Step::Transfer(..)
            | Step::Change(..)
            | Step::Image(_)
            | Step::Finish(_)
            | Step::Compact(..)
            | Step::Job(_)
            | Step::Crash(_)
            | Step::Restart(_) => {}
        }
        seen.check(cluster);
    }
    // The storm is over: everybody is up, and the cluster must serve.
    cluster.writes_at_once = true;
    for id in cluster.ids() {
        if !cluster.is_up(id) {
            cluster.restart(id);
        }
        while cluster.write_one(id) || cluster.job_one(id) {}
    }
    for _ in 0..400 {
        for id in cluster.ids() {
            cluster.tick(id.0, 1);
        }
        cluster.settle();
        seen.check(cluster);
    }
    let leader = cluster.leader().expect("a healed cluster elects a leader");
    let configuration = cluster.node(leader).configuration().clone();
    assert!(!configuration.is_joint(), "a healed cluster leaves {configuration}");
    let (served, needed) = (seen.served, committed(cluster));
    let read = cluster.read(leader).expect("a healed cluster takes reads");
    seen.reads.insert((NodeId(leader), read), needed);
    let position = cluster.propose(leader, "last").expect("a healed cluster takes proposals");
    for _ in 0..20 {
        cluster.settle();
        for id in cluster.ids() {
            cluster.tick(id.0, 1);
        }
    }
    seen.check(cluster);
    assert!(seen.served > served, "a healed cluster serves reads");
    for id in configuration.members().iter().filter(|member| !member.is_witness()).map(|member| member.id) {
        let last = cluster.applied[&id].last().expect("something was applied");
        assert!(last.index >= position.index, "{id} applied up to {} only", last.position());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn three_nodes_stay_safe_and_recover(steps in prop::collection::vec(step(3), 1..400)) {
        let mut cluster = Cluster::with(3, |config| config.max_snapshot_chunk_bytes = 100);
        cluster.writes_at_once = false;
        run(&mut cluster, &steps);
    }

    #[test]
    fn members_come_and_go_and_the_cluster_stays_safe_and_recovers(
        steps in prop::collection::vec(step_with_changes(5), 1..400),
        first in 1..5_u64,
        tight: bool,
    ) {
        let mut cluster = Cluster::with(first, |config| config.cache_bytes = 100);
        if tight {
            cluster = Cluster::with(first, |config| {
                config.max_in_flight_messages = 1;
                config.max_message_bytes = 1;
                config.max_apply_bytes = 1;
                config.cache_bytes = 0;
            });
        }
        (first + 1..=5).for_each(|id| cluster.join(id));
        cluster.writes_at_once = false;
        run(&mut cluster, &steps);
    }

    #[test]
    fn five_nodes_with_the_tightest_windows_stay_safe_and_recover(
        steps in prop::collection::vec(step(5), 1..400),
    ) {
        let mut cluster = Cluster::with(5, |config| {
            config.max_in_flight_messages = 1;
            config.max_message_bytes = 1;
            config.max_apply_bytes = 1;
            config.cache_bytes = 0;
            config.max_snapshot_chunk_bytes = 30;
            config.max_snapshot_in_flight = 1;
        });
        cluster.writes_at_once = false;
        run(&mut cluster, &steps);
    }

    #[test]
    fn copies_and_witnesses_stay_safe_and_recover(
        steps in prop::collection::vec(step_with_changes(5), 1..400),
        first in 1..4_u64,
    ) {
        // Of the first three n3 is a witness, and n5 is one once it joins.
        let witnesses: &[NodeId] = if first == 3 { &[NodeId(3), NodeId(5)] } else { &[NodeId(5)] };
        let empty = vec![Default::default(); usize::try_from(first).expect("a small cluster")];
        let mut cluster = Cluster::with_witnesses(&empty, witnesses, |config| {
            config.cache_bytes = 100;
            config.max_snapshot_chunk_bytes = 100;
        });
        (first + 1..=5).for_each(|id| cluster.join(id));
        cluster.writes_at_once = false;
        run(&mut cluster, &steps);
    }

    #[test]
    fn one_and_two_nodes_without_pre_vote_and_check_quorum(steps in prop::collection::vec(step(2), 1..200), one: bool) {
        let mut cluster = Cluster::with(if one { 1 } else { 2 }, |config| {
            config.pre_vote = false;
            config.check_quorum = false;
        });
        cluster.writes_at_once = false;
        let steps: Vec<Step> = if one { steps.into_iter().filter(|step| !mentions_two(step)).collect() } else { steps };
        run(&mut cluster, &steps);
    }
}

fn mentions_two(step: &Step) -> bool {
    match step {
        Step::Write(id)
        | Step::Tick(id, _)
        | Step::Propose(id)
        | Step::Read(id)
        | Step::Campaign(id)
        | Step::Image(id)
        | Step::Finish(id)
        | Step::Compact(id, _)
        | Step::Job(id)
        | Step::Crash(id)
        | Step::Restart(id) => *id == 2,
        Step::Transfer(from, _) => *from == 2,
        Step::Change(id, _) => *id == 2,
        Step::Deliver(_) | Step::Lose(_) | Step::Repeat(_) => false,
    }
}
