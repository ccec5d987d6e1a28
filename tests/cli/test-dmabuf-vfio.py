#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dmabuf-vfio: devices, exports, and a server with clients good, bad, slow and dying."""
import array
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

TOOL = os.environ["DMABUF_VFIO"]
OK, USAGE, FAILED, REFUSED, REVOKED = 0, 2, 3, 4, 5
PAGE = os.sysconf("SC_PAGESIZE")
NOBODY = 65534
MAGIC = 0x31626D64
VERSION, ATTACH, REVOKE, LIST = 1, 1, 2, 3
LIMIT = 120

POLICY = """# the frames of a device
frame0   0  0+64K    any
frame1   0  64K+64K  any       read-only   # a comment
own      0  any+4K   any       write-combining
board    1  0+4K     any       shared
root     0  1M+4K    user:0
group    0  2M+4K    group:12345,user:54321
reserve  0  3M+64K
"""


def tool(*args, env=None, **more):
    settings = {**os.environ, **(env or {})}
    return subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=LIMIT,
                          env=settings, **more)


def message(data, count=0, magic=MAGIC, size=None):
    return struct.pack("=III", magic, count, len(data) if size is None else size) + data


def request(operation, name=b"", pid=0, version=VERSION, zero=0):
    return struct.pack("=II32sII", version, operation, name, pid, zero)


class ToolTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        os.chmod(self.directory, 0o755)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def good(self, *args, **more):
        result = tool(*args, **more)
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        return result.stdout

    def bad(self, status, *args, **more):
        """The message of a run that must end with one line and this exit status."""
        result = tool(*args, **more)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("dmabuf-vfio: "), result.stderr)
        return result.stderr.removeprefix("dmabuf-vfio: ").rstrip("\n")


class Devices(ToolTest):
    def sysfs(self):
        devices = self.path("bus/pci/devices")
        for address, driver, node, group in (("0000:00:01.0", "bochs-drm", None, "1"),
                                             ("0000:03:00.0", "vfio-pci", "vfio0", "7"),
                                             ("0000:04:00.0", "mlx5_vfio_pci", None, "8")):
            device = os.path.join(devices, address)
            os.makedirs(device + ("/vfio-dev/" + node if node else ""))
            os.symlink("../../../bus/pci/drivers/" + driver, device + "/driver")
            os.symlink("../../../kernel/iommu_groups/" + group, device + "/iommu_group")
        return {"DMABUF_SYSFS": self.directory}

    def test_list_shows_devices_of_vfio_drivers(self):
        self.assertEqual(self.good("list", env=self.sysfs()),
                         "0000:03:00.0  driver vfio-pci, node /dev/vfio/devices/vfio0, group 7\n"
                         "0000:04:00.0  driver mlx5_vfio_pci, group 8\n")

    def test_list_prints_json(self):
        self.assertEqual(json.loads(self.good("list", "--json", env=self.sysfs())),
                         [{"address": "0000:03:00.0", "driver": "vfio-pci", "node": "vfio0",
                           "group": "7"},
                          {"address": "0000:04:00.0", "driver": "mlx5_vfio_pci", "node": None,
                           "group": "8"}])

    def test_list_of_a_machine_without_pci_is_empty(self):
        env = {"DMABUF_SYSFS": self.directory}
        self.assertEqual(self.good("list", env=env), "")
        self.assertEqual(json.loads(self.good("list", "--json", env=env)), [])

    def test_list_of_a_device_shows_bars_and_features(self):
        text = self.good("list", "soft:4M,0,64K")
        self.assertIn("features: export mmap revoke write-combining reset\n", text)
        self.assertIn("BAR 0: 0x400000 bytes, rw\n", text)
        self.assertIn("BAR 2: 0x10000 bytes, rw\n", text)
        device, = json.loads(self.good("list", "--json", "soft:4M,0,64K"))
        self.assertEqual([bar["bar"] for bar in device["bars"]], [0, 2])

    def test_devices_that_cannot_be_opened(self):
        env = self.sysfs()
        self.assertIn("there is no such device",
                      self.bad(FAILED, "list", "0000:05:00.0", env=env))
        self.assertIn("driver_override", self.bad(FAILED, "list", "0000:00:01.0", env=env))
        self.assertIn("not an address", self.bad(USAGE, "list", "nonsense"))
        self.assertIn("not an address", self.bad(USAGE, "list", "soft:17"))

    def test_one_bad_device_does_not_hide_the_others(self):
        result = tool("list", "nonsense", "soft:4M", "--json")
        self.assertEqual(result.returncode, USAGE)
        self.assertEqual(len(json.loads(result.stdout)), 1)


class Export(ToolTest):
    def test_export_tells_what_it_made(self):
        text = self.good("export", "soft:4M", "0", "0+8K,64K+4K", "--read-only")
        self.assertRegex(text, r"^descriptor \d+: 12288 bytes of BAR 0, read-only, "
                               r"exporter memfd\n$")
        answer = json.loads(self.good("export", "soft:4M", "0", "0+8K", "--json",
                                      "--write-combining", "--name", "x"))
        self.assertEqual((answer["bar"], answer["size"], answer["write_combining"]),
                         (0, 8192, True))

    def test_command_inherits_the_descriptor(self):
        script = ("import mmap, os; fd = int(os.environ['DMABUF_FD']); "
                  "m = mmap.mmap(fd, 8192); m[4096] = 7; print(len(m), m[4096])")
        text = self.good("export", "soft:4M", "0", "0+8K", "--", "python3", "-c", script)
        self.assertTrue(text.endswith("\n8192 7\n"), text)

    def test_buffer_ends_with_the_command(self):
        # What the command leaves behind has an empty file.
        ends = os.pipe()
        script = ("import os, sys, time\n"
                  "if os.fork(): sys.exit(3)\n"
                  "fd = int(os.environ['DMABUF_FD'])\n"
                  "while os.fstat(fd).st_size: time.sleep(0.01)\n"
                  "os.write(%d, b'gone')" % ends[1])
        result = tool("export", "soft:4M", "0", "0+8K", "--", "python3", "-c", script,
                      pass_fds=[ends[1]])
        os.close(ends[1])
        self.assertEqual(result.returncode, 3)
        self.assertEqual(os.read(ends[0], 10), b"gone")
        os.close(ends[0])

    def test_commands_that_fail(self):
        self.assertEqual(tool("export", "soft:4M", "0", "0+4K", "--", "sh", "-c",
                              "kill -9 $$").returncode, 128 + 9)
        self.assertIn("No such file", self.bad(127, "export", "soft:4M", "0", "0+4K", "--",
                                               "/nonexistent"))

    def test_bad_arguments(self):
        for ranges in ("", "x", "4K", "+4K", "0+", "0+0", "0+4K,", "any+4K", "-4K+4K",
                       "0+99999999999999999999"):
            self.assertIn("is not OFFSET+LENGTH",
                          self.bad(USAGE, "export", "soft:4M", "0", ranges), ranges)
        for ranges in ("0+5M", "4M+4K", "1+4K", "0+100"):
            self.assertIn("whole pages", self.bad(USAGE, "export", "soft:4M", "0", ranges))
        self.assertIn("more than 64 ranges",
                      self.bad(USAGE, "export", "soft:4M", "0", ",".join(["0+4K"] * 65)))
        for bar in ("6", "-1", "x", "00", ""):
            self.assertIn("is not 0 to 5", self.bad(USAGE, "export", "soft:4M", bar, "0+4K"))
        self.assertIn("absent", self.bad(FAILED, "export", "soft:4M", "1", "0+4K"))


class Usage(ToolTest):
    def test_commands_and_options(self):
        for args in ((), ("nonsense",), ("export", "soft:4M"), ("serve", "soft:4M"),
                     ("serve", "-s", "x", "soft:4M"), ("attach", "x"), ("revoke", "-s", "x"),
                     ("list", "-s", "x", "soft:4M"), ("list", "--", "true"),
                     ("attach", "-s", "x", "y", "--read", "-1"),
                     ("attach", "-s", "x", "y", "--read", "0+0"),
                     ("attach", "-s", "x", "y", "--write", "0"),
                     ("attach", "-s", "x", "y", "--write", "0=z"),
                     ("attach", "-s", "x", "y", "--width", "3"),
                     ("attach", "-s", "x", "y", "--width", ""),
                     ("attach", "-s", "x", "y" * 32), ("revoke", "-s", "x", "y" * 32),
                     ("serve", "--mode", "888"), ("revoke", "--pid", "x"),
                     ("revoke", "-s", "x", "y", "--pid", "0")):
            self.bad(USAGE, *args)
        many = [word for n in range(65) for word in ("--read", str(4 * n))]
        self.assertIn("more than 64", self.bad(USAGE, "attach", "-s", "x", "y", *many))

    def test_options_of_other_commands_are_refused(self):
        for option, args in (("--read", ("list", "soft:4M", "--read", "0")),
                             ("--policy", ("list", "-p", "x")),
                             ("--socket", ("export", "soft:4M", "0", "0+4K", "-s", "x")),
                             ("--wait", ("export", "soft:4M", "0", "0+4K", "--wait")),
                             ("--pid", ("attach", "-s", "x", "y", "--pid", "1")),
                             ("--read-only", ("attach", "-s", "x", "y", "--read-only")),
                             ("--name", ("serve", "-s", "x", "-p", "x", "soft:4M", "--name", "x")),
                             ("--mode", ("revoke", "-s", "x", "y", "--mode", "0600"))):
            self.assertIn(option + " is not for " + args[0], self.bad(USAGE, *args))

    def test_values_that_are_wider_than_a_word(self):
        for width, value in ((1, "0x100"), (2, "64K"), (4, "4G")):
            self.assertIn("--width", self.bad(USAGE, "attach", "-s", "x", "y", "--width",
                                              str(width), "--write", "0=" + value))

    def test_help_and_version(self):
        self.assertIn("Usage: dmabuf-vfio", self.good("--help"))
        self.assertRegex(self.good("--version"), r"^dmabuf-vfio \d")

    def test_nobody_serves(self):
        path = self.path("socket")
        self.assertIn("nobody serves", self.bad(FAILED, "attach", "-s", path, "x"))
        self.assertIn("longer than", self.bad(FAILED, "attach", "-s", path * 10, "x"))

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([TOOL, "list", "soft:4M"], stdout=full, timeout=LIMIT,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("cannot write the output", result.stderr)


class Policy(ToolTest):
    def refused(self, text):
        path = self.write("policy", text)
        error = self.bad(USAGE, "serve", "-s", self.path("socket"), "-p", path, "soft:4M,64K")
        self.assertTrue(error.startswith(path + ": "), error)
        return error.removeprefix(path + ": ")

    def test_lines_that_are_wrong(self):
        for line, problem in (
                ("frame0", "not 'NAME BAR OFFSET+LENGTH CLIENTS [OPTION]...'"),
                ("reserve 0", "not 'reserve BAR OFFSET+LENGTH'"),
                ("reserve 0 any+4K", "range 'any+4K' is not OFFSET+LENGTH, such as 64K+4K"),
                ("a/b 0 0+4K any", "name 'a/b' is not 1 to 31 letters, digits, '.', '_' or '-'"),
                ("x" * 32 + " 0 0+4K any", "is not 1 to 31 letters"),
                ("a 6 0+4K any", "BAR '6' is not 0 to 5"),
                ("a 0 4K any", "range '4K' is not"),
                ("a 0 0+0 any", "range '0+0' is not"),
                ("a 0 0+4K all", "client 'all' is not user:NAME, group:NAME or any"),
                ("a 0 0+4K any,", "client '' is not"),
                ("a 0 0+4K user:no-such-user", "there is no user 'no-such-user'"),
                ("a 0 0+4K group:4294967295", "there is no group '4294967295'"),
                ("a 0 0+4K user:", "there is no user ''"),
                ("a 0 0+4K " + ",".join(["any"] * 17), "more than 16 clients"),
                ("a 0 0+4K any ro", "option 'ro' is not read-only, shared or write-combining"),
                ("a 0 0+4K any" + " shared" * 9, "more than 12 words"),
                ("a 0 0+4K any" + " " * 1024, "longer than 1023 bytes"),
                ("b\033 0 0+4K any", "name 'b?' is not"),
                ("a\0", "a zero byte: this is no text")):
            error = self.refused("# first\nok 0 0+4K any\n%s\n" % line)
            self.assertIn("line 3: ", error)
            self.assertIn(problem, error)

    def test_ranges_that_the_device_does_not_have(self):
        self.assertIn("line 1: BAR 0 has no such range: it has 4194304 bytes",
                      self.refused("a 0 4M+4K any"))
        self.assertIn("line 1: BAR 1 has no such range", self.refused("a 1 any+1M any"))
        self.assertIn("line 1: the offset is not a multiple", self.refused("a 0 100+4K any"))

    def test_second_range_of_a_name(self):
        self.assertIn("line 2: a second range 'a'", self.refused("a 0 0+4K any\na 0 8K+4K any"))

    def test_files_that_are_none(self):
        self.assertIn("no range in it", self.refused("# nothing\n\n"))
        socket_path = self.path("socket")
        self.assertIn("No such file", self.bad(FAILED, "serve", "-s", socket_path, "-p",
                                               self.path("none"), "soft:4M"))
        path = self.write("policy", "#" * 65537)
        self.assertIn("more than 65536 bytes", self.bad(FAILED, "serve", "-s", socket_path, "-p",
                                                        path, "soft:4M"))
        path = self.write("policy", "".join("r%d 0 0+4K any\n" % n for n in range(257)))
        self.assertIn("line 257: more than 256 ranges",
                      self.bad(USAGE, "serve", "-s", socket_path, "-p", path, "soft:4M"))

    def test_bar_that_the_device_does_not_have(self):
        path = self.write("policy", "a 3 0+4K any\n")
        self.assertIn("BAR 3 cannot be vended",
                      self.bad(FAILED, "serve", "-s", self.path("socket"), "-p", path, "soft:4M"))


class ServerTest(ToolTest):
    def setUp(self):
        super().setUp()
        self.socket = self.path("socket")
        self.server = None
        self.addCleanup(self.end)

    def serve(self, policy=POLICY, *options, limit=None):
        path = self.write("policy", policy)
        command = [TOOL, "serve", "-s", self.socket, "-p", path, *options, "soft:4M,64K"]
        if limit:
            command = ["sh", "-c", 'ulimit -n %d; exec "$@"' % limit, "sh", *command]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True)
        self.assertIn("soft:4M,64K", self.server.stdout.readline())

    def end(self):
        if self.server and self.server.poll() is None:
            self.stop()

    def stop(self):
        """End the server in an orderly way; what it printed since."""
        self.server.terminate()
        out, err = self.server.communicate(timeout=LIMIT)
        self.assertEqual((self.server.returncode, err), (OK, ""))
        self.assertFalse(os.path.exists(self.socket))
        return out

    def said(self):
        """The next line of the server."""
        return self.server.stdout.readline().rstrip("\n")

    def fds(self):
        """The server's descriptors, once it has done with every client that came before."""
        client = self.connect()
        client.send(message(request(LIST)))
        while client.recv(4096)[12 + 16]:  # a name
            pass
        count = len(os.listdir("/proc/%d/fd" % self.server.pid))
        client.close()
        return count

    def attach(self, name, *args, **more):
        return tool("attach", "-s", self.socket, name, *args, **more)

    def attached(self, name, *args, **more):
        """A client that waits, once it has what it asked for."""
        client = subprocess.Popen([TOOL, "attach", "-s", self.socket, name, "--wait", *args],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  **more)
        self.assertTrue(client.stdout.readline().startswith(name + ": BAR "))
        return client

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(self.socket)
        client.settimeout(LIMIT)
        self.addCleanup(client.close)
        return client

    def expect_dropped(self, client):
        try:
            self.assertEqual(client.recv(4096), b"")
        except ConnectionResetError:
            pass


class Vending(ServerTest):
    def test_client_maps_reads_and_writes(self):
        self.serve()
        result = self.attach("frame0", "--write", "0x10=0xdeadbeef", "--read", "0x10",
                             "--read", "0xc+2")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        self.assertEqual(result.stdout, "frame0: BAR 0, 0x0+0x10000\n"
                         "0x00000010: 0xdeadbeef\n0x0000000c: 0x00000000\n"
                         "0x00000010: 0xdeadbeef\n")

    def test_words_of_every_width(self):
        self.serve()
        for width, text in ((1, "0x88"), (2, "0x7788"), (4, "0x55667788"),
                            (8, "0x1122334455667788")):
            result = self.attach("frame0", "--width", str(width), "--write", "8=" + text,
                                 "--read", "8")
            self.assertIn("0x00000008: %s\n" % text, result.stdout)

    def test_json(self):
        self.serve()
        answer = json.loads(self.attach("own", "--json", "--write", "4=9", "--read", "4").stdout)
        self.assertEqual(answer, {"name": "own", "bar": 0, "offset": 0x20000, "length": 4096,
                                  "read_only": False, "write_combining": True, "shared": False,
                                  "reads": [{"offset": 4, "value": 9}], "revoked": False})

    def test_accesses_outside_the_range(self):
        self.serve()
        self.assertIn("has 0x10000 bytes", self.bad(USAGE, "attach", "-s", self.socket, "frame0",
                                                    "--read", "64K"))
        self.assertIn("has 0x10000 bytes", self.bad(USAGE, "attach", "-s", self.socket, "frame0",
                                                    "--read", "65532+2"))
        self.assertIn("not a multiple of 4", self.bad(USAGE, "attach", "-s", self.socket,
                                                      "frame0", "--write", "2=1"))
        self.assertIn("read-only", self.bad(USAGE, "attach", "-s", self.socket, "frame1",
                                            "--write", "0=1"))

    def test_range_is_vended_to_one_at_a_time(self):
        self.serve()
        client = self.attached("frame0")
        self.assertIn("somebody else has", self.bad(REFUSED, "attach", "-s", self.socket,
                                                    "frame0"))
        client.kill()
        client.communicate()
        self.assertIn("granted frame0", self.said())
        self.assertIn("refused", self.said())
        self.assertIn("revoked frame0", self.said())
        self.assertEqual(self.attach("frame0").returncode, OK)

    def test_shared_range_is_vended_to_many(self):
        self.serve()
        clients = [self.attached("board") for _ in range(3)]
        self.assertEqual(len(json.loads(self.good("list", "-s", self.socket, "--json"))), 3)
        self.assertEqual(self.good("revoke", "-s", self.socket, "board"), "board: 3 revoked\n")
        for client in clients:
            self.assertEqual((client.communicate()[0], client.returncode),
                             ("board: revoked\n", REVOKED))

    def test_range_anywhere_is_another_one_for_each(self):
        self.serve()
        clients = [self.attached("own") for _ in range(3)]
        leases = json.loads(self.good("list", "-s", self.socket, "--json"))
        # Behind the ranges that have a place, though nobody has these now.
        self.assertEqual(sorted(lease["offset"] for lease in leases),
                         [0x20000, 0x20000 + PAGE, 0x20000 + 2 * PAGE])
        self.assertEqual({lease["pid"] for lease in leases}, {client.pid for client in clients})
        for client in clients:
            client.kill()
            client.communicate()

    def test_reserved_range_is_not_vended(self):
        self.serve("all 0 0+4M any\nreserve 0 1M+1\n")
        self.assertIn("somebody else has", self.bad(REFUSED, "attach", "-s", self.socket, "all"))

    def test_no_range_is_left_anywhere(self):
        self.serve("large 0 any+2M any\nfixed 0 0+4K any\n")
        client = self.attached("large")
        self.assertIn("no range is free", self.bad(REFUSED, "attach", "-s", self.socket, "large"))
        client.kill()
        client.communicate()

    def test_revoke_of_one_process(self):
        self.serve()
        clients = [self.attached("board"), self.attached("board")]
        answer = json.loads(self.good("revoke", "-s", self.socket, "board", "--json", "--pid",
                                      str(clients[1].pid)))
        self.assertEqual(answer, {"revoked": 1})
        self.assertEqual((clients[1].communicate()[0], clients[1].returncode),
                         ("board: revoked\n", REVOKED))
        self.assertIsNone(clients[0].poll())
        self.assertIn("nobody has 'frame0'", self.bad(REFUSED, "revoke", "-s", self.socket,
                                                      "frame0"))
        clients[0].kill()
        clients[0].communicate()

    def test_end_of_the_server_ends_the_leases(self):
        self.serve()
        client = self.attached("frame0")
        self.assertIn("revoked frame0", self.stop())
        self.assertEqual((client.communicate()[0], client.returncode),
                         ("frame0: revoked\n", REVOKED))

    def test_server_prints_json(self):
        self.serve(POLICY, "--json")
        self.attach("frame0")
        event = json.loads(self.said())
        self.assertEqual((event["event"], event["name"], event["uid"]),
                         ("granted", "frame0", os.geteuid()))
        self.assertEqual(json.loads(self.said())["reason"], "it has gone")

    def test_list_of_leases(self):
        self.serve()
        self.assertEqual(self.good("list", "-s", self.socket), "")
        client = self.attached("frame1")
        self.assertEqual(self.good("list", "-s", self.socket),
                         "process %d of user %d has frame1: BAR 0, 0x10000+0x10000, read-only\n"
                         % (client.pid, os.geteuid()))
        client.kill()
        client.communicate()

    def test_socket_that_is_there_is_left_alone(self):
        self.serve()
        path = self.write("policy", POLICY)
        self.assertIn("exists", self.bad(FAILED, "serve", "-s", self.socket, "-p", path,
                                         "soft:4M,64K"))
        self.assertEqual(self.attach("frame0").returncode, OK)

    def test_socket_has_its_mode(self):
        self.serve(POLICY, "--mode", "0640")
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o640)


@unittest.skipUnless(os.geteuid() == 0, "needs root, to be other users")
class Users(ServerTest):
    def as_nobody(self, *args, groups=()):
        return tool(*args, user=NOBODY, group=NOBODY, extra_groups=list(groups))

    def test_client_gets_only_what_its_line_grants(self):
        self.serve()
        self.assertEqual(self.attach("root").returncode, OK)
        result = self.as_nobody("attach", "-s", self.socket, "root")
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn("the policy grants this user no range 'root'", result.stderr)
        self.assertEqual(self.as_nobody("attach", "-s", self.socket, "frame0").returncode, OK)

    def test_names_cannot_be_found_out(self):
        self.serve()
        refused = self.as_nobody("attach", "-s", self.socket, "root").stderr
        unknown = self.as_nobody("attach", "-s", self.socket, "nowhere").stderr
        self.assertEqual(refused.replace("root", "nowhere"), unknown)

    def test_root_has_no_more_than_its_line(self):
        self.serve()
        self.bad(REFUSED, "attach", "-s", self.socket, "group")

    def test_supplementary_groups_count(self):
        self.serve()
        args = ("attach", "-s", self.socket, "group")
        self.assertEqual(self.as_nobody(*args).returncode, REFUSED)
        self.assertEqual(self.as_nobody(*args, groups=[12345]).returncode, OK)
        self.assertEqual(tool(*args, user=NOBODY, group=12345, extra_groups=[]).returncode, OK)
        self.assertEqual(tool(*args, user=54321, group=NOBODY, extra_groups=[]).returncode, OK)

    def test_others_may_not_revoke_or_list(self):
        self.serve()
        client = self.attached("frame0")
        for args in (("revoke", "-s", self.socket, "frame0"), ("list", "-s", self.socket)):
            result = self.as_nobody(*args)
            self.assertEqual(result.returncode, REFUSED)
            self.assertIn("only root and the user who serves", result.stderr)
        self.assertIsNone(client.poll())
        client.kill()
        client.communicate()

    def test_one_user_does_not_keep_the_others_out(self):
        self.serve()
        # Connected as another user: the credentials are those of the time of connect().
        script = ("import socket, sys, time\n"
                  "s = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]\n"
                  "for one in s: one.connect(sys.argv[1])\n"
                  "print('connected', flush=True); sys.stdin.read()")
        crowd = subprocess.Popen(["python3", "-c", script, self.socket], user=NOBODY,
                                 group=NOBODY, extra_groups=[], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.assertEqual(crowd.stdout.readline(), "connected\n")
        for _ in range(4):
            self.assertIn("there are too many clients", self.said())
        self.assertEqual(self.attach("frame0").returncode, OK)
        crowd.communicate("")


class BadServers(ToolTest):
    """What attach does with what it is sent."""

    def attach(self, size, length=PAGE, status=0):
        path = self.path("bad")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        listener.listen()
        client = subprocess.Popen([TOOL, "attach", "-s", path, "x", "--read", "0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server, _ = listener.accept()
        server.recv(4096)
        memfd = os.memfd_create("x")
        os.ftruncate(memfd, size)
        reply = struct.pack("=IIiI32sQQIIIIII128s", VERSION, ATTACH, status, 0, b"x", 0, length,
                            0, 0, 0, 0, 0, 0, b"")
        server.sendmsg([message(reply, count=1)],
                       [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memfd]))])
        out, err = client.communicate(timeout=LIMIT)
        for opened in (server, listener):
            opened.close()
        os.close(memfd)
        os.unlink(path)
        return client.returncode, out, err

    def test_range_that_was_revoked_before_it_came(self):
        self.assertEqual(self.attach(0),
                         (REVOKED, "x: BAR 0, 0x0+0x1000\nx: revoked\n", ""))

    def test_buffer_that_is_smaller_than_the_range(self):
        status, out, err = self.attach(PAGE, 2 * PAGE)
        self.assertEqual((status, out), (FAILED, ""))
        self.assertIn("smaller than", err)


class BadClients(ServerTest):
    def test_malformed_headers_are_dropped_and_leave_nothing(self):
        self.serve()
        before = self.fds()
        good = request(ATTACH, b"frame0")
        for data in (b"x", b"\0" * 11, message(good, magic=1), message(good, size=10),
                     message(good, size=5000), message(good, size=0xFFFFFFFF),
                     message(good, count=1), message(good, count=0xFFFFFFFF),
                     message(b""), message(good[:-1]), message(good + b"x"),
                     message(request(ATTACH, b"frame0", version=2)),
                     message(request(ATTACH, b"frame0", zero=1)),
                     message(request(99, b"frame0")), message(request(0, b"frame0"))):
            client = self.connect()
            client.send(data)
            self.expect_dropped(client)
            client.close()
        self.assertEqual(self.attach("frame0").returncode, OK)
        self.assertEqual(self.fds(), before)

    def test_descriptors_that_nobody_asked_for_are_closed(self):
        self.serve()
        before = self.fds()
        memfd = os.memfd_create("x")
        os.ftruncate(memfd, PAGE)
        for count, announced in ((1, 0), (1, 1), (16, 16), (17, 16), (100, 16), (100, 0)):
            client = self.connect()
            fds = array.array("i", [memfd] * count)
            client.sendmsg([message(request(ATTACH, b"frame0"), count=announced)],
                           [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            self.expect_dropped(client)
            client.close()
        os.close(memfd)
        self.assertEqual(self.attach("frame0").returncode, OK)
        self.assertEqual(self.fds(), before)

    def test_client_that_says_nothing_keeps_nobody_waiting(self):
        self.serve()
        idle = [self.connect() for _ in range(5)]
        self.assertEqual(self.attach("frame0").returncode, OK)
        for client in idle:
            client.close()

    def test_client_that_does_not_read_is_dropped(self):
        self.serve()
        before = self.fds()
        client = self.connect()
        client.send(message(request(ATTACH, b"frame0")))
        with self.assertRaises(OSError):
            for _ in range(100000):
                client.send(message(request(ATTACH, b"frame0")))
        client.close()
        self.assertEqual(self.attach("frame0").returncode, OK)
        self.assertEqual(self.fds(), before)

    def test_one_user_does_not_lease_without_end(self):
        self.serve()
        # Each lease is one more descriptor of the server's.
        script = ("import array, os, socket, struct, sys\n"
                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                  "s.connect(sys.argv[1])\n"
                  "for n in range(1000):\n"
                  "    s.send(bytes.fromhex(sys.argv[2]))\n"
                  "    data, control, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(4))\n"
                  "    for _, _, fds in control: os.close(array.array('i', fds)[0])\n"
                  "    if struct.unpack_from('=i', data, 20)[0] < 0: break\n"
                  "print(n, data[-128:].split(b'\\0')[0].decode(), flush=True)\n"
                  "sys.stdin.read()")
        greedy = subprocess.Popen(
            ["python3", "-c", script, self.socket, message(request(ATTACH, b"board")).hex()],
            user=NOBODY, group=NOBODY, extra_groups=[], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.assertEqual(greedy.stdout.readline(),
                         "256 board: 256 ranges are as many as one may have\n")
        self.assertEqual(self.attach("board").returncode, OK)
        greedy.communicate("")

    def test_server_without_descriptors_turns_clients_away(self):
        self.serve(limit=24)
        clients = [self.connect() for _ in range(20)]
        self.expect_dropped(clients[-1])
        self.assertIn("too many open files", self.said())
        for client in clients:
            client.close()
        # As soon as it has seen that they are gone.
        self.assertTrue(any(self.attach("frame0").returncode == OK for _ in range(1000)))

    def test_long_list_waits_for_who_reads_it(self):
        self.serve()
        clients = [self.connect(), self.connect(), self.connect()]
        for n in range(400):
            clients[n % 2].send(message(request(ATTACH, b"board")))
            self.assertEqual(len(clients[n % 2].recv(4096)), 12 + 216)
        clients[2].send(message(request(LIST)))
        self.assertEqual(self.attach("frame0").returncode, OK)
        count = 0
        while clients[2].recv(4096)[12 + 16]:  # a name
            count += 1
        self.assertEqual(count, 400)
        self.assertEqual(len(json.loads(self.good("list", "-s", self.socket, "--json"))), 400)
        for client in clients:
            client.close()

    def test_client_that_dies_loses_its_lease(self):
        self.serve()
        before = self.fds()
        client = self.attached("frame0")
        os.kill(client.pid, signal.SIGKILL)
        client.communicate()
        self.assertIn("granted frame0", self.said())
        self.assertIn("revoked frame0: process %d" % client.pid, self.said())
        self.assertEqual(self.attach("frame0").returncode, OK)
        self.assertEqual(self.fds(), before)

    def test_lease_ends_with_the_process_though_its_socket_lives_on(self):
        self.serve()
        # A child keeps the connection of a process that ends.
        script = ("import os, socket, struct, sys\n"
                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                  "s.connect(sys.argv[1]); s.send(bytes.fromhex(sys.argv[2])); s.recv(4096)\n"
                  "if os.fork() == 0: print('child', flush=True); sys.stdin.read()\n")
        process = subprocess.Popen(
            ["python3", "-c", script, self.socket, message(request(ATTACH, b"frame0")).hex()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "child\n")
        self.assertIn("granted frame0", self.said())
        self.assertIn("its process has ended", self.said())
        self.assertEqual(self.attach("frame0").returncode, OK)
        process.stdin.close()
        process.stdout.close()
        process.wait(LIMIT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
