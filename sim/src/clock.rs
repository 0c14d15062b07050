//! A process's clocks: monotonic local time at its own rate, and a wall clock that is off and jumps.
//!
//! Both are lines through a point: at `since` the local clock read `local`, and from there it runs at `rate`,
//! an exact ratio. A change of rate, and a freeze, begin a new line; so local time never goes backwards.
//! docs/fault-model.md: "Clocks".

use crate::choice::Ratio;
use crate::parameters::ClockParameters;
use crate::time::{LocalTime, Time};

/// What a wall clock without an offset shows when a run begins: some day in 2023.
const WALL_EPOCH_US: i64 = 1_700_000_000_000_000;

/// One process's clocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Clock {
    /// Invariant: both numbers are above zero.
    rate: Ratio,
    /// How many freezes are going on.
    freezes: u32,
    since: Time,
    local: LocalTime,
    wall_offset_us: i64,
}

impl Clock {
    pub(crate) fn new(parameters: &ClockParameters) -> Clock {
        assert!(parameters.rate.num > 0 && parameters.rate.den > 0, "rate {}", parameters.rate);
        Clock {
            rate: parameters.rate,
            freezes: 0,
            since: Time::START,
            local: LocalTime(0),
            wall_offset_us: parameters.wall_offset_us,
        }
    }

    /// What the monotonic clock reads.
    #[inline]
    pub(crate) fn local(&self, now: Time) -> LocalTime {
        if self.freezes > 0 {
            return self.local;
        }
        let elapsed = now.since(self.since);
        if self.rate.num == self.rate.den {
            return self.local.after(elapsed);
        }
        let (num, den) = (u64::from(self.rate.num), u64::from(self.rate.den));
        self.local.after(match elapsed.checked_mul(num) {
            Some(product) => product / den,
            None => {
                let scaled = u128::from(elapsed) * u128::from(num) / u128::from(den);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
        })
    }

    /// What the wall clock reads, in microseconds since 1970.
    #[inline]
    pub(crate) fn wall_us(&self, now: Time) -> u64 {
        let local = i64::try_from(self.local(now).0).unwrap_or(i64::MAX);
        WALL_EPOCH_US.saturating_add(local).saturating_add(self.wall_offset_us).max(0).cast_unsigned()
    }

    /// The first moment from `now` on at which the monotonic clock reads `wanted` or more; `None` while it
    /// stands still short of it.
    #[inline]
    pub(crate) fn time_of(&self, wanted: LocalTime, now: Time) -> Option<Time> {
        if self.local(now) >= wanted {
            return Some(now);
        }
        if self.freezes > 0 {
            return None;
        }
        let missing = wanted.since(self.local);
        if self.rate.num == self.rate.den {
            return Some(self.since.after(missing));
        }
        let elapsed = (u128::from(missing) * u128::from(self.rate.den)).div_ceil(u128::from(self.rate.num));
        Some(self.since.after(u64::try_from(elapsed).unwrap_or(u64::MAX)))
    }

    /// Lets the clocks run at another rate from now on.
    pub(crate) fn set_rate(&mut self, now: Time, rate: Ratio) {
        assert!(rate.num > 0 && rate.den > 0, "rate {rate}");
        self.begin_line(now);
        self.rate = rate;
    }

    /// Stops the clocks; each freeze needs a thaw of its own.
    pub(crate) fn freeze(&mut self, now: Time) {
        self.begin_line(now);
        self.freezes += 1;
    }

    /// Ends one freeze.
    pub(crate) fn thaw(&mut self, now: Time) {
        assert!(self.freezes > 0, "a clock that runs cannot be thawed");
        self.begin_line(now);
        self.freezes -= 1;
    }

    /// The clocks are sound from now on: they run, and at the right rate.
    pub(crate) fn heal(&mut self, now: Time) {
        self.begin_line(now);
        self.freezes = 0;
        self.rate = Ratio::ONE;
    }

    /// Lets the wall clock jump.
    pub(crate) fn jump_wall(&mut self, delta_us: i64) {
        self.wall_offset_us = self.wall_offset_us.saturating_add(delta_us);
    }

    fn begin_line(&mut self, now: Time) {
        self.local = self.local(now);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, WALL_EPOCH_US};
    use crate::choice::Ratio;
    use crate::parameters::ClockParameters;
    use crate::time::{LocalTime, Time};
    use proptest::prelude::*;

    fn clock(rate: Ratio) -> Clock {
        Clock::new(&ClockParameters { wall_offset_us: 0, rate })
    }

    #[test]
    fn a_clock_of_half_the_rate_shows_half_the_time() {
        let clock = clock(Ratio::new(1, 2));
        assert_eq!(clock.local(Time(1_000)), LocalTime(500));
        assert_eq!(clock.time_of(LocalTime(500), Time(0)), Some(Time(1_000)));
    }

    #[test]
    fn a_frozen_clock_keeps_its_reading_and_goes_on_from_there() {
        let mut clock = clock(Ratio::ONE);
        clock.freeze(Time(100));
        clock.freeze(Time(200));
        assert_eq!(clock.local(Time(900)), LocalTime(100));
        assert_eq!(clock.time_of(LocalTime(101), Time(900)), None);
        clock.thaw(Time(950));
        assert_eq!(clock.local(Time(1_000)), LocalTime(100), "one of two freezes has ended");
        clock.thaw(Time(1_000));
        assert_eq!(clock.local(Time(1_001)), LocalTime(101));
    }

    #[test]
    fn a_jump_moves_the_wall_clock_alone() {
        let mut clock = clock(Ratio::ONE);
        clock.jump_wall(-60_000_000);
        assert_eq!(clock.local(Time(5)), LocalTime(5));
        assert_eq!(clock.wall_us(Time(5)), WALL_EPOCH_US as u64 - 60_000_000 + 5);
    }

    proptest! {
        #[test]
        fn local_time_never_goes_backwards_and_a_timer_is_neither_early_nor_late(
            changes in prop::collection::vec((1_u64..10_000, 1_u32..3_000, 1_u32..3_000, any::<bool>()), 1..20),
            wanted in 0_u64..50_000,
        ) {
            let mut clock = clock(Ratio::ONE);
            let mut now = Time(0);
            for (elapsed, num, den, frozen) in changes {
                let before = clock.local(now);
                now = now.after(elapsed);
                prop_assert!(clock.local(now) >= before);
                let reading = clock.local(now);
                if frozen && clock.freezes == 0 { clock.freeze(now) }
                if !frozen && clock.freezes > 0 { clock.thaw(now) }
                clock.set_rate(now, Ratio::new(num, den));
                prop_assert_eq!(clock.local(now), reading);
                if let Some(due) = clock.time_of(LocalTime(wanted), now) {
                    prop_assert!(due >= now && clock.local(due) >= LocalTime(wanted));
                    prop_assert!(due == now || clock.local(Time(due.0 - 1)) < LocalTime(wanted));
                }
            }
        }
    }
}
