#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qda-invoke on the software DSP: results, every exit status, and what it leaves behind."""
import json
import os
import pty
import select
import signal
import struct
import subprocess
import time
import unittest

from cli import (CALCULATOR_IDL, CRASH, DEVICE, EXAMPLES, INTERRUPTED, METHOD, NUMBERS, OK,
                 QDA_INVOKE, TIMEOUT, USAGE, InvokeTest)

CALCULATOR = ("--idl", CALCULATOR_IDL, "libcalculator_skel.so")
IMGFILTER = ("--idl", os.path.join(EXAMPLES, "imgfilter", "imgfilter.idl"), "libimgfilter_skel.so")
CONF = "libconf_skel.so"
INROUT = (CONF, "24:m(inrout unsigned long a, inrout sequence<octet> v)", "1", "7,8")


def numbers():
    with open(NUMBERS) as file:
        return [int(word) for word in file.read().split()]


class Results(InvokeTest):
    def test_sum_and_max_of_a_list_in_a_file(self):
        self.assertEqual(self.good(*CALCULATOR, "sum", "%" + NUMBERS),
                         "res = %d\n" % sum(numbers()))
        self.assertEqual(self.good(*CALCULATOR, "max", "%" + NUMBERS),
                         "res = %d\n" % max(numbers()))

    def test_signature_instead_of_an_idl_file(self):
        signature = "2:sum(in sequence<long> vec, rout long long res)"
        self.assertEqual(self.good("libcalculator_skel.so", signature, "1,2,-5"), "res = -2\n")

    def test_module_as_a_path_and_as_a_uri(self):
        path = next(os.path.join(directory, "libcalculator_skel.so")
                    for directory in os.environ["DSP_LIBRARY_PATH"].split(";")
                    if "calculator" in directory)
        uri = "file:///libcalculator_skel.so?calculator_skel_handle_invoke&_modver=1.0&_dom=cdsp"
        for module, env in ((path, {"DSP_LIBRARY_PATH": ""}), (uri, {})):
            self.assertEqual(self.good("--idl", CALCULATOR_IDL, module, "sum", "1,2", env=env),
                             "res = 3\n")

    def test_search_path_option(self):
        env = {"DSP_LIBRARY_PATH": ""}
        self.bad(DEVICE, *CALCULATOR, "sum", "1", env=env)
        self.assertEqual(self.good("-L", os.environ["DSP_LIBRARY_PATH"], *CALCULATOR, "sum", "1",
                                   env=env), "res = 1\n")

    def test_interface_of_the_idl_decides_the_symbol(self):
        idl = self.write("a.idl", "interface calculator : remote_handle64 "
                                  "{ long add(in sequence<long> v, rout long long r); };")
        self.assertEqual(self.good("--idl", idl, "libcalculator_skel.so", "add", "1,2"), "r = 3\n")
        self.write("a.idl", "interface other : remote_handle64 "
                            "{ long add(in sequence<long> v, rout long long r); };")
        error = self.bad(DEVICE, "--idl", idl, "libcalculator_skel.so", "add", "1,2")
        self.assertIn("other_skel_handle_invoke", error)

    def test_interface_without_a_handle_has_another_symbol(self):
        idl = self.write("a.idl", "interface calculator { long m(); };")
        self.assertIn("calculator_skel_invoke",
                      self.bad(DEVICE, "--idl", idl, "libcalculator_skel.so", "m"))

    def test_version_of_the_idl_goes_into_the_uri(self):
        idl = self.write("a.idl", """const string IDL_VERSION = "1.2.3";
            interface calculator : remote_handle64 {
                long sum(in sequence<long> v, rout long long r); };""")
        result = json.loads(self.good("--json", "--idl", idl, "libcalculator_skel.so", "sum", "4"))
        self.assertEqual(result["result"], {"r": 4})
        self.assertIn("&_idlver=1.2.3&", result["module"])

    def test_long_sequence_in_a_shared_buffer(self):
        data = struct.pack("100000i", *range(100000))
        path = self.write("data", data)
        self.assertEqual(self.good(*CALCULATOR, "sum", "@" + path),
                         "res = %d\n" % sum(range(100000)))

    def test_short_sequence_in_a_shared_buffer(self):
        self.assertEqual(self.good(*CALCULATOR, "--buffer", "vec", "sum", "1,2"), "res = 3\n")

    def test_inrout_gets_its_value_again_on_every_call(self):
        signature = "24:m(inrout unsigned long a, inrout sequence<octet> v)"
        for buffer in ((), ("--buffer", "v")):
            self.assertEqual(self.good("--repeat", "5", *buffer, CONF, signature, "1", "7,8"
                                       ).splitlines()[:2], ["a = 2", "v = [8, 9]"])

    def test_struct_round_trip(self):
        idl = self.write("a.idl", "struct pair { octet tag; long long big; short three[3]; };")
        signature = "20:pair(in pair p, in octet add, rout pair q, rout long long twice)"
        self.assertEqual(self.good("--idl", idl, CONF, signature, "{1,-5,[7,8,-9]}", "2"),
                         "q = {tag=3, big=-5, three=[-9, 8, 7]}\ntwice = -10\n")
        result = json.loads(self.good("--json", "--idl", idl, CONF, signature, "{1,-5,[7,8,-9]}",
                                      "2"))["result"]
        self.assertEqual(result, {"q": {"tag": 3, "big": -5, "three": [-9, 8, 7]}, "twice": -10})

    def test_sequence_round_trip(self):
        signature = "21:twice(in sequence<long> v, rout sequence<long> w)"
        self.assertEqual(self.good(CONF, signature, "1,-2,3"), "w = [2, -4, 6]\n")
        self.assertEqual(self.good(CONF, signature, ""), "w = []\n")

    def test_string_round_trip(self):
        signature = "22:upper(in string s, rout string t)"
        self.assertEqual(self.good(CONF, signature, 'a "b"', "--room", "t=@s"),
                         't = "A \\"B\\""\n')
        self.assertEqual(json.loads(self.good("--json", CONF, signature, "a\nb\x7f", "--room",
                                              "t=64"))["result"], {"t": "A\nB\x7f"})

    def test_wstring_round_trip(self):
        signature = "23:reverse(in wstring s, rout wstring t)"
        self.assertEqual(self.good(CONF, signature, "a\u00e9\u20ac", "--room", "t=16"),
                         't = "\u20ac\u00e9a"\n')

    def test_text_on_a_terminal_cannot_control_it(self):
        output = self.good(CONF, "22:upper(in string s, rout string t)", "\x1b[2J", "--room",
                           "t=16")
        self.assertEqual(output, 't = "\\x1b[2J"\n')

    def test_dmahandles(self):
        data = self.write("data", b"\1\2\3\4")
        out = self.path("out")
        self.good(CONF, "25:copy(in long add, in dmahandle from, rout dmahandle to)", "5",
                  "@" + data, "--room", "to=4", "--out", "to=" + out)
        with open(out, "rb") as file:
            self.assertEqual(len(file.read()), 4)

    def test_json(self):
        result = json.loads(self.good("--json", *CALCULATOR, "sum", "1,2"))
        self.assertEqual(result["result"], {"res": 3})
        self.assertEqual((result["status"], result["method"], result["device"]),
                         (0, "sum", "soft:cdsp"))
        self.assertIn("libcalculator_skel.so", result["module"])

    def test_json_of_an_error(self):
        result = self.invoke("--json", *CALCULATOR, "max", "")
        self.assertEqual(result.returncode, METHOD)
        report = json.loads(result.stdout)
        self.assertEqual((report["status"], report["error"]["name"], report["error"]["exit"]),
                         (14, "AEE_EBADPARM", METHOD))

    def test_repeat_prints_times_in_order(self):
        lines = self.good("--repeat", "50", *CALCULATOR, "sum", "1,2").splitlines()
        self.assertEqual(lines[0], "res = 3")
        self.assertRegex(lines[1], r"^50 calls: min [\d.]+ us, median [\d.]+ us, p99 [\d.]+ us$")
        report = json.loads(self.good("--json", "--repeat", "50", *CALCULATOR, "sum", "1,2"))
        time_us = report["time_us"]
        self.assertEqual(time_us["calls"], 50)
        self.assertTrue(0 < time_us["min"] <= time_us["median"] <= time_us["p99"])

    def test_quiet(self):
        self.assertEqual(self.good("-q", *CALCULATOR, "sum", "1,2"), "")

    def test_verbose_logs_to_standard_error_only(self):
        result = self.invoke("-vv", *CALCULATOR, "sum", "1,2")
        self.assertEqual((result.returncode, result.stdout), (OK, b"res = 3\n"))

    def test_signed_process(self):
        self.assertEqual(self.good("--signed", "--attrs", "0x10", *CALCULATOR, "sum", "1,2"),
                         "res = 3\n")


class OutFiles(InvokeTest):
    def setUp(self):
        super().setUp()
        self.out = self.path("out.pgm")
        self.image = self.write("in.pgm", b"P5 4 4 255\n" + bytes(range(0, 160, 10)))

    def test_bytes_of_a_result(self):
        output = self.good(*IMGFILTER, "sobel_pgm", "@" + self.image, "--out", "edges=" + self.out)
        self.assertEqual(output, "edges = 27 bytes in %s\n" % self.out)
        with open(self.out, "rb") as file:
            content = file.read()
        self.assertEqual((content[:11], len(content)), (b"P5 4 4 255\n", 27))
        self.assertEqual(sorted(os.listdir(self.directory)), ["in.pgm", "out.pgm"])

    def test_mode_follows_the_umask(self):
        self.good(*IMGFILTER, "sobel_pgm", "@" + self.image, "--out", "edges=" + self.out,
                  preexec_fn=lambda: os.umask(0o027))
        self.assertEqual(os.stat(self.out).st_mode & 0o777, 0o640)

    def test_not_created_when_the_call_fails(self):
        bad = self.write("bad.pgm", b"this is no image")
        self.bad(METHOD, *IMGFILTER, "sobel_pgm", "@" + bad, "--out", "edges=" + self.out)
        self.assertFalse(os.path.exists(self.out))

    def test_kept_when_the_call_fails(self):
        self.write("out.pgm", b"before")
        bad = self.write("bad.pgm", b"this is no image")
        self.bad(METHOD, *IMGFILTER, "sobel_pgm", "@" + bad, "--out", "edges=" + self.out)
        with open(self.out, "rb") as file:
            self.assertEqual(file.read(), b"before")

    def test_several_files(self):
        second = self.path("second")
        self.good(*INROUT, "--out", "a=" + self.out, "--out", "v=" + second)
        for path, content in ((self.out, b"\2\0\0\0"), (second, b"\10\11")):
            with open(path, "rb") as file:
                self.assertEqual(file.read(), content)
        self.assertEqual(sorted(os.listdir(self.directory)), ["in.pgm", "out.pgm", "second"])

    def test_all_are_kept_when_one_cannot_be_written(self):
        self.write("out.pgm", b"before")
        for other in ("/dev/full", self.path("none/out"), self.directory):
            for names in ("av", "va"):
                with self.subTest(other=other, names=names):
                    self.assertIn("cannot write " + other, self.bad(
                        DEVICE, *INROUT, "--out", names[0] + "=" + self.out,
                        "--out", names[1] + "=" + other))
                    with open(self.out, "rb") as file:
                        self.assertEqual(file.read(), b"before")
                    self.assertEqual(sorted(os.listdir(self.directory)), ["in.pgm", "out.pgm"])

    def test_found_out_before_the_call_that_a_file_cannot_be_written(self):
        for path in (self.path("none/out"), self.directory):
            self.assertIn("cannot write " + path,
                          self.bad(DEVICE, "libcrash_skel.so", "3:segv(rout long a)", "--out",
                                   "a=" + path))

    def test_nothing_is_left_when_the_call_crashes(self):
        self.bad(CRASH, "libcrash_skel.so", "3:segv(rout long a)", "--out", "a=" + self.out)
        self.assertEqual(os.listdir(self.directory), ["in.pgm"])

    def test_pipe(self):
        os.mkfifo(self.out)
        reader = os.open(self.out, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.good(*INROUT, "--out", "v=" + self.out)
        self.assertEqual(os.read(reader, 100), b"\10\11")

    def test_directory_that_does_not_exist(self):
        error = self.bad(DEVICE, *IMGFILTER, "sobel_pgm", "@" + self.image, "--out",
                         "edges=" + self.path("none/out"))
        self.assertIn("cannot write", error)

    def test_full_device(self):
        error = self.bad(DEVICE, *IMGFILTER, "sobel_pgm", "@" + self.image, "--out",
                         "edges=/dev/full")
        self.assertIn("No space left", error)

    def test_wrong_parameter(self):
        self.assertIn("is not a rout parameter",
                      self.bad(USAGE, *CALCULATOR, "sum", "1", "--out", "vec=" + self.out))
        self.assertIn("no parameter 'x'",
                      self.bad(USAGE, *CALCULATOR, "sum", "1", "--out", "x=" + self.out))


class Failures(InvokeTest):
    def test_method_returns_an_error(self):
        error = self.bad(METHOD, *CALCULATOR, "max", "")
        self.assertTrue(error.startswith("max: a parameter is not valid (AEE_EBADPARM, 0xe); "),
                        error)

    def test_status_without_a_name(self):
        error = self.bad(METHOD, CONF, "6:status(in unsigned long s)", "0xabcdef")
        self.assertIn("(status 0xabcdef)", error)

    def test_method_the_module_does_not_have(self):
        self.assertIn("AEE_EUNSUPPORTED", self.bad(METHOD, CONF, "29:nothing()"))

    def test_unknown_dsp(self):
        error = self.bad(DEVICE, "-d", "ndsp", *CALCULATOR, "sum", "1")
        self.assertTrue(error.startswith("ndsp: no such DSP; qda-info lists the DSPs; "), error)

    def test_malformed_device_name(self):
        for name in ("", "CDSP", "soft:", "soft:CDSP", "soft:" + 17 * "a"):
            with self.subTest(name):
                self.assertEqual(
                    self.bad(DEVICE, "-d", name, *CALCULATOR, "sum", "1"),
                    name + ": not the name of a device; it is a DSP's name such as cdsp, a node "
                    "/dev/accel/accelN, or soft:NAME; NAME has only a-z, 0-9, _ and -, at most 16 "
                    "of them")

    def test_node_of_another_kind(self):
        self.assertEqual(self.bad(DEVICE, "-d", "/dev/null", *CALCULATOR, "sum", "1"),
                         "/dev/null: not a node of the driver qda; qda-info lists them")

    def test_missing_node(self):
        path = self.path("accel0")
        self.assertEqual(self.bad(DEVICE, "-d", path, *CALCULATOR, "sum", "1"),
                         path + ": no such file; qda-info lists the DSPs")

    def test_program_of_the_software_dsp_missing(self):
        error = self.bad(DEVICE, *CALCULATOR, "sum", "1", env={"QDA_SOFTDSP": self.path("none")})
        self.assertIn(self.path("none") + ": no such file; install qda-softdsp, or name it in "
                      "QDA_SOFTDSP", error)

    def test_program_that_is_no_software_dsp(self):
        text = self.write("text", "no program")
        os.chmod(text, 0o755)
        for program in ("/bin/true", "/bin/cat", text):
            with self.subTest(program):
                self.assertEqual(
                    self.bad(DEVICE, *CALCULATOR, "sum", "1", env={"QDA_SOFTDSP": program}),
                    "soft:cdsp: %s is not qda-softdsp; name qda-softdsp in QDA_SOFTDSP, or unset "
                    "it" % program)

    def test_device_comes_from_the_environment(self):
        self.assertIn("ndsp: ", self.bad(DEVICE, *CALCULATOR, "sum", "1",
                                         env={"QDA_DEVICE": "ndsp"}))

    def test_missing_library(self):
        for path, listed in (("", ""), ("/a", "/a, "), (";/a;;/b c;", "/a, /b c, ")):
            with self.subTest(path):
                self.assertEqual(
                    self.bad(DEVICE, "-L", path, "libnone_skel.so", "2:m()"),
                    "libnone_skel.so: cannot open it on the application's search path "
                    "(AEE_ENOSUCHFILE, 0x80000445); searched: %sthe built-in directories; set "
                    "DSP_LIBRARY_PATH or -L" % listed)

    def test_missing_path(self):
        self.assertIn("No such file", self.bad(DEVICE, self.path("libnone_skel.so"), "2:m()"))

    def test_library_outside_the_search_path(self):
        self.bad(DEVICE, "../libconf_skel.so?conf_skel_handle_invoke&_modver=1.0", "2:m()")
        self.bad(DEVICE, "file:///../../etc/passwd?conf_skel_handle_invoke&_modver=1.0&_dom=cdsp",
                 "2:m()")

    def test_wrong_elf(self):
        self.bad(DEVICE, "libtext_skel.so", "2:m()")

    def test_missing_symbol(self):
        self.assertIn("nosym_skel_handle_invoke", self.bad(DEVICE, "libnosym_skel.so", "2:m()"))

    def test_missing_dependency(self):
        error = self.bad(DEVICE, "libneeds_skel.so", "2:m()")
        self.assertIn("function_that_nobody_has (AEE_EUNABLETOLOAD, 0x80000406); searched: ", error)
        self.assertNotIn("could not be loaded", error)

    def test_crash(self):
        error = self.bad(CRASH, "libcrash_skel.so", "3:segv()")
        self.assertTrue(error.startswith("segv: the process on the DSP ended: skel crashed: "
                                         "SIGSEGV"), error)

    def test_exit(self):
        self.bad(CRASH, "libcrash_skel.so", "6:exit()")

    def test_interrupted_call(self):
        # The runtime of a sanitized build then comes second.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        error = self.bad(INTERRUPTED, *CALCULATOR, "sum", "1", env={
            "LD_PRELOAD": os.environ["FAKE_INTERRUPT"], "ASAN_OPTIONS": asan})
        self.assertEqual(error, "sum: interrupted by a signal; whether the DSP carried the call "
                                "out is unknown")

    def test_time_limit(self):
        self.bad(TIMEOUT, "--timeout", "200", "libcrash_skel.so", "7:hang()")
        self.bad(TIMEOUT, "--timeout", "200", CONF, "8:sleep(in unsigned long ms)", "60000")

    def test_time_limit_while_loading(self):
        self.bad(TIMEOUT, "--timeout", "200", "libhang_skel.so", "2:none()")

    def test_call_within_its_time_limit(self):
        self.good("--timeout", "60000", CONF, "8:sleep(in unsigned long ms)", "1")


class Usage(InvokeTest):
    def test_operands_missing(self):
        self.assertIn("MODULE and METHOD are missing", self.bad(USAGE))
        self.assertIn("METHOD is missing", self.bad(USAGE, "x"))

    def test_unknown_option(self):
        self.assertIn("--nonsense", self.bad(USAGE, "--nonsense", "x", "2:m()"))
        self.assertIn("'Z'", self.bad(USAGE, "-Z", "x", "2:m()"))

    def test_option_without_its_argument(self):
        self.assertIn("requires an argument", self.bad(USAGE, "x", "2:m()", "--idl"))

    def test_numbers_out_of_range(self):
        for option in ("--timeout=0", "--timeout=-5", "--repeat=0", "--repeat=x",
                       "--attrs=0x100000000", "--timeout=99999999999"):
            with self.subTest(option):
                self.assertIn("is not a number from", self.bad(USAGE, option, "x", "2:m()"))

    def test_values_are_checked_before_a_device_is_opened(self):
        self.bad(USAGE, "-d", "ndsp", *CALCULATOR, "sum", "x")

    def test_buffer_of_what_is_no_sequence(self):
        self.assertIn("not a sequence", self.bad(USAGE, "--buffer", "res", *CALCULATOR, "sum", "1"))

    def test_help_and_version(self):
        self.assertIn("Usage: qda-invoke", self.good("--help"))
        self.assertRegex(self.good("--version"), r"^qda-invoke \d+\.\d+\.\d+\n$")

    def test_output_that_cannot_be_written(self):
        for args in (("--help",), (*CALCULATOR, "sum", "1"), ("--dry-run", *CALCULATOR, "sum", "1")):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([QDA_INVOKE, "-d", "soft:cdsp", *args], stdout=full,
                                        stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(result.returncode, DEVICE, args)
            self.assertIn(b"cannot write the output", result.stderr)


def marked(mark):
    """Processes that inherited @mark in their environment, zombies left out."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % name, "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(name))
        except OSError:
            pass
    return found


class Processes(InvokeTest):
    def wait_until(self, condition):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        self.fail("did not happen within a minute")

    def test_interrupt_leaves_no_process_behind(self):
        mark = "QDA_TEST_MARK=" + self.directory
        for signum in (signal.SIGINT, signal.SIGKILL):
            process = subprocess.Popen([QDA_INVOKE, "-d", "soft:cdsp", CONF,
                                        "8:sleep(in unsigned long ms)", "600000"],
                                       env={**os.environ, "QDA_TEST_MARK": self.directory},
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.wait_until(lambda: set(marked(mark)) - {process.pid})
            process.send_signal(signum)
            self.assertEqual(process.wait(timeout=60), -signum)
            self.wait_until(lambda: not marked(mark))

    def terminal(self, *args):
        """Output of a run whose standard output and error are a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([QDA_INVOKE, "-d", "soft:cdsp", *args], stdout=slave,
                                   stderr=slave, stdin=subprocess.DEVNULL)
        os.close(slave)
        output = b""
        while select.select([master], [], [], 60)[0]:
            try:
                part = os.read(master, 4096)
            except OSError:
                break
            if not part:
                break
            output += part
        os.close(master)
        self.assertEqual(process.wait(timeout=60), OK)
        return output.decode()

    def test_terminal_gets_a_progress_bar_and_short_lists(self):
        signature = "24:m(inrout unsigned long a, inrout sequence<octet> v)"
        values = ("1", ",".join(["7"] * 100))
        output = self.terminal("--repeat", "3", CONF, signature, *values)
        self.assertIn("100 %", output)
        self.assertIn(", ...] (100 elements)", output)
        self.assertNotIn("...", self.terminal("--full", CONF, signature, *values))
        self.assertNotIn("%", self.terminal("-q", "--repeat", "3", CONF, signature, *values))


if __name__ == "__main__":
    unittest.main()
