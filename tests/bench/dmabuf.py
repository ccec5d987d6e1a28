# SPDX-License-Identifier: MIT
"""The benchmarks of libdmabuf's buffers and heaps."""
import os

import callgrind
from common import Runs, row

INSTRUCTIONS_MAX = 150
POOL_MAX = 1

CALLS = {'alloc': 'allocation', 'charged-alloc': 'charged allocation', 'release': 'release',
         'access': 'begin of access'}
SIZES = ('64K', '1M', '8M')
HEAPS = {'memfd': None, 'udmabuf': '/dev/udmabuf', 'system': '/dev/dma_heap/system'}


def measure(build, rounds, runs):
    pool = os.path.join(build, 'tests/bench/bench-dmabuf-pool')
    one_cpu = {max(os.sched_getaffinity(0))}
    modes = {}
    for call in CALLS:
        modes.update({'raw-' + call: None, call: 'raw-' + call})
    return {
        'per_call': callgrind.measure(build, 'bench-dmabuf-calls', modes, 'measured_*'),
        'pools': {heap: Runs([pool, heap, str(rounds)], runs, one_cpu)
                  for heap, node in HEAPS.items() if not node or os.access(node, os.R_OK)},
    }


def rows(figures):
    for call, text in CALLS.items():
        yield row('instructions above the system calls, ' + text,
                  figures['per_call'][call]['above_raw'], '%.0f',
                  INSTRUCTIONS_MAX)
    for heap, runs in figures['pools'].items():
        for size in SIZES:
            yield row('buffer of a pool / new buffer, %s of %s, written' % (size, heap),
                      runs.ratio('pooled_' + size, 'fresh_' + size), '%.2f', POOL_MAX)
