#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options of --help, man pages and completions are the same, and the shells understand them."""
import argparse
import os
import re
import shutil
import subprocess
import tempfile
import unittest

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
FILES = {"bash": "%s", "zsh": "_%s", "fish": "%s.fish"}
IDL = """interface calc {
	long sum(in sequence<long> vec, rout long long res);
	long product (in long a, in long b, rout long res);
};
"""


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def name(program):
    return os.path.basename(program)


def completion(shell, program):
    return os.path.join(ARGS.completions, shell, FILES[shell] % name(program))


def options(program):
    """Long options, which begin the rows of --help."""
    output = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60,
                            check=True).stdout
    return set(re.findall(r"^  (?:-\w,|   ) (--[a-z-]+)", output, re.M))


class Options(unittest.TestCase):
    def test_help_was_understood(self):
        for program in ARGS.programs:
            self.assertGreater(len(options(program)), 8)
            self.assertIn("--json", options(program))

    def test_bash(self):
        for program in ARGS.programs:
            self.assertEqual(set(OPTION.findall(read(completion("bash", program)))),
                             options(program))

    def test_zsh(self):
        for program in ARGS.programs:
            self.assertEqual(set(OPTION.findall(read(completion("zsh", program)))),
                             options(program))

    def test_fish(self):
        for program in ARGS.programs:
            text = read(completion("fish", program))
            self.assertEqual({"--" + long for long in
                              re.findall(r"^complete .*? -l ([a-z-]+)", text, re.M)},
                             options(program))

    def test_man_pages(self):
        for program in ARGS.programs:
            text = read(ARGS.man, name(program) + ".1.scd").split("\n# OPTIONS\n")[1]
            rows = re.findall(r"^(?:\*-\w\*, )?\*(--[a-z-]+)\*", text.split("\n# ")[0], re.M)
            self.assertEqual(set(rows), options(program))


class Shells(unittest.TestCase):
    def parse(self, shell):
        if not shutil.which(shell):
            self.skipTest(shell + " is not installed")
        for program in ARGS.programs:
            result = subprocess.run([shell, "-n", completion(shell, program)], timeout=60,
                                    capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_bash_parses(self):
        self.parse("bash")

    def test_zsh_parses(self):
        self.parse("zsh")

    def test_fish_parses(self):
        self.parse("fish")

    def bash(self, program, *words):
        """What bash offers for the last of @words."""
        program = next(path for path in ARGS.programs if name(path) == program)
        script = ('. "$1"; shift; function=$1; shift; compopt() { :; }; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$(($# - 1)); $function; printf "%s\\n" "${COMPREPLY[@]}"')
        function = "_" + name(program).replace("-", "_")
        result = subprocess.run(
            ["bash", "-c", script, "bash", completion("bash", program), function, name(program),
             *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_bash_offers_options_devices_and_methods(self):
        self.assertEqual(self.bash("qda-info", "--att"), ["--attributes"])
        self.assertEqual(self.bash("qda-invoke", "--dry"), ["--dry-run"])
        self.assertIn("soft:cdsp", self.bash("qda-info", "-d", ""))
        self.assertEqual(self.bash("qda-info", "--check", "cd"), ["cdsp"])
        self.assertEqual(self.bash("qda-invoke", "-d", "soft", ":", "c"), ["cdsp"])
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "calc.idl")
            with open(path, "w") as file:
                file.write(IDL)
            self.assertEqual(self.bash("qda-invoke", "--idl", path, "x.so", "pro"), ["product"])

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_offers_options_devices_and_methods(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "calc.idl")
            with open(path, "w") as file:
                file.write(IDL)
            environment = {**os.environ, "HOME": directory, "XDG_CONFIG_HOME": directory,
                           "XDG_DATA_HOME": directory}

            def fish(program, words):
                path = next(p for p in ARGS.programs if name(p) == program)
                result = subprocess.run(
                    ["fish", "-N", "-c", 'source $argv[1]; complete -C $argv[2]',
                     completion("fish", path), "%s %s" % (program, words)],
                    capture_output=True, text=True, timeout=60, env=environment)
                self.assertEqual(result.stderr, "")
                return [line.split("\t")[0] for line in result.stdout.splitlines()]

            self.assertEqual(fish("qda-info", "--att"), ["--attributes"])
            self.assertIn("soft:cdsp", fish("qda-info", "-d "))
            self.assertIn("soft:cdsp", fish("qda-info", "--check so"))
            self.assertIn("product", fish("qda-invoke", "--idl %s x.so pro" % path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--completions", required=True)
    parser.add_argument("--man", required=True)
    parser.add_argument("programs", nargs="+")
    ARGS = parser.parse_args()
    unittest.main(argv=["test-completions.py"], verbosity=2)
