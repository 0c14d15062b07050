//! Who belongs to the cluster and who votes (§6; thesis §4): configurations, their two halves, and their majorities.
//!
//! Every question about a majority is asked here. How one configuration becomes another stands in `membership.rs`,
//! what an operator may ask for in `change.rs`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::{LogIndex, NodeId, Session};

/// The most members that a configuration has, those among them that are about to leave.
pub const MEMBERS_MAX: usize = 64;

/// Bytes that one member takes in an encoded configuration.
const MEMBER_BYTES: usize = 17;

/// Who belongs to the cluster. While it is *joint* it has two halves, the one that comes and the one that goes, and
/// whatever a majority decides takes a majority of each (§6).
///
/// Invariant: members rise by id; at most [`MEMBERS_MAX`]; some of them votes, but in a configuration without
/// members, with which a node begins that others will add; who leaves has a vote in the half that goes; of each half,
/// those that are no witnesses are a majority.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Configuration {
    members: Vec<Member>,
}

/// One member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    /// Who it is.
    pub id: NodeId,
    /// Its stay: the index of the entry that added it, or 0. One that leaves and comes back has another.
    pub session: Session,
    /// What it is in the half that comes, or in the one configuration where there are no halves.
    pub standing: Standing,
    /// Whether it votes in the half that goes.
    pub outgoing: bool,
}

/// What a member is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Standing {
    /// It votes, and counts.
    Voter,
    /// It votes, and keeps identifiers and configurations, but no data (`witness.rs`).
    Witness,
    /// It is sent the log, and counts for nothing (thesis §4.2.1).
    Learner {
        /// The leader makes it a voter as soon as it has caught up.
        promote: bool,
    },
    /// It is a member no more once the half that goes is gone.
    Leaving {
        /// It keeps no data.
        witness: bool,
    },
}

/// In which halves a node votes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Votes {
    /// In the half that comes, or in the one configuration where there are no halves.
    pub incoming: bool,
    /// In the half that goes.
    pub outgoing: bool,
}

/// How many votes it takes of each half; 0 of a half that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Quorum {
    incoming: u32,
    outgoing: u32,
}

/// Why bytes are no configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConfigurationError {
    /// What is wrong.
    pub what: &'static str,
    /// At which byte.
    pub offset: usize,
}

impl Votes {
    /// Whether it votes at all.
    #[must_use]
    pub fn any(self) -> bool {
        self.incoming || self.outgoing
    }
}

impl Quorum {
    /// Whether voters with these votes are a majority of each half.
    pub(crate) fn is_met(self, voters: impl Iterator<Item = Votes>) -> bool {
        let add = |(incoming, outgoing), votes: Votes| {
            (incoming + u32::from(votes.incoming), outgoing + u32::from(votes.outgoing))
        };
        let (incoming, outgoing) = voters.fold((0, 0), add);
        incoming >= self.incoming && outgoing >= self.outgoing
    }
}

impl Member {
    /// In which halves it votes.
    #[must_use]
    pub fn votes(&self) -> Votes {
        let incoming = match self.standing {
            Standing::Voter | Standing::Witness => true,
            Standing::Learner { .. } | Standing::Leaving { .. } => false,
        };
        Votes { incoming, outgoing: self.outgoing }
    }

    /// Whether it keeps no data, now or until it has left.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        match self.standing {
            Standing::Witness | Standing::Leaving { witness: true } => true,
            Standing::Voter | Standing::Learner { .. } | Standing::Leaving { witness: false } => false,
        }
    }

    /// Whether it is no voter of the half that comes, and stays.
    #[must_use]
    pub fn is_learner(&self) -> bool {
        match self.standing {
            Standing::Learner { .. } => true,
            Standing::Voter | Standing::Witness | Standing::Leaving { .. } => false,
        }
    }
}

impl Configuration {
    /// The configuration with which a cluster begins: these voters, sorted and without repetition.
    ///
    /// # Panics
    /// Where they are not, or are more than [`MEMBERS_MAX`].
    #[must_use]
    pub fn first(voters: &[NodeId]) -> Self {
        Self::first_with_witnesses(voters, &[])
    }

    /// The configuration with which a cluster begins of whose voters some are witnesses.
    ///
    /// # Panics
    /// Where the voters are not sorted and without repetition, or are more than [`MEMBERS_MAX`].
    #[must_use]
    pub fn first_with_witnesses(voters: &[NodeId], witnesses: &[NodeId]) -> Self {
        let member = |id| {
            let standing = if witnesses.contains(&id) { Standing::Witness } else { Standing::Voter };
            Member { id, session: Session::default(), standing, outgoing: false }
        };
        let members: Vec<Member> = voters.iter().copied().map(member).collect();
        assert!(members.is_sorted_by(|a, b| a.id < b.id), "voters are sorted: {voters:?}");
        assert!(members.len() <= MEMBERS_MAX, "{} voters; at most {MEMBERS_MAX}", members.len());
        Self { members }
    }

    /// These members, if they are a configuration that a log may hold.
    ///
    /// # Errors
    /// Says what is wrong, at the first byte of the member that it is wrong with.
    pub fn of(members: Vec<Member>) -> Result<Self, ConfigurationError> {
        let reject = |what, place| Err(ConfigurationError { what, offset: place * MEMBER_BYTES });
        if members.len() > MEMBERS_MAX {
            return reject("more than 64 members", MEMBERS_MAX);
        }
        if let Some(place) = members.windows(2).position(|pair| pair[0].id >= pair[1].id) {
            return reject("ids that do not rise", place + 1);
        }
        let strays =
            |member: &Member| matches!(member.standing, Standing::Leaving { .. }) && !member.outgoing;
        if let Some(place) = members.iter().position(strays) {
            return reject("a member that leaves and had no vote", place);
        }
        if !members.iter().any(|member| member.votes().incoming) {
            return reject("no voter", 0);
        }
        let configuration = Self { members };
        if !configuration.is_kept_by_quorum() {
            return reject("so many witnesses that the others are no majority", 0);
        }
        Ok(configuration)
    }

    /// The members, in order of their ids.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One member.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        let place = self.members.binary_search_by_key(&id, |member| member.id).ok()?;
        Some(&self.members[place])
    }

    /// In which halves a node votes, member or not.
    #[must_use]
    pub fn votes(&self, id: NodeId) -> Votes {
        self.member(id).map_or_else(Votes::default, Member::votes)
    }

    /// The voters of either half, in order of their ids.
    pub fn voters(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().filter(|member| member.votes().any()).map(|member| member.id)
    }

    /// Whether it has two halves (§6, "joint consensus").
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.members.iter().any(|member| member.outgoing)
    }

    /// Whether those of whom `agrees` holds are a majority, of each half where there are two.
    #[must_use]
    pub fn has_quorum(&self, mut agrees: impl FnMut(NodeId) -> bool) -> bool {
        let agreeing = self.members.iter().filter(|member| agrees(member.id));
        self.quorum().is_met(agreeing.map(Member::votes))
    }

    /// Whether those that keep data are a majority without the witnesses: where they are not, no commit could do without
    /// them.
    #[must_use]
    pub fn is_kept_by_quorum(&self) -> bool {
        let keep_data = self.members.iter().filter(|member| !member.is_witness());
        self.quorum().is_met(keep_data.map(Member::votes))
    }

    /// How many votes a majority takes. Without voters none is enough.
    pub(crate) fn quorum(&self) -> Quorum {
        let (mut incoming, mut outgoing) = (0, 0);
        for votes in self.members.iter().map(Member::votes) {
            incoming += u32::from(votes.incoming);
            outgoing += u32::from(votes.outgoing);
        }
        Quorum { incoming: incoming / 2 + 1, outgoing: if outgoing == 0 { 0 } else { outgoing / 2 + 1 } }
    }

    /// What a joint configuration leads to: the half that comes, alone.
    #[must_use]
    pub fn without_outgoing(&self) -> Self {
        let stays = |member: &&Member| !matches!(member.standing, Standing::Leaving { .. });
        let members = self.members.iter().filter(stays);
        Self { members: members.map(|member| Member { outgoing: false, ..*member }).collect() }
    }

    /// Bytes of the encoded configuration.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.members.len() * MEMBER_BYTES
    }

    /// Appends the one encoding of this configuration: for each member its id and its session, little-endian, and a
    /// byte: 0 a voter, 1 a learner, 2 a learner to be promoted, 3 one that leaves, 4 a witness, 5 a witness that leaves;
    /// 0x80 more where it votes in the half that goes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for member in &self.members {
            out.extend_from_slice(&member.id.0.to_le_bytes());
            out.extend_from_slice(&member.session.0.to_le_bytes());
            let standing = match member.standing {
                Standing::Voter => 0,
                Standing::Learner { promote: false } => 1,
                Standing::Learner { promote: true } => 2,
                Standing::Leaving { witness: false } => 3,
                Standing::Witness => 4,
                Standing::Leaving { witness: true } => 5,
            };
            out.push(standing | if member.outgoing { 0x80 } else { 0 });
        }
    }

    /// Reads what [`encode`](Self::encode) wrote, from anyone.
    ///
    /// # Errors
    /// Says where the bytes are no configuration.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let (chunks, rest) = bytes.as_chunks::<MEMBER_BYTES>();
        if !rest.is_empty() {
            return Err(ConfigurationError { what: "half a member", offset: bytes.len() - rest.len() });
        }
        let chunks = &chunks[..chunks.len().min(MEMBERS_MAX + 1)];
        let members: Result<Vec<Member>, ConfigurationError> = chunks
            .iter()
            .enumerate()
            .map(|(place, chunk)| {
                let unknown =
                    ConfigurationError { what: "an unknown standing", offset: place * MEMBER_BYTES + 16 };
                decode_member(chunk).ok_or(unknown)
            })
            .collect();
        Self::of(members?)
    }
}

fn decode_member(chunk: &[u8; MEMBER_BYTES]) -> Option<Member> {
    let word = |from: usize| {
        u64::from_le_bytes(chunk[from..from + 8].try_into().expect("eight bytes are eight bytes"))
    };
    let standing = match chunk[16] & 0x7f {
        0 => Standing::Voter,
        1 => Standing::Learner { promote: false },
        2 => Standing::Learner { promote: true },
        3 => Standing::Leaving { witness: false },
        4 => Standing::Witness,
        5 => Standing::Leaving { witness: true },
        _ => return None,
    };
    Some(Member { id: NodeId(word(0)), session: Session(word(8)), standing, outgoing: chunk[16] & 0x80 != 0 })
}

/// The configurations of one log, each with the index of its entry. The last one is in force, committed or not (§6).
/// The first one is in force at the log's base; it is that of nobody while a snapshot stands for the entries up to
/// there, and has not said yet which one it is.
///
/// Invariant: never empty; indices rise strictly.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Configurations {
    all: Vec<(LogIndex, Arc<Configuration>)>,
    /// The node whose log it is, and in which halves of the last one it votes.
    own: NodeId,
    own_votes: Votes,
}

impl Configurations {
    /// The one that the log of `own` begins with, and those that follow; `None` where they are out of order.
    pub(crate) fn new(
        own: NodeId,
        first: Configuration,
        following: &[(LogIndex, Arc<Configuration>)],
    ) -> Option<Self> {
        let mut all = alloc::vec![(LogIndex::ZERO, Arc::new(first))];
        all.extend_from_slice(following);
        if !all.is_sorted_by(|a, b| a.0 < b.0) {
            return None;
        }
        let mut configurations = Self { all, own, own_votes: Votes::default() };
        configurations.note_own_votes();
        Some(configurations)
    }

    /// In which halves of the one in force this node votes.
    pub(crate) fn own_votes(&self) -> Votes {
        self.own_votes
    }

    pub(crate) fn latest(&self) -> &Configuration {
        &self.last().1
    }

    /// Where the first one stands.
    pub(crate) fn first_index(&self) -> LogIndex {
        self.all[0].0
    }

    /// Where the one in force stands.
    pub(crate) fn latest_index(&self) -> LogIndex {
        self.last().0
    }

    /// The one that an entry at `index` leaves in force.
    ///
    /// # Panics
    /// Where it was compacted.
    pub(crate) fn at(&self, index: LogIndex) -> &Configuration {
        &self.all[self.place_at(index)].1
    }

    /// The same, with the index of its entry.
    pub(crate) fn known_at(&self, index: LogIndex) -> &(LogIndex, Arc<Configuration>) {
        &self.all[self.place_at(index)]
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[(LogIndex, Arc<Configuration>)] {
        &self.all
    }

    /// The one in force at `index`, and those after it.
    pub(crate) fn from(&self, index: LogIndex) -> &[(LogIndex, Arc<Configuration>)] {
        &self.all[self.place_at(index)..]
    }

    /// Those by which an entry at `index` may be committed: the one in force before it, and all that follow.
    pub(crate) fn reaching(&self, index: LogIndex) -> &[(LogIndex, Arc<Configuration>)] {
        let before = self.all.partition_point(|(entry, _)| *entry < index);
        &self.all[before.saturating_sub(1)..]
    }

    pub(crate) fn push(&mut self, index: LogIndex, configuration: Arc<Configuration>) {
        assert!(index > self.latest_index(), "{index} does not follow {}", self.latest_index());
        self.all.push((index, configuration));
        self.note_own_votes();
    }

    /// The entries from `from` on are gone, and what they put in force with them.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        assert!(from > LogIndex::ZERO, "what a log begins with is not taken back");
        self.all.truncate(self.place_at(from.prev()) + 1);
        self.note_own_votes();
    }

    /// The entries up to `base` are given up; what they leave in force stays. The first configuration may stand behind
    /// it, where a snapshot told it.
    pub(crate) fn compact(&mut self, base: LogIndex) {
        let up_to_base = self.all.partition_point(|(entry, _)| *entry <= base);
        self.all.drain(..up_to_base.saturating_sub(1));
    }

    /// A snapshot stands for all up to `last`, and has yet to say what is in force there.
    pub(crate) fn forget(&mut self, last: LogIndex) {
        let forgotten = self.all.partition_point(|(entry, _)| *entry <= last);
        self.all.splice(..forgotten, [(LogIndex::ZERO, Arc::default())]);
        self.note_own_votes();
    }

    /// The snapshot says it: the configuration of the entry at `index`.
    pub(crate) fn learn(&mut self, index: LogIndex, configuration: Arc<Configuration>) {
        self.all[0] = (index, configuration);
        assert!(
            self.all.is_sorted_by(|a, b| a.0 < b.0),
            "{index} is no entry before those after the snapshot"
        );
        self.note_own_votes();
    }

    /// Another one may be in force now.
    fn note_own_votes(&mut self) {
        self.own_votes = self.latest().votes(self.own);
    }

    fn last(&self) -> &(LogIndex, Arc<Configuration>) {
        self.all.last().expect("there is one to begin with")
    }

    fn place_at(&self, index: LogIndex) -> usize {
        let following = self.all.partition_point(|(entry, _)| *entry <= index);
        following.checked_sub(1).expect("the first one stands before every entry that is asked for")
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut write = |name: &str, which: fn(&Member) -> bool| {
            let mut members = self.members.iter().filter(|member| which(member)).peekable();
            if members.peek().is_some() {
                f.write_str(name)?;
            }
            members.try_for_each(|member| write!(f, " {}", member.id))
        };
        write("voters", |member| member.votes().incoming)?;
        write(", witnesses", Member::is_witness)?;
        write(", learners", Member::is_learner)?;
        write(", until now", |member| member.outgoing)?;
        if self.members.is_empty() { f.write_str("nobody") } else { Ok(()) }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

impl core::error::Error for ConfigurationError {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn member(id: u64, standing: Standing, outgoing: bool) -> Member {
        Member { id: NodeId(id), session: Session(id * 10), standing, outgoing }
    }

    fn first(voters: &[u64]) -> Configuration {
        Configuration::first(&voters.iter().copied().map(NodeId).collect::<Vec<_>>())
    }

    const LEARNER: Standing = Standing::Learner { promote: false };

    /// From n1 n2 n3 to n3 n4, with n1 as a learner.
    fn joint() -> Configuration {
        Configuration::of(vec![
            member(1, LEARNER, true),
            member(2, Standing::Leaving { witness: false }, true),
            member(3, Standing::Voter, true),
            member(4, Standing::Voter, false),
        ])
        .expect("a sound configuration")
    }

    #[test]
    fn a_majority_of_one_configuration_is_more_than_half_of_its_voters() {
        for (voters, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)] {
            let configuration = first(&(1..=voters).collect::<Vec<_>>());
            assert!(configuration.has_quorum(|id| id.0 <= needed), "{needed} of {voters}");
            assert!(!configuration.has_quorum(|id| id.0 < needed), "{} of {voters}", needed - 1);
        }
        assert!(!first(&[]).has_quorum(|_| true), "nobody is no majority");
    }

    #[test]
    fn a_joint_configuration_takes_a_majority_of_each_half() {
        for (agreeing, enough) in [
            (&[3, 4, 1][..], true),
            (&[3, 4, 2], true),
            (&[3, 4], false),
            (&[1, 2, 3], false),
            (&[1, 2, 4], false),
            (&[1, 2, 3, 4], true),
        ] {
            assert_eq!(joint().has_quorum(|id| agreeing.contains(&id.0)), enough, "{agreeing:?}");
        }
    }

    #[test]
    fn what_follows_a_joint_configuration_is_the_half_that_comes() {
        let after = joint().without_outgoing();
        assert_eq!(after.to_string(), "voters n3 n4, learners n1");
        assert!(!after.is_joint());
        assert_eq!(after.members()[0].session, Session(10), "the same stay goes on");
    }

    #[test]
    fn a_configuration_is_told_in_words() {
        assert_eq!(joint().to_string(), "voters n3 n4, learners n1, until now n1 n2 n3");
        assert_eq!(format!("{:?}", first(&[])), "nobody");
    }

    #[test]
    fn a_configuration_survives_its_encoding() {
        for configuration in [first(&[1]), first(&[1, 2, u64::MAX]), joint(), joint().without_outgoing()] {
            let mut bytes = Vec::new();
            configuration.encode(&mut bytes);
            assert_eq!(bytes.len(), configuration.encoded_len());
            assert_eq!(Configuration::decode(&bytes), Ok(configuration));
        }
    }

    /// From n1 n2 n3, of which n3 is a witness, to n1 n2 n4, of which n4 is one.
    fn witnesses() -> Vec<Member> {
        vec![
            member(1, Standing::Voter, true),
            member(2, Standing::Voter, true),
            member(3, Standing::Leaving { witness: true }, true),
            member(4, Standing::Witness, false),
        ]
    }

    #[test]
    fn a_witness_votes_and_stays_one_until_it_has_left() {
        let joint = Configuration::of(witnesses()).expect("a sound configuration");
        assert_eq!(joint.to_string(), "voters n1 n2 n4, witnesses n3 n4, until now n1 n2 n3");
        assert!(joint.has_quorum(|id| [1, 3, 4].contains(&id.0)) && !joint.has_quorum(|id| id.0 >= 3));
        let mut bytes = Vec::new();
        joint.encode(&mut bytes);
        assert_eq!(Configuration::decode(&bytes), Ok(joint.clone()));
        assert_eq!(joint.without_outgoing().to_string(), "voters n1 n2 n4, witnesses n4");
    }

    #[test]
    fn of_each_half_those_that_keep_data_are_a_majority() {
        let refused =
            Err(ConfigurationError { what: "so many witnesses that the others are no majority", offset: 0 });
        let of = |change: fn(&mut Vec<Member>)| {
            let mut members = witnesses();
            change(&mut members);
            Configuration::of(members).map(|_| ())
        };
        assert_eq!(of(|_| {}), Ok(()));
        assert_eq!(of(|members| members[1].standing = Standing::Leaving { witness: false }), refused);
        assert_eq!(of(|members| members[1].outgoing = false), refused);
    }

    #[test]
    fn bytes_that_are_no_configuration_are_refused_where_they_are_none() {
        let mut sound = Vec::new();
        joint().encode(&mut sound);
        let with = |offset: usize, byte: u8| {
            let mut bytes = sound.clone();
            bytes[offset] = byte;
            Configuration::decode(&bytes)
        };
        let error = |what, offset| Err(ConfigurationError { what, offset });
        assert_eq!(Configuration::decode(&[]), error("no voter", 0));
        assert_eq!(error("no voter", 0).unwrap_err().to_string(), "no voter at byte 0");
        assert_eq!(Configuration::decode(&sound[..33]), error("half a member", 17));
        assert_eq!(with(33, 6), error("an unknown standing", 33));
        assert_eq!(with(33, 5), error("a member that leaves and had no vote", 17));
        assert_eq!(with(33, 3), error("a member that leaves and had no vote", 17));
        assert_eq!(with(17, 1), error("ids that do not rise", 17));
        let crowd: Vec<u8> = (0..=64_u8)
            .flat_map(|id| [[id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat())
            .collect();
        assert_eq!(Configuration::decode(&crowd), error("more than 64 members", 64 * 17));
        assert_eq!(
            Configuration::decode(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            error("no voter", 0)
        );
    }

    const N7: NodeId = NodeId(7);

    #[test]
    fn a_configuration_is_in_force_from_its_entry_on_and_goes_with_it() {
        let following = [(LogIndex(5), Arc::new(joint())), (LogIndex(9), Arc::new(first(&[3, 4])))];
        let mut all = Configurations::new(N7, first(&[1, 2, 3]), &following).expect("they rise");
        for (index, in_force) in [(0, 0), (4, 0), (5, 5), (8, 5), (9, 9), (99, 9)] {
            assert_eq!(all.from(LogIndex(index))[0].0, LogIndex(in_force), "at {index}");
        }
        all.truncate(LogIndex(9));
        assert_eq!((all.latest_index(), all.latest()), (LogIndex(5), &joint()));
        all.truncate(LogIndex(1));
        assert_eq!((all.latest_index(), all.latest()), (LogIndex(0), &first(&[1, 2, 3])));
        assert!(
            Configurations::new(N7, first(&[1]), &[following[1].clone(), following[0].clone()]).is_none()
        );
    }

    #[test]
    fn what_is_in_force_where_the_log_begins_stays_when_its_entry_is_given_up() {
        let following = [(LogIndex(5), Arc::new(joint())), (LogIndex(9), Arc::new(first(&[3, 4])))];
        let all = Configurations::new(N7, first(&[1, 2, 3]), &following).expect("they rise");
        for (base, left) in
            [(0, [0, 5, 9].as_slice()), (4, &[0, 5, 9]), (5, &[5, 9]), (8, &[5, 9]), (99, &[9])]
        {
            let mut compacted = all.clone();
            compacted.compact(LogIndex(base));
            let indices: Vec<u64> = compacted.all().iter().map(|(index, _)| index.0).collect();
            assert_eq!(indices, left, "after entry {base}");
            assert_eq!(compacted.at(LogIndex(base)), all.at(LogIndex(base)), "in force at {base}");
        }
    }

    /// Nobody may be elected by a configuration that is not known, and what the log holds behind the snapshot is.
    #[test]
    fn until_the_snapshot_says_what_is_in_force_nobody_is_a_member() {
        let following = [(LogIndex(5), Arc::new(joint())), (LogIndex(9), Arc::new(first(&[3, 4])))];
        let all = Configurations::new(N7, first(&[1, 2, 3]), &following).expect("they rise");

        let mut whole = all.clone();
        whole.forget(LogIndex(20));
        assert_eq!(whole.latest(), &first(&[]));
        assert!(!whole.own_votes().any(), "nobody is a voter");
        whole.learn(LogIndex(15), Arc::new(first(&[7])));
        assert_eq!((whole.latest_index(), whole.latest()), (LogIndex(15), &first(&[7])));
        assert!(whole.own_votes().any(), "7 is a voter again");

        let mut in_part = all;
        in_part.forget(LogIndex(8));
        assert_eq!((in_part.at(LogIndex(8)), in_part.latest()), (&first(&[]), &first(&[3, 4])));
        in_part.learn(LogIndex(5), Arc::new(joint()));
        assert_eq!((in_part.at(LogIndex(8)), in_part.latest()), (&joint(), &first(&[3, 4])));
    }
}
