# SPDX-License-Identifier: GPL-2.0-only
"""The tree that is built: the pristine source, our patches applied, our new files added, and locks
of Panthor made guards.

A file that is not ours is a hard link to the pristine one where that is possible. Files are only
replaced when their content changes, so make builds again only what has to be.
"""
import os
import re
import shutil
import tempfile
from pathlib import Path

import guards
from bed import KERNEL, PATCHES, PROJECT, SOURCE, TREE, Failure, output, write_if_changed

SKIPPED = {'.git'}


def topics():
    """The patch series in the order in which they are applied."""
    series = PATCHES / 'series'
    if not series.exists():
        return []
    lines = [line.split('#')[0].strip() for line in series.read_text('utf-8').splitlines()]
    found = [line for line in lines if line]
    for topic in found:
        if not patches(topic):
            raise Failure('%s names %s, and there is no patch in %s' %
                          (series, topic, PATCHES / topic))
    return found


def patches(topic):
    return sorted((PATCHES / topic).glob('[0-9][0-9][0-9][0-9]-*.patch'))


def all_patches(wanted=None):
    """The patches of all topics, or of these, in order."""
    return [patch for topic in (topics() if wanted is None else wanted)
            for patch in patches(topic)]


def touched(patch):
    """The files that a patch changes, adds or removes."""
    names = re.findall(r'^(?:---|\+\+\+) [ab]/(\S+)', patch.read_text('utf-8'), re.M)
    return sorted(set(names))


def is_kernel(name):
    """Whether a file is built into the kernel; programs are what else there is."""
    return not name.startswith('tools/')


def apply(patch, directory, exact=False):
    """Apply a patch in the directory; @exact: at the very lines it names."""
    told = output(['patch', '-d', directory, '-p1', '-F0', '-f', '--no-backup-if-mismatch',
                   '--reject-file=-', '-i', patch])
    moved = [line for line in told.splitlines() if 'offset' in line]
    if exact and moved:
        raise Failure('%s: regenerate it, its line numbers are not those of the source:\n%s' %
                      (patch.relative_to(PROJECT), '\n'.join(moved)))


def stage(directory, series, exact=False):
    """Copy what the patches touch from the pristine source into the directory and patch it there.

    Return: the names of the touched files.
    """
    names = set()
    for patch in series:
        for name in touched(patch):
            if name not in names and (SOURCE / name).exists():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(SOURCE / name, directory / name)
            names.add(name)
        apply(patch, directory, exact)
    return names


def new_files():
    """Our own files, by their names in the tree."""
    found = {}
    for top in sorted(KERNEL.iterdir()):
        # What is not a directory of the kernel's, like vm/, is not meant for it.
        if top.is_dir() and (SOURCE / top.name).is_dir():
            for path in sorted(top.rglob('*')):
                if path.is_file():
                    found[str(path.relative_to(KERNEL))] = path
    for path in sorted((PROJECT / 'include/uapi').rglob('*.h')):
        found[str(path.relative_to(PROJECT))] = path
    return found


def files(top):
    """All files below a directory, by name, as directory entries."""
    found = {}
    stack = ['']
    while stack:
        prefix = stack.pop()
        with os.scandir(top / prefix) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        stack.append(prefix + entry.name + '/')
                else:
                    found[prefix + entry.name] = entry
    return found


def is_same(ours, theirs):
    """Whether a file of the tree is the pristine one."""
    a, b = ours.stat(follow_symlinks=False), theirs.stat(follow_symlinks=False)
    if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino):
        return True
    if theirs.is_symlink() or ours.is_symlink():
        return (theirs.is_symlink() and ours.is_symlink() and
                os.readlink(ours.path) == os.readlink(theirs.path))
    if a.st_size != b.st_size:
        return False
    return a.st_mtime_ns == b.st_mtime_ns or Path(ours).read_bytes() == Path(theirs).read_bytes()


def place(theirs, path):
    """Put a pristine file into the tree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if theirs.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(os.readlink(theirs.path))
    elif path.exists():
        # What was built from the other content has to be older than this.
        write_if_changed(path, Path(theirs).read_bytes(), theirs.stat().st_mode & 0o777)
    else:
        try:
            os.link(theirs.path, path)
        except OSError:  # another file system
            shutil.copy2(theirs.path, path)


def place_ours(path, to):
    """Put a file that is ours, or patched, into the tree. Return: whether it was another."""
    if path.exists():
        return write_if_changed(to, path.read_bytes(), path.stat().st_mode & 0o777)
    if not to.exists():
        return False
    to.unlink()  # a patch removes it
    return True


def synchronize(series=None):
    """Make the tree what it should be, with all patches or with those of @series only. What rules
    make of it comes after all patches.

    Return: the names of files that have changed.
    """
    ruled = series is None and guards.TOPIC in topics()
    if series is None:
        series = all_patches()
    TREE.mkdir(parents=True, exist_ok=True)
    pristine, there = files(SOURCE), files(TREE)
    with tempfile.TemporaryDirectory(prefix='staged.', dir=TREE.parent) as staged:
        staged = Path(staged)
        ours = {name: staged / name for name in stage(staged, series)}
        if ruled:
            for name, text in guards.overlaid(staged, SOURCE).items():
                write_if_changed(staged / name, text.encode())
                ours[name] = staged / name
        for name, path in new_files().items():
            if name in ours or name in pristine:
                raise Failure('kernel/: %s is a file of the kernel or of a patch' % name)
            ours[name] = path
        changed = [name for name, path in ours.items() if place_ours(path, TREE / name)]
    for name, entry in pristine.items():
        if name not in ours and (name not in there or not is_same(there[name], entry)):
            place(entry, TREE / name)
            changed.append(name)
    for name in there:
        if name not in pristine and name not in ours:
            (TREE / name).unlink()
            changed.append(name)
    return changed
