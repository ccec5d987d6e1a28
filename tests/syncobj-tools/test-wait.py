#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""syncobj-wait: when it ends, with what status, and what it says is missing."""
import os
import resource
import signal
import subprocess
import threading

import tools
from tools import DONE, FAILED, NO_PTRACE, NOBODY, TIMEOUT, CommonTests, ToolTest, can_drop

MAX = 2 ** 64 - 1


def limit(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Wait(ToolTest):
    tool = "wait"

    def state(self, child):
        """S once it sleeps, T while it is stopped."""
        with open("/proc/%d/stat" % child.pid) as file:
            return file.read().rpartition(")")[2].split()[0]


class Options(CommonTests, Wait):
    def test_nothing_to_wait_for_is_refused(self):
        self.refused(text="nothing to wait for; give FD or FD:POINT")

    def test_operands_that_are_none_are_refused(self):
        for operand in ("", "x", "-5", "3:", ":5", "3:-1", "3:x", "3:5:6", "0x3", "3 ", "+3",
                        "3:0x", "99999999999", "3:5 "):
            with self.subTest(operand=operand):
                self.refused("--fd", operand, text="%s: not a descriptor's number" % operand)

    def test_points_above_64_bits_are_refused(self):
        for operand in ("3:%d" % (MAX + 1), "3:0x10000000000000000"):
            self.refused(operand, text="%s: the highest point is %d" % (operand, MAX))

    def test_times_that_are_none_are_refused(self):
        for time in ("", "x", "-1", "1h", "1 s", "1e3", ".5", "5.", "5.s", "1.2.3", "s"):
            for option in ("timeout", "deadline"):
                with self.subTest(option=option, time=time):
                    self.refused("--%s=%s" % (option, time), "3",
                                 text="--%s: %s is not a time" % (option, time))

    def test_times_that_are_too_long_are_refused(self):
        for time in ("9223372037", "9223372036854775808ns", "99999999999999999999m",
                     "9223372036.854775808"):
            self.refused("-t", time, "3", text="--timeout: %s is too long" % time)

    def test_processes_that_are_none_are_refused(self):
        for pid in ("", "0", "-1", "x", "99999999999"):
            self.refused("--pid=" + pid, "3", text="%s: not the number of a process" % pid)

    def test_options_that_exclude_each_other_are_refused(self):
        self.refused("--all", "--any", "3", text="--all and --any exclude each other")
        self.refused("--available", "--submitted", "3", text="--submitted forbids")

    def test_more_objects_than_there_may_be_are_refused(self):
        self.refused(*["3"] * 65537, text="at most 65536 objects")


class Waiting(Wait):
    def test_signalled_object_ends_it_in_silence(self):
        fd = self.object(":signaled")
        self.ends(DONE, fd, fds=[fd])

    def test_signalled_point_ends_it_in_silence(self):
        fd = self.object()
        self.signal("%d:7" % fd, fds=[fd])
        for point in ("7", "0x7", "3"):
            self.ends(DONE, "%d:%s" % (fd, point), fds=[fd])

    def test_highest_point(self):
        fd = self.object()
        self.signal("%d:0xffffffffffffffff" % fd, fds=[fd])
        self.ends(DONE, "%d:%d" % (fd, MAX), fds=[fd])

    def test_wakes_when_another_process_signals(self):
        fd = self.object()
        child = self.start("%d:7" % fd, fds=[fd])
        self.signal("%d:7" % fd, fds=[fd])
        self.assertEqual(child.communicate(timeout=60), ("", ""))
        self.assertEqual(child.returncode, DONE)

    def test_time_units(self):
        fd = self.object()
        for time in ("0", "1ns", "0.5ns", "1us", "1ms", "0.001", "0.0015s", "0.00001m"):
            self.ends(TIMEOUT, "-t", time, fd, fds=[fd], err=["fd %d: no fence yet" % fd])

    def test_deadline_and_longest_time_are_taken(self):
        fd = self.object(":signaled")
        self.ends(DONE, "--deadline", "16.6ms", fd, fds=[fd])
        self.ends(DONE, "--deadline", "0", "-t", "9223372036.854775807", fd, fds=[fd])

    def test_waits_for_all(self):
        first, second = self.create(":signaled", "")
        self.ends(TIMEOUT, "-t0", first, "--fd", "%d:4" % second, fds=[first, second],
                  err=["fd %d: point 4 is not submitted (signalled 0, submitted 0)" % second])

    def test_any_prints_what_is_ready(self):
        fds = self.create(":signaled", "", "")
        self.signal("%d:9" % fds[2], fds=fds)
        self.ends(DONE, "--any", fds[1], fds[0], "%d:8" % fds[2], fds=fds,
                  out="%d\n%d:8\n" % (fds[0], fds[2]))

    def test_any_tells_all_that_is_missing_after_a_timeout(self):
        fd = self.object()
        self.ends(TIMEOUT, "--any", "-t0", fd, "%d:8" % fd, fds=[fd],
                  err=["fd %d: no fence yet" % fd,
                       "fd %d: point 8 is not submitted (signalled 0, submitted 0)" % fd])

    def test_submitted_does_not_wait_for_a_submission(self):
        fd = self.object()
        self.signal("%d:7" % fd, fds=[fd])
        self.ends(DONE, "--submitted", "%d:7" % fd, fds=[fd])
        self.ends(FAILED, "--submitted", "%d:7" % fd, "%d:8" % fd, fds=[fd],
                  err=["fd %d: point 8 is not submitted (signalled 7, submitted 7)" % fd])

    def test_available(self):
        fd = self.object()
        self.ends(TIMEOUT, "--available", "-t0", "%d:1" % fd, fds=[fd],
                  err=["fd %d: point 1 is not submitted (signalled 0, submitted 0)" % fd])
        self.signal("%d:1" % fd, fds=[fd])
        self.ends(DONE, "--available", "%d:1" % fd, fds=[fd])

    def test_verbose_tells_how_far_each_object_is(self):
        fds = self.create(":signaled", "")
        self.signal("%d:9" % fds[1], fds=fds)
        self.ends(DONE, "-v", fds[0], "%d:8" % fds[1], fds=fds,
                  out="fd %d: the fence is signalled\n"
                      "fd %d: point 8 is signalled (signalled 9, submitted 9)\n" % tuple(fds))

    def test_json(self):
        fd = self.object()
        self.signal("%d:9" % fd, fds=[fd])
        ready = {"fd": fd, "point": 8, "ready": True, "state": "signaled", "signaled": 9,
                 "submitted": 9, "error": None}
        missing = {**ready, "point": MAX, "ready": False, "state": "not submitted"}
        answers = {
            "signaled": self.json(DONE, "%d:8" % fd, fds=[fd]),
            "available": self.json(DONE, "--available", "%d:8" % fd, fds=[fd]),
            "timeout": self.json(TIMEOUT, "-t0", "%d:8" % fd, "%d:%d" % (fd, MAX), fds=[fd]),
            "not submitted": self.json(FAILED, "--submitted", "%d:8" % fd, "%d:%d" % (fd, MAX),
                                       fds=[fd])}
        for result, answer in answers.items():
            objects = [ready] if result in ("signaled", "available") else [ready, missing]
            self.assertEqual(answer, {"result": result, "objects": objects})

    def test_interrupt_ends_it(self):
        fd = self.object()
        # Who starts the test in the background may ignore it, which is inherited.
        child = self.start(fd, fds=[fd],
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.until(lambda: self.state(child) == "S")
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.communicate(timeout=60), ("", ""))
        self.assertEqual(child.returncode, -signal.SIGINT)

    def test_wait_goes_on_after_it_was_stopped(self):
        fd = self.object()
        child = self.start("-t", "60m", "%d:7" % fd, fds=[fd])
        self.until(lambda: self.state(child) == "S")
        child.send_signal(signal.SIGSTOP)
        self.until(lambda: self.state(child) == "T")
        child.send_signal(signal.SIGCONT)
        self.until(lambda: self.state(child) == "S")
        self.signal("%d:7" % fd, fds=[fd])
        self.assertEqual(child.communicate(timeout=60), ("", ""))
        self.assertEqual(child.returncode, DONE)

    def test_more_objects_than_the_soft_limit_of_descriptors(self):
        fd = self.object(":signaled")
        self.ends(DONE, *[fd] * 400, fds=[fd], preexec_fn=limit(256, 4096))
        self.ends(DONE, "--pid", os.getpid(), *[fd] * 400, preexec_fn=limit(256, 4096))

    def test_too_many_descriptors_are_told_with_a_cure(self):
        fd = self.object(":signaled")
        self.ends(FAILED, *[fd] * 400, fds=[fd], preexec_fn=limit(256, 256),
                  err=["descriptor %d: too many open files; raise the limit with ulimit -n" % fd])

    def test_lost_answer_is_an_error(self):
        fd = self.object(":signaled")
        with open("/dev/full", "w") as full:
            self.ends(FAILED, "--json", fd, fds=[fd], stdout=full,
                      err=["cannot write the output: No space left on device"])


class Descriptors(Wait):
    def test_closed_descriptor_is_told(self):
        # What the tool itself opens gets the lowest number, and is not to be taken for it.
        self.ends(FAILED, "-d", tools.DEVICE, 3,
                  err=["descriptor 3 is not open here; let this program inherit it, or name its "
                       "process with --pid"])

    def test_other_file_is_told_by_its_name(self):
        with open("/dev/null") as null:
            fd = null.fileno()
            self.ends(FAILED, fd, fds=[fd],
                      err=["descriptor %d is no syncobj but /dev/null; syncobj-query --own lists "
                           "those that are" % fd])

    def test_memfd_that_is_none_is_told(self):
        fd = self.keep(os.memfd_create("syncobj"))
        result = self.run_tool(fd, fds=[fd])
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("is no syncobj but /memfd:syncobj", result.stderr)


class OtherProcesses(Wait):
    def setUp(self):
        self.fd = self.object()
        self.child = self.process(fds=[self.fd])
        self.pid = self.child.pid

    def test_objects_of_another_process(self):
        self.signal("%d:7" % self.fd, fds=[self.fd])
        self.ends(DONE, "--pid", self.pid, "--fd", "%d:7" % self.fd)
        self.ends(TIMEOUT, "--pid", self.pid, "--fd", "%d:8" % self.fd, "-t0",
                  err=["fd %d: point 8 is not submitted (signalled 7, submitted 7)" % self.fd])

    def test_wakes_when_a_point_of_another_process_is_signalled(self):
        child = self.start("--pid", self.pid, "%d:7" % self.fd)
        self.signal("%d:7" % self.fd, fds=[self.fd])
        self.assertEqual(child.communicate(timeout=60), ("", ""))
        self.assertEqual(child.returncode, DONE)

    def test_any_and_available_of_another_process(self):
        self.signal("%d:7" % self.fd, fds=[self.fd])
        self.ends(DONE, "--pid", self.pid, "--any", "--available", "--deadline", "1ms",
                  "%d:8" % self.fd, "%d:7" % self.fd, out="%d:7\n" % self.fd)

    def test_submitted_of_another_process(self):
        self.ends(FAILED, "--pid", self.pid, "--submitted", "%d:8" % self.fd,
                  err=["fd %d: point 8 is not submitted (signalled 0, submitted 0)" % self.fd])

    def test_closed_descriptor_is_told(self):
        self.ends(FAILED, "--pid", self.pid, 77,
                  err=["descriptor 77 is not open in process %d; syncobj-query %d lists its "
                       "syncobjs" % (self.pid, self.pid)])

    def test_other_file_is_told_by_its_name(self):
        child = self.process(stderr=subprocess.DEVNULL)
        self.ends(FAILED, "--pid", child.pid, 2,
                  err=["descriptor 2 of process %d is no syncobj but /dev/null; syncobj-query %d "
                       "lists those that are" % (child.pid, child.pid)])

    def test_process_that_is_not_there_is_told(self):
        self.child.kill()
        self.child.wait()
        self.ends(FAILED, "--pid", self.pid, self.fd,
                  err=["there is no process %d; pgrep finds processes by name" % self.pid])

    def test_process_that_ended_and_is_in_proc_still_is_told(self):
        self.child.kill()
        self.until(lambda: self.state(self.child) == "Z")
        self.ends(FAILED, "--pid", self.pid, "%d:7" % self.fd,
                  err=["process %d ended" % self.pid])

    def test_thread_is_told(self):
        started, end = threading.Event(), threading.Event()
        numbers = []

        def main():
            numbers.append(threading.get_native_id())
            started.set()
            end.wait()
        thread = threading.Thread(target=main)
        thread.start()
        try:
            started.wait()
            result = self.run_tool("--pid", numbers[0], self.fd)
        finally:
            end.set()
            thread.join()
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("%d is a thread and no process" % numbers[0], result.stderr)

    def has_waiter(self, child):
        def links():
            directory = "/proc/%d/fd" % child.pid
            for name in os.listdir(directory):
                try:
                    yield os.readlink(os.path.join(directory, name))
                except FileNotFoundError:
                    pass
        return "anon_inode:[eventpoll]" in links()

    def test_end_of_the_process_is_noticed(self):
        child = self.start("--pid", self.pid, "%d:7" % self.fd)
        self.until(lambda: self.has_waiter(child))
        self.child.kill()
        self.child.wait()
        out, err = child.communicate(timeout=60)
        self.assertEqual((child.returncode, out), (FAILED, ""))
        self.assertEqual(err, "syncobj-wait: process %d ended\n"
                         "syncobj-wait: fd %d: point 7 is not submitted (signalled 0, submitted "
                         "0)\n" % (self.pid, self.fd))

    def test_end_of_the_process_does_not_hide_that_a_point_was_signalled(self):
        child = self.start("--pid", self.pid, "--json", "%d:7" % self.fd)
        self.until(lambda: self.has_waiter(child))
        child.send_signal(signal.SIGSTOP)
        self.signal("%d:7" % self.fd, fds=[self.fd])
        self.child.kill()
        self.child.wait()
        child.send_signal(signal.SIGCONT)
        out, err = child.communicate(timeout=60)
        self.assertEqual((child.returncode, err), (DONE, ""))
        self.assertIn('"result": "signaled"', out)


@can_drop
class Permission(Wait):
    wrapper = NO_PTRACE

    def test_process_of_another_user_is_told(self):
        child = self.process(user=NOBODY)
        self.ends(FAILED, "--pid", child.pid, 0,
                  err=["process %d belongs to user %d and may not be looked into; run as that "
                       "user or as root (CAP_SYS_PTRACE)" % (child.pid, NOBODY)])

    def test_process_with_more_capabilities_is_told(self):
        child = self.process()
        result = self.run_tool("--pid", child.pid, 0)
        self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
        self.assertRegex(result.stderr, r"^syncobj-wait: process %d (is protected|may not be "
                         r"looked into: .*ptrace_scope is \d)" % child.pid)
        self.assertIn("; run as root", result.stderr)


if __name__ == "__main__":
    tools.main()
