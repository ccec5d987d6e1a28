#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qda-invoke's IDL: what it accepts, how it is laid out, and where it says errors are."""
import os
import unittest

from cli import CALCULATOR_IDL, InvokeTest

GOLDEN = """\
method calculator::sum, number 2
scalars 0x02020100: method 2, in buffers 2, out buffers 1, in handles 0, out handles 0
argument 0: in buffer, 4 bytes
  00000000  05 00 00 00                                       |....|
argument 1: in buffer, 20 bytes
  00000000  41 00 00 00 02 00 00 00  03 00 00 00 04 00 00 00  |A...............|
  00000010  fb ff ff ff                                       |....|
argument 2: out buffer, 8 bytes
"""

# The worked vectors of the marshalling rules: method, values, scalars, primIn.
VECTORS = {
    "2:sum(in sequence<long> vec, rout long long res)": (["1,2"], "0x02020100", "02000000"),
    "2:open1(in string name, rout long handle, rout sequence<char> dlerror, rout long err)":
        (["abc", "--room", "dlerror=16"], "0x02020200", "0400000010000000"),
    "3:close1(in long handle, rout string dlerror, rout long err)":
        (["7", "--room", "dlerror=32"], "0x03010200", "0700000020000000"),
    "4:grow_heap(in unsigned long address, in unsigned long size)":
        (["1", "2"], "0x04010000", "0100000002000000"),
    "5:set_param(in long id, in sequence<unsigned long> params)":
        (["1", "2,3,4"], "0x05020000", "0100000003000000"),
    "5:init2()": ([], "0x05000000", None),
    "6:next2(in unsigned long ctx, in long result, in sequence<octet> prev, "
    "rout unsigned long next, rout unsigned long handle, rout unsigned long sc, "
    "rout unsigned long needed, rout sequence<octet> bufs)":
        (["1", "2", "1,2,3", "--room", "bufs=256"], "0x06020200",
         "01000000020000000300000000010000"),
    "7:get_in_bufs2(in unsigned long ctx, in unsigned long offset, "
    "rout sequence<octet> bufs, rout unsigned long needed)":
        (["1", "2", "--room", "bufs=3"], "0x07010200", "010000000200000003000000"),
}

ERRORS = {
    "interface a { long m(in long x) };": "1:33: expected ';', found '}'",
    "interface a {\n\tlong m(in lang x);\n};": "2:12: expected a type, 'lang' is not declared",
    "interface a { void m(); };": "1:15: 'void' is not a type of QAIC",
    "interface a { short m(); };": "1:15: a method returns long, not short",
    "interface a : b { };": "1:15: expected 'remote_handle64', the only base that is supported",
    "interface a { long m(out long x); };": "1:22: 'out' is not a mode of QAIC; use 'rout'",
    "interface a { long m(); long m(); };": "1:30: method 'm' is declared twice",
    "interface a { };\ninterface a { };": "2:11: 'a' is declared twice",
    "interface a { long m(in long x, in long x); };": "1:41: parameter 'x' is declared twice",
    "interface a { long m(in string<5> s); };": "a string with a limit is not supported",
    "interface a { long m(in sequence<long, 5> s); };": "a sequence with a limit",
    "interface a { long m(inrout dmahandle h); };": "1:22: a dmahandle cannot be inrout",
    "struct s { long x; long x; };": "1:25: field 'x' is declared twice",
    "struct s { };": "1:12: expected a field of the struct, found '}'",
    "struct s { string x; };": "1:12: a string inside a struct is not supported",
    "struct s { sequence<long> x; };": "1:12: a sequence inside a struct is not supported",
    "typedef sequence<long> l;\ntypedef sequence<l> ll;":
        "2:18: a sequence inside a sequence is not supported: the number of a call's buffers",
    "typedef sequence<sequence<long>> ll;": "1:18: a sequence inside a sequence is not supported",
    "typedef string names[3];": "1:22: a string inside an array is not supported",
    "typedef long a[0];": "1:16: the array's length is not between 1",
    "typedef long a[65536][65536];": "the array is larger than 256 MiB",
    "typedef long a[1][1][1][1][1][1][1][1][1];": "more than 8 dimensions",
    "typedef long a[99999999999999999999];": "1:16: number does not fit 64 bits",
    "enum e { A = 1 };": "1:12: members of an enum have no value: they count from 0",
    "enum e { A, A };": "1:13: 'A' is declared twice",
    "const octet c = 256;": "1:17: the value does not fit octet",
    "const long c = nothing;": "1:16: expected an integer, 'nothing' is not declared",
    'const string IDL_VERSION = "new";': "1:28: IDL_VERSION is not of the form 1.2.3",
    "module m { };": "1:1: 'module' is not supported",
    "union u { };": "1:1: expected interface, struct, enum, typedef or const, found 'union'",
    "/* comment": "1:1: comment without an end",
    "const string s = \"text;\n": "1:18: string without an end",
    "const char c = 'ab';": "1:16: expected one character between quotes",
    "#include <other.idl>": "1:10: cannot read",
    "#include other.idl": "1:10: expected \"FILE\" or <FILE> after #include",
    "#define N 3": "1:11: #define with a value is not supported; use const",
    "#if 1\n#endif": "1:1: #if is not supported",
    "#ifdef X\n": "1:1: #ifdef or #ifndef without #endif",
    "#endif": "1:1: #endif without #ifdef or #ifndef",
    "long \x01": "expected interface, struct, enum, typedef or const, found 'long'",
    "const long \x01": "1:12: unexpected byte 0x01",
    "interface " + "a" * 300 + " { };": "1:11: name of more than 255 characters",
}


class Packing(InvokeTest):
    def test_dry_run_prints_scalars_and_every_byte(self):
        output = self.good("--dry-run", "--idl", CALCULATOR_IDL, "x", "sum", "65,2,3,4,-5")
        self.assertEqual(output, GOLDEN)

    def test_worked_vectors(self):
        for signature, (values, scalars, prim_in) in VECTORS.items():
            with self.subTest(signature):
                got, buffers = self.packed(signature, *values)
                self.assertEqual(got, scalars)
                self.assertEqual(buffers[0] if buffers else None, prim_in)

    def test_method_from_31_up_is_sent_as_31_with_its_number_first(self):
        self.assertEqual(self.packed("40:m(in octet a)", "7"), ("0x1f010000", ["2800000007000000"]))

    def test_methods_count_from_2_after_remote_handle64_and_from_0_otherwise(self):
        idl = self.write("a.idl", "interface a : remote_handle64 { long m(); };\n"
                                  "interface b { long n(); };")
        self.assertEqual(self.packed("--idl", idl, "m")[0], "0x02000000")
        self.assertEqual(self.packed("--idl", idl, "n")[0], "0x00000000")

    def test_struct_has_natural_alignment(self):
        idl = self.write("a.idl", """
            enum color { RED, GREEN };
            struct point { octet a; short b; long long c; color d; };
            interface i { long m(in octet first, in point p); };""")
        self.assertEqual(self.prim_in("--idl", idl, "m", "9", "{1,2,3,GREEN}"),
                         "09" + "00" * 7 + "0100" "0200" "00000000" "0300000000000000"
                         "01000000" "00000000")

    def test_array_of_arrays(self):
        idl = self.write("a.idl", """
            const long ROWS = 2;
            typedef short matrix[ROWS][3];
            interface i { long m(in matrix a); };""")
        self.assertEqual(self.prim_in("--idl", idl, "m", "[[1,2,3],[4,5,6]]"),
                         "010002000300040005000600")

    def test_dmahandle_is_an_in_handle(self):
        data = self.write("data", b"abc")
        self.assertEqual(self.packed("2:m(in dmahandle h, in long a)", "@" + data, "1"),
                         ("0x02010010", ["01000000", "616263"]))

    def test_more_than_254_sequences_are_refused(self):
        params = ", ".join("in sequence<octet> p%d" % i for i in range(255))
        self.assertIn("more than 254 sequences", self.refused("2:m(%s)" % params))

    def test_more_than_15_dmahandles_are_refused(self):
        params = ", ".join("in dmahandle p%d" % i for i in range(16))
        self.assertIn("more than 15 dmahandles", self.refused("2:m(%s)" % params))


class Files(InvokeTest):
    def test_errors_say_file_line_and_column(self):
        for text, message in ERRORS.items():
            with self.subTest(text[:60]):
                idl = self.write("bad.idl", text)
                error = self.refused("--idl", idl, "m")
                self.assertIn(message, error)
                self.assertRegex(error, "^" + idl + r":\d+:\d+: ")

    def test_unknown_method_lists_what_there_is(self):
        error = self.refused("--idl", CALCULATOR_IDL, "product")
        self.assertIn("no method 'product'", error)
        self.assertIn("calculator::sum, calculator::max", error)

    def test_method_of_several_interfaces_needs_its_interface(self):
        idl = self.write("a.idl", "interface a { long m(in octet x); };\n"
                                  "interface b { long m(in long x); };")
        self.assertIn("say which: a::m, b::m", self.refused("--idl", idl, "m", "1"))
        self.assertEqual(self.prim_in("--idl", idl, "b::m", "1"), "01000000")
        self.assertEqual(self.prim_in("--idl", idl, "--interface", "a", "m", "1"), "01")
        self.assertIn("no interface 'c'", self.refused("--idl", idl, "c::m", "1"))

    def test_include_is_looked_up_next_to_the_file(self):
        os.mkdir(self.path("types"))
        self.write("types/base.idl", '#include "more.idl"\ntypedef number count;')
        self.write("types/more.idl", "typedef short number;")
        idl = self.write("a.idl", '#include "types/base.idl"\n'
                                  "interface i { long m(in count n); };")
        self.assertEqual(self.prim_in("--idl", idl, "m", "1", cwd="/"), "0100")

    def test_error_in_an_included_file_names_that_file(self):
        self.write("base.idl", "typedef long\n;")
        idl = self.write("a.idl", '#include "base.idl"\n')
        self.assertIn("base.idl:2:1: expected the new type's name", self.refused("--idl", idl, "m"))

    def test_files_that_include_each_other_are_read_once(self):
        self.write("a.idl", '#include "b.idl"\ninterface a { long m(in number n); };')
        self.write("b.idl", '#include "a.idl"\ntypedef octet number;')
        self.assertEqual(self.prim_in("--idl", self.path("a.idl"), "m", "1"), "01")

    def test_guards_skip_what_they_should(self):
        idl = self.write("a.idl", """#ifndef A
            #define A
            #ifdef B
            this is not IDL @@@
            #else
            interface a { long m(in octet x); };
            #endif
            #endif""")
        self.assertEqual(self.prim_in("--idl", idl, "m", "1"), "01")

    def test_nesting_is_limited(self):
        types = "typedef long t0;\n" + "".join(
            "struct s%d { t%d x; }; typedef s%d t%d;\n" % (i, i, i, i + 1) for i in range(40))
        self.assertIn("more than 32 levels", self.refused("--idl", self.write("a.idl", types), "m"))

    def test_file_that_cannot_be_read(self):
        self.assertIn("No such file", self.refused("--idl", self.path("none.idl"), "m"))
        self.assertIn("Is a directory", self.refused("--idl", self.directory, "m"))
        self.assertIn("not a text file",
                      self.refused("--idl", self.write("a.idl", b"const\0"), "m"))
        self.assertIn("larger than 1 MiB",
                      self.refused("--idl", self.write("b.idl", b" " * (1 << 20) + b" "), "m"))

    def test_method_without_idl_says_what_is_needed(self):
        self.assertIn("needs --idl FILE, or is a signature", self.refused("sum"))

    def test_signature_may_use_types_of_the_idl_file(self):
        idl = self.write("a.idl", "enum color { RED, GREEN };")
        self.assertEqual(self.prim_in("--idl", idl, "2:m(in color c)", "GREEN"), "01000000")


if __name__ == "__main__":
    unittest.main()
