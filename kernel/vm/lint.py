# SPDX-License-Identifier: GPL-2.0-only
"""Checks of our kernel sources: checkpatch, sparse, compilers, bindings, kernel-doc, the series,
the guards of Panthor.
"""
import subprocess
import tempfile
from pathlib import Path

import build
import guards
import guards_check
import overlay
import patches
import sparse
from bed import KERNEL, SOURCE, TREE, WORK, Failure, locked, make, output, run


def ours(*suffixes):
    """Our new files of these kinds, by their names in the tree. uapi headers are copies."""
    return [name for name, path in overlay.new_files().items()
            if path.is_relative_to(KERNEL) and name.endswith(suffixes or ('',))]


def told(command, always=False):
    """What a check says if it finds something; @always: its status does not tell."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, cwd=TREE)
    return (done.stdout + done.stderr).strip() if done.returncode or always else ''


def checkpatch():
    """checkpatch --strict, on new files, on patches, and on what rules make of Panthor."""
    command = ['perl', TREE / 'scripts/checkpatch.pl', '--root=%s' % TREE, '--strict',
               '--no-summary', '--show-types', '--quiet']
    for name in ours():
        yield told([*command, '-f', name])
    for patch in overlay.all_patches():
        # A new file's MAINTAINERS entry may be in another patch.
        yield told([*command, '--ignore=FILE_PATH_CHANGES', patch])
    with tempfile.TemporaryDirectory() as directory:
        guards_check.write_patches(Path(directory), *guards_check.conversion())
        for patch in sorted(Path(directory).iterdir()):
            yield told([*command, patch])


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
                     not sparse.is_noise(line))


def compiler():
    """sparse and the compiler's further warnings, on new files and on patched ones."""
    names = ours('.c') + sorted({name for patch in overlay.all_patches()
                                 for name in overlay.touched(patch)
                                 if name.endswith('.c') and overlay.is_kernel(name)} |
                                {str(path.relative_to(TREE))
                                 for path in (TREE / guards.DRIVER).glob('*.c')})
    targets = [name[:-2] + '.o' for name in names]
    if targets:
        done = make('debug', 'W=1', *sparse.OPTIONS, *targets, capture_output=True, text=True)
        yield findings_in(names, done.stderr)


def arm64():
    """What the compiler for arm64 says of our directories, which its configuration has to have."""
    directories = [str(Path(name).parent) + '/' for name in ours('/Kconfig')]
    if directories:
        build.configure('arm64')
        # A warning is an error: it would not be told again once the file is compiled.
        try:
            make('arm64', 'W=1', 'KCFLAGS=-Werror', *directories, capture_output=True, text=True)
        except Failure as failure:
            yield str(failure)


def bindings():
    """The schemas of device trees, and the examples in them."""
    top = TREE / 'Documentation/devicetree/bindings'
    schemas = [TREE / name for name in ours('.yaml')]
    with tempfile.TemporaryDirectory() as name:
        processed, source, blob = (Path(name) / part for part in ('schema', 'example.dts', 'example.dtb'))
        processed.write_text(output(['dt-mk-schema', '-j', *schemas]) if schemas else '')
        for schema in schemas:
            yield told(['dt-doc-validate', '-u', top, schema])
            yield told(['yamllint', '-f', 'parsable', '-c', top / '.yamllint', schema])
            source.write_text(output(['dt-extract-example', schema]))
            run([WORK / 'debug/scripts/dtc/dtc', '-q', '-I', 'dts', '-O', 'dtb', '-o', blob, source])
            yield told(['dt-validate', '-s', processed, blob], always=True)


def kernel_doc():
    """Comments that kernel-doc reads."""
    names = ours('.c', '.h')
    if names:
        yield told(['python3', TREE / 'scripts/kernel-doc', '-none', '-Wall', '-Werror', *names])


def series():
    """What ./dev kernel patches check looks at."""
    yield '\n'.join(patches.check())


def guard():
    """Locks of Panthor that are made guards."""
    yield '\n'.join(guards_check.findings())


def lint():
    """Run all. Return: the exit status."""
    build.build('debug')
    counts = [0, 0]
    with locked('tree'), locked('debug'):
        for name, check in (('checkpatch', checkpatch), ('compiler', compiler),
                            ('arm64', arm64), ('bindings', bindings),
                            ('kernel-doc', kernel_doc), ('series', series), ('guards', guard)):
            findings = [text for text in check() if text]
            counts[bool(findings)] += 1
            print('%-8s%s' % ('FAILED' if findings else 'ok', name), flush=True)
            for text in findings:
                print(text)
    print('\n%d passed, %d failed, 0 skipped' % tuple(counts))
    return 1 if counts[1] else 0
