# SPDX-License-Identifier: MIT
"""The benchmarks of libqda."""
import os

import callgrind
from common import CPUS, Runs, on_all_and_on_one_cpu, row

INSTRUCTIONS_MAX = 300
ROUNDTRIP_MAX = 2.0
MAPPED_MAX = 1.05

RATIOS = (('empty call / futex ping-pong, median', 'empty', 'ping_pong', 'median', ROUNDTRIP_MAX),
          ('empty call / futex ping-pong, p99', 'empty', 'ping_pong', 'p99', None),
          ('1 MiB buffer argument / empty call', 'mapped_1mib', 'empty', 'median', MAPPED_MAX),
          ('1 MiB plain argument / empty call', 'inline_1mib', 'empty', 'median', None),
          ('4 x 64 bytes plain / empty call', 'small_inline', 'empty', 'median', None),
          ('4 x 64 bytes in an arena / empty call', 'small_arena', 'empty', 'median', None))


def measure(build, rounds, runs):
    environment = dict(os.environ, QDA_SOFTDSP=os.path.join(build, 'lib/softdsp/qda-softdsp'))
    command = [os.path.join(build, 'tests/bench/bench-roundtrip'),
               os.path.join(build, 'tests/conformance/skels'), str(rounds)]
    return {
        'per_call': callgrind.measure(build, 'bench-invoke',
                                      {'raw': None, 'plain': 'raw', 'buffer': 'raw'}),
        'round_trips': on_all_and_on_one_cpu(lambda cpus: Runs(command, runs, cpus, environment)),
    }


def rows(figures):
    for mode, text in (('plain', 'plain memory'), ('buffer', 'buffer arguments')):
        call = figures['per_call'][mode]
        yield row('instructions of our own per call, 2 in + 2 out, ' + text, call['above_raw'],
                  '%.0f', INSTRUCTIONS_MAX)
        yield row('heap allocations per call, ' + text, call['allocations'], '%.0f', 0)
        yield row('lock operations per call, ' + text, call['locks'], '%.0f', 0)
    for cpus, where in CPUS:
        for text, kind, base, figure, target in RATIOS:
            yield row('%s, %s' % (text, where),
                      figures['round_trips'][cpus].ratio(kind, base, figure), '%.2f', target)
