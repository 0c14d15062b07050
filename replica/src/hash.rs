//! The hash that state digests are made of: fast, the same on every machine, and no match for someone who seeks
//! collisions.

/// Hashes bytes, eight at a time; a last, shorter run is told by the length.
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = mix(seed, bytes.len() as u64);
    for word in words {
        hash = fold(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// Stirs a word into a hash, less thoroughly and in a third of the time: the two halves of a product, as wyhash has it. The
/// word itself and the hash are put back in: the halves of a number's product and of its complement's are often alike, and a
/// word that equals the hash leaves nothing of either.
fn fold(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
    (product as u64 ^ (product >> 64) as u64 ^ word).wrapping_add(hash)
}

/// Stirs a word into a hash: the finishing steps of SplitMix64 (Steele, Lea, Flood, OOPSLA '14).
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let mut stirred = (hash.rotate_left(29) ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    stirred = (stirred ^ (stirred >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    stirred ^ (stirred >> 31)
}

#[cfg(test)]
mod tests {
    use super::hash_bytes;

    /// This seed was found by a search of many: here a bare folded product is the same for both.
    #[test]
    fn a_word_and_its_complement_hash_differently() {
        let key = hash_bytes(8, &[0xba, 0xd6, 0x78, 0x02, 0, 0, 0, 0]);
        assert_ne!(hash_bytes(key, &[0x00; 8]), hash_bytes(key, &[0xff; 8]));
    }
}
