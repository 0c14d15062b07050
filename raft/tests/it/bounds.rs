//! What is full says so, and takes more once there is room.

use bytes::Bytes;
use squall_raft::{Action, Config, LogIndex, NodeId, ProposeError, Raft, Recovered};

/// Does all that a node of its own asks for but apply; returns up to where it asked for that.
fn drive(raft: &mut Raft) -> LogIndex {
    let mut apply_to = LogIndex::ZERO;
    loop {
        let token = match raft.next_action() {
            None => return apply_to,
            Some(Action::Persist(write)) => write.token,
            Some(Action::Apply { last, .. }) => {
                apply_to = last;
                continue;
            }
            Some(action) => panic!("a node of its own has no use for {action:?}"),
        };
        raft.persisted(token);
    }
}

#[test]
fn a_leader_whose_state_machine_is_too_far_behind_takes_no_more_until_it_gets_on() {
    let config = Config { max_unapplied_entries: 3, ..Config::new(NodeId(1), vec![NodeId(1)]) };
    let mut raft = Raft::new(config, &Recovered::default()).expect("a sound configuration");
    raft.campaign();
    assert_eq!(drive(&mut raft), LogIndex(1), "the no-op");
    for index in 2..=3 {
        let position = raft.propose(Bytes::from("more")).expect("two wait at most");
        assert_eq!(position.index, LogIndex(index));
        drive(&mut raft);
    }
    assert_eq!(raft.propose(Bytes::from("too much")), Err(ProposeError::Busy));
    raft.applied(LogIndex(1));
    drive(&mut raft);
    assert!(raft.propose(Bytes::from("more")).is_ok());
}
