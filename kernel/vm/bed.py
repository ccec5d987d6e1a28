# SPDX-License-Identifier: GPL-2.0-only
"""What all parts of the bed share: where things lie, and how commands are run."""
import contextlib
import fcntl
import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KERNEL = PROJECT / 'kernel'
VM = KERNEL / 'vm'
TESTS = KERNEL / 'tests'
BENCHES = KERNEL / 'bench'
PATCHES = KERNEL / 'patches'
WORK = PROJECT / 'build-kernel'
SOURCE = WORK / 'source'
TREE = WORK / 'tree'
BUILD = PROJECT / 'build'
CONFIGS = ('debug', 'fast')
# What is compiled for another machine, and not booted.
CROSS = {'arm64': ('ARCH=arm64', 'CROSS_COMPILE=aarch64-linux-gnu-')}


class Failure(Exception):
    """What the user is told before the program ends with status 1."""


def run(command, **options):
    """Run a command that has to work; its output goes where ours goes."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, check=False, **options)
    except FileNotFoundError as error:
        raise Failure('%s: not installed' % command[0]) from error
    if done.returncode:
        told = ''.join('\n' + text.rstrip() for text in (done.stdout, done.stderr) if text)
        raise Failure('%s: exit status %d%s' % (' '.join(command), done.returncode, told))
    return done


def output(command, **options):
    """What a command that has to work prints; the last blank lines are cut off."""
    return run(command, capture_output=True, text=True, **options).stdout.rstrip()


def make(config, *targets, **options):
    """Run make in the tree for the configuration."""
    command = ['make', '-s', '-C', TREE, 'O=%s' % (WORK / config),
               '-j%d' % len(os.sched_getaffinity(0)), *CROSS.get(config, ()), *targets]
    # What a make that runs ./dev has set is not meant for this one.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS')}
    # A question, as on an option that is not set, has to end it.
    return run(command, env=environment, stdin=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def locked(name):
    """Only one process at a time: others wait here."""
    WORK.mkdir(exist_ok=True)
    with open(WORK / ('.lock-' + name), 'w', encoding='utf-8') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_if_changed(path, data, mode=0o644):
    """Return: whether the file had to be written."""
    if path.exists() and not path.is_symlink() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never through a hard link: the old file may be the pristine one.
    new = path.with_name(path.name + '.new~')
    new.write_bytes(data)
    new.chmod(mode)
    new.replace(path)
    return True
