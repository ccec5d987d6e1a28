#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qda-info on the software DSP, and on accel nodes that umockdev and fake-accel play."""
import errno
import grp
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest

QDA_INFO = os.environ["QDA_INFO"]
FAKE_ACCEL = os.environ["FAKE_ACCEL"]
VERSION = os.environ["VERSION"]
SANITIZE = os.environ["SANITIZE"] != "none"
SHARED_ENV = {key: os.environ[key] for key in os.environ
              if key not in ("DSP_LIBRARY_PATH", "ADSP_LIBRARY_PATH", "QDA_LOG", "QDA_DEVICE")}
SHARED_ENV["LC_ALL"] = "C.UTF-8"

DEVICE = """P: /devices/platform/remoteproc-cdsp/qda
E: SUBSYSTEM=rpmsg
E: DRIVER=qda
L: driver=../../../bus/rpmsg/drivers/qda

P: /devices/platform/remoteproc-cdsp/qda/accel/accel0
N: accel/accel0
E: SUBSYSTEM=accel
E: DEVNAME=/dev/accel/accel0
E: MAJOR=261
E: MINOR=0
"""
NODE = "/dev/accel/accel0"


def run(*args, env=None, **more):
    return subprocess.run([QDA_INFO, *args], capture_output="stdout" not in more, text=True,
                          timeout=60, env={**SHARED_ENV, **(env or {})}, **more)


class Case(unittest.TestCase):
    def check(self, result, status, out=None, err=None):
        """Exit status, whole standard output and lines of standard error."""
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        if out is not None:
            self.assertEqual(result.stdout, out)
        if err is not None:
            self.assertEqual(result.stderr.splitlines(), err)

    def check_usage(self, result, text):
        self.check(result, 2, "")
        self.assertIn(text, result.stderr.splitlines()[0])
        self.assertTrue(result.stderr.startswith("qda-info: "), result.stderr)


class Options(Case):
    def test_help_goes_to_standard_output(self):
        result = run("--help")
        self.check(result, 0, err=[])
        self.assertTrue(result.stdout.startswith("Usage: qda-info "))

    def test_version(self):
        self.check(run("--version"), 0, "qda-info %s\n" % VERSION, [])

    def test_unknown_option(self):
        self.check_usage(run("--frobnicate"), "--frobnicate")

    def test_option_without_its_argument(self):
        self.check_usage(run("--device"), "device")

    def test_names_that_cannot_be_one(self):
        for name in ("", "CDSP", "soft:", "soft:../x", "a b", "a-name-longer-than-it-may-be"):
            with self.subTest(name=name):
                self.check_usage(run("-d", name), "qda-info: %s: not the name of a device; "
                                 "it is a DSP's name such as cdsp, a node /dev/accel/accelN, or "
                                 "soft:NAME; " % name)

    def test_bytes_of_a_terminal_are_not_printed(self):
        self.assertNotIn("\x1b", run("-d", "\x1b[31m").stderr)

    def test_lost_output_is_an_error(self):
        for args in (("--help",), ("--version",), ("--strerror", "1"), ("-d", "soft:cdsp"),
                     ("-d", "soft:cdsp", "--json"), ("-d", "soft:cdsp", "--watch")):
            with self.subTest(args=args), open("/dev/full", "w") as full:
                result = run(*args, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn("cannot write the output", result.stderr)


class Strerror(Case):
    def test_number_of_the_dsp(self):
        result = run("--strerror", "0x80000406")
        self.check(result, 0, err=[])
        self.assertTrue(result.stdout.startswith("AEE_EUNABLETOLOAD (0x80000406): "))
        self.assertIn("\nhint: ", result.stdout)

    def test_all_ways_to_write_a_number(self):
        outputs = {run("--strerror=" + code).stdout
                   for code in ("0x8000040e", "0X8000040E", "2147484686", "-2147482610")}
        self.assertEqual(len(outputs), 1, outputs)
        self.assertIn("AEE_EBADPARM", outputs.pop())

    def test_success(self):
        self.check(run("--strerror", "0"), 0, "AEE_SUCCESS (0x0): success\n", [])

    def test_status_of_a_method(self):
        self.check(run("--strerror", "77777"), 0)

    def test_json(self):
        result = run("--strerror", "0x80000406", "--json")
        self.check(result, 0, err=[])
        answer = json.loads(result.stdout)
        self.assertEqual((answer["status"], answer["name"]), (0x80000406, "AEE_EUNABLETOLOAD"))
        self.assertIsNone(json.loads(run("--strerror", "0", "--json").stdout)["hint"])

    def test_what_is_no_number_of_32_bits(self):
        for code in ("", "x", "1x", "0x", "1.5", "4294967296", "-2147483649", "9" * 30):
            with self.subTest(code=code):
                self.check_usage(run("--strerror=" + code), "--strerror")


class Software(Case):
    def test_ready_without_check(self):
        result = run("-d", "soft:cdsp", "--json")
        self.check(result, 0, err=[])
        device, = json.loads(result.stdout)["devices"]
        self.assertEqual((device["name"], device["node"], device["transport"], device["status"]),
                         ("soft:cdsp", os.environ["QDA_SOFTDSP"], "soft", "ready"))
        self.assertIsNone(device["problem"])

    def test_works_with_check(self):
        result = run("-d", "soft:cdsp", "--check")
        self.check(result, 0, err=[])
        head, line = result.stdout.splitlines()
        self.assertEqual(head.split(), ["DSP", "NODE", "DRIVER", "ACCESS", "STATUS"])
        self.assertEqual((line.split()[0], line.split()[-1]), ("soft:cdsp", "works"))

    def test_operands_are_names_too(self):
        result = run("--json", "soft:cdsp", "-d", "soft:adsp", "--check", "soft:sdsp")
        self.check(result, 0, err=[])
        self.assertEqual([device["name"] for device in json.loads(result.stdout)["devices"]],
                         ["soft:cdsp", "soft:adsp", "soft:sdsp"])

    def test_several_devices_are_listed_in_their_order(self):
        result = run("-d", "soft:cdsp", "-d", "soft:adsp", "--check", "--json")
        self.check(result, 0, err=[])
        self.assertEqual([device["name"] for device in json.loads(result.stdout)["devices"]],
                         ["soft:cdsp", "soft:adsp"])

    def test_attributes_by_name(self):
        result = run("-d", "soft:cdsp", "--attributes")
        self.check(result, 0, err=[])
        values = dict(line.split(None, 1) for line in result.stdout.splitlines()
                      if line.startswith("    "))
        self.assertEqual(len(values), 10)
        self.assertEqual(values["unsigned_pd"], "0x1")
        answer = json.loads(run("-d", "soft:cdsp", "--attributes", "--json").stdout)
        attributes = answer["devices"][0]["attributes"]
        self.assertEqual(attributes["unsigned_pd"], 1)
        self.assertEqual(set(attributes), set(values))

    def test_verbose_and_signed_sessions_work(self):
        self.check(run("-d", "soft:cdsp", "--check", "--signed", "-v"), 0)

    def test_missing_program(self):
        for status, more in ((0, ()), (0, ("--attributes",)), (1, ("--check",))):
            with self.subTest(more=more):
                result = run("-d", "soft:cdsp", *more, env={"QDA_SOFTDSP": "/nonexistent"})
                self.check(result, status, err=[
                    "qda-info: soft:cdsp: the software DSP's program /nonexistent cannot be run: "
                    "no such file; install qda-softdsp, or name it in QDA_SOFTDSP"])
                self.assertEqual(result.stdout.split()[-1], "trouble")

    def test_missing_program_in_json(self):
        result = run("-d", "soft:cdsp", "--json", env={"QDA_SOFTDSP": "/nonexistent"})
        self.check(result, 0, err=[])
        device, = json.loads(result.stdout)["devices"]
        self.assertEqual(device["status"], "trouble")
        self.assertIn("/nonexistent", device["problem"]["cause"])
        self.assertIn("QDA_SOFTDSP", device["problem"]["cure"])

    def test_program_that_is_no_software_dsp(self):
        for program in ("/bin/true", "/bin/cat"):
            self.check(run("-d", "soft:cdsp", "--check", env={"QDA_SOFTDSP": program}), 1, err=[
                "qda-info: soft:cdsp: cannot create a session: %s is not qda-softdsp; "
                "name qda-softdsp in QDA_SOFTDSP, or unset it" % program])

    def test_good_ones_are_listed_beside_a_bad_one(self):
        result = run("-d", "soft:cdsp", "-d", "/dev/null", "--check", "--json")
        self.check(result, 1)
        self.assertEqual([device["status"] for device in json.loads(result.stdout)["devices"]],
                         ["works", "trouble"])

    def test_node_of_another_driver(self):
        self.check(run("-d", "/dev/null"), 1, err=[
            "qda-info: /dev/null: not a node of the driver qda; "
            "qda-info without a name lists them"])

    def test_watch_ends_well_when_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([QDA_INFO, "-d", "soft:cdsp", "--watch"], env=SHARED_ENV,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as process:
                self.assertTrue(process.stdout.readline().startswith("DSP"))
                self.assertTrue(process.stdout.readline().startswith("soft:cdsp"))
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
                self.assertEqual((process.returncode, out, err), (0, "", ""))


@unittest.skipUnless(shutil.which("umockdev-run"), "umockdev-run is not installed")
class Accel(Case):
    """In a /dev and /sys of their own."""

    def run(self, result=None):
        with tempfile.TemporaryDirectory() as self.directory:
            return super().run(result)

    def info(self, *args, device=True, prepare="", env=None):
        """Run in the testbed, after the shell commands @prepare in its directory."""
        command = ["umockdev-run"]
        if device:
            path = os.path.join(self.directory, "device")
            with open(path, "w") as file:
                file.write(DEVICE)
            command += ["-d", path]
        script = ('(unset LD_PRELOAD; cd "$UMOCKDEV_DIR"; %s) && '
                  'LD_PRELOAD="%s:$LD_PRELOAD" exec "$@"' % (prepare or "true", FAKE_ACCEL))
        command += ["--", "/bin/sh", "-c", script, "sh", QDA_INFO, *args]
        more = {"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"} if SANITIZE else {}
        return subprocess.run(command, capture_output=True, text=True, timeout=60,
                              env={**SHARED_ENV, **more, **(env or {})})

    def test_listed_with_name_version_and_access(self):
        result = self.info("--json", env={"FAKE_ACCESS": "0660 0 0"})
        self.check(result, 0, err=[])
        answer = json.loads(result.stdout)
        self.assertIsNone(answer["problem"])
        device, soft = answer["devices"]
        self.assertEqual(soft["name"], "soft:cdsp")
        self.assertEqual(device, {
            "name": "cdsp", "node": NODE, "transport": "accel", "driver_version": "1.2.3",
            "mode": "0660", "owner": "root", "group": "root", "status": "ready",
            "problem": None})

    def test_table(self):
        result = self.info(env={"FAKE_ACCESS": "0660 0 0"})
        self.check(result, 0, err=[])
        self.assertEqual(result.stdout.splitlines()[1].split(),
                         ["cdsp", NODE, "1.2.3", "0660", "root:root", "ready"])

    def test_found_by_name_and_by_node(self):
        for name in ("cdsp", NODE):
            result = self.info("-d", name)
            self.check(result, 0, err=[])
            self.assertEqual(len(result.stdout.splitlines()), 2)

    def test_other_name(self):
        result = self.info("-d", "adsp")
        self.check(result, 1, err=["qda-info: adsp: there is no such DSP; "
                                   "use one of cdsp, soft:cdsp"])

    def denied(self, access, *args, device=True):
        result = self.info("-d", NODE, *args, device=device,
                           env={"FAKE_ERROR": str(errno.EACCES), "FAKE_ACCESS": access})
        self.check(result, 0)
        line, = result.stderr.splitlines()
        return line

    def other_group(self):
        """A group with a name that this process is not in."""
        mine = {os.getegid(), *os.getgroups(), 0}
        user = pwd.getpwuid(os.geteuid()).pw_name
        return next(group for group in grp.getgrall()
                    if group.gr_gid not in mine and user not in group.gr_mem)

    def test_permission_says_mode_owner_and_group(self):
        group = self.other_group()
        self.assertTrue(self.denied("0660 0 %d" % group.gr_gid).startswith(
            "qda-info: %s: permission denied: mode 0660, owner root, group %s; "
            % (NODE, group.gr_name)))

    @unittest.skipIf(os.geteuid() == 0, "root needs no group")
    def test_permission_names_the_group_to_join(self):
        group = self.other_group()
        self.assertIn("; join group %s: " % group.gr_name,
                      self.denied("0660 0 %d" % group.gr_gid))

    @unittest.skipIf(os.geteuid() == 0, "root needs no group")
    def test_permission_of_a_node_for_root_only(self):
        for access in ("0600 0 0", "0600 0 %d" % self.other_group().gr_gid):
            self.assertIn("; run as root, or let a udev rule", self.denied(access))

    def test_permission_that_the_mode_allows(self):
        self.assertIn("container's device list", self.denied("0666 0 0"))

    def test_permission_counts_for_the_name_too(self):
        result = self.info("-d", "cdsp", env={"FAKE_ERROR": str(errno.EACCES)})
        self.check(result, 0)
        self.assertIn("cdsp: %s: permission denied" % NODE, result.stderr)

    def test_problems_of_a_list_fail_only_with_check(self):
        for status, more in ((0, ()), (1, ("--check",))):
            result = self.info(*more, env={"FAKE_ERROR": str(errno.EACCES)})
            self.check(result, status)
            self.assertIn("permission denied", result.stderr)

    def test_missing_node(self):
        result = self.info("-d", "soft:cdsp", "-d", NODE, env={"FAKE_ERROR": str(errno.ENOENT)})
        self.check(result, 1)
        self.assertIn("%s: the node is missing; udevadm trigger" % NODE, result.stderr)

    def test_shell_not_found_says_where_it_was_looked_for(self):
        result = self.info("-d", "cdsp", "--check", "-L", "/nonexistent/dsp")
        self.check(result, 1)
        line, = result.stderr.splitlines()
        self.assertIn("cdsp: cannot create a session: fastrpc_shell_unsigned_3 not found in "
                      "/nonexistent/dsp", line)
        self.assertIn("; install the DSP's files, or name the directory that has the shell in "
                      "DSP_LIBRARY_PATH", line)

    def test_signed_sessions_have_another_shell(self):
        self.assertIn("fastrpc_shell_3 not found",
                      self.info("-d", "cdsp", "--check", "--signed").stderr)

    def test_given_shell_that_is_missing(self):
        result = self.info("-d", "cdsp", "--check", "--shell", "/nonexistent/shell")
        self.check(result, 1)
        self.assertIn("/nonexistent/shell", result.stderr)

    def test_watch_tells_what_comes_and_goes(self):
        result = self.info("--watch", "-d", "cdsp",
                           env={"FAKE_EVENTS": "1", "FAKE_ACCESS": "0660 0 0"})
        self.check(result, 0, err=[])
        self.assertEqual([line.split() for line in result.stdout.splitlines()[2:]],
                         [["added:", "cdsp", NODE, "1.2.3", "0660", "root:root", "ready"],
                          ["removed:", "cdsp", NODE]])

    def test_watch_in_json_has_an_object_on_each_line(self):
        result = self.info("--watch", "--json", env={"FAKE_EVENTS": "1"})
        self.check(result, 0, err=[])
        listed, added, removed = map(json.loads, result.stdout.splitlines())
        self.assertEqual((added.pop("event"), added), ("added", listed["devices"][0]))
        self.assertEqual(removed, {"event": "removed", "name": "cdsp", "node": NODE})

    def test_watch_shows_only_devices_asked_for(self):
        result = self.info("--watch", "-d", "soft:cdsp", env={"FAKE_EVENTS": "1"})
        self.check(result, 0, err=[])
        self.assertEqual(len(result.stdout.splitlines()), 2)

    def test_watch_says_what_is_wrong_with_one_that_came(self):
        result = self.info("--watch", "-d", NODE,
                           env={"FAKE_EVENTS": "1", "FAKE_ERROR": str(errno.ENOENT)})
        self.check(result, 0)
        self.assertEqual(result.stderr.count(NODE + ": the node is missing; "), 2)

    def test_no_device_and_no_driver(self):
        for status, args in ((0, ()), (1, ("-d", "cdsp")), (1, (NODE,)), (1, ("--check",))):
            with self.subTest(args=args):
                result = self.info(*args, device=False, env={"FAKE_ERROR": str(errno.ENOENT)})
                self.check(result, status)
                line, = result.stderr.splitlines()
                self.assertIn("no DSP: driver qda is not loaded; modprobe qda", line)

    def test_software_dsp_alone_is_no_trouble_when_asked_for(self):
        self.check(self.info("-d", "soft:cdsp", device=False), 0, err=[])

    def test_no_device_in_json(self):
        result = self.info("--json", device=False)
        self.check(result, 0, err=[])
        answer = json.loads(result.stdout)
        self.assertEqual([device["name"] for device in answer["devices"]], ["soft:cdsp"])
        self.assertIn("not loaded", answer["problem"]["cause"])
        self.assertIn("modprobe", answer["problem"]["cure"])

    def test_driver_without_device(self):
        for directory in ("sys/module/qda", "sys/bus/rpmsg/drivers/qda"):
            with self.subTest(directory=directory):
                result = self.info(device=False, prepare="mkdir -p " + directory)
                self.check(result, 0)
                self.assertIn("driver qda is loaded but has no device; ", result.stderr)

    def test_old_driver_has_the_dsps(self):
        result = self.info(device=False, prepare="mkdir -p dev && : >dev/fastrpc-cdsp && "
                           ": >dev/fast")
        self.check(result, 0)
        self.assertIn("driver fastrpc has them (/dev/fastrpc-cdsp), driver qda is not loaded; "
                      "modprobe -r fastrpc && modprobe qda", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
