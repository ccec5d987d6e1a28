#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncobj-signal: what it does to objects, and what a command inherits from it."""
import os
import resource
import signal
import sys

import tools
from tools import DONE, FAILED, USAGE, CommonTests, ToolTest

# Prints what is open, and whether it is an object.
LIST = ("import os\n"
        "for fd in range(64):\n"
        "    try:\n"
        "        link = os.readlink('/proc/self/fd/%d' % fd)\n"
        "    except OSError:\n"
        "        continue\n"
        "    print(fd, 'object' if 'syncobj' in link else link)\n")


class Signal(ToolTest):
    tool = "signal"


class Options(CommonTests, Signal):
    def test_nothing_to_do_is_refused(self):
        for mode in ((), ("--reset",), ("--export",)):
            self.refused(*mode, text="nothing to do; give FD or FD:POINT")
        self.refused("--create", "--", "true", text="nothing to do")

    def test_operands_that_are_none_are_refused(self):
        for operand in ("", "x", "-5", "3:", "3:x", "3=4"):
            with self.subTest(operand=operand):
                self.refused(operand, text="%s: not a descriptor's number" % operand)

    def test_two_things_at_once_are_refused(self):
        self.refused("--reset", "--transfer", "3", "4", text="only one of --reset, --transfer")

    def test_reset_of_a_point_is_refused(self):
        self.refused("--reset", "3:5", text="3:5: a reset takes all points away")

    def test_transfer_takes_two(self):
        for operands in ((), ("3",), ("3", "4", "5")):
            self.refused("--transfer", *operands, text="--transfer takes two operands")

    def test_for_submit_is_for_transfers(self):
        self.refused("--for-submit", "3", text="--for-submit is for --transfer")

    def test_command_without_something_to_give_is_refused(self):
        self.refused("3", "--", "true", text="true: only --create and --export run a command")

    def test_create_needs_a_command(self):
        self.refused("--create", "3", text="put the command that gets the objects at the end")
        self.refused("--create", "3", "sh", "-c", "true", text="sh: not N or N:signaled; before a "
                     "command put --")

    def test_numbers_that_are_none_are_refused(self):
        for number, text in (("x", "not N or N:signaled"), ("3x", "3x is not a descriptor's"),
                             ("", "not N or N:signaled"), ("9:signalled", "only :signaled may"),
                             ("0", "take 3 or more"), ("2", "take 3 or more"),
                             ("99999999999", "is not a descriptor's number"),
                             ("0x9", "is not a descriptor's number")):
            with self.subTest(number=number):
                self.refused("--create", number, "--", "true", text=text)

    def test_numbers_given_twice_are_refused(self):
        self.refused("--create", "30", "31", "30:signaled", "--", "true",
                     text="30:signaled: number 30 is given twice")
        self.refused("--export", "3=30", "4=30", "--", "true",
                     text="4=30: number 30 is given twice")

    def test_number_that_is_open_is_refused(self):
        fd = self.object()
        self.refused("--create", fd, "--", "true", fds=[fd],
                     text="%d: descriptor %d is open here" % (fd, fd))

    def test_number_above_the_limit_is_refused(self):
        self.refused("--create", "64", "--", "true", text="64: descriptors go up to 63 here",
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))

    def test_export_to_a_command_needs_a_number_and_no_other_does(self):
        self.refused("--export", "3", "--", "true", text="3: say under which number")
        self.refused("--export", "3=4", text="3=4: there is no command to get it")
        self.refused("--export", "3=x", "--", "true", text="x is not a descriptor's number")

    def test_json_with_a_command_is_refused(self):
        self.refused("--json", "--create", "30", "--", "true", text="--json: with a command")

    def test_create_for_another_process_is_refused(self):
        self.refused("--pid", "1", "--create", "30", "--", "true", text="--pid: objects can be")


class Signalling(Signal):
    def test_point(self):
        fd = self.object()
        self.ends(DONE, "%d:0x10" % fd, fds=[fd])
        self.assertEqual(self.progress(fd), (16, 16, "signaled"))

    def test_highest_point(self):
        fd = self.object()
        self.ends(DONE, "%d:18446744073709551615" % fd, fds=[fd])
        self.assertEqual(self.progress(fd), (2 ** 64 - 1, 2 ** 64 - 1, "signaled"))

    def test_without_a_point_the_fence_is_replaced(self):
        for operand in ("%d", "%d:0"):
            fd = self.object()
            self.ends(DONE, "%d:5" % fd, fds=[fd])
            self.ends(DONE, operand % fd, fds=[fd])
            self.assertEqual(self.progress(fd), (0, 0, "signaled"))

    def test_several(self):
        first, second = fds = self.create("", "")
        self.ends(DONE, "%d:5" % first, second, "%d:7" % first, fds=fds)
        self.assertEqual(self.progress(first), (7, 7, "signaled"))
        self.assertEqual(self.progress(second), (0, 0, "signaled"))

    def test_bad_descriptor_leaves_all_as_they_were(self):
        fd = self.object()
        with open("/dev/null") as null:
            self.ends(FAILED, "%d:5" % fd, null.fileno(), fds=[fd, null.fileno()],
                      err=["descriptor %d is no syncobj but /dev/null; syncobj-query --own lists "
                           "those that are" % null.fileno()])
        self.ends(FAILED, "%d:5" % fd, 3, fds=[fd],
                  err=["descriptor 3 is not open here; let this program inherit it, or name its "
                       "process with --pid"])
        self.assertEqual(self.progress(fd), (0, 0, "empty"))

    def test_object_of_another_process(self):
        fd = self.object()
        child = self.process(fds=[fd])
        self.ends(DONE, "--pid", child.pid, "%d:5" % fd)
        self.assertEqual(self.progress(fd), (5, 5, "signaled"))
        self.ends(DONE, "--pid", child.pid, "--reset", fd)
        self.assertEqual(self.progress(fd), (0, 0, "empty"))

    def test_process_that_is_not_there_is_told(self):
        child = self.process()
        child.kill()
        child.wait()
        self.ends(FAILED, "--pid", child.pid, "3",
                  err=["there is no process %d; pgrep finds processes by name" % child.pid])

    def test_json_tells_how_far_objects_are(self):
        fd = self.object()
        self.assertEqual(self.json(DONE, "%d:5" % fd, "%d:3" % fd, fds=[fd]), {
            "objects": [{"fd": fd, "point": point, "signaled": 5, "submitted": 5}
                        for point in (5, 3)]})

    def test_reset(self):
        fds = self.create(":signaled", "")
        self.ends(DONE, "%d:5" % fds[1], fds=fds)
        self.ends(DONE, "--reset", *fds, fds=fds)
        self.assertEqual([self.progress(fd) for fd in fds], [(0, 0, "empty")] * 2)


class Transferring(Signal):
    def setUp(self):
        self.src, self.dst = self.fds = self.create("", "")

    def test_point_to_point(self):
        self.ends(DONE, "%d:5" % self.src, fds=self.fds)
        self.ends(DONE, "--transfer", "%d:5" % self.src, "%d:9" % self.dst, fds=self.fds)
        self.assertEqual(self.progress(self.dst), (9, 9, "signaled"))

    def test_fence_to_a_point(self):
        self.ends(DONE, self.src, fds=self.fds)
        self.ends(DONE, "--transfer", self.src, "%d:9" % self.dst, fds=self.fds)
        self.assertEqual(self.progress(self.dst), (9, 9, "signaled"))

    def test_point_that_is_not_submitted_is_an_error(self):
        self.ends(FAILED, "--transfer", "%d:5" % self.src, self.dst, fds=self.fds,
                  err=["descriptor %d: point 5 is not submitted; --for-submit waits for it" %
                       self.src])
        self.assertEqual(self.progress(self.dst), (0, 0, "empty"))

    def test_for_submit_waits_for_the_point(self):
        child = self.start("--transfer", "--for-submit", "%d:5" % self.src, self.dst,
                           fds=self.fds)
        self.ends(DONE, "%d:5" % self.src, fds=self.fds)
        self.assertEqual(child.communicate(timeout=60), ("", ""))
        self.assertEqual(child.returncode, DONE)
        self.assertEqual(self.progress(self.dst)[2], "signaled")


class Exporting(Signal):
    def setUp(self):
        self.fd = self.object()
        self.ends(DONE, "%d:5" % self.fd, fds=[self.fd])

    def sync_files(self):
        return tools.DEVICE != "soft" or os.access("/dev/udmabuf", os.R_OK | os.W_OK)

    def test_state_of_a_sync_file(self):
        if not self.sync_files():
            self.skipTest("the device has no sync_files")
        result = self.run_tool("--export", "%d:5" % self.fd, fds=[self.fd])
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        self.assertEqual(result.stdout.splitlines()[0], "%d:5 signaled" % self.fd)

    def test_command_inherits_the_sync_file(self):
        if not self.sync_files():
            self.skipTest("the device has no sync_files")
        result = self.run_tool("--export", "%d:5=40" % self.fd, "--", "readlink",
                               "/proc/self/fd/40", fds=[self.fd])
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        self.assertEqual(result.stdout, "anon_inode:sync_file\n")

    def test_soft_objects_without_udmabuf_have_none(self):
        if self.sync_files():
            self.skipTest("the device has sync_files")
        self.ends(FAILED, "--export", "%d:5" % self.fd, fds=[self.fd],
                  err=["descriptor %d: soft objects give sync_files by /dev/udmabuf only, which "
                       "is not there or may not be opened; load udmabuf" % self.fd])

    def test_point_that_is_not_submitted_is_an_error(self):
        self.ends(FAILED, "--export", "%d:6" % self.fd, fds=[self.fd],
                  err=["descriptor %d: point 6 is not submitted; wait for it with syncobj-wait "
                       "--available" % self.fd])


class Creating(Signal):
    def create_for(self, *command, numbers=("30",), **more):
        return self.run_tool("-d", tools.DEVICE, "--create", *numbers, "--", *command, **more)

    def test_command_inherits_objects_and_nothing_else_new(self):
        with open("/dev/null") as null:
            # Low numbers are those that the tool itself gets.
            numbers = [number for number in range(3, 12) if number != null.fileno()]
            result = self.create_for(sys.executable, "-c", LIST, numbers=numbers,
                                     fds=[null.fileno()], stdin=null)
            self.assertEqual((result.returncode, result.stderr), (DONE, ""))
            found = dict(line.split() for line in result.stdout.splitlines()[3:])
            self.assertEqual(found, {**{str(number): "object" for number in numbers},
                                     str(null.fileno()): "/dev/null"})

    def test_objects_differ_and_begin_as_asked(self):
        script = ('"$1" -t0 30 2>/dev/null; "$1" 31 && "$1" --any -t0 30 31')
        result = self.create_for("sh", "-c", script, "sh", tools.TOOLS["wait"],
                                 numbers=("30", "--create", "31:signaled"))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (DONE, "31\n", ""))

    def test_tools_of_the_command_use_the_same_device(self):
        self.environment = {"SYNCOBJ_DEVICE": "/nonexistent"}
        script = '("$1" 30:5) & "$2" 30:5 && echo $SYNCOBJ_DEVICE'
        result = self.create_for("sh", "-c", script, "sh", tools.TOOLS["signal"],
                                 tools.TOOLS["wait"])
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        self.assertIn(tools.DEVICE.split(":")[0], result.stdout)

    def test_status_of_the_command(self):
        self.assertEqual(self.create_for("sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.create_for("sh", "-c", "kill -TERM $$").returncode, -signal.SIGTERM)

    def test_command_that_is_not_there_gives_127(self):
        self.ends(127, "-d", tools.DEVICE, "--create", "30", "--", "no-such-command",
                  err=["no-such-command: No such file or directory"])

    def test_command_that_cannot_be_run_gives_126(self):
        self.ends(126, "-d", tools.DEVICE, "--create", "30", "--", "/dev/null",
                  err=["/dev/null: Permission denied"])

    def test_options_of_the_command_are_its_own(self):
        result = self.create_for("echo", "--reset", "-d", "--", "x")
        self.assertEqual((result.returncode, result.stdout), (DONE, "--reset -d -- x\n"))

    def test_device_that_is_not_there_is_told(self):
        self.ends(FAILED, "-d", "/nonexistent", "--create", "30", "--", "true",
                  err=["/nonexistent: no such node; name another device with -d; -d soft makes "
                       "objects without a device"])
        self.ends(FAILED, "-d", "/dev/null", "--create", "30", "--", "true",
                  err=["/dev/null is no device for syncobjs; it is to be /dev/syncobj or a DRM "
                       "node; -d soft makes objects without a device"])
        self.environment = {"SYNCOBJ_DEVICE": "x"}
        result = self.run_tool("--create", "30", "--", "true")
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("SYNCOBJ_DEVICE: x is not the name of a device", result.stderr)


if __name__ == "__main__":
    tools.main()
