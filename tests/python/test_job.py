# SPDX-License-Identifier: MIT OR Apache-2.0
"""job.py: geometry and words as tables of cases. Run: python3 -m unittest discover
tests/python"""

import random
import unittest

import plugins

plugins.import_gimp()

import job
from job import Rect
from test_params import DESCRIPTION


def plan_of(*regions):
    plain = lambda r: dict(zip(("x", "y", "width", "height"), r))  # noqa: E731
    return {
        "engine": "exemplar",
        "seconds": 2.4,
        "peak_bytes": 50 << 20,
        "regions": [
            {"rect": plain(rect), "hole": plain(hole), "hole_pixels": hole[2] * hole[3]}
            for rect, hole in regions
        ],
    }


class Rects(unittest.TestCase):
    def test_intersect(self):
        layer = Rect(0, 0, 100, 80)
        for what, rect, expected in [
            ("inside", Rect(10, 20, 30, 40), Rect(10, 20, 30, 40)),
            ("over the left and top edge", Rect(-5, -6, 20, 20), Rect(0, 0, 15, 14)),
            ("over the right and bottom edge", Rect(90, 70, 20, 20), Rect(90, 70, 10, 10)),
            ("larger than the layer", Rect(-10, -10, 400, 400), layer),
            ("beside it", Rect(100, 0, 10, 10), Rect(0, 0, 0, 0)),
            ("empty", Rect(50, 50, 0, 10), Rect(0, 0, 0, 0)),
        ]:
            with self.subTest(what):
                self.assertEqual(layer.intersect(rect), expected)
                self.assertEqual(rect.intersect(layer), expected)

    def test_union_ignores_empty(self):
        self.assertEqual(Rect(5, 5, 2, 2).union(Rect(0, 0, 0, 0)), Rect(5, 5, 2, 2))
        self.assertEqual(Rect(5, 5, 2, 2).union(Rect(10, 1, 1, 1)), Rect(5, 1, 6, 6))


class Pieces(unittest.TestCase):
    def test_far_holes_are_sent_apart_and_touching_crops_together(self):
        plan = plan_of(
            ((0, 0, 30, 30), (10, 10, 10, 10)),
            ((1000, 0, 30, 30), (1010, 10, 10, 10)),
            ((20, 20, 30, 30), (35, 35, 5, 5)),
        )
        got = job.pieces(plan)
        self.assertEqual([p.rect for p in got], [Rect(0, 0, 50, 50), Rect(1000, 0, 30, 30)])
        self.assertEqual([p.hole for p in got], [Rect(10, 10, 30, 30), Rect(1010, 10, 10, 10)])
        self.assertAlmostEqual(sum(p.weight for p in got), 1.0)

    def test_a_union_that_reaches_a_third_takes_it_in(self):
        # The first two touch; only their union touches the third, which lies in its corner.
        plan = plan_of(
            ((0, 0, 10, 100), (4, 4, 1, 1)),
            ((0, 90, 100, 10), (95, 95, 1, 1)),
            ((50, 10, 10, 10), (55, 15, 1, 1)),
        )
        self.assertEqual([p.rect for p in job.pieces(plan)], [Rect(0, 0, 100, 100)])

    def test_no_piece_sees_a_part_of_anothers_hole(self):
        rng = random.Random(7)
        for _ in range(200):
            regions = []
            for _ in range(rng.randrange(1, 12)):
                hole = Rect(
                    rng.randrange(500),
                    rng.randrange(500),
                    rng.randrange(1, 60),
                    rng.randrange(1, 60),
                )
                regions.append((hole.grown(rng.randrange(40)), hole))
            got = job.pieces(plan_of(*regions))
            for rect, hole in regions:
                self.assertEqual(sum(rect.intersect(p.rect) == rect for p in got), 1)
                for piece in got:
                    overlap = hole.intersect(piece.rect)
                    self.assertIn(overlap, (hole, Rect(0, 0, 0, 0)))

    def test_an_empty_plan_has_no_pieces(self):
        self.assertEqual(job.pieces(plan_of()), [])


class Bytes(unittest.TestCase):
    def test_bands_cover_the_rectangle_once(self):
        for rect, pixel_bytes, most in (
            (Rect(3, 5, 1000, 4001), 16, 4 << 20),
            (Rect(3, 5, 1000, 777), 16, 1 << 20),
        ):
            bands = job.bands(rect, pixel_bytes, most)
            self.assertGreater(len(bands), 5)
            y = rect.y
            for band in bands:
                self.assertEqual((band.x, band.y, band.width), (3, y, 1000))
                self.assertLessEqual(band.area * pixel_bytes, most)
                y = band.bottom
            self.assertEqual(y, rect.bottom)
        # A row is the least.
        self.assertEqual(
            job.bands(Rect(0, 0, 1 << 20, 2), 16, 4),
            [Rect(0, 0, 1 << 20, 1), Rect(0, 1, 1 << 20, 1)],
        )

    def test_cut(self):
        data = bytes(range(60))  # 5 rows of 3 pixels of 4 bytes
        self.assertEqual(job.cut(data, 12, Rect(1, 2, 2, 2), 4), data[28:36] + data[40:48])
        self.assertEqual(job.cut(data, 12, Rect(0, 1, 3, 2), 4), data[12:36])
        self.assertEqual(job.cut(bytearray(data), 12, Rect(2, 4, 1, 1), 4), data[56:60])

    def test_hard_keeps_only_what_is_not_selected_at_all(self):
        self.assertEqual(job.hard(bytes([0, 1, 127, 255])), bytes([0, 255, 255, 255]))


class Words(unittest.TestCase):
    def test_times_and_sizes(self):
        for seconds, text in [
            (0.2, "less than a second"),
            (1.2, "about 1 second"),
            (42, "about 42 seconds"),
            (100, "about 2 minutes"),
        ]:
            self.assertEqual(job.seconds_text(seconds), text)
        for count, text in [(10, "less than 1 MB"), (45 << 20, "45 MB"), (3 << 30, "3.0 GB")]:
            self.assertEqual(job.bytes_text(count), text)

    def test_plan(self):
        plan = plan_of(((0, 0, 9, 9), (3, 3, 3, 3)))
        self.assertEqual(
            job.plan_text(plan, DESCRIPTION), "Exemplar, 1 region: about 2 seconds, 50 MB of memory"
        )
        self.assertEqual(job.plan_text(plan_of()), "Nothing is selected.")

    def test_the_time_left_falls_between_reports_and_follows_them(self):
        now = [100.0]
        countdown = job.Countdown(40.0, lambda: now[0])
        self.assertEqual((countdown.left, countdown.share), (40.0, 0.0))
        # Nothing is told for 20 seconds: both go on.
        lefts, shares = [], []
        for _ in range(20):
            now[0] += 1.0
            lefts.append(countdown.left)
            shares.append(countdown.share)
        self.assertEqual(lefts[-1], 20.0)
        self.assertEqual(sorted(lefts, reverse=True), lefts)
        self.assertEqual(sorted(set(shares)), shares)
        # A machine that is half as fast as the plan thought: what was seen counts.
        countdown.report(0.25)
        self.assertEqual((countdown.left, countdown.share), (60.0, 0.25))
        countdown.report(0.2)  # a report of the past
        self.assertEqual((countdown.left, countdown.reported), (60.0, 0.25))
        # Too long at the end: never done before it is, and never less than nothing.
        now[0] += 500.0
        self.assertEqual(countdown.left, 0.0)
        self.assertTrue(0.25 < countdown.share < 1.0)
        countdown.report(1.0)
        self.assertEqual((countdown.left, countdown.share), (0.0, 1.0))
        quick = job.Countdown(0.0, lambda: now[0])
        self.assertEqual((quick.left, quick.share), (0.0, 0.0))

    def test_a_bar_never_goes_back(self):
        now = [0.0]
        countdown = job.Countdown(10.0, lambda: now[0])
        shown = []
        for share in (0.0, 0.0, 0.1, 0.1, 0.2, 0.9):
            now[0] += 5.0
            countdown.report(share)
            shown.append(countdown.shown)
        self.assertEqual(sorted(shown), shown)
        self.assertGreater(shown[1], 0.4)
        self.assertEqual((countdown.reported, shown[-1]), (0.9, 0.9))

    def test_the_librarys_words(self):
        self.assertEqual(job.sentence("the mask is empty; select"), "The mask is empty; select.")
        self.assertEqual(job.sentence(""), ".")
        reports = [{"notes": ["a", "b"]}, {}, {"notes": ["b", "c", "c"]}]
        self.assertEqual(job.notes_of(reports), ["a", "b", "c"])


if __name__ == "__main__":
    unittest.main()
