#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the examples on the software DSP and checks them against computations of its own."""
import os
import random
import subprocess
import sys
import tempfile
import unittest

EXAMPLES = os.environ["EXAMPLES"]
CALCULATOR = os.environ["CALCULATOR"]
IMGFILTER = os.environ["IMGFILTER"]
QDA_INVOKE = os.environ["QDA_INVOKE"]
NUMBERS = os.path.join(EXAMPLES, "calculator", "numbers.txt")

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(EXAMPLES, "imgfilter"))
import sobel  # noqa: E402


def run(*command, env=None):
    return subprocess.run(command, capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})


def numbers():
    with open(NUMBERS) as file:
        return [int(word) for word in file.read().split()]


class Example(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)

    def path(self, name, content=None):
        path = os.path.join(self.temporary.name, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def assert_success(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)


class Calculator(Example):
    def test_sum_and_max_of_the_kept_list(self):
        vec = numbers()
        result = run(CALCULATOR, NUMBERS)
        self.assert_success(result)
        self.assertEqual(result.stdout, "sum (raw): %d\nmax (raw): %d\n" % (sum(vec), max(vec)) +
                         "sum (typed): %d\nmax (typed): %d\n" % (sum(vec), max(vec)))

    def test_kept_list_needs_64_bits(self):
        vec = numbers()
        self.assertEqual(len(vec), 1000)
        self.assertGreater(abs(sum(vec)), 2 ** 31)

    def test_empty_list_has_a_sum_and_no_maximum(self):
        result = run(CALCULATOR, self.path("empty", b""))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "sum (raw): 0\n")
        self.assertIn("max (raw): ", result.stderr)
        self.assertIn("AEE_EBADPARM", result.stderr)

    def test_list_of_a_million(self):
        vec = random.Random(1).choices(range(-2 ** 31, 2 ** 31), k=1000000)
        result = run(CALCULATOR, self.path("million", " ".join(map(str, vec)).encode()))
        self.assert_success(result)
        self.assertIn("sum (typed): %d\n" % sum(vec), result.stdout)

    def test_words_and_large_numbers_are_refused(self):
        for text in (b"1 two 3", b"2147483648", b"-2147483649", b"99999999999999999999"):
            result = run(CALCULATOR, self.path("bad", text))
            self.assertEqual((result.returncode, result.stdout), (1, ""), text)
            self.assertIn("not a list of 32-bit numbers", result.stderr)

    def test_unknown_dsp(self):
        result = run(CALCULATOR, "-d", "nosuchdsp", NUMBERS)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertTrue(result.stderr.startswith("calculator: nosuchdsp: "), result.stderr)

    def test_missing_skel(self):
        result = run(CALCULATOR, NUMBERS, env={"DSP_LIBRARY_PATH": self.temporary.name})
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertTrue(result.stderr.startswith("calculator: libcalculator_skel.so: "),
                        result.stderr)
        self.assertIn("hint: ", result.stderr)

    def test_missing_software_dsp(self):
        result = run(CALCULATOR, NUMBERS, env={"QDA_SOFTDSP": "/nonexistent/qda-softdsp"})
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("hint: ", result.stderr)


class Imgfilter(Example):
    def setUp(self):
        super().setUp()
        self.input = self.path("input.pgm")
        subprocess.run([sys.executable, os.path.join(EXAMPLES, "imgfilter", "make-input.py"),
                        self.input], check=True)

    def filter(self, pgm):
        return run(IMGFILTER, self.path("in.pgm", pgm), self.path("out.pgm"))

    def test_edges_of_the_kept_image(self):
        result = run(IMGFILTER, self.input, self.path("out.pgm"))
        self.assert_success(result)
        self.assertEqual(self.read("out.pgm"), sobel.sobel_pgm(self.read("input.pgm")))

    def test_images_of_all_small_sizes(self):
        dice = random.Random(2)
        for width in range(1, 5):
            for height in range(1, 5):
                pgm = b"P5 %d %d 255\n" % (width, height) + dice.randbytes(width * height)
                self.assert_success(self.filter(pgm))
                self.assertEqual(self.read("out.pgm"), sobel.sobel_pgm(pgm))

    def test_image_with_comments_and_a_small_maxval(self):
        pixels = bytes(random.Random(3).choices(range(101), k=33 * 17))
        pgm = b"P5 # grey\n33\t#width\n 17 #\n100\n" + pixels
        self.assert_success(self.filter(pgm))
        self.assertEqual(self.read("out.pgm"), sobel.sobel_pgm(pgm))
        self.assertEqual(max(self.read("out.pgm")[-33 * 17:]), 100)

    def test_pixels_that_look_like_white_space_are_pixels(self):
        pgm = b"P5 3 3 255\n" + b"\n # \t\r\n 9"
        self.assert_success(self.filter(pgm))
        self.assertEqual(self.read("out.pgm"), sobel.sobel_pgm(pgm))

    def test_bad_images_are_refused_and_nothing_is_written(self):
        for pgm in (b"P2 1 1 255\n0\n", b"P5 4 4 255\nshort", b"P5 1 1 65535\nxx", b"P"):
            result = self.filter(pgm)
            self.assertEqual((result.returncode, result.stdout), (1, ""), pgm)
            self.assertIn("AEE_EBADPARM", result.stderr)
            self.assertIn("no 8-bit binary PGM", result.stderr)
            self.assertFalse(os.path.exists(self.path("out.pgm")))

    def test_missing_and_empty_input(self):
        for path in (self.path("missing.pgm"), self.path("empty.pgm", b""), self.temporary.name):
            result = run(IMGFILTER, path, self.path("out.pgm"))
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertTrue(result.stderr.startswith("imgfilter: " + path), result.stderr)

    def test_output_that_cannot_be_written(self):
        result = run(IMGFILTER, self.input, self.path("no/such/dir.pgm"))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no/such/dir.pgm", result.stderr)


class MainJob(Example):
    """What the demo shows, through the command."""

    def invoke(self, example, *args):
        idl = os.path.join(EXAMPLES, example, example + ".idl")
        return run(QDA_INVOKE, "-d", "soft:cdsp", "--idl", idl, "lib%s_skel.so" % example, *args)

    def test_sum_of_the_kept_list(self):
        result = self.invoke("calculator", "sum", "%" + NUMBERS)
        self.assert_success(result)
        self.assertIn(str(sum(numbers())), result.stdout.split())

    def test_max_of_the_kept_list(self):
        result = self.invoke("calculator", "max", "%" + NUMBERS)
        self.assert_success(result)
        self.assertIn(str(max(numbers())), result.stdout.split())

    def test_edges_of_the_kept_image(self):
        source = self.path("input.pgm")
        subprocess.run([sys.executable, os.path.join(EXAMPLES, "imgfilter", "make-input.py"),
                        source], check=True)
        result = self.invoke("imgfilter", "sobel_pgm", "@" + source, "--out",
                             "edges=" + self.path("edges.pgm"))
        self.assert_success(result)
        self.assertEqual(self.read("edges.pgm"), sobel.sobel_pgm(self.read("input.pgm")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
