#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Sobel filter once more, plain and slow, to check the DSP's result against."""
import re
import sys

KERNEL_X = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
KERNEL_Y = ((-1, -2, -1), (0, 0, 0), (1, 2, 1))

GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEADER = re.compile(rb"P5" + GAP + rb"(\d+)" + GAP + rb"(\d+)" + GAP + rb"(\d+)\s")


def sobel(image, width, height, limit=255):
    """Edges of an image with one byte per pixel; border pixels are 0."""
    edges = bytearray(width * height)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            gx = gy = 0
            for j in range(3):
                for i in range(3):
                    p = image[(y + j - 1) * width + x + i - 1]
                    gx += KERNEL_X[j][i] * p
                    gy += KERNEL_Y[j][i] * p
            edges[y * width + x] = min(abs(gx) + abs(gy), limit)
    return bytes(edges)


def sobel_pgm(pgm):
    """The same for a whole PGM file; the header stays as it is."""
    header = HEADER.match(pgm)
    if not header:
        raise ValueError("not a binary PGM")
    width, height, maxval = map(int, header.groups())
    return header.group() + sobel(pgm[header.end():], width, height, maxval)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: sobel.py INPUT.pgm OUTPUT.pgm")
    with open(sys.argv[1], "rb") as source:
        edges = sobel_pgm(source.read())
    with open(sys.argv[2], "wb") as out:
        out.write(edges)


if __name__ == "__main__":
    main()
