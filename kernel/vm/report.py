# SPDX-License-Identifier: GPL-2.0-only
"""Judging a test: its cases from TAP or KTAP, and reports in the kernel's log."""
import dataclasses
import re

# First lines of what the kernel reports. Some reports have several: a BUG() is followed by an Oops.
REPORT = re.compile(r'''
    WARNING:\ | BUG:?\ \S | \[\ BUG:\ | kernel\ BUG\ at\ | Oops: | UBSAN:\ | Kernel\ panic\ -
    | Unable\ to\ handle\ | general\ protection\ fault | Internal\ error:
    | INFO:\ (task\ .*\ blocked|possible\ |trying\ to\ register\ |suspicious\ |rcu_.*stall)
    | rcu:\ (INFO:\ .*stall|.*\ starved) | watchdog:\ .*lockup
    | sysfs:\ cannot\ create\ duplicate | .*\ tried\ to\ init\ an\ initialized\ object
    | kmemleak:\ .*(disabled|Cannot) | stack\ segment: | double\ fault: | traps:\ PANIC
    ''', re.X)
TIME = re.compile(r'^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ')
MARK = re.compile(r'bed: (begin|end) (\S+)(?: (\d+))?$')

RESULT = re.compile(r'^( *)(not )?ok\b *\d*(?: *-)? *(.*?)(?:\s+#\s*(SKIP)\b\s*(.*))?$', re.I)
PLAN = re.compile(r'^( *)1\.\.(\d+)\b')
BAIL = re.compile(r'^Bail out! *(.*)')


@dataclasses.dataclass
class Known:
    """What a test may report, or which case may fail, and why that is right."""
    pattern: str
    reason: str


@dataclasses.dataclass
class Cases:
    """What TAP or KTAP output tells."""
    passed: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)  # (name, reason)
    problems: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Verdict:
    """What came out of a test."""
    cases: Cases
    notes: list = dataclasses.field(default_factory=list)

    def counts(self):
        # A problem is a failure without a case of its own.
        return (len(self.cases.passed), len(self.cases.failed) + len(self.cases.problems),
                len(self.cases.skipped))


class _Level:
    """The results of one indentation, since the last result of the one before."""

    def __init__(self):
        self.planned, self.count, self.failed = None, 0, False


def read_tap(text):
    """The cases of TAP or KTAP output; of nested results only the innermost count."""
    cases, levels = Cases(), [_Level()]

    def close(depth):
        failed = False
        while len(levels) > depth + 1:
            level = levels.pop()
            failed = failed or level.failed
            if level.planned is not None and level.planned != level.count:
                cases.problems.append('%d results planned at level %d, %d told' %
                                      (level.planned, len(levels), level.count))
        return failed

    for line in text.splitlines():
        plan, result, bail = PLAN.match(line), RESULT.match(line), BAIL.match(line)
        if bail:
            cases.problems.append('bailed out: %s' % bail[1])
        elif plan or result:
            depth = len((plan or result)[1]) // 4
            while len(levels) <= depth:
                levels.append(_Level())
            if plan:
                close(depth)
                levels[depth].planned = (levels[depth].planned or 0) + int(plan[2])
                continue
            nested = len(levels) > depth + 1
            failed_below = close(depth)
            levels[depth].count += 1
            levels[depth].failed = levels[depth].failed or bool(result[2])
            if nested and (failed_below or not result[2]):
                continue  # a summary
            if result[2]:
                cases.failed.append(result[3])
            elif result[4]:
                cases.skipped.append((result[3], result[5]))
            else:
                cases.passed.append(result[3])
    close(0)
    top = levels[0]
    if top.planned is None:
        cases.problems.append('no plan (1..N)')
    elif top.planned != top.count:
        cases.problems.append('%d results planned, %d told' % (top.planned, top.count))
    elif not top.count:
        reason = re.search(r'^1\.\.0 *# *SKIP *(.*)', text, re.M | re.I)
        if reason:
            cases.skipped.append(('everything', reason[1]))
        else:
            cases.problems.append('no test case')
    return cases


def without_time(line):
    return TIME.sub('', line.rstrip('\r\n'))


def read_reports(log):
    """The first lines of all reports in a kernel log."""
    return [line for line in map(without_time, log.splitlines()) if REPORT.match(line)]


def read_leaks(text):
    """The leaks that kmemleak tells of, each with its backtrace."""
    return [leak.rstrip() for leak in re.split(r'^(?=unreferenced object )', text, flags=re.M)
            if leak.startswith('unreferenced object ')]


def _find(known, text, how):
    return next((entry for entry in known if how(entry.pattern, text)), None)


def judge(output, log, status, known_reports=(), known_failures=(), ended_by=None):
    """Judge a test by what it printed, the kernel's log meanwhile and its exit status.

    @ended_by says what ended it before its time, if something did.
    """
    verdict = Verdict(read_tap(output))
    cases, used, failures = verdict.cases, {}, []
    told_of_failure = bool(cases.failed)
    for name in cases.failed:
        entry = _find(known_failures, name, re.fullmatch)
        if entry:
            cases.skipped.append((name, 'known failure: ' + entry.reason))
        else:
            failures.append(name)
    cases.failed = failures
    if ended_by:
        cases.problems = ['it was ended: %s' % ended_by]
    elif status in (124, 137):
        cases.problems.append('time limit')
    elif status and not told_of_failure:
        cases.problems.append('exit status %d' % status)
    for line in read_reports(log):
        entry = _find(known_reports, line, re.match)
        if entry:
            used[entry.pattern] = used.get(entry.pattern, 0) + 1
        else:
            cases.problems.append('kernel report: ' + line)
    for entry in known_reports:
        verdict.notes.append('known report, %d times: %s -- %s' %
                             (used.get(entry.pattern, 0), entry.pattern, entry.reason))
    return verdict


def judge_leaks(text, known_leaks=()):
    """Judge what kmemleak says at the end of a boot."""
    verdict = Verdict(Cases())
    for leak in read_leaks(text):
        entry = _find(known_leaks, leak, re.search)
        if entry:
            verdict.cases.skipped.append((leak.splitlines()[0], 'known leak: ' + entry.reason))
        else:
            verdict.cases.problems.append(leak)
    if not verdict.cases.problems:
        verdict.cases.passed.append('no leaks')
    return verdict
