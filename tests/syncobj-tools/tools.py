# SPDX-License-Identifier: MIT
"""What the tests of the tools for syncobjs share: objects, processes that hold them, runs.

The scripts take --device NAME, else SYNCOBJ_TEST_DEVICE, else soft. The tools are those that
SYNCOBJ_WAIT, SYNCOBJ_QUERY and SYNCOBJ_SIGNAL name, else what is installed.
"""
import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
import unittest

TOOLS = {name: os.environ.get("SYNCOBJ_" + name.upper(), "syncobj-" + name)
         for name in ("wait", "query", "signal")}
DEVICE = os.environ.get("SYNCOBJ_TEST_DEVICE", "soft")
LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD = 434, 438
DONE, TIMEOUT, USAGE, FAILED = range(4)
NOBODY = 65534

# Root without the right to look into other processes.
NO_PTRACE = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
can_drop = unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"),
                               "needs root and setpriv")


def syscall(*args):
    result = LIBC.syscall(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class ToolTest(unittest.TestCase):
    tool = None
    wrapper = ()
    environment = {}

    def keep(self, fd):
        self.addCleanup(os.close, fd)
        return fd

    def create(self, *specs):
        """Descriptors here of new objects; a spec is "" or ":signaled"."""
        numbers = range(100, 100 + len(specs))
        command = [TOOLS["signal"], "-d", DEVICE, "--create",
                   *("%d%s" % pair for pair in zip(numbers, specs)),
                   "--", "sh", "-c", "echo; exec cat"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            self.assertEqual(child.stdout.readline(), b"\n")
            pidfd = syscall(PIDFD_OPEN, child.pid, 0)
            fds = [self.keep(syscall(PIDFD_GETFD, pidfd, number, 0)) for number in numbers]
            os.close(pidfd)
            child.stdin.close()
        return fds

    def object(self, spec=""):
        return self.create(spec)[0]

    def process(self, *command, fds=(), **more):
        """A process that holds @fds until its input ends, or the test."""
        child = subprocess.Popen(command or ("cat",), stdin=subprocess.PIPE, pass_fds=fds,
                                 stdout=subprocess.PIPE, **more)

        def end():
            child.stdin.close()
            child.stdout.close()
            child.kill()
            child.wait()
        self.addCleanup(end)
        return child

    def settings(self):
        return {**os.environ, "SYNCOBJ_DEVICE": DEVICE, "LC_ALL": "C", **self.environment}

    def start(self, *args, fds=(), tool=None, **more):
        child = subprocess.Popen([*self.wrapper, TOOLS[tool or self.tool], *map(str, args)],
                                 pass_fds=fds, env=self.settings(), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

        def end():
            child.kill()
            child.communicate()
        self.addCleanup(end)
        return child

    def run_tool(self, *args, fds=(), tool=None, **more):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.run([*self.wrapper, TOOLS[tool or self.tool], *map(str, args)],
                              pass_fds=fds, env=self.settings(), text=True, timeout=120,
                              **streams)

    def ends(self, status, *args, out="", err=(), **more):
        """Runs the tool: exit status, whole output, and lines of errors without the name."""
        result = self.run_tool(*args, **more)
        name = "syncobj-%s: " % (more.get("tool") or self.tool)
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout or "", out)
        self.assertEqual(result.stderr, "".join(name + line + "\n" for line in err))

    def json(self, status, *args, **more):
        """The object that the tool prints, with nothing on standard error."""
        result = self.run_tool("--json", *args, **more)
        self.assertEqual((result.returncode, result.stderr), (status, ""), result)
        return json.loads(result.stdout)

    def refused(self, *args, text, **more):
        """A usage error, whose first line has @text."""
        result = self.run_tool(*args, **more)
        self.assertEqual((result.returncode, result.stdout), (USAGE, ""), result)
        self.assertIn(text, result.stderr.splitlines()[0])
        self.assertTrue(result.stderr.startswith("syncobj-%s: " % self.tool), result.stderr)

    def signal(self, *args, fds):
        self.ends(DONE, *args, fds=fds, tool="signal")

    def progress(self, fd):
        """Signalled and submitted point, and state."""
        result = self.run_tool("--own", "--json", tool="query", fds=(fd,))
        self.assertEqual(result.returncode, DONE, result)
        entry, = json.loads(result.stdout)["objects"]
        return entry["signaled"], entry["submitted"], entry["state"]

    def until(self, condition):
        for _ in range(6000):
            if condition():
                return
            time.sleep(0.01)
        self.fail("it did not happen within a minute")


class CommonTests:
    """What holds for each tool; mixed into one class of its tests."""

    def test_help_goes_to_standard_output(self):
        result = self.run_tool("--help")
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        self.assertTrue(result.stdout.startswith("Usage: syncobj-%s " % self.tool))

    def test_version(self):
        result = self.run_tool("--version")
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        self.assertRegex(result.stdout, r"^syncobj-%s \d+\.\d+\.\d+\n$" % self.tool)

    def test_unknown_option_is_refused(self):
        self.refused("--frobnicate", text="--frobnicate")

    def test_option_without_its_argument_is_refused(self):
        self.refused("--device", text="device")

    def test_name_that_no_device_has_is_refused(self):
        fds = self.any_objects()
        self.refused("-d", "x\033y", *fds, fds=fds,
                     text="x?y: not the name of a device; it is \"device\" or \"drm\"")

    def test_lost_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            self.ends(FAILED, "--help", stdout=full,
                      err=["cannot write the output: No space left on device"])

    def any_objects(self):
        """Operands that the tool needs, descriptors to be inherited."""
        return [self.object()]


def main():
    global DEVICE
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default=DEVICE)
    args, rest = parser.parse_known_args()
    DEVICE = args.device
    unittest.main("__main__", argv=[sys.argv[0], *rest], verbosity=2)
