#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The test bed for kernel work: builds a kernel with our drivers and patches, and boots it."""
import argparse
import os
import shlex
import signal
import sys

import bench
import build
import guards_check
import lint
import machine
import patches
import source
import suite
from bed import CONFIGS, WORK, Failure, locked


def run_build(arguments):
    if arguments.source:
        with locked('tree'):
            source.use(arguments.source)
    for config in [arguments.config] if arguments.config else CONFIGS:
        build.build(config)
    return 0


def run_test(arguments):
    with locked('test'):
        build.build(arguments.config)
        suite.build_project()
        accel = machine.choose_accel(arguments.config, arguments.kvm)
        if arguments.self:
            return suite.selftest(arguments.config, accel, arguments.jobs)
        return suite.test(arguments.name, arguments.config, accel, arguments.jobs)


def run_shell(arguments):
    build.build(arguments.config)
    suite.build_project()
    accel = machine.choose_accel(arguments.config, arguments.kvm)
    if not arguments.command:
        machine.shell(arguments.config, accel)
        return 0
    command = arguments.command[0] if len(arguments.command) == 1 else \
        shlex.join(arguments.command)
    return machine.run_command(arguments.config, command, timeout=arguments.timeout, accel=accel)


def run_guards_show(arguments):
    if not arguments.source:
        build.prepare_tree()
    return guards_check.show(arguments.source, arguments.patches)


def run_guards_compile(arguments):
    build.prepare_tree()
    return guards_check.builds(arguments.compiler)


def run_guards_compare(arguments):
    build.prepare_tree()
    return guards_check.compare(arguments.verbose)


def run_check(_):
    build.prepare_tree()
    faults = patches.check()
    print('\n'.join(faults) or 'ok')
    return 1 if faults else 0


def count(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def parse():
    parser = argparse.ArgumentParser(prog='./dev kernel', description=__doc__)
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    def command(name, function, text):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub

    sub = command('build', run_build, 'get the source, apply what is ours, configure, build')
    sub.add_argument('--config', choices=CONFIGS, help='only this kernel (both)')
    sub.add_argument('--source', metavar='TREE',
                     help="use this Linux 7.3 tree, from now on, instead of Debian's package")

    def machine_options(sub):
        sub.add_argument('--config', choices=CONFIGS, default='debug', help='the kernel (debug)')
        sub.add_argument('--kvm', action='store_true', help='use KVM if a boot shows it works')

    sub = command('test', run_test, 'run the tests of kernel/tests in the booted kernel')
    machine_options(sub)
    sub.add_argument('--self', action='store_true',
                     help='run the tests of the runner: failures that it has to find')
    sub.add_argument('--jobs', type=count, default=min(os.cpu_count(), 4), metavar='N',
                     help='machines at a time (one for each processor, at most 4)')
    sub.add_argument('name', nargs='*', help='only these tests')
    sub = command('shell', run_shell, 'boot to a shell, or run a command in the guest')
    machine_options(sub)
    sub.add_argument('--timeout', type=int, default=600, metavar='S',
                     help='time limit of a command, boot included (600)')
    sub.add_argument('command', nargs=argparse.REMAINDER, help='a command, run by sh')
    sub = command('bench', lambda arguments: bench.bench(arguments.name),
                  'run the benchmarks of kernel/bench in the fast kernel, on one processor whose '
                  'clock counts instructions')
    sub.add_argument('name', nargs='*', help='only these benchmarks')
    command('lint', lambda _: lint.lint(), 'check our kernel sources and patches')

    sub = command('guards', None, 'the locks of Panthor that are made guards')
    actions = sub.add_subparsers(metavar='ACTION', required=True)
    action = actions.add_parser('show', help='what becomes of the sites of each file')
    action.set_defaults(function=run_guards_show)
    action.add_argument('--source', metavar='TREE',
                        help='of this Linux tree as it is, instead of ours')
    action.add_argument('--patches', metavar='DIRECTORY', help='write a patch for each file there')
    action = actions.add_parser('compile', help='compile them with other compilers, too')
    action.set_defaults(function=run_guards_compile)
    action.add_argument('compiler', nargs='*', default=['x86_64', 'arm64'],
                        help='x86_64, arm64 or clang (the first two)')
    action = actions.add_parser('compare', help='compare the code of functions before and after')
    action.set_defaults(function=run_guards_compare)
    action.add_argument('--verbose', action='store_true', help='show what differs')

    sub = command('patches', None, 'make and check the patch series of kernel/patches')
    actions = sub.add_subparsers(metavar='ACTION', required=True)
    action = actions.add_parser('check', help='see that every series applies and says why')
    action.set_defaults(function=run_check)
    action = actions.add_parser('tree', help='set up a git work tree with a series as commits')
    action.set_defaults(function=lambda a: patches.make_tree(a.topic, a.directory, a.file))
    action.add_argument('topic')
    action.add_argument('directory', help='where; it must not be there yet')
    action.add_argument('file', nargs='*', help='what else it has to hold')
    action = actions.add_parser('regenerate', help='write a series from the commits of such a tree')
    action.set_defaults(function=lambda a: patches.regenerate(a.topic, a.tree, a.base))
    action.add_argument('topic')
    action.add_argument('--tree', required=True, help='the git work tree')
    action.add_argument('--base', default='base', help='the commit before the first (base)')
    action = actions.add_parser('compile', help='build what each patch touches, step by step')
    action.set_defaults(function=lambda a: patches.compile_steps(a.topic, a.config))
    action.add_argument('--config', choices=CONFIGS, default='debug', help='the kernel (debug)')
    action.add_argument('topic')
    return parser.parse_args()


def main():
    # So that a machine is stopped and its directory removed then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse()
    WORK.mkdir(exist_ok=True)
    try:
        return arguments.function(arguments) or 0
    except Failure as failure:
        print('dev kernel: %s' % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
