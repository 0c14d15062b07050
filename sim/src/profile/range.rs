//! The values of a profile: single, or a range from which a run draws.
//!
//! A ratio is spelled `"3/100"`, `{ num = 3, den = 100 }`, or as a whole number; a range as two values in
//! brackets, or as one value that is then certain. No value is a float.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::choice::Ratio;
use crate::scenario::value;

/// A range of numbers.
pub type Numbers = Between<u64>;
/// A range of ratios of any size, such as multiples of an election timeout.
pub type Ratios = Between<Ratio>;
/// A range of probabilities.
pub type Chances = Between<Probability>;

/// A range of rates of a clock.
pub type Rates = Between<Rate>;

/// How fast a clock runs: local seconds per second, from 1/1000 to 1000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate(pub Ratio);

/// A ratio from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probability(pub Ratio);

/// Two values, the lower one first; a draw gives one from `low` to `high`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Between<T> {
    /// The least.
    pub low: T,
    /// The greatest.
    pub high: T,
}

impl Probability {
    /// The probability `num / den`.
    ///
    /// # Panics
    /// When it is above one.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Self {
        assert!(num <= den, "a probability is at most one");
        Self(Ratio::new(num, den))
    }
}

impl Rate {
    /// The rate `num / den`.
    ///
    /// # Panics
    /// Where no clock can run at it.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Self {
        assert!(num > 0 && num / den < 1_000 && den / num < 1_000, "no clock runs so fast or so slowly");
        Self(Ratio::new(num, den))
    }
}

/// A value of which there can be ranges.
pub trait Bound: Copy {
    /// What a range of such values looks like.
    const RANGE: &'static str;
    /// Whether it is at most `other`.
    fn at_most(&self, other: &Self) -> bool;
}

impl Bound for u64 {
    const RANGE: &'static str = "a number, or a range `[low, high]`";

    fn at_most(&self, other: &Self) -> bool {
        self <= other
    }
}

impl Bound for Ratio {
    const RANGE: &'static str = "a ratio as \"3/100\", or a range `[\"0\", \"3/100\"]`";

    fn at_most(&self, other: &Self) -> bool {
        u64::from(self.num) * u64::from(other.den) <= u64::from(other.num) * u64::from(self.den)
    }
}

impl Bound for Probability {
    const RANGE: &'static str = "a ratio from 0 to 1 as \"3/100\", or a range `[\"0\", \"3/100\"]`";

    fn at_most(&self, other: &Self) -> bool {
        self.0.at_most(&other.0)
    }
}

impl Bound for Rate {
    const RANGE: &'static str = "a rate as \"3/2\", or a range `[\"1/2\", \"2\"]`";

    fn at_most(&self, other: &Self) -> bool {
        self.0.at_most(&other.0)
    }
}

impl<'de, T: Bound + Deserialize<'de>> Deserialize<'de> for Between<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BetweenVisitor(PhantomData))
    }
}

struct BetweenVisitor<T>(PhantomData<T>);

impl<'de, T: Bound + Deserialize<'de>> Visitor<'de> for BetweenVisitor<T> {
    type Value = Between<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::RANGE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Between<T>, A::Error> {
        let low = values.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let high: T = values.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
        if values.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(3, &self));
        }
        if T::at_most(&low, &high) {
            Ok(Between { low, high })
        } else {
            Err(de::Error::custom("the range is upside down: write the lower value first"))
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Between<T>, E> {
        match u64::try_from(value) {
            Ok(value) => T::deserialize(U64Deserializer::new(value)).map(Between::only),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Between<T>, E> {
        T::deserialize(StrDeserializer::new(value)).map(Between::only)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Between<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Between::only)
    }
}

impl<T: Copy> Between<T> {
    /// The range of just one value.
    pub const fn only(value: T) -> Self {
        Self { low: value, high: value }
    }
}

/// Weights of a choice, each of them a range; what is picked first stands first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weights<const N: usize> {
    /// Invariant: 32 bits each, and at least one that may be above zero.
    ranges: [Numbers; N],
}

impl<const N: usize> Weights<N> {
    /// Weights within these ranges.
    ///
    /// # Panics
    /// When nothing could ever be picked, or a weight is above 32 bits.
    #[must_use]
    pub fn new(ranges: [Numbers; N]) -> Self {
        assert_eq!(Self::check(&ranges), Ok(()), "{ranges:?}");
        Self { ranges }
    }

    /// The ranges.
    #[must_use]
    pub const fn ranges(&self) -> [Numbers; N] {
        self.ranges
    }

    fn check(ranges: &[Numbers; N]) -> Result<(), String> {
        match ranges.iter().map(|range| range.high).max() {
            None | Some(0) => Err(NOTHING_TO_PICK.to_owned()),
            Some(weight) if weight > u64::from(u32::MAX) => {
                Err(format!("the weight {weight} is too large; expected at most {}", u32::MAX))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The complaint about weights of which none counts.
pub(super) const NOTHING_TO_PICK: &str = "all weights are 0; expected at least one above 0";

impl<'de, const N: usize> Deserialize<'de> for Weights<N>
where
    [Numbers; N]: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = <[Numbers; N]>::deserialize(deserializer)?;
        Self::check(&ranges).map_err(de::Error::custom)?;
        Ok(Self { ranges })
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RatioVisitor)
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ratio = Ratio::deserialize(deserializer)?;
        if ratio.is_probability() {
            Ok(Self(ratio))
        } else {
            Err(de::Error::custom(format!(
                "the probability {ratio} is above 1; expected a ratio from 0 to 1"
            )))
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ratio = Ratio::deserialize(deserializer)?;
        if ratio.is_clock_rate() {
            Ok(Self(ratio))
        } else {
            Err(de::Error::custom(format!("no clock runs at the rate {ratio}; expected 1/1000 to 1000")))
        }
    }
}

struct RatioVisitor;

impl<'de> Visitor<'de> for RatioVisitor {
    type Value = Ratio;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exact ratio: \"3/100\", { num = 3, den = 100 }, or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Ratio, E> {
        value::ratio(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Ratio, E> {
        let num = u32::try_from(value);
        num.map(|num| Ratio { num, den: 1 })
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Ratio, E> {
        let number =
            u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        self.visit_u64(number)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ratio, A::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Parts {
            num: u32,
            den: u32,
        }
        let Parts { num, den } = Parts::deserialize(MapAccessDeserializer::new(map))?;
        if den == 0 {
            return Err(de::Error::custom("the lower number of a ratio is 0; expected at least 1"));
        }
        Ok(Ratio { num, den })
    }
}
