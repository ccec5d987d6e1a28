# SPDX-License-Identifier: GPL-2.0-only
"""Running the benchmarks of kernel/bench in the guest, whose clock counts instructions then."""
import shlex

import build
import machine
import suite
from bed import BENCHES, Failure


def bench(names):
    """Run benchmarks, each in a boot of its own. Return: the exit status."""
    benches = suite.select(suite.find_tests(BENCHES), names)
    if not benches:
        raise Failure('there is nothing in %s' % BENCHES)
    build.build('fast')
    suite.build_project()
    failed = []
    for entry in benches:
        suite.prepare(entry, 'fast')
        print('\n== %s' % entry.name, flush=True)
        command = [*('modprobe %s &&' % shlex.quote(name) for name in entry.modules),
                   'exec', shlex.quote(str(entry.program))]
        status = machine.run_command('fast', ' '.join(command), timeout=entry.timeout,
                                     accel='icount', kernel_args=entry.kernel_args,
                                     qemu_args=entry.qemu_args)
        if status:
            failed.append('%s: exit status %d' % (entry.name, status))
    if failed:
        raise Failure('\n'.join(failed))
    return 0
