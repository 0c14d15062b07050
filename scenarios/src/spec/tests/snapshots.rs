//! One snapshot after another.

use squall_raft::{LogPosition, SnapshotId};

use super::super::rule::Rule;
use super::{legal, n3_is_offered, snapshot};
use crate::observation::Content;
use crate::stage::{commit, replicate};

/// While n3's state machine is being put into the first snapshot, entries come, and a newer snapshot that was on its way.
#[test]
fn a_newer_snapshot_takes_the_place_of_one_that_is_being_restored() {
    let newer = SnapshotId { last: LogPosition::new(1, 2), bytes: 9, checksum: 8 };
    let mut cast = n3_is_offered();
    legal(cast.event(3, |n| n.receives_snapshot(snapshot()).commits(1).resets(1, 1).acknowledges(1, 1)));
    legal(cast.event(1, |n| n.receives_acknowledgement(3, 1)));
    replicate(&mut cast, 1, &[2]);
    commit(&mut cast, 1, &[2]);
    legal(cast.event(1, |n| n.applies(1, 2)));
    legal(cast.event(1, |n| n.takes_snapshot(newer)));
    let offer = Content::InstallSnapshot { snapshot: newer, without_data: false };
    legal(cast.event(1, |n| n.ticks().sends(3, offer)));
    legal(cast.event(3, |n| n.receives(1, 1, offer).follows(1)));
    legal(cast.event(3, |n| {
        n.receives_entries(1, (1, 1), &[(1, 2)], 1).appends(1, 2);
        n.status.is_voter = false; // As far as it knows: the snapshot has yet to say.
        n
    }));
    legal(cast.event(3, |n| n.receives_snapshot(newer).commits(2)));
    let mut older = cast.clone();
    assert_eq!(older.event(3, |n| n.restores(snapshot(), 1)), Err(Rule::RestoredOther.class()));
    legal(cast.event(3, |n| n.restores(newer, 2)));
}
