# SPDX-License-Identifier: MIT
"""The benchmark of libdmabuf's guarded access."""
import os

from common import Runs, row

READ_MAX = 2


def measure(build, rounds, runs):
    one_cpu = {max(os.sched_getaffinity(0))}
    return {'reads': Runs([os.path.join(build, 'tests/bench/bench-guard'), str(rounds)], runs,
                          one_cpu)}


def rows(figures):
    runs = figures['reads']
    yield row('guarded / plain read of 4 bytes, each waits for the one before',
              runs.ratio('guarded_dependent', 'plain_dependent'), '%.2f', READ_MAX)
    yield row('guarded / plain read of 4 bytes in a function, independent reads',
              runs.ratio('guarded_independent', 'called_independent'), '%.2f', READ_MAX)
    yield row('guarded copy / plain reads of 4 bytes in a loop, independent reads, cached',
              runs.ratio('copied_independent', 'plain_independent'), '%.2f', READ_MAX)
    yield row('guarded / plain read of 4 bytes in a loop, independent reads, cached',
              runs.ratio('guarded_independent', 'plain_independent'), '%.2f')
