//! A few columns of a matrix, row by row, with the bounds looked at once.

/// `n` neighbouring columns of each of some rows: what a loop down a matrix reads a vector at a time.
#[derive(Clone, Copy)]
pub struct Strip<'a, T> {
    data: &'a [T],
    /// Values from one row to the next.
    row: usize,
    rows: usize,
    /// The first of the columns.
    at: usize,
    n: usize,
}

impl<'a, T> Strip<'a, T> {
    /// Columns `at` to `at + n` of `rows` rows of `data`, which start `row` values apart.
    ///
    /// # Panics
    /// When the last row's do not lie in `data`.
    #[inline(always)]
    pub fn new(data: &'a [T], (rows, row): (usize, usize), (at, n): (usize, usize)) -> Self {
        check(data.len(), (rows, row), (at, n));
        Self {
            data,
            row,
            rows,
            at,
            n,
        }
    }

    /// Row `i`'s `n` values.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [T] {
        assert!(i < self.rows, "a row of a strip");
        let at = i * self.row + self.at;
        // SAFETY: `new` checked that the last row's values lie in `data`, and no row is behind it.
        unsafe { self.data.get_unchecked(at..at + self.n) }
    }
}

/// A [`Strip`] that is written.
pub struct StripMut<'a, T> {
    data: &'a mut [T],
    row: usize,
    rows: usize,
    at: usize,
    n: usize,
}

impl<'a, T> StripMut<'a, T> {
    /// As [`Strip::new`].
    ///
    /// # Panics
    /// As [`Strip::new`].
    #[inline(always)]
    pub fn new(data: &'a mut [T], (rows, row): (usize, usize), (at, n): (usize, usize)) -> Self {
        check(data.len(), (rows, row), (at, n));
        Self {
            data,
            row,
            rows,
            at,
            n,
        }
    }

    /// Row `i`'s `n` values.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows, "a row of a strip");
        let at = i * self.row + self.at;
        // SAFETY: `new` checked that the last row's values lie in `data`, and no row is behind it.
        unsafe { self.data.get_unchecked_mut(at..at + self.n) }
    }
}

#[inline(always)]
fn check(len: usize, (rows, row): (usize, usize), (at, n): (usize, usize)) {
    assert!(
        fits(len, (rows, row), (at, n)),
        "a strip outside of its matrix"
    );
}

#[inline(always)]
fn fits(len: usize, (rows, row): (usize, usize), (at, n): (usize, usize)) -> bool {
    let last = match rows.checked_sub(1) {
        None => return true,
        Some(last) => last.checked_mul(row),
    };
    let end = last.and_then(|last| last.checked_add(at)?.checked_add(n));
    end.is_some_and(|end| end <= len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_is_the_columns_of_each_row() {
        let mut data: Vec<i16> = (0..23).collect();
        // The last row need not be whole.
        for (rows, row, at, n) in [
            (4, 6, 1, 4),
            (23, 1, 0, 1),
            (3, 10, 2, 1),
            (1, 0, 3, 20),
            (5, 0, 0, 23),
        ] {
            let strip = Strip::new(&data, (rows, row), (at, n));
            for i in 0..rows {
                let first = (i * row + at) as i16;
                assert_eq!(strip.row(i), (first..first + n as i16).collect::<Vec<_>>());
            }
        }
        let mut strip = StripMut::new(&mut data, (4, 6), (1, 4));
        strip.row(3).fill(-1);
        assert_eq!(data[18..], [18, -1, -1, -1, -1]);
    }

    #[test]
    fn what_does_not_lie_inside_is_refused() {
        for (rows, row, at, n) in [
            (4, 6, 1, 5),
            (5, 6, 0, 0),
            (1, 0, 24, 0),
            (usize::MAX, 2, 0, 1),
            (2, usize::MAX, 1, 1),
            (2, usize::MAX / 2, usize::MAX, 2),
        ] {
            assert!(!fits(23, (rows, row), (at, n)), "{rows} {row} {at} {n}");
        }
        assert!(fits(0, (0, 7), (3, 4)), "no rows lie anywhere");
    }

    #[test]
    #[should_panic(expected = "a row of a strip")]
    fn a_row_behind_the_last_is_refused() {
        Strip::new(&[0f32; 8], (2, 2), (0, 2)).row(2);
    }

    #[test]
    #[should_panic(expected = "a row of a strip")]
    fn a_row_to_write_behind_the_last_is_refused() {
        StripMut::new(&mut [0f32; 8], (2, 2), (0, 2)).row(2);
    }
}
