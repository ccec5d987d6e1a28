# SPDX-License-Identifier: MIT
"""Instructions, allocations and locks of one call, counted by callgrind.

The programs take a mode and a number of calls; the difference between two numbers is free of
start-up.
"""
import os
import re
import shutil
import tempfile

from common import Failure, run

CALLS = 1000

ALLOCATORS = {'malloc', 'calloc', 'realloc', 'free', 'posix_memalign', 'aligned_alloc', 'mmap',
              'munmap'}
LOCKS = re.compile(r'^_*(pthread_(mutex|rwlock|spin)_(lock|trylock|timedlock|rdlock|wrlock)|'
                   r'sem_wait|lll_lock_wait|lll_lock_wait_private)')


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


def count(program, mode, calls, directory, options):
    out = os.path.join(directory, '%s-%d' % (mode, calls))
    run(['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out, *options, program, mode,
         str(calls)])
    return read_callgrind(out)


def per_call(program, mode, directory, options=()):
    """Instructions, allocator calls and lock operations of one call."""
    few, few_calls = count(program, mode, CALLS, directory, options)
    many, many_calls = count(program, mode, 2 * CALLS, directory, options)

    def more(wanted):
        return sum(many_calls.get(name, 0) - few_calls.get(name, 0) for name in many_calls
                   if wanted(name)) / CALLS
    return {
        'instructions': (many - few) / CALLS,
        'allocations': more(lambda name: name in ALLOCATORS),
        'locks': more(LOCKS.match),
    }


def measure(build, program, modes, function=None):
    """The modes of a program in the build's tests/bench; 'raw' modes are what others are above.

    modes: names, and for each the name of the raw mode or None. function: count inside of this
    one only, which may have wildcards.
    """
    options = ['--toggle-collect=' + function] if function else []
    if not shutil.which('valgrind'):
        raise Failure('valgrind is not installed')
    with tempfile.TemporaryDirectory() as directory:
        # It allocates and locks once per call: can the counters see it?
        control = per_call(os.path.join(build, 'tests/bench/bench-control'), 'control', directory)
        if control['allocations'] < 2 or control['locks'] < 1:
            raise Failure('the counters do not see malloc() or pthread_mutex_lock()')
        program = os.path.join(build, 'tests/bench', program)
        figures = {mode: per_call(program, mode, directory, options) for mode in modes}
    for mode, raw in modes.items():
        if raw:
            figures[mode]['above_raw'] = (figures[mode]['instructions'] -
                                          figures[raw]['instructions'])
    return figures
