#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the image that the demo and the tests filter: shapes on a gradient, always the same."""
import sys


def pixel(x, y, width, height):
    if (x - 80) ** 2 + (y - 70) ** 2 < 45 ** 2:
        return 240
    if 150 <= x < 260 and 30 <= y < 110:
        return 25 if (x // 10 + y // 10) % 2 else 200
    if y > 130 and abs(x - 190) < (y - 130) // 2:
        return 255
    if 20 <= x < 110 and 150 <= y < 210:
        return (x * y * 7 + x * 13 + y * 29) % 251
    return (x * 160 // width + y * 90 // height) % 256


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make-input.py OUTPUT.pgm")
    width, height = 321, 243
    data = bytes(pixel(x, y, width, height) for y in range(height) for x in range(width))
    with open(sys.argv[1], "wb") as out:
        out.write(b"P5\n# shapes on a gradient\n%d %d\n255\n" % (width, height) + data)


if __name__ == "__main__":
    main()
