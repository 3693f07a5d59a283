//! A bump allocator: an instance lives for one call, so memory is handed out in a line and dropped as a whole.
//!
//! It starts at the end of the module's own data and uses the initial memory before it asks for more.
//! Only the newest piece can grow in place or be given back, which is what building one long text needs.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;

const PAGE: usize = 64 * 1024;

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0) };

struct Bump {
    /// First free address; 0 until the first allocation.
    next: Cell<usize>,
}

// SAFETY: a component instance without threads runs on one thread only.
unsafe impl Sync for Bump {}

unsafe extern "C" {
    /// Set by the linker: the first address after the module's data and stack.
    static __heap_base: u8;
}

impl Bump {
    fn free_from(&self) -> usize {
        match self.next.get() {
            0 => &raw const __heap_base as usize,
            next => next,
        }
    }

    /// Makes the memory reach `end`. False: the engine refused.
    fn reach(end: usize) -> bool {
        let have = memory_size(0) * PAGE;
        if end <= have {
            return true;
        }
        // An eighth more than asked, so that a text that grows step by step asks rarely.
        let missing = (end - have).div_ceil(PAGE);
        memory_grow(0, missing + missing / 8) != usize::MAX || memory_grow(0, missing) != usize::MAX
    }

    fn take(&self, start: usize, size: usize) -> *mut u8 {
        match start.checked_add(size) {
            Some(end) if Self::reach(end) => {
                self.next.set(end);
                start as *mut u8
            }
            _ => core::ptr::null_mut(),
        }
    }
}

// SAFETY: every block starts at or after the end of the block before it, inside the memory, aligned as asked.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(start) = self.free_from().checked_next_multiple_of(layout.align()) else {
            return core::ptr::null_mut();
        };
        self.take(start, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        if start + layout.size() == self.next.get() {
            return self.take(start, size);
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the alignment comes from a valid layout, and callers keep `size` within `isize`.
        let wider = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `wider` has the caller's non-zero size.
        let moved = unsafe { self.alloc(wider) };
        if !moved.is_null() {
            // SAFETY: the new block is a fresh one of at least the old block's size.
            unsafe { core::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}
