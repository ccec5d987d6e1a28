# SPDX-License-Identifier: MIT
"""What the benchmarks of all libraries share: running programs, ratios over runs, rows."""
import json
import os
import statistics
import subprocess


class Failure(Exception):
    pass


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise Failure('%s: exit status %d\n%s' % (' '.join(command), done.returncode,
                                                  done.stderr.strip()))
    return done.stdout


class Runs:
    """Several runs of a program that prints the nanoseconds of each kind of call."""

    def __init__(self, command, runs, cpus, environment=None):
        self.results = [json.loads(run(command, env=environment,
                                       preexec_fn=lambda: os.sched_setaffinity(0, cpus)))
                        for _ in range(runs)]

    def ratio(self, kind, base, figure='median'):
        values = [result[kind][figure] / result[base][figure] for result in self.results]
        return {'median': statistics.median(values), 'min': min(values), 'max': max(values)}


def on_all_and_on_one_cpu(measure):
    """What measure() returns for a set of CPUs."""
    cpus = os.sched_getaffinity(0)
    return {'all_cpus': measure(cpus), 'one_cpu': measure({max(cpus)})}


CPUS = (('all_cpus', 'all CPUs'), ('one_cpu', 'one CPU'))


def row(what, value, form, target=None):
    """What, value, spread over the runs, target, whether it is met. value: a number or a ratio."""
    spread = ''
    if isinstance(value, dict):
        spread = '-'.join(form % value[end] for end in ('min', 'max'))
        value = value['median']
    limit = None if target is None else form % target
    return what, form % value, spread, limit, target is None or value <= target
