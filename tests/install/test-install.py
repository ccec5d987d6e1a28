#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs into an empty directory and builds and runs programs there, as a user would."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE, PREFIX, MANDIR = sys.argv[1:5]
EXAMPLES = os.path.join(SOURCE, "examples")


def run(*command, env=None, cwd=None):
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=cwd,
                            env={**os.environ, **(env or {})})
    if result.returncode:
        raise AssertionError("%s: exit status %d\n%s%s" % (shlex.join(command), result.returncode,
                                                           result.stdout, result.stderr))
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.root = os.path.join(cls.temporary.name, "root")
        run("meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", cls.root)
        cls.lib = next(os.path.join(where, "libqda.so") for where, _, files in os.walk(cls.root)
                       if "libqda.so" in files)
        cls.libdir = os.path.dirname(cls.lib)
        sanitize = os.environ["SANITIZE"]
        flags = "" if sanitize == "none" else "-fsanitize=" + sanitize
        cls.env = {
            "PKG_CONFIG_PATH": os.path.join(cls.libdir, "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": cls.root,
            "CFLAGS": "-Wall -Wextra -Werror " + flags,
            "LDFLAGS": flags,
            "LD_LIBRARY_PATH": cls.libdir,
        }
        cls.env["QDA_SOFTDSP"] = cls.root + cls.installed_softdsp()

    @classmethod
    def installed_softdsp(cls):
        path = run("pkg-config", "--variable=softdsp", "libqda",
                   env={"PKG_CONFIG_PATH": cls.env["PKG_CONFIG_PATH"]}).strip()
        return path

    def make(self, example):
        directory = tempfile.mkdtemp(dir=self.temporary.name)
        for name in os.listdir(os.path.join(EXAMPLES, example)):
            shutil.copy(os.path.join(EXAMPLES, example, name), directory)
        # The compiler is the one of this build, as the sanitizers' runtime has to match.
        run("make", "CC=" + os.environ["CC"], env=self.env, cwd=directory)
        return directory

    def test_software_dsp_is_where_pkg_config_says(self):
        self.assertTrue(os.access(self.env["QDA_SOFTDSP"], os.X_OK), self.env["QDA_SOFTDSP"])

    def test_sonames(self):
        for library in ("libdmabuf", "libqda", "libsyncobj"):
            output = run("readelf", "-d", os.path.join(self.libdir, library + ".so"))
            self.assertIn("[%s.so.0]" % library, output)

    @unittest.skipUnless(shutil.which("scdoc"), "scdoc is not installed")
    def test_every_function_has_an_installed_page(self):
        pages = set(os.listdir(os.path.join(self.root + MANDIR, "man3")))
        for library, function in (("libdmabuf", "dmabuf_alloc"), ("libqda", "qda_invoke"),
                                  ("libsyncobj", "syncobj_wait")):
            symbols = run("nm", "-D", "--defined-only",
                          os.path.join(self.libdir, library + ".so"))
            functions = re.findall(r" T (\w+)@", symbols)
            self.assertIn(function, functions)
            self.assertEqual({name + ".3" for name in [library, *functions]} - pages, set())

    def test_only_public_headers_are_installed(self):
        include = os.path.join(self.root + PREFIX, "include")
        self.assertEqual(sorted(os.listdir(include)), ["dmabuf.h", "qda.h", "qda_skel.h", "syncobj.h",
                                                       "uapimock.h"])

    def test_calculator_example(self):
        directory = self.make("calculator")
        with open(os.path.join(directory, "numbers.txt")) as file:
            vec = [int(word) for word in file.read().split()]
        output = run(os.path.join(directory, "calculator"), os.path.join(directory, "numbers.txt"),
                     env={**self.env, "DSP_LIBRARY_PATH": directory})
        self.assertIn("sum (typed): %d\n" % sum(vec), output)
        self.assertIn("max (raw): %d\n" % max(vec), output)

    def test_imgfilter_example(self):
        directory = self.make("imgfilter")
        source, ours, theirs = (os.path.join(directory, name + ".pgm")
                                for name in ("input", "ours", "theirs"))
        run(sys.executable, os.path.join(directory, "make-input.py"), source)
        run(sys.executable, os.path.join(directory, "sobel.py"), source, ours)
        run(os.path.join(directory, "imgfilter"), source, theirs,
            env={**self.env, "DSP_LIBRARY_PATH": directory})
        with open(ours, "rb") as a, open(theirs, "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_compositor_example(self):
        directory = self.make("compositor")
        path = os.path.join(directory, "socket")
        with subprocess.Popen([os.path.join(directory, "compositor"), "-d", "soft", "-n", "1", path],
                              text=True, stdout=subprocess.PIPE,
                              env={**os.environ, **self.env}) as compositor:
            self.assertIn("soft", compositor.stdout.readline())
            run(os.path.join(directory, "client"), "-d", "soft", "-f", "7", path, "name",
                env=self.env)
            self.assertIn("name: 7 frames", compositor.communicate(timeout=100)[0])
        self.assertEqual(compositor.returncode, 0)

    def test_vfio_frames_example(self):
        directory = self.make("vfio-frames")
        self.assertIn("client 0: its frame is gone\nclient 1: its register is 6\n",
                      run(os.path.join(directory, "vfio-frames"), "soft:1M", env=self.env))

    def test_cxx_program(self):
        program = os.path.join(self.temporary.name, "program")
        flags = run("pkg-config", "--cflags", "--libs", "libqda", env=self.env).split()
        run(os.environ["CXX"], "-std=c++11", *self.env["CFLAGS"].split(), "-o", program,
            os.path.join(SOURCE, "tests", "install", "program.cc"), *flags)
        self.assertEqual(run(program, env=self.env), "cdsp: unsigned processes: 1\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
