# SPDX-License-Identifier: GPL-2.0-only
"""Checks of our kernel sources: checkpatch, sparse, compiler warnings, kernel-doc, the series."""
import subprocess

import build
import overlay
import patches
from bed import KERNEL, SOURCE, TREE, locked, make


def ours(*suffixes):
    """Our new files of these kinds, by their names in the tree. uapi headers are copies."""
    return [name for name, path in overlay.new_files().items()
            if path.is_relative_to(KERNEL) and name.endswith(suffixes or ('',))]


def told(command):
    """What a check says if it finds something."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, cwd=TREE)
    return (done.stdout + done.stderr).strip() if done.returncode else ''


def checkpatch():
    """checkpatch --strict, on new files and on patches."""
    command = ['perl', TREE / 'scripts/checkpatch.pl', '--root=%s' % TREE, '--strict',
               '--no-summary', '--show-types', '--quiet']
    for name in ours():
        yield told([*command, '-f', name])
    for patch in overlay.all_patches():
        # A new file's MAINTAINERS entry may be in another patch.
        yield told([*command, '--ignore=FILE_PATH_CHANGES', patch])


def is_noise(line):
    """What sparse 0.6.4, which does not know all of 7.3's macros, says of correct code."""
    # Power states are compared all over the kernel, and are of a type that forbids it.
    if line.endswith('warning: restricted pci_power_t degrades to integer'):
        return True
    path, number = line.split(':')[:2]
    if not line.endswith('error: bad constant expression'):
        return False
    with open(path, encoding='utf-8') as file:
        # It may be the second line of the macro's.
        return any(line.startswith('MODULE_')
                   for line in file.read().splitlines()[int(number) - 2:int(number)])


def our_lines(name):
    """The places of a file that sparse and the compiler are listened to: what the kernel has there
    itself is not ours.
    """
    path = TREE / name
    if not (SOURCE / name).exists():
        return ('%s:' % path,)
    added = subprocess.run(['diff', '--unchanged-line-format=', '--old-line-format=',
                            '--new-line-format=%dn ', SOURCE / name, path],
                           capture_output=True, text=True, check=False).stdout
    return tuple('%s:%s:' % (path, number) for number in added.split())


def findings_in(names, text):
    """The findings in what these files have of ours."""
    places = tuple(place for name in names for place in our_lines(name))
    return '\n'.join(line for line in text.splitlines()
                     if line.startswith(places) and 'note: in included file' not in line and
                     not is_noise(line))


def compiler():
    """sparse and the compiler's further warnings, on new files and on patched ones."""
    names = ours('.c') + sorted({name for patch in overlay.all_patches()
                                 for name in overlay.touched(patch)
                                 if name.endswith('.c') and overlay.is_kernel(name)})
    targets = [name[:-2] + '.o' for name in names]
    if targets:
        # C=2 checks objects that are up to date, too. Linux asks of sparse a word that no
        # release of it knows.
        done = make('debug', 'C=2', 'W=1', 'CHECK=sparse -D__typeof_unqual__=__typeof__', *targets,
                    capture_output=True, text=True)
        yield findings_in(names, done.stderr)


def kernel_doc():
    """Comments that kernel-doc reads."""
    names = ours('.c', '.h')
    if names:
        yield told(['python3', TREE / 'scripts/kernel-doc', '-none', '-Wall', '-Werror', *names])


def series():
    """What ./dev kernel patches check looks at."""
    yield '\n'.join(patches.check())


def lint():
    """Run all. Return: the exit status."""
    build.build('debug')
    counts = [0, 0]
    with locked('tree'), locked('debug'):
        for name, check in (('checkpatch', checkpatch), ('compiler', compiler),
                            ('kernel-doc', kernel_doc), ('series', series)):
            findings = [text for text in check() if text]
            counts[bool(findings)] += 1
            print('%-8s%s' % ('FAILED' if findings else 'ok', name), flush=True)
            for text in findings:
                print(text)
    print('\n%d passed, %d failed, 0 skipped' % tuple(counts))
    return 1 if counts[1] else 0
