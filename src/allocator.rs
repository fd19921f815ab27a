//! The program's global allocator: small blocks come from mimalloc, large ones from the system.
//!
//! A message takes some two hundred small allocations.
//! mimalloc needs a third of the time for them that the C library takes.
//! After a large block, such as a whole message, is freed, mimalloc would keep it for a second.
//! Memory is promised to stay within a budget, and the C library gives large blocks back at once.

#![expect(unsafe_code, reason = "an allocator is unsafe by its interface")]

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};

/// The allocator that the module describes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

/// The size in bytes from which a block comes from the system: 1 MiB.
const LARGE: usize = 1 << 20;

fn is_large(size: usize) -> bool {
    size >= LARGE
}

// SAFETY: each call is passed to the allocator that made the block. The size in the layout, which
// is the one that the block was made with, tells which allocator that is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is that of `GlobalAlloc`, and so is the callee's.
        unsafe { if is_large(layout.size()) { System.alloc(layout) } else { MiMalloc.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { if is_large(layout.size()) { System.alloc_zeroed(layout) } else { MiMalloc.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { if is_large(layout.size()) { System.dealloc(block, layout) } else { MiMalloc.dealloc(block, layout) } }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (is_large(layout.size()), is_large(size)) {
            // SAFETY: as above.
            (true, true) => unsafe { System.realloc(block, layout, size) },
            // SAFETY: as above.
            (false, false) => unsafe { MiMalloc.realloc(block, layout, size) },
            // SAFETY: the caller promises that `size` makes a valid layout with this alignment.
            // Both blocks are at least as long as the copied part.
            // The old block is freed only after the new one is there.
            _ => unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_what_they_hold_while_they_grow_and_shrink_across_the_limit() {
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        for sizes in [[100, 5000, LARGE, 3 * LARGE, LARGE - 1, 64], [LARGE, LARGE - 1, LARGE + 1, 2 * LARGE, 17, LARGE]] {
            let [first, ..] = sizes;
            // SAFETY: each block is used within its size, and grown and freed with its layout.
            unsafe {
                let mut block = Allocator.alloc_zeroed(layout(first));
                block.cast::<[u8; 16]>().write(*b"what a block has");
                let mut size = first;
                for next in sizes {
                    block = Allocator.realloc(block, layout(size), next);
                    size = next;
                    assert_eq!(block.cast::<[u8; 16]>().read(), *b"what a block has");
                    block.add(size - 1).write(0);
                }
                Allocator.dealloc(block, layout(size));
            }
        }
    }
}
