#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dmabuf-heap: the list, allocations with and without a charge, and commands that inherit."""
import json
import os
import re
import subprocess
import tempfile
import unittest

TOOL = os.environ["DMABUF_HEAP"]
OK, USAGE, FAILED, CHARGE, CANNOT_RUN, NO_COMMAND = 0, 2, 3, 4, 126, 127
PAGE = os.sysconf("SC_PAGESIZE")
CGROUPS = "/sys/fs/cgroup"
MIB = 1 << 20


def tool(*args, env=None, **more):
    settings = {**os.environ, "DMABUF_HEAP_PATH": "/no/such/directory", **(env or {})}
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([TOOL, *args], stderr=subprocess.PIPE, text=True, timeout=120,
                          env=settings, **more)


class ToolTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def heaps(self, *names, **links):
        """A directory of heaps: devices that are none, which is seen by using them only."""
        for name in names:
            os.symlink("/dev/null", os.path.join(self.directory, name))
        for name, target in links.items():
            os.symlink(target, os.path.join(self.directory, name))
        return {"DMABUF_HEAP_PATH": self.directory}

    def good(self, *args, **more):
        result = tool(*args, **more)
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        return result.stdout

    def bad(self, status, *args, **more):
        """The message of a run that must end with one line and this exit status."""
        result = tool(*args, **more)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("dmabuf-heap: "), result.stderr)
        return result.stderr.removeprefix("dmabuf-heap: ").rstrip("\n")


class List(ToolTest):
    def listed(self, *args, **more):
        return {heap["name"]: heap
                for heap in json.loads(self.good("list", "--json", *args, **more))["heaps"]}

    def test_table_has_a_line_for_each_heap(self):
        lines = self.good("list", env=self.heaps("system", "linux,cma")).splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "PROPERTIES", "STATE"])
        self.assertEqual(lines[1].split(), ["linux,cma", "contiguous", "usable"])
        self.assertEqual(lines[2].split(), ["system", "system", "usable"])
        self.assertEqual(lines[-1].split(), ["memfd", "system,no-device", "usable"])

    def test_json_has_everything(self):
        heap = self.listed(env=self.heaps("linux,cma"))["linux,cma"]
        self.assertEqual(heap, {"name": "linux,cma", "path": self.directory + "/linux,cma",
                                "alias": None, "properties": ["contiguous"], "usable": True,
                                "reason": None, "charging": None})

    def test_links_show_where_they_lead(self):
        with open(os.path.join(self.directory, "system"), "w"):
            pass
        env = self.heaps(vidbuf_cached="system")
        self.assertEqual(self.listed(env=env)["vidbuf_cached"]["alias"], "system")
        self.assertIn("vidbuf_cached -> system", self.good("list", env=env))

    def test_heap_that_cannot_be_used_has_a_reason(self):
        with open(os.path.join(self.directory, "README"), "w"):
            pass
        heap = self.listed(env=self.heaps())["README"]
        self.assertFalse(heap["usable"])
        self.assertIn("no dma-heap", heap["reason"])

    def test_names_and_properties_choose(self):
        env = self.heaps("system", "linux,cma", "protected")
        self.assertEqual(list(self.listed("--heap", "system", "-H", "protected", env=env)),
                         ["protected", "system"])
        self.assertEqual(list(self.listed("--require", "contiguous", env=env)), ["linux,cma"])
        self.assertEqual(list(self.listed("-H", self.directory + "/system", env=env)), ["system"])

    def test_heap_that_is_not_there_does_not_hide_the_others(self):
        env = self.heaps("system")
        for json_option in ([], ["--json"]):
            result = tool("list", "-H", "nonsense", "-H", "system", *json_option, env=env)
            self.assertEqual(result.returncode, FAILED)
            self.assertRegex(result.stderr, r"^dmabuf-heap: .*/nonsense does not exist: .*\n$")
            self.assertIn("system", result.stdout)
        self.assertEqual(json.loads(result.stdout)["heaps"][0]["name"], "system")

    def test_protected_heaps_are_shown(self):
        env = self.heaps("system", "protected,secure-video", "protected,trusted-ui")
        self.assertEqual(self.listed(env=env)["protected,trusted-ui"]["properties"], ["protected"])
        self.assertEqual(list(self.listed("--require", "protected", env=env)),
                         ["protected,secure-video", "protected,trusted-ui"])
        self.assertRegex(self.good("list", env=env), r"\nprotected,trusted-ui +protected +usable\n")

    def test_charging_is_asked_for(self):
        heaps = self.listed("--charging", env=self.heaps("system"))
        self.assertEqual(heaps["memfd"]["charging"], ["caller"])
        self.assertIsNone(heaps["system"]["charging"])
        lines = self.good("list", "--charging", env={"DMABUF_HEAP_PATH": self.directory})
        self.assertRegex(lines, r"\nsystem +system +\? +usable\n")
        self.assertRegex(lines, r"\nmemfd +system,no-device +caller +usable\n")

    def test_unprintable_names_are_not_printed(self):
        self.assertIn("a?b", self.good("list", env=self.heaps("a\x1bb")))


class Alloc(ToolTest):
    def alloc(self, *args, **more):
        return json.loads(self.good("alloc", "--json", "-H", "memfd", *args, **more))

    def test_says_what_was_allocated_and_who_was_charged(self):
        self.assertEqual(self.good("alloc", "--heap", "memfd", "4K"),
                         "4096 bytes of memfd, named memfd\ncharged: nobody\n")

    def test_json_has_everything(self):
        self.assertEqual(self.alloc("--name", "frame", "2M"),
                         {"heap": "memfd", "properties": ["system", "no-device"],
                          "size": 2 * MIB, "name": "frame", "exporter": "memfd", "target": None,
                          "charged": None})

    def test_size_is_rounded_up_to_pages(self):
        self.assertEqual(self.alloc("1")["size"], PAGE)

    def test_first_heap_that_will_do_is_taken(self):
        self.assertEqual(self.alloc("-H", "udmabuf", "1")["heap"], "memfd")
        self.assertEqual(json.loads(self.good("alloc", "--json", "-H", "nonsense", "-H", "memfd",
                                              "1"))["heap"], "memfd")

    def test_heap_without_the_property_is_not_taken(self):
        self.assertIn("no such heap", self.bad(FAILED, "alloc", "-H", "memfd", "--require",
                                               "contiguous", "1"))

    def test_charge_to_itself(self):
        self.assertIn("\ncharged: this process\n",
                      self.good("alloc", "-H", "memfd", "--charge", "self", "--strict", "4K"))
        self.assertEqual(self.alloc("-c", "self", "4K")["charged"], "caller")

    def test_missing_heaps_say_what_to_do(self):
        self.assertIn("CONFIG_DMABUF_HEAPS", self.bad(FAILED, "alloc", "-H", "system", "1"))
        self.assertIn("udmabuf and memfd are taken if they are named",
                      self.bad(FAILED, "alloc", "1"))
        env = self.heaps()
        self.assertIn(self.directory + "/system does not exist",
                      self.bad(FAILED, "alloc", "-H", "system", "1", env=env))

    def test_heap_that_is_none_is_an_error(self):
        self.assertEqual(self.bad(FAILED, "alloc", "-H", "system", "1", env=self.heaps("system")),
                         "system: Inappropriate ioctl for device")
        self.assertEqual(self.bad(FAILED, "alloc", "-H", "/dev/null", "1"),
                         "/dev/null: no dma-heap")

    def test_sizes_that_are_none(self):
        for size in ("0", "x", "4T", "-1"):
            self.assertIn("is no size", self.bad(USAGE, "alloc", "-H", "memfd", size))

    def test_more_than_the_machine_has(self):
        self.assertEqual(self.bad(FAILED, "alloc", "-H", "memfd", str(1 << 62)),
                         "memfd: out of memory")

    def test_output_that_is_lost_is_an_error(self):
        with open("/dev/full", "w") as full:
            self.assertIn("cannot write the output",
                          self.bad(FAILED, "alloc", "-H", "memfd", "1", stdout=full))


class Targets(ToolTest):
    def test_targets_that_are_not_there(self):
        child = subprocess.Popen(["true"])
        child.wait()
        self.assertIn("gone", self.bad(CHARGE, "alloc", "-H", "memfd", "-c", str(child.pid), "1"))
        for target in ("nonsense", "/no/such/cgroup", "/proc", "1K", "0x1", "99999999999"):
            message = self.bad(CHARGE, "alloc", "-H", "memfd", "-c", target, "1")
            self.assertIn("TARGET is self, the number of a process, or a cgroup", message)
            self.assertIn(target, message)

    def test_process_that_is_a_zombie_is_gone(self):
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertIn("gone", self.bad(CHARGE, "alloc", "-H", "memfd", "-c", str(child.pid), "1"))
        child.wait()

    @unittest.skipIf(os.path.exists(CGROUPS + "/cgroup.controllers"), "may be possible here")
    def test_charge_that_cannot_be_made(self):
        pid = str(os.getpid())
        self.assertIn("or leave out --strict",
                      self.bad(CHARGE, "alloc", "-H", "memfd", "-c", pid, "--strict", "1"))
        self.assertIn("charged: nobody", self.good("alloc", "-H", "memfd", "-c", pid, "1"))

    @unittest.skipIf(os.path.exists(CGROUPS + "/cgroup.controllers"), "may be possible here")
    def test_cgroups_that_cannot_be_watched(self):
        self.assertIn("--watch-cgroup", self.bad(FAILED, "alloc", "-H", "memfd", "--watch-cgroup",
                                                 "1"))


def memory_cgroups():
    try:
        with open(CGROUPS + "/cgroup.subtree_control", "r+") as file:
            return "memory" in file.read().split() and os.geteuid() == 0
    except OSError:
        return False


@unittest.skipUnless(memory_cgroups(), "needs root, and cgroups with the memory controller")
class Watch(ToolTest):
    """Where a child in another cgroup can be charged. What lives there comes and goes beside the
    buffer: a MiB is allowed for it."""

    def setUp(self):
        super().setUp()
        self.cgroup = CGROUPS + "/dmabuf-heap-test-%d" % os.getpid()
        os.mkdir(self.cgroup)
        self.addCleanup(os.rmdir, self.cgroup)

    def client(self):
        """A process in the cgroup."""
        child = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        with open(self.cgroup + "/cgroup.procs", "w") as file:
            file.write(str(child.pid))
        return str(child.pid)

    def check(self, target):
        result = json.loads(self.good("alloc", "--json", "-H", "memfd", "-c", target, "--strict",
                                      "--watch-cgroup", "8M"))
        self.assertEqual((result["charged"], result["target"]), ("helper", target))
        self.assertGreater(result["allocated"]["memory.current"] -
                           result["before"]["memory.current"], 7 * MIB)

    def test_cgroup_is_seen_to_be_charged(self):
        self.check(self.cgroup)

    def test_path_below_the_mount_point(self):
        self.check(self.cgroup.removeprefix(CGROUPS))

    def test_process_is_seen_to_be_charged(self):
        self.check(self.client())

    def test_text_shows_the_differences_and_that_all_is_given_back(self):
        lines = self.good("alloc", "-H", "memfd", "-c", self.cgroup, "--watch-cgroup", "8M", "--",
                          "echo", "here").splitlines()
        self.assertEqual(lines[1], "charged: %s, by a process that allocated in its cgroup" %
                         self.cgroup)
        counts = {}
        for line in lines[2], lines[4]:
            match = re.match(r"(\w+): memory.current \d+ \(([+-]\d+)\)", line)
            counts[match[1]] = int(match[2])
        self.assertEqual(lines[3], "here")
        self.assertGreater(counts["allocated"], 7 * MIB)
        self.assertLess(counts["released"], MIB)

    def test_limit_is_named(self):
        with open(self.cgroup + "/memory.max", "w") as file:
            file.write("4M")
        self.assertIn("memory.max", self.bad(CHARGE, "alloc", "-H", "memfd", "-c", self.cgroup,
                                             "8M"))


class Command(ToolTest):
    def run_command(self, *command, options=(), **more):
        return tool("alloc", "-H", "memfd", *options, "4K", "--", *command, **more)

    def test_command_inherits_the_buffer(self):
        result = self.run_command("sh", "-c", "readlink /proc/self/fd/$DMABUF_FD",
                                  options=("--name", "frame"))
        self.assertEqual(result.returncode, OK)
        self.assertEqual(result.stdout.splitlines()[-1], "/memfd:frame (deleted)")

    def test_command_has_no_other_descriptor(self):
        result = self.run_command("sh", "-c", "ls /proc/$$/fd")
        self.assertEqual(len(result.stdout.splitlines()[2:]), 4)

    def test_read_only_buffer_cannot_be_written(self):
        script = "eval \"exec 9<&$DMABUF_FD\"; grep flags /proc/$$/fdinfo/$DMABUF_FD"
        flags = {}
        for options in (), ("--read-only",):
            result = self.run_command("sh", "-c", script, options=options)
            flags[options] = int(result.stdout.split()[-1], 8) & os.O_ACCMODE
        self.assertEqual(flags, {(): os.O_RDWR, ("--read-only",): os.O_RDONLY})

    def test_exit_status_is_that_of_the_command(self):
        self.assertEqual(self.run_command("sh", "-c", "exit 42").returncode, 42)

    def test_commands_that_do_not_run(self):
        self.assertEqual(self.run_command("/no/such/command").returncode, NO_COMMAND)
        self.assertEqual(self.run_command(self.directory).returncode, CANNOT_RUN)

    def test_options_of_the_command_are_its_own(self):
        self.assertEqual(self.run_command("echo", "--json", "--", "x").stdout.splitlines()[-1],
                         "--json -- x")


class Usage(ToolTest):
    def test_usage(self):
        for args in ((), ("nonsense",), ("list", "x"), ("alloc",), ("alloc", "1", "2"),
                     ("list", "--strict"), ("list", "--", "true"), ("list", "-c", "self"),
                     ("alloc", "--charging", "1"), ("alloc", "--strict", "1"),
                     ("list", "--require", "nonsense")):
            self.bad(USAGE, *args)
        self.assertEqual(tool("--nonsense").returncode, USAGE)

    def test_help_and_version(self):
        self.assertIn("Usage: dmabuf-heap", self.good("--help"))
        self.assertRegex(self.good("--version"), r"^dmabuf-heap \d")


if __name__ == "__main__":
    unittest.main(verbosity=2)
