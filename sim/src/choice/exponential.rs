//! Exponential variates in integers: minus the logarithm of a uniform word, from a table made at compile time.

/// Fractional bits of a logarithm.
const FRACTION_BITS: u32 = 32;
/// Table steps between 1 and 2.
const STEPS: usize = 256;
/// The natural logarithm of 2, with 32 fractional bits.
const LN_2: u64 = 0xB172_17F8;

/// The binary logarithm of `1 + i / STEPS`, with 32 fractional bits.
static LOG2: [u64; STEPS + 1] = log2_table();

/// `mean` times a variate of mean one that is made of the uniform word `bits`.
#[inline]
pub(super) fn scale(bits: u64, mean: u64) -> u64 {
    let product = u128::from(mean) * u128::from(minus_ln(bits));
    u64::try_from(product >> FRACTION_BITS).unwrap_or(u64::MAX)
}

/// `-ln((bits + 1) / 2^64)` with 32 fractional bits: at most 44.4.
#[inline]
fn minus_ln(bits: u64) -> u64 {
    let Some(bits) = bits.checked_add(1) else {
        return 0;
    };
    let whole = bits.leading_zeros();
    // The leading one goes; the next eight bits name a step of the table, the rest a place within it.
    let mantissa = (bits << whole) << 1;
    let step = (mantissa >> 56) as usize;
    let within = (mantissa >> 24) as u32;
    let log2 = LOG2[step] + (((LOG2[step + 1] - LOG2[step]) * u64::from(within)) >> 32);
    let minus_log2 = (u64::from(whole + 1) << FRACTION_BITS) - log2;
    ((u128::from(minus_log2) * u128::from(LN_2)) >> 32) as u64
}

/// Bit after bit of the logarithm by squaring: whenever the square passes 2, the bit is one.
const fn log2_table() -> [u64; STEPS + 1] {
    let mut table = [0; STEPS + 1];
    let mut step = 0;
    while step <= STEPS {
        if step == STEPS {
            table[step] = 1 << FRACTION_BITS;
            break;
        }
        // A number from 1 up to 2 with 63 fractional bits.
        let mut number = (1_u64 << 63) + ((step as u64) << (63 - 8));
        let mut log2 = 0;
        let mut bit = 0;
        while bit < FRACTION_BITS {
            let square = ((number as u128) * (number as u128)) >> 63;
            log2 <<= 1;
            if square >> 64 == 0 {
                number = square as u64;
            } else {
                number = (square >> 1) as u64;
                log2 |= 1;
            }
            bit += 1;
        }
        table[step] = log2;
        step += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{minus_ln, scale};

    #[test]
    fn the_integer_logarithm_agrees_with_the_real_one_to_five_digits() {
        for bits in (0..64).flat_map(|shift| [u64::MAX >> shift, (u64::MAX / 3) >> shift, 1 << shift]) {
            let real = -((bits as f64 + 1.0) / 2_f64.powi(64)).ln();
            let integer = minus_ln(bits) as f64 / 2_f64.powi(32);
            assert!((real - integer).abs() < 1e-5, "{bits:#x}: {real} and {integer}");
        }
    }

    #[test]
    fn the_rarest_word_gives_the_longest_time_and_the_largest_word_none() {
        assert_eq!(scale(u64::MAX, 1_000_000), 0);
        assert_eq!(scale(0, 1_000_000), 44_361_419);
    }
}
