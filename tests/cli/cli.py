# SPDX-License-Identifier: MIT
"""What the command line tests share: running qda-invoke and looking at how it ended."""
import json
import os
import subprocess
import tempfile
import unittest

QDA_INVOKE = os.environ["QDA_INVOKE"]
EXAMPLES = os.environ["EXAMPLES"]
SKELS = os.environ["SKELS"]
CALCULATOR_IDL = os.path.join(EXAMPLES, "calculator", "calculator.idl")
NUMBERS = os.path.join(EXAMPLES, "calculator", "numbers.txt")

OK, METHOD, USAGE, DEVICE, TIMEOUT, CRASH = range(6)
INTERRUPTED = 130


class InvokeTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def invoke(self, *args, stdin=b"", env=None, **more):
        settings = {**os.environ, "QDA_DEVICE": "soft:cdsp", **(env or {})}
        return subprocess.run([QDA_INVOKE, *args], input=stdin, capture_output=True, timeout=120,
                              env=settings, **more)

    def good(self, *args, **more):
        """Standard output of a run that must succeed in silence."""
        result = self.invoke(*args, **more)
        self.assertEqual((result.returncode, result.stderr.decode()), (OK, ""))
        return result.stdout.decode()

    def bad(self, status, *args, **more):
        """The error of a run that must end with one line and this exit status."""
        result = self.invoke(*args, **more)
        error = result.stderr.decode()
        self.assertEqual(result.returncode, status, error)
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("qda-invoke: "), error)
        # Hints are for who runs the command, not for who writes programs.
        self.assertNotRegex(error, r"\bqda_\w+\(|QDA_SESSION_")
        return error.removeprefix("qda-invoke: ").rstrip("\n")

    def packed(self, *args, **more):
        """Scalars and the bytes of the in buffers and handles, without a device."""
        call = json.loads(self.good("--dry-run", "--json", "-d", "none", "x", *args, **more))
        return call["scalars"], [arg["bytes"] for arg in call["args"] if "bytes" in arg]

    def prim_in(self, *args, **more):
        """The bytes of the first in buffer: fixed-size values."""
        return self.packed(*args, **more)[1][0]

    def refused(self, *args, **more):
        return self.bad(USAGE, "--dry-run", "x", *args, **more)
