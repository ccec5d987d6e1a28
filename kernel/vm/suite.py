# SPDX-License-Identifier: GPL-2.0-only
"""Running the tests of kernel/tests/ in the guest, and telling what came out of them."""
import collections
import concurrent.futures
import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import machine
import report
from bed import BUILD, PROJECT, TESTS, TREE, VM, WORK, Failure, run

RESULTS = WORK / 'results'
SELFTESTS = VM / 'selftest'
START_LIMIT_S = 180  # from power-on to the first test
GRACE_S = 60         # beyond a test's own limit, which the guest enforces
IS_STOPPING = threading.Event()  # so that no machine is left behind
KEYS = ('timeout', 'kernel-args', 'qemu-args', 'modules', 'prepare', 'own-boot', 'known-report',
        'known-leak', 'known-failure', 'expect')
# Of every boot.
KNOWN_LEAKS = [report.Known(r'\brootfs_init_fs_context\+',
                            'Linux 7.3 does not free what its first root file system has')]
HEADER = re.compile(r'^(?:#| ?\*|//) *(%s): *(.*?) *$' % '|'.join(KEYS))


@dataclasses.dataclass
class Test:
    """One file of kernel/tests/ and what its first comment asks for."""
    name: str
    program: Path
    timeout: int = 120
    kernel_args: list = dataclasses.field(default_factory=list)
    qemu_args: list = dataclasses.field(default_factory=list)
    modules: list = dataclasses.field(default_factory=list)
    prepare: list = dataclasses.field(default_factory=list)
    known_reports: list = dataclasses.field(default_factory=list)
    known_leaks: list = dataclasses.field(default_factory=list)
    known_failures: list = dataclasses.field(default_factory=list)
    own_boot: str = ''
    expect: str = ''  # of a test in selftest/: what has to be found wrong with it

    def boot(self):
        """Tests with the same value share a boot."""
        return (tuple(self.kernel_args), tuple(self.qemu_args), self.own_boot and self.name)


def read_test(path, program):
    """The test of a file; what it asks for stands in the comment at its beginning."""
    test = Test(path.name.removesuffix('.c'), program)
    for line in path.read_text('utf-8').splitlines():
        if line.strip() and not line.lstrip().startswith(('#!', '#', '/*', '*', '//')):
            break
        found = HEADER.match(line)
        if not found:
            continue
        key, value = found.groups()
        if key == 'timeout':
            test.timeout = int(value)
        elif key in ('known-report', 'known-leak', 'known-failure'):
            pattern, dash, reason = value.partition(' -- ')
            if not dash:
                raise Failure('%s: "%s: PATTERN -- REASON" has no reason' % (path, key))
            getattr(test, key.replace('-', '_') + 's').append(report.Known(pattern, reason))
        elif key == 'prepare':
            test.prepare.append(value)
        elif key in ('own-boot', 'expect'):
            setattr(test, key.replace('-', '_'), value)
        else:
            getattr(test, key.replace('-', '_')).extend(value.split())
    return test


def find_tests(directory):
    """Executable scripts, and programs in C that meson builds into the same place of build/.

    The same holds for benchmarks.
    """
    found = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        if path.suffix == '.c':
            found.append(read_test(path, BUILD / path.relative_to(PROJECT).with_suffix('')))
        elif path.is_file() and os.access(path, os.X_OK):
            found.append(read_test(path, path))
    return found


def select(tests, names):
    if not names:
        return tests
    known = {test.name: test for test in tests}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise Failure('%s: not there, there are: %s' % (' '.join(wrong), ' '.join(known)))
    return [known[name] for name in dict.fromkeys(names)]


def build_project():
    """The libraries, tools and conformance suites that run in the guest."""
    if not (BUILD / 'build.ninja').exists():
        run(['meson', 'setup', BUILD, PROJECT], stdout=subprocess.DEVNULL)
    run(['ninja', '-C', BUILD], stdout=subprocess.DEVNULL)


def prepare(test, config):
    """What the test has done on the host before the boot."""
    if not test.program.exists():
        raise Failure('%s is not built: name its source in the meson.build beside it' %
                      test.program)
    environment = {**os.environ, 'TREE': str(TREE), 'KERNEL_BUILD': str(WORK / config)}
    for command in test.prepare:
        run(['sh', '-ec', command], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)


class Log:
    """The console of a running guest, cut at the marks of guest-tests."""

    def __init__(self, path):
        self.path, self.seen = path, 0
        self.current, self.ended, self.rest = 'start', {}, ''
        # What comes after a test's end goes to the next one: its verdict is made.
        self.lines = []
        self.parts = {'start': self.lines}

    def read(self):
        """Take what is new. Return: the names of the tests that have ended meanwhile."""
        if not self.path.exists():
            return []
        with open(self.path, 'rb') as file:
            file.seek(self.seen)
            data = file.read()
        self.seen += len(data)
        text = self.rest + data.decode('utf-8', 'replace')
        *lines, self.rest = text.split('\n')
        ended = []
        for line in lines:
            mark = report.MARK.search(report.without_time(line))
            if not mark:
                self.lines.append(line.rstrip('\r'))
            elif mark[1] == 'begin':
                if self.current not in self.ended:
                    self.lines = []
                self.current = mark[2]
                self.parts[self.current] = self.lines
            else:
                self.ended[mark[2]] = int(mark[3])
                ended.append(mark[2])
                if mark[2] != 'kmemleak':
                    self.lines = []
        return ended

    def text(self, name):
        return '\n'.join(self.parts.get(name, []))


def faults(verdict):
    """What is wrong with a test, line by line."""
    return ['not ok: ' + case for case in verdict.cases.failed] + verdict.cases.problems


class Total:
    """Prints verdicts and adds them up."""

    def __init__(self):
        self.counts = [0, 0, 0]

    def progress(self, text):
        print('        ' + text, flush=True)

    def tell(self, boot, name, verdict, seconds=None, output='', log=''):
        counts = verdict.counts()
        self.counts = [a + b for a, b in zip(self.counts, counts)]
        took = '' if seconds is None else '  (%.0f s)' % seconds
        print('%-8s%-24s %d passed, %d failed, %d skipped%s' %
              ('FAILED' if counts[1] else 'ok', name, *counts, took))
        reasons = collections.Counter(reason for _, reason in verdict.cases.skipped)
        for reason, number in reasons.items():
            print('        skipped %d: %s' % (number, reason))
        for note in verdict.notes:
            print('        ' + note)
        for fault in faults(verdict):
            print('        ' + fault.replace('\n', '\n        '))
        if counts[1]:
            self.quote('what it printed', output, 60)
            self.quote("the kernel's log", log, 400)
            print('        --- all of it is in %s' % boot.directory)
        print(end='', flush=True)

    @staticmethod
    def quote(title, text, limit):
        lines = text.splitlines()
        if not lines:
            return
        print('        --- %s%s' % (title, ', the last %d lines' % limit
                                    if len(lines) > limit else ''))
        for line in lines[-limit:]:
            print('        | ' + line)


class Expectations:
    """Takes the verdicts on the tests of selftest/ and says which are not as expected."""

    def __init__(self):
        self.counts = [0, 0, 0]
        self.seen = {}

    def progress(self, text):
        pass

    def tell(self, boot, name, verdict, *_, **__):
        # A leak is found at the end of the boot that its test has for its own.
        own = [test.name for test in boot.tests if test.own_boot]
        self.seen.setdefault(own[0] if own and name == 'kmemleak' else name, []).extend(
            faults(verdict))

    def judge(self, test):
        found = self.seen.get(test.name)
        if test.expect == 'nothing':
            is_right = found == []
        else:
            is_right = any(test.expect in fault for fault in found or ())
        self.counts[0 if is_right else 1] += 1
        print('%-8s%-24s expected: %s' % ('ok' if is_right else 'FAILED', test.name, test.expect))
        if not is_right:
            print('        but: ' + '\n        '.join(found or ['no verdict']))


class Boot:
    """One run of the machine, with tests that ask for the same."""

    TELLING = threading.Lock()

    def __init__(self, number, tests, config, accel, total):
        self.number, self.tests, self.total = number, tests, total
        self.directory = RESULTS / ('boot-%d' % number)
        self.directory.mkdir(parents=True)
        machine.write_session(self.directory, config, 'tests')
        (self.directory / 'tests').write_text(
            ''.join('%s %d %s %s\n' % (test.name, test.timeout, test.program,
                                       ' '.join(test.modules)) for test in tests), 'utf-8')
        self.console = self.directory / 'console'
        self.log = Log(self.console)
        first = tests[0]
        self.command = machine.command_line(
            config, self.directory, ['-serial', 'file:%s' % self.console], accel=accel,
            kernel_args=first.kernel_args, qemu_args=first.qemu_args)

    def limit(self):
        """How long what runs now may take."""
        named = {test.name: test.timeout for test in self.tests}
        return named.get(self.log.current, START_LIMIT_S) + GRACE_S

    def output(self, name):
        path = self.directory / ('%s.out' % name)
        return path.read_text('utf-8', 'replace') if path.exists() else ''

    def tell(self, test, seconds, ended_by=None):
        output, log = self.output(test.name), self.log.text(test.name)
        verdict = report.judge(output, log, self.log.ended.get(test.name, 0), test.known_reports,
                               test.known_failures, ended_by)
        self.pass_on(test.name, verdict, seconds, output, log)

    def pass_on(self, *args, **named):
        with self.TELLING:
            self.total.tell(self, *args, **named)

    def tell_kernel(self, name, text=''):
        """What happened outside of the tests: a case only if it is bad or a look at leaks."""
        known = KNOWN_LEAKS + [entry for test in self.tests for entry in test.known_leaks]
        verdict = report.judge_leaks(text, known)
        if name == 'start':
            verdict.cases.passed.clear()
        log = self.log.text(name)
        verdict.cases.problems += ['kernel report: ' + line for line in report.read_reports(log)]
        if name == 'kmemleak' or verdict.cases.problems:
            self.pass_on(name, verdict, log=log)

    def run(self):
        """Run to the end. Return: the tests that have not been run."""
        waiting = collections.deque(self.tests)
        qemu_log = open(self.directory / 'qemu', 'w', encoding='utf-8')
        process = machine.start(self.command, stdin=subprocess.DEVNULL, stdout=qemu_log,
                                stderr=subprocess.STDOUT)
        began, current, ended_by = time.monotonic(), 'start', None
        try:
            while True:
                is_over = process.poll() is not None
                for name in self.log.read():
                    if waiting and waiting[0].name == name:
                        self.tell(waiting.popleft(), time.monotonic() - began)
                        began = time.monotonic()
                if self.log.current != current:
                    if current == 'start':
                        with self.TELLING:
                            self.total.progress('boot %d: up after %.0f s' %
                                                (self.number, time.monotonic() - began))
                        self.tell_kernel('start')
                    began, current = time.monotonic(), self.log.current
                if is_over:
                    break
                if IS_STOPPING.is_set():
                    raise Failure('stopped')
                if time.monotonic() - began > self.limit():
                    ended_by = 'the machine did not go on for %d s' % self.limit()
                    break
                time.sleep(0.2)
        finally:
            machine.stop(process)
            qemu_log.close()
        if 'kmemleak' in self.log.ended:
            leaks = self.directory / 'kmemleak.leaks'
            self.tell_kernel('kmemleak', leaks.read_text('utf-8') if leaks.exists() else '')
            return []
        return self.died(waiting, time.monotonic() - began, ended_by)

    def died(self, waiting, seconds, ended_by):
        """The machine did not get to the end. Return: the tests that can have another boot."""
        panics = [line for line in report.read_reports('\n'.join(self.log.lines))
                  if 'panic' in line]
        reason = ended_by or (panics[0] if panics else 'the machine ended')
        if waiting and waiting[0].name == self.log.current:
            self.tell(waiting.popleft(), seconds, reason)
            return list(waiting)
        verdict = report.Verdict(report.Cases(problems=[reason]))
        for _ in waiting:
            verdict.cases.problems.append('a test was not run')
        log = self.log.text(self.log.current) or (self.directory / 'qemu').read_text('utf-8')
        self.pass_on(self.log.current, verdict, seconds, log=log)
        return []


def limit_of(tests):
    return sum(test.timeout for test in tests)


def share(tests, count):
    """The tests of one boot in @count boots whose time limits are about the same."""
    parts = [[] for _ in range(count)]
    for test in sorted(tests, key=lambda test: -test.timeout):
        min(parts, key=limit_of).append(test)
    return [sorted(part, key=tests.index) for part in parts if part]


def run_tests(tests, config, accel, total, jobs, shares=1):
    """Run them all, in @jobs machines at a time, and tell @total of each."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    boots, numbers = {}, itertools.count(1)
    for test in tests:
        prepare(test, config)
        boots.setdefault(test.boot(), []).append(test)
    groups = [part for group in boots.values() for part in share(group, shares)]

    def run_group(group):
        while group:
            group = Boot(next(numbers), group, config, accel, total).run()

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run_group, group)
                   for group in sorted(groups, key=limit_of, reverse=True)]
        try:
            for future in concurrent.futures.as_completed(waiting):
                future.result()
        except BaseException:
            IS_STOPPING.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def finish(counts):
    """Return: the exit status."""
    print('\n%d passed, %d failed, %d skipped' % tuple(counts))
    return 1 if counts[1] or not counts[0] else 0


def test(names, config, accel, jobs):
    """Run tests. Return: the exit status."""
    tests = select(find_tests(TESTS), names)
    total = Total()
    run_tests(tests, config, accel, total, jobs, shares=jobs)
    return finish(total.counts)


def selftest(config, accel, jobs):
    """Run tests that have to fail, and see that they are found to. Return: the exit status."""
    tests = find_tests(SELFTESTS)
    expectations = Expectations()
    run_tests(tests, config, accel, expectations, jobs)
    for entry in tests:
        expectations.judge(entry)
    return finish(expectations.counts)
