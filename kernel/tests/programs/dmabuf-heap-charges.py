#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Charges by dmabuf-heap, and what the cgroups of the client and of the allocator count meanwhile.

Arguments are the ways to charge that are shown: told to the "kernel"; by a "helper" process in the
cgroup, where the kernel does not know that and dma_heap.mem_accounting=1 charges whoever allocates;
or "none" without either. $WITHOUT_CHARGES is preloaded for such a kernel.
"""
import contextlib
import os
import subprocess
import sys
import time
import traceback

TOOL = ['dmabuf-heap', 'alloc', '--heap', 'system']
CGROUPS = '/sys/fs/cgroup'
MIB = 1 << 20
SIZE = 32 * MIB
# What processes take and give back beside the buffer is far less.
SLACK = SIZE // 4
PATIENCE_S = 60
CHARGE = 4  # exit status
BOTH_MODES = (['--strict'], [])

how = ''
environment = {}
base = CGROUPS + '/dmabuf-heap-charges-%d' % os.getpid()
client, allocator = base + '/client', base + '/allocator'


def write(cgroup, name, text):
    with open(os.path.join(cgroup, name), 'w', encoding='ascii') as file:
        file.write(text)


def numbers(cgroup, name):
    with open(os.path.join(cgroup, name), encoding='ascii') as file:
        return {key: int(value) for key, value in (line.split() for line in file)}


def current(cgroup):
    with open(cgroup + '/memory.current', encoding='ascii') as file:
        return int(file.read())


# Kernels without charges count the memory as their own.
KEY = 'dmabuf' if 'dmabuf' in numbers(CGROUPS, 'memory.stat') else 'kernel'


def look(cgroup, stat):
    """memory.current and what memory.stat says, as soon as that is as expected: @stat, if exact."""
    deadline = time.monotonic() + PATIENCE_S
    value = numbers(cgroup, 'memory.stat')[KEY]
    while KEY == 'dmabuf' and value != stat and time.monotonic() < deadline:
        time.sleep(0.05)
        value = numbers(cgroup, 'memory.stat')[KEY]
    return current(cgroup), value


def look_at_both(when, client_stat, allocator_stat=0):
    counts = look(client, client_stat) + look(allocator, allocator_stat)
    print('# %-7s client: memory.current %9d, %s %9d; allocator: memory.current %9d, %s %9d' %
          (when, counts[0], KEY, counts[1], counts[2], KEY, counts[3]))
    return counts


def near(value, expected):
    assert abs(value - expected) < SLACK, (value, expected)


def compare(before, now, client_has, allocator_has=0):
    for i, bytes_ in enumerate((client_has, client_has, allocator_has, allocator_has)):
        near(now[i] - before[i], bytes_)
    if KEY == 'dmabuf':
        assert (now[1], now[3]) == (client_has, allocator_has), now


@contextlib.contextmanager
def process():
    """A process of the client's."""
    with subprocess.Popen(['sleep', '1000']) as child:
        write(client, 'cgroup.procs', str(child.pid))
        try:
            yield child
        finally:
            child.kill()


@contextlib.contextmanager
def buffer(*options):
    """A buffer that is there meanwhile; what the tool says about it."""
    command = [*TOOL, '--watch-cgroup', *options, str(SIZE), '--', 'cat']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=environment) as tool:
        lines = [tool.stdout.readline() for _ in range(3)]
        for line in lines:
            print('#   %s' % line, end='')
        yield lines[1]
        print('#   %s' % tool.communicate()[0], end='')
        assert tool.returncode == 0, tool.returncode


def refused(*options):
    result = subprocess.run([*TOOL, *options, str(SIZE)], capture_output=True, text=True,
                            env=environment, check=False)
    print('#   %s' % result.stderr, end='')
    assert result.returncode == CHARGE, (result.returncode, result.stdout)
    return result.stderr


def check_charge(target):
    said = {'kernel': 'charged: %s, by the kernel\n',
            'helper': 'charged: %s, by a process that allocated in its cgroup\n'}[how] % target
    for mode in BOTH_MODES:
        before = look_at_both('before', 0)
        with buffer('--charge', target, *mode) as charged:
            assert charged == said, charged
            compare(before, look_at_both('during', SIZE), SIZE)
        compare(before, look_at_both('after', 0), 0)


def heap_tells_how_it_charges():
    text = subprocess.run(['dmabuf-heap', 'list', '--heap', 'system', '--charging'],
                          capture_output=True, text=True, env=environment, check=True).stdout
    print('#   ' + text.rstrip('\n').replace('\n', '\n#   '))
    ways = {'kernel': 'process,cgroup', 'helper': 'caller', 'none': '-'}[how]
    assert text.split('\n')[1].split() == ['system', 'system', ways, 'usable'], text


def process_is_charged():
    with process() as child:
        check_charge(str(child.pid))


def cgroup_without_a_process_is_charged():
    check_charge(client)


def itself_is_charged():
    said = {'kernel': 'by the kernel', 'helper': 'this process'}[how]
    for mode in BOTH_MODES:
        before = look_at_both('before', 0)
        with buffer('--charge', 'self', *mode) as charged:
            assert said in charged, charged
            compare(before, look_at_both('during', 0, SIZE), 0, SIZE)
        compare(before, look_at_both('after', 0), 0)


def limit_is_told():
    write(client, 'memory.max', '16M')
    with process() as child:
        for target in str(child.pid), client:
            for mode in BOTH_MODES:
                before = numbers(client, 'memory.events')
                assert 'memory.max' in refused('--charge', target, *mode)
                after = numbers(client, 'memory.events')
                print('# memory.events max: %d before, %d after; oom_kill: %d' %
                      (before['max'], after['max'], after['oom_kill']))
                assert after['max'] > before['max']
                assert child.poll() is None
    write(client, 'memory.max', 'max')


def process_that_has_ended_is_told():
    with process() as child:
        child.kill()
        # A zombie is as gone as one that was waited for.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        for mode in BOTH_MODES:
            assert 'gone' in refused('--charge', str(child.pid), *mode)


def check_that_there_is_no_way(target, allocator_has):
    assert 'cannot be charged' in refused('--charge', target, '--strict')
    before = look_at_both('before', 0)
    said = 'charged: this process, not %s\n' % target if allocator_has else 'charged: nobody\n'
    with buffer('--charge', target) as charged:
        assert charged == said, charged
        compare(before, look_at_both('during', 0, allocator_has), 0, allocator_has)
    compare(before, look_at_both('after', 0), 0)


def cgroup_that_takes_no_process_has_no_charges():
    check_that_there_is_no_way(base, SIZE if how == 'helper' else 0)


def nobody_can_be_charged():
    with process() as child:
        check_that_there_is_no_way(str(child.pid), 0)
    check_that_there_is_no_way(client, 0)


CASES = [heap_tells_how_it_charges, process_is_charged, cgroup_without_a_process_is_charged,
         itself_is_charged, limit_is_told, process_that_has_ended_is_told,
         cgroup_that_takes_no_process_has_no_charges]
CASES_OF_NONE = [heap_tells_how_it_charges, nobody_can_be_charged]


def run(case):
    try:
        case()
        return True
    except Exception:  # pylint: disable=broad-except
        print('# ' + traceback.format_exc().rstrip('\n').replace('\n', '\n# '))
        return False


def main():
    global how, environment  # pylint: disable=global-statement
    cases = [(way, case) for way in sys.argv[1:]
             for case in (CASES_OF_NONE if way == 'none' else CASES)]
    failed = 0
    os.mkdir(base)
    write(base, 'cgroup.subtree_control', '+memory')
    os.mkdir(client)
    os.mkdir(allocator)
    write(allocator, 'cgroup.procs', str(os.getpid()))
    print('1..%d' % len(cases))
    for number, (how, case) in enumerate(cases, 1):
        environment = dict(os.environ)
        if how != 'kernel':
            environment['LD_PRELOAD'] = os.environ['WITHOUT_CHARGES']
        is_good = run(case)
        failed += not is_good
        print('%s %d - %s: %s' % ('ok' if is_good else 'not ok', number, how, case.__name__),
              flush=True)
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
