//! The links between processes: what becomes of a message that is sent on one.
//!
//! Each directed link is by itself. The network decides and counts; it never holds a message. Cuts and clogs
//! are counted, so that faults may overlap and end in any order. docs/fault-model.md: "Network".

use crate::choice::Draw;
use crate::fault::Cut;
use crate::ids::{Link, ProcessId, ProcessSet};
use crate::parameters::NetworkParameters;
use crate::time::Time;

/// Exponential delays are cut off at this many times their mean; fewer than one in 10^21 would pass it.
const MEANS_MAX: u64 = 50;

/// All links.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    processes: u32,
    /// By sender and receiver.
    links: Vec<LinkState>,
}

/// One directed link.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkState {
    /// How many messages were ever sent.
    pub(crate) sent: u64,
    /// How many letters are on their way or wait for their receiver, ghosts apart.
    pub(crate) in_flight: u32,
    /// How many faults cut the link now.
    cuts: u32,
    /// How many faults clog it now.
    clogs: u32,
    /// Whether it was healed for good.
    is_healed: bool,
    /// No later message arrives before this, where links keep the order.
    latest_arrival: Time,
    /// The highest number that arrived.
    pub(crate) arrived: u64,
    /// Letters that arrived while the link was clogged, in order.
    pub(crate) stalled: Vec<u32>,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fate {
    /// When it arrives; `None` when it is lost.
    pub(crate) arrival: Option<Time>,
    /// When a second copy arrives.
    pub(crate) duplicate: Option<Time>,
    /// When a copy arrives that was kept for long.
    pub(crate) ghost: Option<Time>,
    /// Which of the letters on the link is thrown out to make room, counted from 0.
    pub(crate) evicted: Option<u64>,
}

impl Network {
    pub(crate) fn new(processes: u32) -> Network {
        Network { processes, links: vec![LinkState::default(); (processes * processes) as usize] }
    }

    fn place(&self, link: Link) -> usize {
        assert!(
            link.from.0 < self.processes && link.to.0 < self.processes,
            "{link} is no link of a world with {} processes",
            self.processes
        );
        (link.from.0 * self.processes + link.to.0) as usize
    }

    pub(crate) fn link(&self, link: Link) -> &LinkState {
        &self.links[self.place(link)]
    }

    #[inline]
    pub(crate) fn link_mut(&mut self, link: Link) -> &mut LinkState {
        let place = self.place(link);
        &mut self.links[place]
    }

    /// The links that a cut means; `target` says whom its open target has turned out to be.
    pub(crate) fn resolve(&self, cut: &Cut, target: Option<ProcessId>) -> Vec<Link> {
        let is_target = |process: ProcessId| Some(process) == target;
        let crosses = |side: ProcessSet, link: Link| side.contains(link.from) != side.contains(link.to);
        let is_cut = |link: Link| match cut {
            Cut::Isolate(_) => is_target(link.from) || is_target(link.to),
            Cut::Inbound(_) => is_target(link.to),
            Cut::Outbound(_) => is_target(link.from),
            Cut::Split(side) => crosses(*side, link),
            Cut::Bridge { bridge, side } => {
                crosses(*side, link) && link.from != *bridge && link.to != *bridge
            }
            Cut::Ring => {
                let distance = link.from.0.abs_diff(link.to.0);
                distance > 1 && distance < self.processes - 1
            }
            Cut::Links(links) => links.contains(&link),
        };
        self.all().filter(|link| link.from != link.to && is_cut(*link)).collect()
    }

    /// The links from and to one process.
    pub(crate) fn links_of(&self, process: ProcessId) -> impl Iterator<Item = Link> + use<> {
        self.all().filter(move |link| link.from != link.to && (link.from == process || link.to == process))
    }

    fn all(&self) -> impl Iterator<Item = Link> + use<> {
        let processes = self.processes;
        (0..processes).flat_map(move |from| {
            (0..processes).map(move |to| Link { from: ProcessId(from), to: ProcessId(to) })
        })
    }
}

impl Fate {
    /// What becomes of a message on a healed link that takes so long.
    #[inline]
    pub(crate) fn healed(now: Time, delay_us: u64) -> Fate {
        Fate { arrival: Some(now.after(delay_us)), duplicate: None, ghost: None, evicted: None }
    }
}

impl LinkState {
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    #[inline]
    pub(crate) fn is_clogged(&self) -> bool {
        self.clogs > 0
    }

    #[inline]
    pub(crate) fn is_healed(&self) -> bool {
        self.is_healed
    }

    /// One more fault cuts the link.
    pub(crate) fn cut(&mut self) {
        self.cuts += 1;
    }

    /// One fault cuts it no longer.
    pub(crate) fn restore(&mut self) {
        self.cuts -= 1;
    }

    /// One more fault clogs the link.
    pub(crate) fn clog(&mut self) {
        self.clogs += 1;
    }

    /// One fault clogs it no longer.
    pub(crate) fn unclog(&mut self) {
        self.clogs -= 1;
    }

    /// The link is sound for good: no cut, no clog, no loss, a fixed delay. It is as a new connection:
    /// what is still on its way may be overtaken.
    pub(crate) fn heal(&mut self) {
        (self.cuts, self.clogs, self.is_healed) = (0, 0, true);
    }

    /// Decides on a message that is sent now.
    #[inline]
    pub(crate) fn decide(&mut self, now: Time, parameters: &NetworkParameters, draw: &mut Draw<'_>) -> Fate {
        let mut fate = Fate { arrival: None, duplicate: None, ghost: None, evicted: None };
        if draw.chance("loss", parameters.loss) {
            return fate;
        }
        let mut delay_us = exponential(draw, "delay", parameters.delay_us_mean);
        if draw.chance("tail", parameters.tail) {
            let factor = draw.range("tail-factor", 1, parameters.tail_factor_max.max(1));
            delay_us = delay_us.saturating_mul(factor);
        }
        let mut arrival = now.after(parameters.delay_us_min).after(delay_us);
        if parameters.fifo {
            arrival = arrival.max(self.latest_arrival);
            self.latest_arrival = arrival;
        } else {
            if draw.chance("duplicate", parameters.duplication) {
                let delay_us = exponential(draw, "duplicate-delay", parameters.duplicate_delay_us_mean);
                fate.duplicate = Some(now.after(parameters.delay_us_min).after(delay_us));
            }
            if draw.chance("ghost", parameters.ghosts) {
                let delay_us = draw.range("ghost-delay", 0, parameters.ghost_delay_us_max);
                fate.ghost = Some(arrival.after(delay_us));
            }
        }
        if parameters.capacity > 0 && self.in_flight >= parameters.capacity {
            fate.evicted = Some(draw.range("evicted", 0, u64::from(self.in_flight) - 1));
        }
        fate.arrival = Some(arrival);
        fate
    }
}

/// A delay with this mean.
#[inline]
pub(crate) fn exponential(draw: &mut Draw<'_>, field: &'static str, mean_us: u64) -> u64 {
    draw.exponential(field, mean_us, mean_us.saturating_mul(MEANS_MAX))
}

#[cfg(test)]
mod tests {
    use super::Network;
    use crate::fault::{Cut, Target};
    use crate::ids::{Link, ProcessId, ProcessSet};

    /// The links that are cut, as a matrix: a row for each sender.
    fn matrix(cut: &Cut, target: Option<u32>) -> Vec<String> {
        let network = Network::new(4);
        let links = network.resolve(cut, target.map(ProcessId));
        let is_cut = |from, to| links.contains(&Link { from: ProcessId(from), to: ProcessId(to) });
        (0..4).map(|from| (0..4).map(|to| if is_cut(from, to) { 'x' } else { '.' }).collect()).collect()
    }

    #[test]
    fn each_shape_cuts_the_links_that_it_names() {
        let anyone = Target::MostProminent;
        let side: ProcessSet = [ProcessId(0), ProcessId(1)].into_iter().collect();
        let links = vec![Link { from: ProcessId(3), to: ProcessId(0) }];
        for (cut, target, expected) in [
            (Cut::Isolate(anyone), Some(1), [".x..", "x.xx", ".x..", ".x.."]),
            (Cut::Inbound(anyone), Some(1), [".x..", "....", ".x..", ".x.."]),
            (Cut::Outbound(anyone), Some(1), ["....", "x.xx", "....", "...."]),
            (Cut::Split(side), None, ["..xx", "..xx", "xx..", "xx.."]),
            (Cut::Bridge { bridge: ProcessId(1), side }, None, ["..xx", "....", "x...", "x..."]),
            (Cut::Ring, None, ["..x.", "...x", "x...", ".x.."]),
            (Cut::Links(links), None, ["....", "....", "....", "x..."]),
            (Cut::Isolate(anyone), None, ["....", "....", "....", "...."]),
        ] {
            assert_eq!(matrix(&cut, target), expected, "{cut:?}");
        }
    }

    #[test]
    fn a_link_that_two_faults_cut_is_restored_when_both_have_ended() {
        let mut network = Network::new(2);
        let link = network.link_mut(Link { from: ProcessId(0), to: ProcessId(1) });
        link.cut();
        link.cut();
        link.restore();
        assert!(link.is_cut());
        link.restore();
        assert!(!link.is_cut());
    }
}
