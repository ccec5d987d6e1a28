#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the compositor example with clients, such as do wrong too, on a device that
SYNCOBJ_TEST_DEVICE names, else on the soft backend."""
import fcntl
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

COMPOSITOR = os.environ["COMPOSITOR"]
CLIENT = os.environ["CLIENT"]
DEVICE = os.environ.get("SYNCOBJ_TEST_DEVICE", "soft")

# examples/compositor/protocol.h
SURFACE, TIMELINE, BUFFER, COMMIT, ERROR = range(1, 6)
BAD_MESSAGE, INVALID_TIMELINE, INVALID_BUFFER, CONFLICTING_POINTS, NO_RESOURCES = range(1, 6)
MESSAGE = struct.Struct("=IIIIQQQ152s")
MAX_CLIENTS = 16
MAX_PENDING = 16

# examples/compositor/client.c
BUFFERS = 3
SIZE = 4096


def message(kind, id=0, size=0, text=b""):
    return MESSAGE.pack(kind, id, 0, 0, 0, 0, size, text)


def expected(seed, frames):
    """The checksum of a client's frames, FNV-1a."""
    value = 0xcbf29ce484222325
    for frame in range(1, frames + 1):
        for i in range(SIZE):
            pixel = (seed + 7 * frame + i * (frame + seed)) & 0xff
            value = ((value ^ pixel) * 0x100000001b3) & 0xffffffffffffffff
    return value


def memfd(size, seals):
    fd = os.memfd_create("buffer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Compositor(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.path = os.path.join(self.temporary.name, "socket")
        self.compositor = subprocess.Popen([COMPOSITOR, "-d", DEVICE, self.path], text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end)
        self.assertIn(DEVICE, self.compositor.stdout.readline())
        self.surfaces = {}
        self.before = self.report()
        self.assertEqual(self.before[0], 0)

    def end(self):
        if self.compositor.poll() is None:
            self.compositor.kill()
        self.compositor.wait()
        self.compositor.stdout.close()
        self.compositor.stderr.close()

    def stop(self):
        """Ends the compositor, which must have lost nothing; returns what it complained of."""
        self.assertEqual(self.report(), self.before)
        self.compositor.send_signal(signal.SIGTERM)
        output, errors = self.compositor.communicate(timeout=60)
        match = re.search(r"(\d+) file descriptors before, (\d+) after", output)
        self.assertEqual(match[1], match[2])
        self.assertEqual(self.compositor.returncode, 0, errors)
        self.assertFalse(os.path.exists(self.path))
        return errors

    def line(self):
        line = self.compositor.stdout.readline()
        self.assertTrue(line, "the compositor has ended")
        match = re.match(r"(.*): (\d+) frames, checksum (\w+), (\d+) dropped$", line)
        if match:
            self.surfaces[match[1]] = int(match[2]), int(match[3], 16), int(match[4])
        return line

    def report(self):
        """Numbers of clients and of file descriptors."""
        self.compositor.send_signal(signal.SIGUSR1)
        while True:
            match = re.match(r"compositor: (\d+) clients, (\d+) file", self.line())
            if match:
                return int(match[1]), int(match[2])

    def surface(self, name):
        """Frames, checksum and dropped commits of a surface that is gone."""
        while name not in self.surfaces:
            self.line()
        return self.surfaces[name]

    def client(self, name, *options):
        client = subprocess.Popen([CLIENT, "-d", DEVICE, *options, self.path, name], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        return client

    def finish(self, client, status=0):
        _, errors = client.communicate(timeout=60)
        self.assertEqual(client.returncode, status, errors)
        return errors

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(connection.close)
        connection.connect(self.path)  # without a limit: with one it fails on a full queue
        connection.settimeout(60)
        return connection

    def expect_error(self, connection, code):
        """The compositor's text; it must have closed the connection."""
        while True:
            try:
                answer = connection.recv(1000)
                break
            except ConnectionResetError:  # told first if it has not read everything
                pass
        kind, id, *_, text = MESSAGE.unpack(answer)
        self.assertEqual((kind, id), (ERROR, code), text)
        self.assertEqual(connection.recv(1000), b"")
        return text.rstrip(b"\0").decode()

    def test_frames_of_three_clients(self):
        frames = {"one": 40, "two": 50, "three": 60}
        clients = [self.client(name, "-f", str(n), "-s", str(n)) for name, n in frames.items()]
        for client in clients:
            self.assertEqual(self.finish(client), "")
        for name, n in frames.items():
            self.assertEqual(self.surface(name), (n, expected(n, n), 0))
        self.assertEqual(self.stop(), "")

    def test_client_that_dies_before_it_signals(self):
        other = self.client("other", "-f", "50")
        self.finish(self.client("dead", "-f", "20", "-m", "die"), -signal.SIGKILL)
        frames, checksum, dropped = self.surface("dead")
        # What is committed and not signalled has no part in the result.
        self.assertGreaterEqual(dropped, 1)
        self.assertLessEqual(frames, 10)
        self.assertGreaterEqual(frames + dropped, 11)
        self.assertLessEqual(frames + dropped, 10 + BUFFERS)
        self.assertEqual(checksum, expected(1, frames))
        self.finish(other)
        self.assertEqual(self.surface("other"), (50, expected(1, 50), 0))
        self.stop()

    def test_file_descriptor_that_is_no_syncobj(self):
        other = self.connect()
        other.send(message(SURFACE, text=b"other"))
        with open(os.devnull) as null:
            for fd in (null.fileno(), memfd(SIZE, 0), self.compositor.stdout.fileno()):
                connection = self.connect()
                connection.send(message(SURFACE, text=b"bad"))
                socket.send_fds(connection, [message(TIMELINE)], [fd])
                text = self.expect_error(connection, INVALID_TIMELINE)
                self.assertIn("timeline 0: the file descriptor is no syncobj", text)
                self.assertIn(DEVICE, text)
        # The others are served on.
        self.assertEqual(self.report()[0], 1)
        self.finish(self.client("good", "-f", "5"))
        self.assertEqual(self.surface("good")[0], 5)
        other.send(message(BUFFER))
        self.expect_error(other, BAD_MESSAGE)
        self.assertEqual(self.stop().count("bad: disconnected: timeline 0"), 3)

    def mistake(self, mistake, text):
        errors = self.finish(self.client("wrong", "-f", "40", "-m", mistake), 1)
        self.assertIn("client: the compositor says: " + text, errors)
        self.assertIn("wrong: disconnected: " + text, self.stop())
        return self.surfaces["wrong"]

    def test_acquire_point_that_is_not_below_the_release_point(self):
        frames, checksum, dropped = self.mistake(
            "conflict", "conflicting points: acquire 21 is not below release 21")
        self.assertLessEqual(frames + dropped, 20)
        self.assertEqual(checksum, expected(1, frames))

    def test_timeline_that_was_not_sent(self):
        self.mistake("unsent", "commit with timeline 4, which was not sent")

    def test_commits_without_end(self):
        self.assertEqual(self.mistake("flood", "16 commits are waiting already")[::2],
                         (0, MAX_PENDING))

    def test_malformed_messages(self):
        sealed = memfd(SIZE, fcntl.F_SEAL_SHRINK)
        unsealed = memfd(SIZE, 0)
        cases = (
            (message(SURFACE)[:-1], BAD_MESSAGE, []),
            (message(SURFACE) + b"x", BAD_MESSAGE, []),
            (message(SURFACE, text=b"again"), BAD_MESSAGE, []),
            (message(99), BAD_MESSAGE, []),
            (message(ERROR), BAD_MESSAGE, []),
            (message(TIMELINE), BAD_MESSAGE, []),
            (message(COMMIT), BAD_MESSAGE, [sealed]),
            (message(BUFFER, size=1), BAD_MESSAGE, [sealed, sealed]),
            (message(BUFFER, size=1), NO_RESOURCES, [sealed] * 9),
            (message(BUFFER, id=8, size=1), BAD_MESSAGE, [sealed]),
            (message(BUFFER, size=SIZE), INVALID_BUFFER, [unsealed]),
            (message(BUFFER, size=SIZE + 1), INVALID_BUFFER, [sealed]),
            (message(BUFFER, size=0), INVALID_BUFFER, [sealed]),
            (message(BUFFER, size=2 ** 64 - 1), INVALID_BUFFER, [sealed]),
            (message(COMMIT), INVALID_BUFFER, []),
            (message(COMMIT, id=2 ** 32 - 1), INVALID_BUFFER, []),
        )
        for bad, error, fds in cases:
            with self.subTest(message=bad[:48], fds=len(fds)):
                connection = self.connect()
                connection.send(message(SURFACE, text=b"bad"))
                socket.send_fds(connection, [bad], fds)
                self.expect_error(connection, error)
        self.stop()

    def test_surface_comes_first_and_has_a_name(self):
        for bad in (message(COMMIT), message(SURFACE), message(SURFACE, text=b"\33[2J"),
                    message(SURFACE, text=b"x" * 152)):
            connection = self.connect()
            connection.send(bad)
            self.expect_error(connection, BAD_MESSAGE)
        self.stop()

    def test_too_many_clients(self):
        connections = [self.connect() for _ in range(MAX_CLIENTS)]
        self.assertIn("too many clients", self.expect_error(self.connect(), NO_RESOURCES))
        self.assertEqual(self.report()[0], MAX_CLIENTS)
        for connection in connections:
            connection.close()
        while self.report()[0]:
            pass
        self.finish(self.client("late", "-f", "3"))
        self.surface("late")
        self.stop()

    def test_descriptors_run_out(self):
        pid = self.compositor.pid
        highest = max(int(fd) for fd in os.listdir("/proc/%d/fd" % pid))
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, limit[1]))
        for _ in range(3):
            self.expect_error(self.connect(), NO_RESOURCES)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        self.finish(self.client("good", "-f", "5"))
        self.assertEqual(self.surface("good")[0], 5)
        self.stop()

    def test_client_of_a_compositor_that_ends(self):
        client = self.client("long", "-f", "100000000")
        while self.report()[0] == 0:
            pass
        self.compositor.send_signal(signal.SIGTERM)
        self.assertIn("client: the connection: has ended", self.finish(client, 1))
        self.assertEqual(self.compositor.wait(60), 0)

    def test_socket_that_is_in_use(self):
        result = subprocess.run([COMPOSITOR, "-d", DEVICE, self.path], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "compositor: %s: exists: another compositor is there, "
                                        "or remove it\n" % self.path)
        self.finish(self.client("still", "-f", "3"))

    def test_unknown_device(self):
        for command in ([COMPOSITOR, "-d", "bad", self.path], [CLIENT, "-d", "bad", self.path, "x"]):
            result = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^\w+: bad: invalid argument")


if __name__ == "__main__":
    unittest.main(verbosity=2)
