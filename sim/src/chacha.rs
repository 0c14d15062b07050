//! One block of ChaCha8, computed where it is needed.
//!
//! A draw needs a single block at a random place of a random stream. `rand_chacha` computes four consecutive
//! blocks at a time and keeps a buffer, which is right for a stream and twice as dear for a draw; it stands
//! beside this function in the tests, where both must agree. Bernstein, "ChaCha, a variant of Salsa20".

/// A row of the state: the same step is taken on four words that do not depend on one another. As vector code it needs half
/// of the instructions and the same time, since each step waits for the one before.
type Row = [u32; 4];

/// "expand 32-byte k"
const CONSTANTS: Row = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The block numbered `counter` of the stream `nonce` under `key`.
pub(crate) fn block(key: &[u32; 8], nonce: u64, counter: u64) -> [u32; 16] {
    let input = [
        CONSTANTS,
        [key[0], key[1], key[2], key[3]],
        [key[4], key[5], key[6], key[7]],
        [counter as u32, (counter >> 32) as u32, nonce as u32, (nonce >> 32) as u32],
    ];
    let [mut a, mut b, mut c, mut d] = input;
    for _ in 0..4 {
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        // The diagonals become columns, are mixed, and return to their places.
        (b, c, d) = (rotate_left(b, 1), rotate_left(c, 2), rotate_left(d, 3));
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        (b, c, d) = (rotate_left(b, 3), rotate_left(c, 2), rotate_left(d, 1));
    }
    let mut output = [0; 16];
    for (row, (mixed, input)) in [a, b, c, d].iter().zip(input).enumerate() {
        output[4 * row..4 * row + 4].copy_from_slice(&add(*mixed, input));
    }
    output
}

#[inline(always)]
fn quarter_rounds(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    *a = add(*a, *b);
    *d = xor_rotate::<16>(*d, *a);
    *c = add(*c, *d);
    *b = xor_rotate::<12>(*b, *c);
    *a = add(*a, *b);
    *d = xor_rotate::<8>(*d, *a);
    *c = add(*c, *d);
    *b = xor_rotate::<7>(*b, *c);
}

#[inline(always)]
fn add(left: Row, right: Row) -> Row {
    core::array::from_fn(|i| left[i].wrapping_add(right[i]))
}

#[inline(always)]
fn xor_rotate<const BITS: u32>(left: Row, right: Row) -> Row {
    core::array::from_fn(|i| (left[i] ^ right[i]).rotate_left(BITS))
}

#[inline(always)]
fn rotate_left(row: Row, places: usize) -> Row {
    core::array::from_fn(|i| row[(i + places) % 4])
}

#[cfg(test)]
mod tests {
    use super::block;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn a_block_equals_the_one_that_the_reference_stream_has_at_that_place() {
        let key: [u32; 8] = core::array::from_fn(|i| 0x9E37_79B9_u32.wrapping_mul(i as u32 + 1));
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(4).zip(key) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        for (nonce, counter) in [(0, 0), (1, 0), (0, 1), (u64::MAX, 7), (0x0123_4567_89AB_CDEF, 1 << 33)] {
            let mut reference = ChaCha8Rng::from_seed(seed);
            reference.set_stream(nonce);
            reference.set_word_pos(u128::from(counter) * 16);
            let expected: [u32; 16] = core::array::from_fn(|_| reference.next_u32());
            assert_eq!(block(&key, nonce, counter), expected, "stream {nonce}, block {counter}");
        }
    }
}
