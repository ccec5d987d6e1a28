#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the libraries as docs/performance.md describes: ratios and counts, no bare times.

Usage: run.py BUILD-DIRECTORY [LIBRARY...] [--json | --markdown] [--rounds N] [--runs N]

Exit status: 0, 1 if a target is missed, 2 if something does not run.
"""
import argparse
import json
import os
import sys

sys.dont_write_bytecode = True

import dmabuf  # noqa: E402
import guard  # noqa: E402
import qda  # noqa: E402
import syncobj  # noqa: E402
from common import Failure, Runs  # noqa: E402

LIBRARIES = {'libqda': qda, 'libsyncobj': syncobj, 'libdmabuf': dmabuf, 'guarded access': guard}


def print_table(library, table, markdown):
    if markdown:
        print('### %s\n\n| | value | over runs | target |\n|---|---:|---:|---:|' % library)
        for what, value, spread, limit, good in table:
            target = '' if not limit else '≤ ' + limit + ('' if good else ', missed')
            print('| %s | %s | %s | %s |' % (what, value, spread, target))
        print()
        return
    print('%-66s %8s %15s %8s' % (library, 'value', 'over runs', 'target'))
    for what, value, spread, limit, good in table:
        print('%-66s %8s %15s %8s%s' % (what, value, spread, '<= ' + limit if limit else '',
                                        '' if good else '  MISSED'))


def main():
    parser = argparse.ArgumentParser(description='Measure the libraries.')
    parser.add_argument('build', help='build directory, without sanitizers')
    parser.add_argument('library', nargs='*', help='%s; all of them' % ', '.join(LIBRARIES))
    parser.add_argument('--json', action='store_true', help='print JSON instead of the table')
    parser.add_argument('--markdown', action='store_true',
                        help='print the table as docs/performance.md has it')
    parser.add_argument('--rounds', type=int, default=60, help='rounds of a run (60)')
    parser.add_argument('--runs', type=int, default=5, help='runs (5)')
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    libraries = options.library or list(LIBRARIES)
    for library in libraries:
        if library not in LIBRARIES:
            parser.error('%s: unknown; there are %s' % (library, ', '.join(LIBRARIES)))

    met = True
    results = {}
    for library in libraries:
        module = LIBRARIES[library]
        try:
            figures = module.measure(build, options.rounds, options.runs)
        except (Failure, OSError) as error:
            print('bench: %s' % error, file=sys.stderr)
            return 2
        table = list(module.rows(figures))
        met = met and all(good for *_, good in table)
        results[library] = figures
        if not options.json:
            print_table(library, table, options.markdown)
    if options.json:
        def nanoseconds(runs):
            assert isinstance(runs, Runs)
            return runs.results
        print(json.dumps({**results, 'targets_met': met}, indent=2, default=nanoseconds))
    return 0 if met else 1


if __name__ == '__main__':
    sys.exit(main())
