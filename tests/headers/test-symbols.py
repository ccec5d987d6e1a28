#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The functions a header declares, a version script lists and a library exports are the same."""
import argparse
import re
import subprocess
import sys
import unittest

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DECLARATION = re.compile(r"^[A-Za-z][^;{}#()]*?\b(\w+)\([^;{}]*\)\s*;", re.M)
NODE = re.compile(r"([\w.]+)\s*\{(.*?)\}\s*([\w.]*)\s*;", re.S)


def strip_directives(text):
    """Without preprocessor lines and the lines they continue on."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def declared(path):
    with open(path) as file:
        text = strip_directives(COMMENT.sub("", file.read()))
    text = re.sub(r"^typedef[^;]*;", "", text, flags=re.M)
    return set(DECLARATION.findall(text))


def listed(path):
    """Symbols of the version script, with their node."""
    with open(path) as file:
        text = COMMENT.sub("", file.read())
    symbols = {}
    for node, body, _ in NODE.findall(text):
        body = body.split("local:")[0].replace("global:", "")
        for symbol in filter(None, (word.strip() for word in body.split(";"))):
            symbols[symbol] = node
    return symbols


def exported(path):
    """Symbols the library defines, with their version."""
    output = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", path],
                            capture_output=True, text=True, check=True).stdout
    symbols = {}
    for line in output.splitlines():
        kind, name = line.split()[-2:]
        if kind == "A":
            continue  # the version node itself
        name, _, version = name.partition("@@")
        symbols[name] = version
    return symbols


class Symbols(unittest.TestCase):
    def test_header_was_understood(self):
        names = declared(ARGS.header)
        self.assertGreater(len(names), 30)
        self.assertIn(ARGS.function, names)

    def test_version_script_lists_what_the_header_declares(self):
        self.assertEqual(declared(ARGS.header), set(listed(ARGS.map)))

    def test_library_exports_what_the_version_script_lists(self):
        self.assertEqual(exported(ARGS.library), listed(ARGS.map))

    def test_version_script_is_sorted_and_unique(self):
        with open(ARGS.map) as file:
            names = re.findall(r"^\t(\w+);", file.read(), re.M)
        self.assertEqual(names, sorted(set(names)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", required=True)
    parser.add_argument("--map", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--function", required=True, help="one that is certainly there")
    ARGS = parser.parse_args()
    unittest.main(argv=sys.argv[:1], verbosity=2)
