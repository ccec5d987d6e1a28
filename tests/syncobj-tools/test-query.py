#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncobj-query: which processes and descriptors it lists, what it tells of them, watching."""
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import unittest

import tools
from tools import DONE, FAILED, NO_PTRACE, NOBODY, CommonTests, ToolTest, can_drop

KIND = "soft"  # set by setUpModule
NAME_PROCESS = ("import ctypes, sys\n"
                "ctypes.CDLL(None).prctl(15, b'\\033[31m\\xffx', 0, 0, 0)\n"
                "print(flush=True)\n"
                "sys.stdin.read()\n")


def setUpModule():
    global KIND
    KIND = "soft" if tools.DEVICE == "soft" else "kernel"


class Query(ToolTest):
    tool = "query"

    def table(self, *args, **more):
        """Rows of the table as lists of words, the head first."""
        result = self.run_tool(*args, **more)
        self.assertEqual((result.returncode, result.stderr), (DONE, ""), result)
        return [line.split() for line in result.stdout.splitlines()]

    def entries(self, *args, **more):
        return self.json(DONE, *args, **more)["objects"]


class Options(CommonTests, Query):
    def any_objects(self):
        return []

    def test_operands_that_are_none_are_refused(self):
        for operand, text in (("x", "not the number of a process"),
                              ("0", "not the number of a process"),
                              ("-1", "not the number of a process"),
                              ("1:", "not a descriptor's number"),
                              ("1:x", "not a descriptor's number"),
                              (":3", "not the number of a process"),
                              ("1:3:5", "PID or PID:FD")):
            with self.subTest(operand=operand):
                self.refused(operand, text=text)

    def test_options_that_exclude_each_other_are_refused(self):
        self.refused("--own", "1", text="--own lists this program's descriptors")
        self.refused("--count", "1", text="--interval and --count need --watch")
        self.refused("--interval", "1", text="--interval and --count need --watch")

    def test_bad_numbers_are_refused(self):
        for count in ("0", "x", "-1", "", "18446744073709551616"):
            self.refused("--watch", "--count", count, text="is not a number of looks")
        self.refused("--watch", "--interval", "0", text="it is to be more than 0")
        self.refused("--watch", "--interval", "x", text="--interval: x is not a time")


class Listing(Query):
    def test_own_lists_what_was_inherited(self):
        empty, binary, timeline = fds = self.create("", ":signaled", "")
        self.signal("%d:9" % timeline, fds=fds)
        rows = self.table("--own", fds=fds)
        self.assertEqual(rows[0], ["PID", "COMMAND", "FD", "KIND", "SIGNALED", "SUBMITTED",
                                   "STATE", "OBJECT"])
        self.assertEqual([row[1:7] for row in rows[1:]], sorted([
            ["syncobj-query", str(empty), KIND, "0", "0", "empty"],
            ["syncobj-query", str(binary), KIND, "0", "0", "signaled"],
            ["syncobj-query", str(timeline), KIND, "9", "9", "signaled"]],
            key=lambda row: int(row[1])))

    def test_own_without_objects_is_an_empty_table(self):
        self.assertEqual(len(self.table("--own")), 1)
        self.assertEqual(self.entries("--own"), [])

    def test_own_does_not_see_what_is_no_syncobj(self):
        fd = self.keep(os.memfd_create("syncobj"))
        self.assertEqual(self.entries("--own", fds=[fd]), [])

    def test_one_process(self):
        fds = self.create("", "")
        child = self.process(fds=fds)
        self.assertEqual([row[:4] for row in self.table(child.pid)[1:]],
                         [[str(child.pid), "cat", str(fd), KIND] for fd in sorted(fds)])

    def test_one_descriptor(self):
        fds = self.create("", "")
        child = self.process(fds=fds)
        entry, = self.entries("%d:%d" % (child.pid, fds[1]))
        self.assertEqual((entry["pid"], entry["fd"]), (child.pid, fds[1]))

    def test_all_processes(self):
        fd = self.object()
        pids = {self.process(fds=[fd]).pid for _ in range(2)}
        found = {entry["pid"] for entry in self.entries() if entry["pid"] in pids}
        self.assertEqual(found, pids)

    def test_descriptors_of_one_object_show_the_same_object(self):
        if KIND != "soft":
            self.skipTest("of soft objects only")
        first, second = self.create("", "")
        again = self.keep(os.dup(first))
        fds = [first, second, again]
        child = self.process(fds=fds)
        objects = {(entry["pid"] == child.pid, entry["fd"]): entry["object"]
                   for entry in self.entries(child.pid, os.getpid())}
        self.assertEqual(objects[True, first], objects[True, again])
        self.assertEqual(objects[True, first], objects[False, first])
        self.assertNotEqual(objects[True, first], objects[True, second])

    def test_json_of_an_object(self):
        fd = self.object()
        self.signal("%d:18446744073709551615" % fd, fds=[fd])
        child = self.process(fds=[fd])
        answer = self.json(DONE, child.pid)
        self.assertEqual((answer["denied"], answer["problem"]), (0, None))
        entry, = answer["objects"]
        number = entry.pop("object")
        self.assertEqual(number, os.fstat(fd).st_ino if KIND == "soft" else None)
        self.assertEqual(entry, {
            "pid": child.pid, "command": "cat", "fd": fd, "kind": KIND, "signaled": 2 ** 64 - 1,
            "submitted": 2 ** 64 - 1, "state": "signaled", "error": None})

    def test_bytes_of_a_terminal_in_names_are_not_printed(self):
        fd = self.object()
        child = self.process(sys.executable, "-c", NAME_PROCESS, fds=[fd])
        child.stdout.readline()
        self.assertEqual(self.table(child.pid)[1][1], "?[31m?x")
        self.assertEqual(self.entries(child.pid)[0]["command"], "\033[31m\ufffdx")

    def test_listing_leaves_objects_as_they_are(self):
        fd = self.object()
        for _ in range(2):
            self.assertEqual(self.progress(fd), (0, 0, "empty"))

    def test_lost_answer_is_an_error(self):
        with open("/dev/full", "w") as full:
            self.ends(FAILED, "--own", stdout=full,
                      err=["cannot write the output: No space left on device"])


class Missing(Query):
    def test_process_that_is_not_there_is_an_error(self):
        child = self.process()
        child.kill()
        child.wait()
        self.ends(FAILED, child.pid,
                  err=["there is no process %d; pgrep finds processes by name" % child.pid])

    def test_process_that_ended_and_is_in_proc_still_is_an_error(self):
        child = self.process()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        for operand in (child.pid, "%d:0" % child.pid):
            self.ends(FAILED, operand,
                      err=["there is no process %d; pgrep finds processes by name" % child.pid])

    def test_closed_descriptor_is_an_error(self):
        child = self.process()
        self.ends(FAILED, "%d:77" % child.pid,
                  err=["descriptor 77 is not open in process %d; syncobj-query %d lists its "
                       "syncobjs" % (child.pid, child.pid)])

    def test_other_file_is_an_error(self):
        child = self.process(stderr=subprocess.DEVNULL)
        self.ends(FAILED, "%d:2" % child.pid,
                  err=["descriptor 2 of process %d is no syncobj but /dev/null; syncobj-query %d "
                       "lists those that are" % (child.pid, child.pid)])


@can_drop
class Permission(Query):
    wrapper = NO_PTRACE

    def test_named_process_that_may_not_be_looked_into_is_an_error(self):
        child = self.process(user=NOBODY)
        self.ends(FAILED, child.pid,
                  err=["process %d belongs to user %d and may not be looked into; run as that "
                       "user or as root (CAP_SYS_PTRACE)" % (child.pid, NOBODY)])

    def test_processes_that_may_not_be_looked_into_are_counted(self):
        self.process(user=NOBODY)
        self.process(user=NOBODY)
        self.assertGreaterEqual(self.json(DONE)["denied"], 2)
        result = self.run_tool("--verbose")
        self.assertEqual(result.returncode, DONE)
        self.assertRegex(result.stderr, r"^syncobj-query: \d+ processes may not be looked into; "
                         r"run as root \(CAP_SYS_PTRACE\) to see all\n$")

    def test_without_the_right_to_open_other_directories_either(self):
        self.wrapper = [word.replace("sys_ptrace", "sys_ptrace,-dac_override,-dac_read_search")
                        for word in NO_PTRACE]
        child = self.process(user=NOBODY)
        result = self.run_tool(child.pid)
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("belongs to user %d" % NOBODY, result.stderr)


class Watching(Query):
    def test_tables_are_separated(self):
        fd = self.object()
        result = self.run_tool("--own", "--watch", "--count", 3, "--interval", "1ms", fds=[fd])
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 3 * 2 + 2)
        for separator in (lines[2], lines[5]):
            self.assertRegex(separator, r"^--- \d\d:\d\d:\d\d$")
        self.assertEqual(lines[1], lines[4])
        self.assertEqual(lines[0], lines[6])

    def test_json_has_a_line_for_each_look(self):
        fd = self.object()
        result = self.run_tool("--own", "--json", "--watch", "--count", 2, "--interval", "1ms",
                               fds=[fd])
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([answer["objects"][0]["fd"] for answer in answers], [fd, fd])

    def test_follows_points_descriptors_and_processes_until_ended(self):
        fd = self.object()
        child = self.process(fds=[fd])
        watch = self.start("--watch", "--json", "--interval", "10ms", "%d:%d" % (child.pid, fd))
        entry, = json.loads(watch.stdout.readline())["objects"]
        self.assertEqual(entry["state"], "empty")
        self.signal("%d:5" % fd, fds=[fd])
        while entry["submitted"] != 5:
            entry, = json.loads(watch.stdout.readline())["objects"]
        child.kill()
        child.wait()
        while json.loads(watch.stdout.readline())["objects"]:
            pass
        watch.send_signal(signal.SIGTERM)
        self.assertEqual(watch.communicate(timeout=60)[1], "")
        self.assertEqual(watch.returncode, DONE)

    def test_looks_leave_no_descriptors_open(self):
        fds = self.create("", ":signaled", "")
        child = self.process(fds=fds)
        watch = self.start("--watch", "--json", "--interval", "60m", child.pid, os.getpid())
        counts = []
        for _ in range(4):
            # Once it is printed the look is over; a window that changed brings the next one.
            self.assertGreaterEqual(len(json.loads(watch.stdout.readline())["objects"]), 6)
            counts.append(len(os.listdir("/proc/%d/fd" % watch.pid)))
            watch.send_signal(signal.SIGWINCH)
        self.assertEqual(counts, counts[:1] * 4)

    def test_reader_that_goes_away_ends_it(self):
        watch = self.start("--own", "--watch", "--interval", "1ms")
        watch.stdout.readline()
        watch.stdout.close()
        watch.wait(timeout=60)
        self.assertEqual(watch.returncode, -signal.SIGPIPE)
        watch.stdout = None

    def terminal(self, rows, columns, *args, **more):
        """What a terminal of this size gets; and the exit status."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        result = self.run_tool(*args, stdout=theirs, **more)
        os.close(theirs)
        output = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            output += part
        os.close(ours)
        self.assertEqual((result.returncode, result.stderr), (DONE, ""))
        return output.decode().replace("\r\n", "\n")

    def test_terminal_is_redrawn_in_place_and_restored(self):
        fd = self.object()
        output = self.terminal(24, 100, "--own", "--watch", "--count", 2, "--interval", "1ms",
                               fds=[fd])
        self.assertTrue(output.startswith("\033[?25l\033[H\033[J"), repr(output))
        self.assertTrue(output.endswith("\033[?25h"), repr(output))
        self.assertEqual(output.count("\033[H\033[J"), 2)
        self.assertNotIn("---", output)

    def test_terminal_gets_no_more_than_fits(self):
        fds = self.create(*[""] * 20)
        output = self.terminal(10, 40, "--own", "--watch", "--count", 1, fds=fds)
        lines = output.split("\033[H\033[J")[1].removesuffix("\033[?25h").split("\n")
        # The cursor is in the last line.
        self.assertEqual(len(lines), 10, lines)
        self.assertEqual(lines[-2:], ["... 13 more", ""])
        self.assertEqual(max(map(len, lines)), 40)

    def test_terminal_shows_as_many_as_just_fit(self):
        fds = self.create(*[""] * 8)
        output = self.terminal(10, 100, "--own", "--watch", "--count", 1, fds=fds)
        self.assertEqual(output.count("\n"), 9)
        self.assertNotIn("more", output)

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_lost_output_ends_it(self):
        with open("/dev/full", "w") as full:
            self.ends(FAILED, "--own", "--watch", stdout=full,
                      err=["cannot write the output: Input/output error"])


if __name__ == "__main__":
    tools.main()
