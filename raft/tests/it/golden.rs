//! Golden scripts: each file of `scripts/` is a short play for a small cluster; its snapshot shows every message
//! and write, line by line. Together they are the protocol's documentation by example.
//!
//! Commands, one a line (`#` begins a comment):
//! `nodes N`, `witness n3`, `log n1 term 4: 1 1 4` (before the first other command), `slow disks`, `leases`, `campaign n1`,
//! `priorities` (each node's is its number), `stick n1` (its state machine applies nothing any more), `pass 5` (ticks for
//! all nodes, and what they cause), `tick n1 15`, `propose n1 text`, `read n1`, `transfer n1 n2`, `deliver [n1>n2]`, `lose [n1>n2]`, `settle [n1 n2]`,
//! `write n1`, `snapshot n1`, `compact n1 7`, `job n1`, `crash n1`, `restart n1`, `status`; `join n4` (with an empty
//! disk), `change n1 add n4 remove n2` (or `admit`, which adds and promotes; `witness`, `promote`, `demote`), `members`.

use std::str::FromStr;

use squall_raft::{Change, Config, HardState, Message, NodeId};

use crate::cluster::{Cluster, hard_state};

struct Play {
    logs: Vec<(Vec<u64>, HardState)>,
    witnesses: Vec<NodeId>,
    slow_disks: bool,
    leases: bool,
    priorities: bool,
    cluster: Option<Cluster>,
    shown: String,
}

impl Play {
    fn cluster(&mut self) -> &mut Cluster {
        let Self { logs, witnesses, slow_disks, leases, priorities, .. } = self;
        let (slow_disks, leases, priorities) = (*slow_disks, *leases, *priorities);
        self.cluster.get_or_insert_with(|| {
            let configure: fn(&mut Config) = if leases {
                |config| (config.cache_bytes, config.lease_drift_ppm) = (100, Some(50_000))
            } else if priorities {
                |config| config.priority = config.id.0
            } else {
                |config| {
                    config.cache_bytes = 100;
                    config.max_snapshot_chunk_bytes = 60;
                    config.max_snapshot_in_flight = 2;
                }
            };
            let mut cluster = Cluster::with_witnesses(logs, witnesses, configure);
            cluster.writes_at_once = !slow_disks;
            cluster
        })
    }

    fn perform(&mut self, line: &str) {
        self.show(&format!("> {line}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["nodes", count] => self.logs = vec![(Vec::new(), HardState::default()); number(count)],
            ["witness", node] => self.witnesses.push(NodeId(id(node))),
            ["slow", "disks"] => self.slow_disks = true,
            ["leases"] => self.leases = true,
            ["priorities"] => self.priorities = true,
            ["log", node, "term", term, ref terms @ ..] => {
                let terms = terms.iter().map(|term| number(term)).collect();
                let position = number::<usize>(node.trim_start_matches('n')) - 1;
                self.logs[position] = (terms, hard_state(number(term.trim_end_matches(':'))));
            }
            ["status"] => self.show_status(),
            ["members"] => self.show_members(),
            _ => {
                self.cluster().journal.clear();
                let refused = act(self.cluster(), &words);
                let journal = std::mem::take(&mut self.cluster().journal);
                for entry in journal {
                    self.show(&format!("  {entry}"));
                }
                if let Some(refused) = refused {
                    self.show(&format!("  refused: {refused}"));
                }
            }
        }
    }

    fn show_status(&mut self) {
        let cluster = self.cluster();
        let line = |node: NodeId| {
            if !cluster.is_up(node) {
                return format!("  {node} is down");
            }
            let status = cluster.status(node.0);
            format!(
                "  {node} {:?} term {} last {} durable {} commit {} applied {}",
                status.role,
                status.current_term,
                status.last_log,
                status.durable_index,
                status.commit_index,
                status.last_applied
            )
        };
        let lines: Vec<String> = cluster.ids().into_iter().map(line).collect();
        self.show(&lines.join("\n"));
    }

    fn show_members(&mut self) {
        let cluster = self.cluster();
        let up = cluster.ids().into_iter().filter(|id| cluster.is_up(*id)).collect::<Vec<_>>();
        for id in up {
            let node = self.cluster().node(id.0);
            let (index, configuration) = (node.status().configuration_index, node.configuration().clone());
            self.show(&format!("  {id} since entry {index}: {configuration}"));
        }
    }

    fn show(&mut self, line: &str) {
        self.shown.push_str(line);
        self.shown.push('\n');
    }
}

/// Carries out one command. Returns the reason where it was refused.
fn act(cluster: &mut Cluster, words: &[&str]) -> Option<String> {
    match *words {
        ["campaign", node] => cluster.campaign(id(node)),
        ["tick", node, ticks] => cluster.tick(id(node), number(ticks)),
        ["propose", node, text] => {
            return cluster.propose(id(node), text).err().map(|error| error.to_string());
        }
        ["read", node] => return cluster.read(id(node)).err().map(|error| error.to_string()),
        ["forward", node, text] => {
            return cluster.forward(id(node), text).err().map(|error| error.to_string());
        }
        ["transfer", from, to] => {
            return cluster.transfer(id(from), id(to)).err().map(|error| error.to_string());
        }
        ["stick", node] => assert!(cluster.stuck.insert(NodeId(id(node))), "it stands still already"),
        ["pass", ticks] => cluster.pass(number(ticks)),
        ["settle"] => cluster.settle(),
        ["settle", ref nodes @ ..] => {
            cluster.settle_among(&nodes.iter().map(|node| id(node)).collect::<Vec<_>>());
        }
        ["join", node] => cluster.join(id(node)),
        ["change", node, ref changes @ ..] => {
            let changes: Vec<Change> = changes.chunks(2).map(change).collect();
            return cluster.change(id(node), &changes).err().map(|error| error.to_string());
        }
        ["write", node] => assert!(cluster.write_one(NodeId(id(node))), "no write waits"),
        ["snapshot", node] => cluster.snapshot(id(node)),
        ["compact", node, up_to] => cluster.compact(id(node), number(up_to)),
        ["job", node] => assert!(cluster.job_one(NodeId(id(node))), "no job of the snapshots waits"),
        ["crash", node] => cluster.crash(NodeId(id(node))),
        ["restart", node] => cluster.restart(NodeId(id(node))),
        ["deliver"] | ["lose"] => take(cluster, words[0] == "deliver", |_| true),
        ["deliver" | "lose", link] => {
            let (from, to) = link.split_once('>').expect("a link as n1>n2");
            let on_link = |message: &Message| (message.from.0, message.to.0) == (id(from), id(to));
            take(cluster, words[0] == "deliver", on_link);
        }
        _ => panic!("no such command: {words:?}"),
    }
    None
}

/// Delivers or loses what is under way now; what that causes stays under way.
fn take(cluster: &mut Cluster, deliver: bool, which: impl Fn(&Message) -> bool) {
    let (taken, left) = std::mem::take(&mut cluster.network).into_iter().partition(which);
    cluster.network = left;
    let taken: Vec<Message> = taken;
    assert!(!taken.is_empty(), "nothing is under way");
    for message in taken {
        if !deliver {
            cluster.journal.push(format!("lost: {message}"));
        } else if let Err(reason) = cluster.deliver(message) {
            cluster.journal.push(format!("ignored: {reason:?}"));
        }
    }
}

fn change(words: &[&str]) -> Change {
    let node = NodeId(id(words[1]));
    match words[0] {
        "add" => Change::AddLearner { id: node, promote: false },
        "admit" => Change::AddLearner { id: node, promote: true },
        "witness" => Change::AddWitness { id: node },
        "promote" => Change::Promote { id: node },
        "demote" => Change::Demote { id: node },
        "remove" => Change::Remove { id: node },
        _ => panic!("no such change: {words:?}"),
    }
}

fn id(name: &str) -> u64 {
    number(name.trim_start_matches('n'))
}

fn number<N: FromStr>(text: &str) -> N {
    text.parse().ok().expect("a number")
}

fn play(script: &str) -> String {
    let mut play = Play {
        logs: Vec::new(),
        witnesses: Vec::new(),
        slow_disks: false,
        leases: false,
        priorities: false,
        cluster: None,
        shown: String::new(),
    };
    for line in script.lines() {
        let command = line.split('#').next().unwrap_or_default().trim();
        if command.is_empty() {
            play.show(line.trim());
        } else {
            play.perform(command);
        }
    }
    play.shown
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let script = include_str!(concat!("scripts/", stringify!($name), ".txt"));
            insta::with_settings!({ snapshot_path => "scripts", prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(stringify!($name), play(script));
            });
        }
    )*};
}

scripts! {
    an_election
    a_proposal
    an_acknowledgement_waits_for_the_disk
    a_vote_waits_for_the_disk
    a_divergent_log_is_repaired
    a_pre_vote_spares_a_term
    a_lost_message_is_noticed_by_a_heartbeat
    a_round_trip_longer_than_the_heartbeat_interval
    a_lost_acknowledgement_is_asked_for_again
    a_reminder_is_answered_while_a_later_write_hangs
    a_follower_far_behind_is_served_from_disk
    a_proposal_is_passed_on
    leadership_is_handed_over
    a_leader_cut_off_steps_down
    a_leader_whose_quorum_takes_nothing_steps_down
    a_leader_that_cannot_apply_abdicates
    a_leader_whose_disk_hangs_hands_over
    a_leader_gives_way_to_one_that_is_preferred
    a_cluster_of_one
    a_read_shares_a_round
    a_follower_asks_its_leader_for_a_read_index
    a_new_leader_serves_reads_from_its_first_entry_on
    a_deposed_leader_serves_no_read
    a_lease_serves_reads_at_once
    a_handover_ends_the_lease
    a_restarted_voter_keeps_its_promise
    a_member_is_added_and_promoted
    a_joint_commit_takes_both_halves
    a_new_leader_leaves_a_joint_configuration
    an_uncommitted_change_is_rolled_back
    a_leader_removes_itself
    a_leader_that_removed_itself_is_needed_once_more
    a_leader_demotes_itself_and_finds_nobody
    a_voter_that_does_not_know_it_yet_votes
    a_second_change_is_refused
    a_reply_of_a_former_stay_does_not_count
    a_removed_member_is_told_and_stays_quiet
    changes_that_are_refused
    a_follower_that_needs_a_snapshot
    a_snapshot_is_drawn_on_after_loss_and_a_restart
    a_snapshot_is_drawn_on_after_a_change_of_leader
    a_conflicting_log_gives_way_to_a_snapshot
    a_tail_that_agrees_survives_a_snapshot
    a_candidate_is_offered_a_snapshot
    a_snapshot_brings_the_configuration
    a_wholly_compacted_log
    a_witness_counts_while_a_copy_is_away
    a_copy_that_was_away_is_not_elected_by_the_witness
    a_copy_whose_disk_hangs_gives_way_to_the_witness
    a_witness_neither_leads_nor_serves
    a_witness_that_lags_takes_up_a_position
    a_witness_is_told_of_no_configuration_that_its_leader_forgot
    a_witness_comes_and_goes
}
