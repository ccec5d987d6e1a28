#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the vfio-frames example on a device in user space."""
import os
import subprocess
import unittest

VFIO_FRAMES = os.environ["VFIO_FRAMES"]


def run(*args):
    return subprocess.run([VFIO_FRAMES, *args], capture_output=True, text=True, timeout=120)


class VfioFrames(unittest.TestCase):
    def test_one_frame_is_revoked_and_the_other_goes_on(self):
        result = run("soft:0,1M")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        page = os.sysconf("SC_PAGESIZE")
        self.assertEqual(result.stdout.splitlines(), [
            "owner: soft:0,1M, in user space",
            "owner: frame 0 is 0x0+%#x of the BAR" % page,
            "owner: frame 1 is %#x+%#x of the BAR" % (page, page),
            "client 0: its register is 3",
            "client 1: its register is 3",
            "owner: revoke frame 0",
            "client 0: its frame is gone",
            "client 1: its register is 6",
            "owner: 1 lease ended with its client",
        ])

    def test_devices_that_will_not_do(self):
        for name in ("soft:%d" % os.sysconf("SC_PAGESIZE"), "nonsense", "ffff:ff:1f.7"):
            result = run(name)
            self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1))
            self.assertIn(name, result.stderr)

    def test_usage(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("-x").returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
