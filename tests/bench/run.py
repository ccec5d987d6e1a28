#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures libqda as docs/performance.md describes: ratios and instruction counts, no bare times.

Usage: run.py BUILD-DIRECTORY [--json | --markdown] [--rounds N] [--runs N]

Exit status: 0, 1 if a target is missed, 2 if something does not run.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

CALLS = 1000
INSTRUCTIONS_MAX = 300
ROUNDTRIP_MAX = 2.0
MAPPED_MAX = 1.05

ALLOCATORS = {'malloc', 'calloc', 'realloc', 'free', 'posix_memalign', 'aligned_alloc', 'mmap',
              'munmap'}
LOCKS = re.compile(r'^_*(pthread_(mutex|rwlock|spin)_(lock|trylock|timedlock|rdlock|wrlock)|'
                   r'sem_wait|lll_lock_wait|lll_lock_wait_private)')


class Failure(Exception):
    pass


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise Failure('%s: exit status %d\n%s' % (' '.join(command), done.returncode,
                                                  done.stderr.strip()))
    return done.stdout


def plain_name(name):
    """The function without its version, its library and callgrind's suffix for recursion."""
    return re.sub(r"[@'].*", '', name)


def read_callgrind(path):
    """Total instructions, and how often each function was called."""
    names, calls, total, callee = {}, {}, None, None
    with open(path) as lines:
        for line in lines:
            match = re.match(r'(c?fn)=\((\d+)\)(?: (.*))?', line)
            if match:
                if match.group(3):
                    names[match.group(2)] = plain_name(match.group(3).strip())
                if match.group(1) == 'cfn':
                    callee = match.group(2)
            elif line.startswith('calls='):
                calls[callee] = calls.get(callee, 0) + int(line[6:].split()[0])
            elif line.startswith(('summary:', 'totals:')):
                total = int(line.split()[1])
    by_name = {}
    for number, count in calls.items():
        by_name[names[number]] = by_name.get(names[number], 0) + count
    return total, by_name


def count(program, mode, calls, directory):
    out = os.path.join(directory, '%s-%d' % (mode, calls))
    run(['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out, program, mode, str(calls)])
    return read_callgrind(out)


def per_call(program, mode, directory):
    """Instructions, allocator calls and lock operations of one call."""
    few, few_calls = count(program, mode, CALLS, directory)
    many, many_calls = count(program, mode, 2 * CALLS, directory)

    def more(wanted):
        return sum(many_calls.get(name, 0) - few_calls.get(name, 0) for name in many_calls
                   if wanted(name)) / CALLS
    return {
        'instructions': (many - few) / CALLS,
        'allocations': more(lambda name: name in ALLOCATORS),
        'locks': more(LOCKS.match),
    }


def measure_instructions(build):
    program = os.path.join(build, 'tests/bench/bench-invoke')
    if not shutil.which('valgrind'):
        raise Failure('valgrind is not installed')
    with tempfile.TemporaryDirectory() as directory:
        modes = {mode: per_call(program, mode, directory)
                 for mode in ('raw', 'plain', 'buffer', 'control')}
    # The program allocates and locks once per call in this mode: can the counters see it?
    if modes['control']['allocations'] < 2 or modes['control']['locks'] < 1:
        raise Failure('the counters do not see malloc() or pthread_mutex_lock()')
    for mode in ('plain', 'buffer'):
        modes[mode]['above_raw'] = modes[mode]['instructions'] - modes['raw']['instructions']
    return modes


def measure_round_trips(build, rounds, runs):
    environment = dict(os.environ, QDA_SOFTDSP=os.path.join(build, 'lib/softdsp/qda-softdsp'))
    command = [os.path.join(build, 'tests/bench/bench-roundtrip'),
               os.path.join(build, 'tests/conformance/skels'), str(rounds)]
    cpus = os.sched_getaffinity(0)

    def measure(allowed):
        results = [json.loads(run(command, env=environment,
                                  preexec_fn=lambda: os.sched_setaffinity(0, allowed)))
                   for _ in range(runs)]

        def ratio(kind, base, figure):
            values = [result[kind][figure] / result[base][figure] for result in results]
            return {'median': statistics.median(values), 'min': min(values), 'max': max(values)}
        return {
            'empty_to_ping_pong': ratio('empty', 'ping_pong', 'median'),
            'empty_to_ping_pong_p99': ratio('empty', 'ping_pong', 'p99'),
            'mapped_1mib_to_empty': ratio('mapped_1mib', 'empty', 'median'),
            'inline_1mib_to_empty': ratio('inline_1mib', 'empty', 'median'),
            'small_inline_to_empty': ratio('small_inline', 'empty', 'median'),
            'small_arena_to_empty': ratio('small_arena', 'empty', 'median'),
            'nanoseconds': results,
        }
    return {'runs': runs, 'all_cpus': measure(cpus), 'one_cpu': measure({max(cpus)})}


def rows(calls, trips):
    """What, value, spread over the runs, target, whether it is met."""
    def row(what, value, form, target=None, spread=''):
        limit = None if target is None else form % target
        return what, form % value, spread, limit, target is None or value <= target

    for mode, text in (('plain', 'plain memory'), ('buffer', 'buffer arguments')):
        yield row('instructions of our own per call, 2 in + 2 out, ' + text,
                  calls[mode]['above_raw'], '%.0f', INSTRUCTIONS_MAX)
        yield row('heap allocations per call, ' + text, calls[mode]['allocations'], '%.0f', 0)
        yield row('lock operations per call, ' + text, calls[mode]['locks'], '%.0f', 0)
    for cpus, where in (('all_cpus', 'all CPUs'), ('one_cpu', 'one CPU')):
        for key, text, target in (
                ('empty_to_ping_pong', 'empty call / futex ping-pong, median', ROUNDTRIP_MAX),
                ('empty_to_ping_pong_p99', 'empty call / futex ping-pong, p99', None),
                ('mapped_1mib_to_empty', '1 MiB buffer argument / empty call', MAPPED_MAX),
                ('inline_1mib_to_empty', '1 MiB plain argument / empty call', None),
                ('small_inline_to_empty', '4 x 64 bytes plain / empty call', None),
                ('small_arena_to_empty', '4 x 64 bytes in an arena / empty call', None)):
            value = trips[cpus][key]
            yield row('%s, %s' % (text, where), value['median'], '%.2f', target,
                      '%.2f-%.2f' % (value['min'], value['max']))


def main():
    parser = argparse.ArgumentParser(description='Measure libqda.')
    parser.add_argument('build', help='build directory, without sanitizers')
    parser.add_argument('--json', action='store_true', help='print JSON instead of the table')
    parser.add_argument('--markdown', action='store_true',
                        help='print the table as docs/performance.md has it')
    parser.add_argument('--rounds', type=int, default=60, help='rounds of a run (60)')
    parser.add_argument('--runs', type=int, default=5, help='runs (5)')
    options = parser.parse_args()
    build = os.path.abspath(options.build)

    try:
        calls = measure_instructions(build)
        trips = measure_round_trips(build, options.rounds, options.runs)
    except (Failure, OSError) as error:
        print('bench: %s' % error, file=sys.stderr)
        return 2
    table = list(rows(calls, trips))
    met = all(row[4] for row in table)
    if options.json:
        print(json.dumps({'per_call': calls, 'round_trips': trips, 'targets_met': met}, indent=2))
    elif options.markdown:
        for what, value, spread, limit, good in table:
            target = '' if not limit else '≤ ' + limit + ('' if good else ', missed')
            print('| %s | %s | %s | %s |' % (what, value, spread, target))
    else:
        print('%-66s %8s %13s %8s' % ('', 'value', 'over runs', 'target'))
        for what, value, spread, limit, good in table:
            print('%-66s %8s %13s %8s%s' % (what, value, spread, '<= ' + limit if limit else '',
                                            '' if good else '  MISSED'))
    return 0 if met else 1


if __name__ == '__main__':
    sys.exit(main())
