#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every exported function has a page with what a page needs, and groff has no complaint."""
import argparse
import glob
import os
import re
import shutil
import subprocess
import unittest


def pages():
    return sorted(glob.glob(os.path.join(ARGS.directory, "*.[13]")))


def read(path):
    with open(path) as file:
        return file.read()


class Man(unittest.TestCase):
    def setUp(self):
        self.functions = re.findall(r"^\t(qda_\w+);", read(ARGS.map), re.M)
        self.assertGreater(len(self.functions), 50)

    def function_page(self, name):
        return read(os.path.join(ARGS.directory, name + ".3"))

    def test_every_exported_function_has_a_page(self):
        names = {os.path.basename(path)[:-2] for path in pages()}
        self.assertEqual(set(self.functions) - names, set())

    def test_pages_name_and_declare_their_function(self):
        for name in self.functions:
            with self.subTest(function=name):
                page = self.function_page(name)
                self.assertRegex(page, r"\n\.SH NAME\n%s \\- \S" % name)
                self.assertRegex(page, r"\n\.SH SYNOPSIS\n(?:.*\n)*?.*\b%s\(" % name)
                self.assertRegex(page, r"\n\.SH DESCRIPTION\n(\.PP\n)?\S")

    def test_functions_that_can_fail_say_how(self):
        for name in self.functions:
            page = self.function_page(name)
            if re.search(r"\nint %s\(" % name, page) and "qda_monitor_fd" != name:
                with self.subTest(function=name):
                    self.assertRegex(page, r"\.SH RETURN VALUE|\\fBqda_\w+\\fP\(3\)")

    def test_no_markup_of_the_comments_is_left(self):
        for name in self.functions:
            with self.subTest(function=name):
                self.assertNotRegex(self.function_page(name), r"@\w|/\*\*|\n \*")

    def test_overview_names_every_function(self):
        overview = read(os.path.join(ARGS.directory, "libqda.3"))
        self.assertNotIn("@FUNCTIONS@", overview)
        for name in self.functions:
            self.assertIn(name, overview)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_has_no_complaint(self):
        for path in pages():
            with self.subTest(page=os.path.basename(path)):
                result = subprocess.run(["groff", "-t", "-man", "-ww", "-z", "-Tutf8", "-k", path],
                                        capture_output=True, text=True, timeout=60)
                self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", required=True)
    parser.add_argument("--directory", required=True)
    ARGS = parser.parse_args()
    unittest.main(argv=["test-man.py"], verbosity=2)
