#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tools with syncobjs of the kernel that fake-device plays: fences that are pending or
failed, which no tool can make, and machines without a device."""
import errno
import json
import os
import unittest

import tools
from tools import DONE, FAILED, TIMEOUT, ToolTest

FAKE_DEVICE = os.environ.get("FAKE_DEVICE")
NO_DEVICE = "there is neither /dev/syncobj nor a DRM render node with timeline syncobjs; load " \
    "such a driver, or name a node with -d"
CLOCK_MONOTONIC = 1


@unittest.skipUnless(FAKE_DEVICE, "needs fake-device")
class Kernel(ToolTest):
    def setUp(self):
        self.fd = self.keep(tools.LIBC.timerfd_create(CLOCK_MONOTONIC, 0))

    def fake(self, state=None, **more):
        self.environment = {"LD_PRELOAD": FAKE_DEVICE, "SYNCOBJ_DEVICE": "", **more}
        if state:
            self.environment["FAKE_STATE"] = state
        if os.environ.get("SANITIZE", "none") != "none":
            self.environment["ASAN_OPTIONS"] = "verify_asan_link_order=0"

    def soft_object(self):
        self.environment = {}
        device, tools.DEVICE = tools.DEVICE, "soft"
        self.addCleanup(setattr, tools, "DEVICE", device)
        return self.object()


@unittest.skipIf(any(map(os.path.exists, ("/dev/syncobj", "/dev/dri"))), "there is a device")
class WithoutDevice(Kernel):
    def test_query_lists_objects_and_says_once_why_no_more_is_known(self):
        other = self.keep(tools.LIBC.timerfd_create(CLOCK_MONOTONIC, 0))
        self.fake()
        result = self.run_tool("--own", fds=[self.fd, other], tool="query")
        self.assertEqual(result.returncode, DONE)
        self.assertEqual([row.split()[2:] for row in result.stdout.splitlines()[1:]],
                         [[str(fd), "kernel", "-", "-", "-", "-"]
                          for fd in sorted((self.fd, other))])
        self.assertEqual(result.stderr, "syncobj-query: %s\n" % NO_DEVICE)

    def test_query_says_it_once_while_it_watches(self):
        self.fake()
        result = self.run_tool("--own", "--watch", "--count", 3, "--interval", "1ms",
                               fds=[self.fd], tool="query")
        self.assertEqual(result.returncode, DONE)
        self.assertEqual(result.stderr, "syncobj-query: %s\n" % NO_DEVICE)

    def test_query_in_json_has_nulls_and_the_problem(self):
        self.fake()
        answer = self.json(DONE, "--own", fds=[self.fd], tool="query")
        self.assertEqual(answer["problem"], NO_DEVICE)
        entry, = answer["objects"]
        self.assertEqual([entry[key] for key in ("kind", "signaled", "submitted", "state")],
                         ["kernel", None, None, None])

    def test_query_names_the_device_that_is_not_there(self):
        self.fake(SYNCOBJ_DEVICE="/nonexistent")
        result = self.run_tool("--own", fds=[self.fd], tool="query")
        self.assertEqual(result.returncode, DONE)
        self.assertEqual(result.stderr, "syncobj-query: SYNCOBJ_DEVICE: /nonexistent: no such "
                         "node; name another device with -d\n")

    def test_query_lists_soft_objects_all_the_same(self):
        soft = self.soft_object()
        self.fake()
        result = self.run_tool("--own", fds=[self.fd, soft], tool="query")
        self.assertEqual((result.returncode, result.stderr),
                         (DONE, "syncobj-query: %s\n" % NO_DEVICE))
        rows = {row.split()[2]: row.split()[3:7] for row in result.stdout.splitlines()[1:]}
        self.assertEqual(rows[str(soft)], ["soft", "0", "0", "empty"])
        self.assertEqual(rows[str(self.fd)], ["kernel", "-", "-", "-"])

    def test_wait_and_signal_fail(self):
        self.fake()
        for tool in ("wait", "signal"):
            self.ends(FAILED, self.fd, fds=[self.fd], tool=tool,
                      err=["descriptor %d: %s" % (self.fd, NO_DEVICE)])

    def test_soft_device_does_not_serve_them(self):
        self.fake()
        self.ends(FAILED, "-d", "soft", self.fd, fds=[self.fd], tool="wait",
                  err=["descriptor %d: device soft does not serve syncobjs of the kernel; name a "
                       "device or a node with -d" % self.fd])


class WithDevice(Kernel):
    def test_query_shows_pending_signalled_empty_and_failed(self):
        for state, words in (("3 9 0", ["3", "9", "pending"]), ("9 9 1", ["9", "9", "signaled"]),
                             ("0 0 0", ["0", "0", "empty"]),
                             ("9 9 -5", ["9", "9", "failed(EIO)"])):
            self.fake(state)
            result = self.run_tool("--own", fds=[self.fd], tool="query")
            self.assertEqual((result.returncode, result.stderr), (DONE, ""))
            self.assertEqual(result.stdout.splitlines()[1].split()[3:],
                             ["kernel", *words, "-"])

    def test_query_of_a_failed_fence_in_json(self):
        self.fake("9 9 -5")
        entry, = self.json(DONE, "--own", fds=[self.fd], tool="query")["objects"]
        self.assertEqual((entry["state"], entry["error"]), ("failed", "EIO"))

    def test_wait_tells_pending_from_not_submitted(self):
        self.fake("3 9 0")
        self.ends(TIMEOUT, "-t0", "%d:3" % self.fd, "%d:7" % self.fd, "%d:10" % self.fd, self.fd,
                  fds=[self.fd], tool="wait",
                  err=["fd %d: point 7 is submitted, not signalled (signalled 3, submitted 9)" %
                       self.fd,
                       "fd %d: point 10 is not submitted (signalled 3, submitted 9)" % self.fd,
                       "fd %d: the fence is pending" % self.fd])

    def test_wait_for_submission_only(self):
        self.fake("3 9 0")
        self.ends(DONE, "--available", "%d:7" % self.fd, fds=[self.fd], tool="wait")
        self.ends(TIMEOUT, "--submitted", "-t0", "%d:7" % self.fd, fds=[self.fd], tool="wait",
                  err=["fd %d: point 7 is submitted, not signalled (signalled 3, submitted 9)" %
                       self.fd])

    def test_wait_that_submitted_ends_tells_only_what_is_not_submitted(self):
        self.fake("3 9 0")
        self.ends(FAILED, "--submitted", "%d:7" % self.fd, "%d:10" % self.fd, fds=[self.fd],
                  tool="wait",
                  err=["fd %d: point 10 is not submitted (signalled 3, submitted 9)" % self.fd])

    def test_wait_warns_of_a_fence_that_failed(self):
        self.fake("9 9 -5")
        self.ends(DONE, "%d:7" % self.fd, fds=[self.fd], tool="wait",
                  err=["fd %d: the fence failed: Input/output error (EIO)" % self.fd])
        entry, = self.json(DONE, "%d:7" % self.fd, fds=[self.fd], tool="wait")["objects"]
        self.assertEqual((entry["ready"], entry["error"]), (True, "EIO"))

    def test_wait_is_a_success_if_nothing_is_missing_when_it_is_looked_at(self):
        self.fake("9 9 1", FAKE_FIRST=str(errno.ETIME))
        self.ends(DONE, "-t0", "%d:7" % self.fd, fds=[self.fd], tool="wait")
        self.ends(DONE, "-t0", "--any", "%d:10" % self.fd, "%d:7" % self.fd, fds=[self.fd],
                  tool="wait", out="%d:7\n" % self.fd)
        answer = self.json(DONE, "-t0", "%d:7" % self.fd, fds=[self.fd], tool="wait")
        self.assertEqual(answer["result"], "signaled")
        self.ends(TIMEOUT, "-t0", "%d:7" % self.fd, "%d:10" % self.fd, fds=[self.fd], tool="wait",
                  err=["fd %d: point 10 is not submitted (signalled 9, submitted 9)" % self.fd])

    def test_submitted_is_told_even_if_the_point_came_before_it_is_looked_at(self):
        self.fake("3 9 0", FAKE_FIRST=str(errno.EINVAL))
        self.ends(FAILED, "--submitted", "%d:7" % self.fd, fds=[self.fd], tool="wait",
                  err=["a point was not submitted when the wait began, and is now"])

    def test_deadline_is_handed_on_and_counts_from_now(self):
        self.fake("9 9 1", FAKE_DEADLINE=str(3600 * 10 ** 9))
        child = self.process(fds=[self.fd])
        for whose in ((), ("--pid", child.pid)):
            self.ends(DONE, "--deadline", "60m", *whose, "%d:3" % self.fd, fds=[self.fd],
                      tool="wait")
        for wrong in ((), ("--deadline", "61m")):
            self.ends(FAILED, *wrong, "%d:3" % self.fd, fds=[self.fd], tool="wait",
                      err=["cannot wait: Numerical result out of range"])

    def test_wait_for_objects_of_both_kinds(self):
        soft = self.soft_object()
        self.fake("3 9 0")
        both = ["%d:3" % self.fd, "%d:4" % soft]
        self.ends(TIMEOUT, "-t", "1ms", *both, fds=[self.fd, soft], tool="wait",
                  err=["fd %d: point 4 is not submitted (signalled 0, submitted 0)" % soft])
        self.ends(DONE, "--any", *both, fds=[self.fd, soft], tool="wait",
                  out="%d:3\n" % self.fd)
        self.environment = {}
        self.signal("%d:4" % soft, fds=[soft])
        self.fake("3 9 0")
        self.ends(DONE, *both, fds=[self.fd, soft], tool="wait")

    def test_export_prints_the_fences(self):
        self.fake("9 9 -5")
        self.ends(DONE, "--export", "%d:7" % self.fd, fds=[self.fd], tool="signal",
                  out="%d:7 failed(EIO)\n"
                      "    fake? ring0 signaled at 1234 ns\n"
                      "    fake? ring1 failed(EIO) at 1234 ns\n" % self.fd)
        self.fake("3 9 0")
        answer = self.json(DONE, "--export", "%d:7" % self.fd, fds=[self.fd], tool="signal")
        fence = {"driver": "fake\033", "timeline": "ring0", "state": "pending", "error": None,
                 "timestamp_nsec": 0}
        self.assertEqual(answer, {"sync_files": [
            {"fd": self.fd, "point": 7, "state": "pending", "error": None,
             "fences": [fence, {**fence, "timeline": "ring1"}]}]})

    def test_pending_point_cannot_be_transferred_to_a_soft_object(self):
        soft = self.soft_object()
        self.fake("3 9 0")
        self.ends(FAILED, "--transfer", "%d:7" % self.fd, soft, fds=[self.fd, soft],
                  tool="signal",
                  err=["descriptor %d: between syncobjs of the kernel and soft ones only signalled "
                       "points can be transferred; wait for it with syncobj-wait" % self.fd])
        self.ends(DONE, "--transfer", "--for-submit", "%d:3" % self.fd, "%d:5" % soft,
                  fds=[self.fd, soft], tool="signal")
        self.environment = {}
        self.assertEqual(self.progress(soft), (5, 5, "signaled"))

    def test_created_objects_come_with_the_name_of_the_device(self):
        self.fake("0 0 0")
        self.ends(DONE, "--create", "30", "--", "sh", "-c", "echo $SYNCOBJ_DEVICE; test -e "
                  "/proc/self/fd/30", tool="signal", out="device:/dev/syncobj\n")


if __name__ == "__main__":
    tools.main()
