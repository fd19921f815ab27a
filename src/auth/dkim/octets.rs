//! Finds an octet in a block of 64 octets, with registers as wide as the processor has them.
//!
//! The result has one bit for each octet of the block; the lowest bit stands for the first octet.

#![expect(clippy::inline_always, reason = "inlined, so that it is compiled for the registers of the caller")]

use wide::u8x16;

/// The size of a block in octets.
pub(super) const BLOCK: usize = 64;

/// Work on blocks, which is compiled once for each width of registers.
pub(super) trait Work {
    fn run(self, finder: impl Fn(&[u8; BLOCK], u8) -> u64);
}

/// Runs `work` with the widest registers that the processor has.
pub(super) fn widest(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature that the function is compiled for.
        #[expect(unsafe_code, reason = "halves the time that canonicalisation takes")]
        unsafe {
            avx2(work);
        }
        return;
    }
    work.run(lanes_of_16);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(work: impl Work) {
    use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8};
    work.run(
        #[inline(always)]
        |block, octet| {
            let wanted = _mm256_set1_epi8(octet.cast_signed());
            let (lanes, _) = block.as_chunks::<32>();
            lanes.iter().rev().fold(0, |bits, lanes| {
                // SAFETY: `lanes` has 32 octets, as many as are loaded, at any address.
                #[expect(unsafe_code, reason = "loads are by pointer")]
                let lanes = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
                bits << 32 | u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(lanes, wanted)).cast_unsigned())
            })
        },
    );
}

#[inline(always)]
fn lanes_of_16(block: &[u8; BLOCK], octet: u8) -> u64 {
    let wanted = u8x16::splat(octet);
    let (lanes, _) = block.as_chunks::<16>();
    lanes.iter().rev().fold(0, |bits, lanes| bits << 16 | u64::from(u8x16::new(*lanes).simd_eq(wanted).to_bitmask()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Expect<'b>(&'b [u8; BLOCK], u8);

    impl Work for Expect<'_> {
        fn run(self, finder: impl Fn(&[u8; BLOCK], u8) -> u64) {
            let Self(block, octet) = self;
            let expected = (0..).zip(block).filter(|(_, found)| **found == octet).fold(0, |bits, (at, _)| bits | 1_u64 << at);
            assert_eq!(finder(block, octet), expected);
        }
    }

    proptest! {
        #[test]
        fn each_width_finds_each_octet(octets in proptest::collection::vec(0_u8..4, BLOCK), octet in 0_u8..4) {
            let block = octets.try_into().unwrap();
            widest(Expect(&block, octet));
            Expect(&block, octet).run(lanes_of_16);
        }
    }
}
