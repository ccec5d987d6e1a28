# SPDX-License-Identifier: MIT
"""The benchmarks of libsyncobj."""
import json
import os

import callgrind
from common import CPUS, Runs, on_all_and_on_one_cpu, row, run

INSTRUCTIONS_MAX = 100
LATENCY_MAX = 1.5

BACKENDS = ('device', 'drm')
CALLS = ('query', 'signal', 'wait')
COUNTS = (1, 16, 256, 4096)
FUTEX_ROUNDS = 10000


def measure(build, rounds, runs):
    soft = os.path.join(build, 'tests/bench/bench-syncobj-soft')
    modes = {}
    for backend in BACKENDS:
        for call in CALLS:
            raw = '%s-raw-%s' % (backend, call)
            modes.update({raw: None, '%s-%s' % (backend, call): raw})
    one_cpu = {max(os.sched_getaffinity(0))}
    return {
        'per_call': callgrind.measure(build, 'bench-syncobj-calls', modes),
        'ping_pongs': on_all_and_on_one_cpu(
            lambda cpus: Runs([soft, 'ping-pong', str(rounds)], runs, cpus)),
        'futex_calls': json.loads(run([soft, 'futexes', str(FUTEX_ROUNDS)],
                                      preexec_fn=lambda: os.sched_setaffinity(0, one_cpu))),
        'any': Runs([soft, 'any', str(max(1, rounds // 6))], runs, one_cpu),
    }


def rows(figures):
    per_call = {'%s of one object, %s' % (call, backend):
                figures['per_call']['%s-%s' % (backend, call)]
                for backend in BACKENDS for call in CALLS}
    for text, figure in per_call.items():
        yield row('instructions above the ioctl, ' + text, figure['above_raw'], '%.0f',
                  INSTRUCTIONS_MAX)
    for text, kind in (('heap allocations', 'allocations'), ('lock operations', 'locks')):
        yield row(text + ', the most of these', max(f[kind] for f in per_call.values()), '%.0f', 0)
    for cpus, where in CPUS:
        runs = figures['ping_pongs'][cpus]
        yield row('soft ping-pong / futex ping-pong, median, ' + where,
                  runs.ratio('syncobj', 'ping_pong'), '%.2f', LATENCY_MAX)
        yield row('soft ping-pong / futex ping-pong, p99, ' + where,
                  runs.ratio('syncobj', 'ping_pong', 'p99'), '%.2f')
        yield row('soft ping-pong / eventfd ping-pong, median, ' + where,
                  runs.ratio('syncobj', 'eventfd'), '%.2f')
    futexes = figures['futex_calls']
    yield row('futex calls of a round trip, futex ping-pong, one CPU', futexes['ping_pong'], '%.2f')
    yield row('futex calls of a round trip, soft ping-pong, one CPU', futexes['syncobj'], '%.2f',
              futexes['ping_pong'])
    runs = figures['any']
    for how, kind, figure in (('ready, median', 'ready', 'median'),
                              ('woken, mean', 'signaled', 'mean')):
        for count in COUNTS[1:]:
            yield row('any of %d / any of 1, %s, one CPU' % (count, how),
                      runs.ratio('any_%s_%d' % (kind, count), 'any_%s_1' % kind, figure), '%.2f')
        for count in COUNTS:
            yield row('any of %d / poll() of %d eventfds, %s, one CPU' % (count, count, how),
                      runs.ratio('any_%s_%d' % (kind, count), 'poll_%s_%d' % (kind, count), figure),
                      '%.2f')
