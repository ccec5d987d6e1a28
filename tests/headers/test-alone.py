#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public header compiles alone, twice included, as C99, C11 and C++ without a warning."""
import os
import shutil
import subprocess
import sys
import unittest

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
C_COMPILERS = [c for c in ("gcc", "clang", "clang-14") if shutil.which(c)]
CXX_COMPILERS = [c for c in ("g++", "clang++", "clang++-14") if shutil.which(c)]


class Header(unittest.TestCase):
    def compile(self, compilers, language, std):
        self.assertTrue(compilers, "no compiler")
        for compiler in compilers:
            for header in HEADERS:
                source = '#include "%s"\n#include "%s"\nextern int unused;\n' % (header, header)
                with self.subTest(compiler=compiler, header=header):
                    result = subprocess.run(
                        [compiler, "-x", language, "-std=" + std, *WARNINGS, "-"], input=source,
                        capture_output=True, text=True, timeout=60)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_c99(self):
        self.compile(C_COMPILERS, "c", "c99")

    def test_c11(self):
        self.compile(C_COMPILERS, "c", "c11")

    def test_cxx11(self):
        self.compile(CXX_COMPILERS, "c++", "c++11")

    def test_cxx17(self):
        self.compile(CXX_COMPILERS, "c++", "c++17")


if __name__ == "__main__":
    HEADERS = [os.path.abspath(path) for path in sys.argv[1:]]
    unittest.main(argv=sys.argv[:1], verbosity=2)
