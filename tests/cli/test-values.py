#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qda-invoke's values: how they are written and how wrong ones are refused."""
import struct
import unittest

from cli import InvokeTest

# IDL type, struct's letter, smallest and largest value.
INTEGERS = [
    ("octet", "B"), ("uint8", "B"), ("int8", "b"), ("char", "b"), ("short", "h"), ("int16", "h"),
    ("unsigned short", "H"), ("uint16", "H"), ("wchar", "H"), ("long", "i"), ("int32", "i"),
    ("unsigned long", "I"), ("uint32", "I"), ("long long", "q"), ("int64", "q"),
    ("unsigned long long", "Q"), ("uint64", "Q"),
]


class Numbers(InvokeTest):
    def one(self, idl_type, text):
        return self.prim_in("2:m(in %s a)" % idl_type, text)

    def test_limits_of_every_integer_type(self):
        for idl_type, letter in INTEGERS:
            bits = 8 * struct.calcsize(letter)
            low, high = (0, (1 << bits) - 1) if letter.isupper() else (
                -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            with self.subTest(idl_type):
                for value in (low, high):
                    self.assertEqual(self.one(idl_type, str(value)),
                                     struct.pack(letter, value).hex())
                for value in (low - 1, high + 1):
                    error = self.refused("2:m(in %s a)" % idl_type, str(value))
                    self.assertIn("parameter a: %d does not fit %s (%d to %d)" %
                                  (value, idl_type, low, high), error)

    def test_hexadecimal_and_leading_zero(self):
        self.assertEqual(self.one("long", "0x10"), "10000000")
        self.assertEqual(self.one("long", "-0x10"), "f0ffffff")
        self.assertEqual(self.one("long", "010"), "0a000000")

    def test_floats(self):
        for text in ("1.5", "-2e3", ".5", "inf", "-inf", "0x1p-3"):
            value = float.fromhex(text) if text.startswith("0x") else float(text)
            self.assertEqual(self.one("float", text), struct.pack("f", value).hex())
            self.assertEqual(self.one("double", text), struct.pack("d", value).hex())
        self.assertIn("1e39 does not fit float", self.refused("2:m(in float a)", "1e39"))
        self.assertIn("'x' is not a number", self.refused("2:m(in double a)", "x"))

    def test_booleans(self):
        for text, byte in (("true", "01"), ("false", "00"), ("1", "01"), ("0", "00")):
            self.assertEqual(self.one("boolean", text), byte)
        self.assertIn("2 does not fit boolean", self.refused("2:m(in boolean a)", "2"))
        self.assertIn("'yes' is not true or false", self.refused("2:m(in boolean a)", "yes"))

    def test_characters(self):
        self.assertEqual(self.one("char", "'A'"), "41")
        self.assertEqual(self.one("wchar", "'A'"), "4100")
        self.assertIn("is not a character", self.refused("2:m(in char a)", "AB"))

    def test_words_that_are_no_number(self):
        for text in ("abc", "1.5", "1 2", "0x", "--1", "12x", "", "1,2", "[1]"):
            with self.subTest(text):
                self.assertIn("parameter a: ", self.refused("2:m(in long a)", "--", text))


class Composites(InvokeTest):
    def setUp(self):
        super().setUp()
        self.idl = self.write("a.idl", """
            enum color { RED, GREEN, BLUE };
            struct point { short x, y; };
            struct shape { color c; point p[2]; };
            interface i {
                long color(in color c);
                long shape(in shape s);
                long points(in sequence<point> p);
                long triple(in long t[3]);
            };""")

    def one(self, method, text):
        return self.packed("--idl", self.idl, method, text)[1][-1]

    def wrong(self, method, text):
        return self.refused("--idl", self.idl, method, text)

    def test_enum_member_or_number(self):
        self.assertEqual(self.one("color", "BLUE"), "02000000")
        self.assertEqual(self.one("color", "2"), "02000000")
        self.assertIn("'PINK' is not a member of color (RED, GREEN, BLUE)",
                      self.wrong("color", "PINK"))
        self.assertIn("not a member", self.wrong("color", "3"))

    def test_struct_in_order_and_by_name(self):
        expected = "01000000" "01000200" "03000400"
        self.assertEqual(self.one("shape", "{GREEN,[{1,2},{3,4}]}"), expected)
        self.assertEqual(self.one("shape", "{p=[{y=2,x=1}, {3 4}], c=GREEN}"), expected)

    def test_struct_errors(self):
        self.assertIn("no field 'z'", self.wrong("points", "{z=1,y=2}"))
        self.assertIn("field x is given twice", self.wrong("points", "{x=1,x=2}"))
        self.assertIn("has 2 fields, only 1 are given", self.wrong("points", "{1}"))
        self.assertIn("expected '}'", self.wrong("points", "{1,2,3}"))

    def test_sequence_of_structs(self):
        self.assertEqual(self.one("points", "{1,2},{3,4}"), "0100020003000400")
        self.assertEqual(self.one("points", "[{1,2},{3,4}]"), "0100020003000400")
        self.assertIn("p[1]: 99999 does not fit short", self.wrong("points", "{1,2},{99999,4}"))

    def test_array_needs_all_its_elements(self):
        self.assertEqual(self.one("triple", "1,2,3"), "010000000200000003000000")
        self.assertEqual(self.one("triple", "[1,2,3]"), "010000000200000003000000")
        self.assertIn("has 3 elements, only 2 are given", self.wrong("triple", "1,2"))
        self.assertIn("has 3 elements, more are given", self.wrong("triple", "1,2,3,4"))

    def test_sequences(self):
        sequence = "2:m(in sequence<octet> s)"
        for text, expected in (("1,2", "0102"), ("[1,2]", "0102"), ("1 2", "0102"), ("", ""),
                               ("[]", "")):
            self.assertEqual(self.packed(sequence, text)[1][1], expected)
        for text in ("1,", ",1", "1,,2", "[1", "1]", "[1]2", "1,b"):
            with self.subTest(text):
                self.assertIn("parameter s", self.refused(sequence, text))

    def test_strings(self):
        self.assertEqual(self.packed("2:m(in string s)", "héy")[1],
                         ["05000000", "68c3a97900"])
        self.assertEqual(self.packed("2:m(in string s)", "")[1], ["01000000", "00"])
        self.assertEqual(self.packed("2:m(in wstring s)", "é\U0001f600")[1],
                         ["04000000", "e9003dd800de0000"])
        self.assertEqual(self.packed("2:m(in string s)", "@@x")[1][1], "407800")
        self.assertIn("not UTF-8", self.bad(2, "--dry-run", "x", "2:m(in wstring s)", b"\xff"))


class Operands(InvokeTest):
    def test_negative_numbers_are_values_not_options(self):
        self.assertEqual(self.prim_in("2:m(in long a, in double b)", "-1", "-.5"),
                         "ffffffff00000000" + struct.pack("d", -.5).hex())

    def test_options_may_follow_the_values(self):
        self.assertIn("0x02010000", self.good("x", "2:m(in long a)", "1", "--dry-run"))

    def test_values_by_name_and_in_order(self):
        self.assertEqual(self.prim_in("2:m(in octet a, in octet b, in octet c)", "b=2", "1", "3"),
                         "010203")

    def test_text_with_an_equals_sign_is_a_string(self):
        self.assertEqual(self.packed("2:m(in string s)", "x=1")[1][1], "783d3100")

    def test_wrong_number_of_values(self):
        self.assertIn("too few values: b (short) is missing; m takes 2, 1 are given",
                      self.refused("2:m(in long a, in short b)", "1"))
        self.assertIn("too many values: m takes 1, 2 are given",
                      self.refused("2:m(in long a)", "1", "2"))

    def test_wrong_names(self):
        self.assertIn("m has no parameter 'z'", self.refused("2:m(in long a)", "z=1"))
        self.assertIn("parameter r is rout: it takes no value",
                      self.refused("2:m(in long a, rout long r)", "r=1"))
        self.assertIn("parameter a has two values", self.refused("2:m(in long a)", "a=1", "a=2"))


class FromFiles(InvokeTest):
    LIST = "2:m(in sequence<short> s)"

    def test_list_of_numbers(self):
        path = self.write("list", "# numbers\n1 2,\n3,\t-4\n\n")
        self.assertEqual(self.packed(self.LIST, "%" + path)[1][1], "010002000300fcff")

    def test_list_error_says_line_and_column(self):
        path = self.write("list", "1\n2 x\n")
        self.assertEqual(self.refused(self.LIST, "%" + path),
                         "parameter s: %s:2:3: 'x' is not an integer" % path)
        self.write("list", "1\n\n 70000")
        self.assertIn("list:3:2: 70000 does not fit short", self.refused(self.LIST, "%" + path))

    def test_bytes(self):
        path = self.write("bytes", b"\x01\x00\xff\xff")
        self.assertEqual(self.packed(self.LIST, "@" + path)[1], ["02000000", "0100ffff"])
        self.assertEqual(self.prim_in("2:m(in long a)", "@" + path), "0100ffff")

    def test_bytes_of_the_wrong_size(self):
        path = self.write("bytes", b"abc")
        self.assertIn("3 bytes are no whole number of elements of 2 bytes",
                      self.refused(self.LIST, "@" + path))
        self.assertIn("long has 4 bytes, the file has 3",
                      self.refused("2:m(in long a)", "@" + path))

    def test_standard_input_is_read_once(self):
        self.assertEqual(self.packed(self.LIST, "%-", stdin=b"5 6")[1][1], "05000600")
        self.assertEqual(self.packed(self.LIST, "@-", stdin=b"ab")[1][1], "6162")
        self.assertIn("read for another one already",
                      self.refused("2:m(in sequence<octet> s, in sequence<octet> t)", "@-", "@-"))

    def test_missing_file(self):
        self.assertIn("cannot read %s: No such file" % self.path("none"),
                      self.refused(self.LIST, "@" + self.path("none")))

    def test_string_with_a_zero_byte(self):
        path = self.write("text", b"a\0b")
        self.assertIn("cannot hold a zero byte", self.refused("2:m(in string s)", "@" + path))

    def test_number_in_a_file_that_is_a_list_of_nothing(self):
        path = self.write("empty", "")
        self.assertEqual(self.packed(self.LIST, "%" + path)[1], ["00000000", ""])


class Room(InvokeTest):
    def counts(self, signature, *values):
        return self.prim_in(signature, *values)

    def test_default_is_the_count_of_the_only_in_sequence(self):
        self.assertEqual(self.counts("2:m(in sequence<octet> s, rout sequence<long> r)", "1,2,3"),
                         "0300000003000000")

    def test_explicit_and_of_another_parameter(self):
        signature = "2:m(in sequence<octet> s, in sequence<octet> t, rout sequence<long> r)"
        self.assertIn("needs room: say --room r=COUNT", self.refused(signature, "1", "2,3"))
        self.assertEqual(self.counts(signature, "1", "2,3", "--room", "r=@t")[16:], "02000000")
        self.assertEqual(self.counts(signature, "1", "2,3", "--room", "r=1K")[16:], "00040000")

    def test_string_always_needs_room(self):
        self.assertIn("parameter r (string) needs room",
                      self.refused("2:m(in sequence<octet> s, rout string r)", "1"))

    def test_wrong_rooms(self):
        signature = "2:m(in sequence<octet> s, rout sequence<long> r, rout long n)"
        for room, message in (("x=1", "no parameter 'x'"), ("r", "not of the form NAME=COUNT"),
                              ("r=many", "is not a count"), ("r=-1", "is not a count"),
                              ("r=@n", "no in parameter 'n'"), ("n=1", "the size of parameter n"),
                              ("s=1", "the size of parameter s"), ("r=5G", "is not a count")):
            with self.subTest(room):
                self.assertIn(message, self.refused(signature, "1", "--room", room))

    def test_inrout_string_may_have_more_room_but_not_less(self):
        signature = "2:m(inrout string s)"
        self.assertIn("needs room for the 4 characters",
                      self.refused(signature, "abc", "--room", "s=3"))
        self.packed(signature, "abc", "--room", "s=30")


if __name__ == "__main__":
    unittest.main()
