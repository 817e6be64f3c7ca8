//! A buffer that several tasks write, each its own part.

use std::marker::PhantomData;

/// A buffer that several tasks write, each its own part.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: as good as `&mut [T]`, whose parts are told apart by whoever asks for them.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(data: &'a mut [T]) -> Self {
        Self {
            data: data.as_mut_ptr(),
            len: data.len(),
            borrowed: PhantomData,
        }
    }

    /// The `len` elements from `start` on.
    ///
    /// # Panics
    /// When they do not lie in the buffer.
    ///
    /// # Safety
    /// Nobody else has any of them while the result is in use.
    #[inline]
    pub unsafe fn part(&self, start: usize, len: usize) -> &'a mut [T] {
        let inside = start <= self.len && len <= self.len - start;
        assert!(inside, "outside the buffer");
        // SAFETY: inside the buffer, which is borrowed for `'a`, and the caller's own.
        unsafe { std::slice::from_raw_parts_mut(self.data.wrapping_add(start), len) }
    }

    /// A rectangle of `columns` values in each of some rows, whose corner is element `at`; `(rows, row)`
    /// is how many there are and how far apart.
    ///
    /// # Panics
    /// When it does not lie in the buffer.
    ///
    /// # Safety
    /// Nobody else has any of its elements while the result is in use.
    #[inline]
    pub unsafe fn place(
        &self,
        at: usize,
        (rows, row): (usize, usize),
        columns: usize,
    ) -> Place<'a, T> {
        let room = self.len.checked_sub(at);
        let inside = room.is_some_and(|room| reach(rows, row, columns).is_some_and(|r| r <= room));
        assert!(inside, "outside the buffer");
        Place {
            at: self.data.wrapping_add(at),
            rows,
            row,
            columns,
            borrowed: PhantomData,
        }
    }
}

/// Values from the first to the last of `columns` in each of `rows`; `None` beyond what can be counted.
#[inline]
fn reach(rows: usize, row: usize, columns: usize) -> Option<usize> {
    match rows.checked_sub(1) {
        None => Some(0),
        Some(last) => last.checked_mul(row)?.checked_add(columns),
    }
}

/// A rectangle of a buffer, which only its owner has.
pub struct Place<'a, T> {
    at: *mut T,
    rows: usize,
    row: usize,
    columns: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

impl<'a, T> Place<'a, T> {
    /// `columns` values in each of some rows of `data`; `(rows, row)` is how many there are and how far
    /// apart.
    ///
    /// # Panics
    /// When they do not lie in `data`.
    #[inline]
    pub fn of(data: &'a mut [T], size: (usize, usize), columns: usize) -> Self {
        // SAFETY: `data` is borrowed for as long as the result.
        unsafe { Shared::new(data).place(0, size, columns) }
    }

    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    #[inline(always)]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Values from one row to the next.
    #[inline(always)]
    pub fn stride(&self) -> usize {
        self.row
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows, "a row of a rectangle");
        // SAFETY: the maker checked that the last row lies in the buffer, and nobody else has it; it is
        // borrowed from `self`, so that no two rows are out at a time.
        unsafe { std::slice::from_raw_parts_mut(self.at.wrapping_add(i * self.row), self.columns) }
    }

    /// `rows` of the rows, from `first` on.
    ///
    /// # Panics
    /// When there are fewer.
    #[inline(always)]
    pub fn part(&mut self, first: usize, rows: usize) -> Place<'_, T> {
        let inside = first <= self.rows && rows <= self.rows - first;
        assert!(inside, "rows of a rectangle");
        Place {
            at: self.at.wrapping_add(first * self.row),
            rows,
            row: self.row,
            columns: self.columns,
            borrowed: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_is_its_rows_and_no_more() {
        let mut data: Vec<u16> = (0..20).collect();
        let mut place = Place::of(&mut data[1..], (3, 7), 4);
        assert_eq!(place.row(1), [8, 9, 10, 11]);
        place.part(1, 2).row(1).fill(99);
        assert_eq!(data[15..], [99, 99, 99, 99, 19]);
        assert_eq!(data[8..12], [8, 9, 10, 11]);
    }

    #[test]
    fn what_does_not_lie_inside_is_refused() {
        let refused = |at: usize, size: (usize, usize), columns: usize| {
            let mut data = [0u8; 20];
            let shared = Shared::new(&mut data);
            // SAFETY: nobody else has the buffer, and nothing is read or written.
            let run = || unsafe { shared.place(at, size, columns) }.rows();
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()
        };
        assert!(!refused(1, (3, 7), 5) && !refused(20, (0, 7), 5) && !refused(0, (1, 99), 20));
        assert!(refused(1, (3, 7), 6) && refused(21, (0, 7), 5) && refused(0, (1, 99), 21));
        assert!(refused(0, (usize::MAX, 2), 1) && refused(0, (2, usize::MAX), 1));
    }

    #[test]
    #[should_panic(expected = "a row of a rectangle")]
    fn a_row_behind_the_last_is_refused() {
        Place::of(&mut [0u8; 20], (2, 5), 5).row(2);
    }
}
