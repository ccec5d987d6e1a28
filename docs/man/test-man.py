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
        self.exported = {}  # by library
        for path in ARGS.map:
            library = os.path.basename(path).removesuffix(".map")
            self.exported[library] = re.findall(r"^\t(\w+_\w+);", read(path), re.M)
            self.assertGreater(len(self.exported[library]), 30)
        self.functions = sum(self.exported.values(), [])

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
            if re.search(r"\nint %s\(" % name, page) and name != "qda_monitor_fd":
                with self.subTest(function=name):
                    self.assertRegex(page, r"\.SH RETURN VALUE|\\fBqda_\w+\\fP\(3\)")

    def test_no_markup_of_the_comments_is_left(self):
        for name in self.functions:
            with self.subTest(function=name):
                self.assertNotRegex(self.function_page(name), r"@\w|/\*\*|\n \*")

    def test_pages_refer_to_their_library(self):
        for library, functions in self.exported.items():
            for name in functions:
                with self.subTest(function=name):
                    page = self.function_page(name)
                    self.assertRegex(page, r'\n\.TH %s 3 "" "%s [\d.]+"' % (name, library))
                    self.assertTrue(page.endswith("\n.SH SEE ALSO\n\\fB%s\\fP(3)\n" % library))

    def test_overviews_name_every_function(self):
        for library, functions in self.exported.items():
            overview = read(os.path.join(ARGS.directory, library + ".3"))
            self.assertNotIn("@FUNCTIONS@", overview)
            for name in functions:
                self.assertIn(name, overview)

    def test_constants_that_a_page_names_are_on_it(self):
        page = self.function_page("syncobj_create")
        self.assertIn("\n#define SYNCOBJ_CREATE_SIGNALED 0x1U\n", page)
        self.assertNotIn("#ifndef", page)
        self.assertIn("SYNCOBJ_FEATURE_EVENTFD 0x2U", self.function_page("syncobj_eventfd"))

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_has_no_complaint(self):
        for path in pages():
            with self.subTest(page=os.path.basename(path)):
                result = subprocess.run(["groff", "-t", "-man", "-ww", "-z", "-Tutf8", "-k", path],
                                        capture_output=True, text=True, timeout=60)
                self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("map", nargs="+", help="version script of a library")
    parser.add_argument("--directory", required=True)
    ARGS = parser.parse_args()
    unittest.main(argv=["test-man.py"], verbosity=2)
