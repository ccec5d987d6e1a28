# SPDX-License-Identifier: GPL-2.0-only
"""The conversion of Panthor's locks shown, and proofs that it is right: what is left, faults on
purpose, other compilers, object code.
"""
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import guards
import guards_extent
import overlay
import sparse
from bed import PROJECT, SOURCE, TREE, WORK, Failure, output, run

BUGS = guards.RULES / 'bugs'
MISUSE = guards.RULES / 'misuse'
DMA_BUF = 'drivers/dma-buf/dma-buf.c'
DMA_HEAP = 'drivers/dma-buf/dma-heap.c'


def driver_files(tree):
    return guards.read(tree / guards.DRIVER)


def unconverted():
    """The sources as the topics before leave them, by their names in the tree."""
    series = overlay.topics()
    with tempfile.TemporaryDirectory() as top:
        staged = Path(top)
        overlay.stage(staged, overlay.all_patches(series[:series.index(guards.TOPIC)]))
        found = {'%s/%s' % (guards.DRIVER, name): text for name, text in
                 guards.read(staged / guards.DRIVER, SOURCE / guards.DRIVER).items()}
        path = staged / DMA_BUF
        found[DMA_BUF] = (path if path.exists() else SOURCE / DMA_BUF).read_text('utf-8')
    return found


def compile_file(path, name, *options):
    """Compile a C file as the debug kernel compiles the source @name. Return: what is said of it."""
    directory = WORK / 'debug'
    command = directory / Path(name).parent / ('.%s.o.cmd' % Path(name).stem)
    if not command.exists():
        raise Failure('%s has not been built: ./dev kernel build' % name)
    text = re.search(r'^savedcmd_\S+ := (.*?)\s*(?:;.*)?$', command.read_text('utf-8'), re.M)[1]
    text = re.sub(r'-Wp,-MMD,\S+', '', text)
    text = re.sub(r' -c -o \S+ \S+$', ' %s -I %s -c -o /dev/null %s' % (
        ' '.join(options), TREE / Path(name).parent, path), text)
    done = subprocess.run(text, shell=True, capture_output=True, text=True, check=False,
                          cwd=directory)
    return done.stderr + ('' if done.returncode else '\ncompiled\n')


def bugs(before):
    """Bugs that the conversion could have, put into its result: each has to be found."""
    for patch in sorted(BUGS.glob('*.patch')):
        text = patch.read_text('utf-8')
        way, found = re.search(r'^Found by: (\w+): (.*)$', text, re.M).groups()
        name = overlay.touched(patch)[0]
        with tempfile.TemporaryDirectory() as top:
            path = Path(top) / name
            path.parent.mkdir(parents=True)
            shutil.copy(TREE / name, path)
            output(['patch', '-d', top, '-p1', '-f', '--no-backup-if-mismatch', '-i', patch])
            result = path.read_text('utf-8')
            if way == 'compiler':
                told = compile_file(path, name)
            elif way == 'extent':
                told = '\n'.join(guards_extent.changed(before[name], result, guards.manual()))
            else:
                told = '\n'.join(guards.faults({path.name: result}))
        if found not in told:
            yield '%s is not found; what was said:\n%s' % (patch.relative_to(PROJECT), told)


def misuse():
    """Uses of guards that must not compile, and one that must."""
    for path in sorted(MISUSE.glob('*.c')):
        text = path.read_text('utf-8')
        wanted = re.search(r'^/\* compiler: (.*) \*/$', text, re.M)[1]
        told = compile_file(path, guards.DRIVER + '/panthor_device.c')
        if wanted not in told or (wanted != 'compiled' and told.endswith('\ncompiled\n')):
            yield '%s: not "%s" but:\n%s' % (path.relative_to(PROJECT), wanted, told)


def jumps_over_guards():
    """Panthor's Makefile has gcc warn of them; other files with guards of ours are asked here."""
    for name in (DMA_BUF, DMA_HEAP):
        told = compile_file(TREE / name, name, '-Wjump-misses-init')
        if 'jump skips variable initialization' in told or not told.endswith('\ncompiled\n'):
            yield '%s:\n%s' % (name, told)


def findings():
    """What is wrong with the tree, which has been built."""
    texts, before = driver_files(TREE), unconverted()
    yield from guards.unexpected(texts)
    yield from guards.faults({**texts, DMA_BUF: (TREE / DMA_BUF).read_text('utf-8')})
    for name, text in sorted(before.items()):
        for told in guards_extent.changed(text, (TREE / name).read_text('utf-8'), guards.manual()):
            yield '%s: %s' % (name, told)
    yield from jumps_over_guards()
    yield from bugs(before)
    yield from misuse()


def author():
    return '%s <%s>' % tuple(output(['git', '-C', PROJECT, 'config', 'user.' + word])
                             for word in ('name', 'email'))


MESSAGE = '''From: %(author)s
Subject: [PATCH] drm/panthor: Use guards in %(name)s

Let scoped guards release the locks that functions take and release
themselves. What each lock covers stays as it was: a guard() where the
section ends with its block or before a return, a scoped_guard() elsewhere.

Made by semantic patches.

Signed-off-by: %(author)s
---
'''


def write_patches(directory, before, after):
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as top:
        for number, name in enumerate(sorted(after), 1):
            for side, texts in (('a', before), ('b', after)):
                path = Path(top) / side / guards.DRIVER / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(texts[name], 'utf-8')
            paths = ['%s/%s/%s' % (side, guards.DRIVER, name) for side in 'ab']
            told = subprocess.run(['diff', '-up', *(word for path in paths
                                                    for word in ('--label', path)), *paths],
                                  cwd=top, capture_output=True, text=True, check=False).stdout
            path = directory / ('%04d-drm-panthor-Use-guards-in-%s.patch' % (number, name))
            path.write_text(MESSAGE % {'author': author(), 'name': name} + told, 'utf-8')


def conversion(tree=None):
    """The driver's files before the rules work on them, and those that the rules change, by file
    name: of this tree as it is, or of ours with all patches.
    """
    with tempfile.TemporaryDirectory() as top:
        staged, source = (tree, tree) if tree else (Path(top), SOURCE)
        if not tree:
            overlay.stage(staged, overlay.all_patches())
        texts = guards.read(staged / guards.DRIVER, source / guards.DRIVER)
        changed = guards.overlaid(staged, source)
    return texts, {Path(name).name: text for name, text in changed.items()}


def show(tree, directory):
    """Convert, and print what became of each file's sites. Return: the exit status."""
    if tree:
        tree = Path(tree)
        pristine = driver_files(tree)
        if not pristine:
            raise Failure('%s has no %s' % (tree, guards.DRIVER))
    else:
        pristine = driver_files(SOURCE)
    patched, changed = conversion(tree)
    results = {**patched, **changed}
    print(guards.table(pristine, patched, results))
    for site in sorted({site for text in results.values() for site in guards.sites(text)}):
        print('left: %s() in %s(): %s' % (*site[::-1], guards.manual().get(site, 'no rule fits')))
    told = [*guards.faults(results), *([] if tree else guards.unexpected(results))]
    if told:
        print('\n'.join(told))
    if directory:
        write_patches(Path(directory), patched, changed)
    return 1 if told else 0


# What Panthor needs; debugfs for the locks in it, lockdep because guards know it.
OPTIONS = ['64BIT', 'SMP', 'MODULES', 'EXPERT', 'COMPILE_TEST', 'PCI', 'OF', 'PM', 'DEBUG_FS', 'DRM',
           'PM_DEVFREQ', 'DMABUF_HEAPS', 'DMABUF_HEAPS_SYSTEM', 'DEBUG_KERNEL']
COMPILERS = {
    'x86_64': [],
    'arm64': ['ARCH=arm64', 'CROSS_COMPILE=aarch64-linux-gnu-'],
    'clang': ['LLVM=-19'],
}


def prepare(name, tree, extra=()):
    """A build directory for what little Panthor needs. Return: the words of make."""
    directory = WORK / ('guards-' + name.replace(' ', '-'))
    words = ['make', '-s', '-C', tree, 'O=%s' % directory, '-j2', *COMPILERS[name.split()[0]]]
    directory.mkdir(exist_ok=True)
    if not (directory / 'Module.symvers').exists() or not (directory / 'include/generated').exists():
        output([*words, 'allnoconfig'])
        with open(directory / '.config', 'a', encoding='utf-8') as file:
            file.writelines('CONFIG_%s=y\n' % option for option in [*OPTIONS, *extra])
            file.write('CONFIG_DRM_PANTHOR=m\n# CONFIG_WERROR is not set\n')
        output([*words, 'olddefconfig'])
        output([*words, 'modules_prepare'])
        (directory / 'Module.symvers').touch()
    return words, directory


def warnings(name, tree):
    """The warnings of a build of what has guards, without the places in the file."""
    words, directory = prepare(name, tree, ['PROVE_LOCKING'])
    objects = [path[:-2] + '.o' for path in (DMA_BUF, DMA_HEAP, *(
        '%s/%s' % (guards.DRIVER, file) for file in driver_files(tree)
        if file.endswith('.c') and '_test' not in file))]
    for path in objects:  # what is up to date is not compiled, and tells nothing
        (directory / path).unlink(missing_ok=True)
    # clang refuses such jumps itself, and its build is not for sparse.
    checker = [] if name.startswith('clang') else ['KCFLAGS=-Wjump-misses-init', *sparse.OPTIONS]
    told = run([*words, 'W=1', *checker, '-k', *objects], capture_output=True,
               text=True).stderr
    return Counter(
        re.sub(r':\d+(:\d+)?:', ':', line.replace(str(tree), '')) for line in told.splitlines()
        if ('warning:' in line.lower() or 'error:' in line) and not sparse.is_noise(line))


def builds(names):
    """Compile with each of these; a warning that the source has not without us is a fault."""
    status = 0
    for name in names:
        if name not in COMPILERS:
            raise Failure('%s: no such compiler, there are: %s' % (name, ' '.join(COMPILERS)))
        found = warnings(name, TREE)
        new = found - (warnings(name + ' pristine', SOURCE) if found else found)
        print('%-8s%s: %d warnings, %d of them ours' % (
            'FAILED' if new else 'ok', name, found.total(), new.total()), flush=True)
        for line in sorted(new.elements()):
            print(line)
            status = 1
    return status


def code(path):
    """The instructions of each function of an object file, without addresses."""
    told = output(['objdump', '-dr', '--no-show-raw-insn', path])
    found = {}
    for block in told.split('\n\n'):
        head = re.match(r'\s*[0-9a-f]+ <([\w.]+)>:\n', block)
        if not head:
            continue
        lines = []
        for line in block[head.end():].splitlines():
            line = re.sub(r'^\s+[0-9a-f]+:\s+', '', line)
            # The target of a jump within the function; a place in a section.
            line = re.sub(r'\b[0-9a-f]+ <[\w.]+(\+0x[0-9a-f]+)?>', 'there', line)
            line = re.sub(r'(\.(?:text|rodata|data|bss)[\w.]*|\.LC\d+|__\w+\.\d+)(?:[-+]0x[0-9a-f]+)?',
                          r'\1', line)
            lines.append(line)
        while lines and re.match(r'(nop|int3|xchg +%ax,%ax|data16|cs nop|.*nopw)', lines[-1]):
            lines.pop()
        found.setdefault(re.sub(r'\.(cold|part|isra|constprop)\b.*', '', head[1]), []).extend(lines)
    return found


def calls(lines):
    """What a function calls, with how often."""
    counts = {}
    for line in lines:
        match = re.search(r'R_X86_64_PLT32\s+(\w+)', line)
        if match:
            counts[match[1]] = counts.get(match[1], 0) + 1
    return counts


def compile_as(build, sources, name):
    """Compile one of the sources in a directory as the build does it. Return: its functions."""
    command = build / Path(name).parent / ('.%s.o.cmd' % Path(name).stem)
    text = re.search(r'^savedcmd_\S+ := (.*?)\s*(?:;.*)?$', command.read_text('utf-8'), re.M)[1]
    text = re.sub(r'-Wp,-MMD,\S+', '', text)
    with tempfile.NamedTemporaryFile(suffix='.o') as file:
        # Headers as these sources know them come first: those of the tree are as all topics leave
        # them.
        for directory in ('include', 'include/uapi'):
            theirs = ' -I%s/%s ' % (TREE, directory)
            text = text.replace(theirs, ' -I%s/%s%s' % (sources, directory, theirs), 1)
        text = re.sub(r' -c -o \S+ \S+$', ' -I %s -c -o %s %s' % (
            TREE / Path(name).parent, file.name, sources / name), text)
        output(['sh', '-c', text], cwd=build)
        return code(file.name)


def versions(top):
    """The sources before the guards and with them, without what later topics do."""
    series = overlay.topics()
    before = series[:series.index(guards.TOPIC)]
    for side, wanted in (('before', before), ('after', before + [guards.TOPIC])):
        directory = top / side
        shutil.copytree(SOURCE / guards.DRIVER, directory / guards.DRIVER)
        (directory / DMA_BUF).parent.mkdir(parents=True)
        shutil.copy(SOURCE / DMA_BUF, directory / DMA_BUF)
        # These include each other by where they are.
        shutil.copytree(SOURCE / 'include/uapi', directory / 'include/uapi')
        overlay.stage(directory, overlay.all_patches(wanted))
        for name in {name for patch in overlay.all_patches() for name in overlay.touched(patch)
                     if name.startswith('include/')}:
            if not (directory / name).exists() and (SOURCE / name).exists():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(SOURCE / name, directory / name)
    for name, text in guards.overlaid(top / 'after', SOURCE).items():
        (top / 'after' / name).write_text(text, 'utf-8')
    return top / 'before', top / 'after'


def changed_functions(before, after):
    """Functions whose text changes, and those that a compiler may inline such into."""
    texts = [{name: body for name, _, body in guards.functions(text)} for text in (before, after)]
    changed = {name for name in {*texts[0], *texts[1]}
               if texts[0].get(name) != texts[1].get(name)}
    reached, more = set(changed), True
    while more:
        more = {name for name, body in texts[1].items() if name not in reached and
                reached & set(re.findall(r'\w+', body))}
        reached |= more
    return changed, reached


def compare(verbose):
    """Compile without and with guards for x86_64, and compare the functions. Return: the status."""
    words, directory = prepare('x86_64 compare', TREE)
    names = ['%s/%s' % (guards.DRIVER, name) for name in sorted(driver_files(SOURCE))
             if name.endswith('.c')] + [DMA_BUF]
    output([*words, *(name[:-2] + '.o' for name in names)])
    status, same, other = 0, 0, []
    with tempfile.TemporaryDirectory() as top:
        before, after = versions(Path(top))
        macros, _ = changed_functions((before / guards.DRIVER / 'panthor_fw.h').read_text('utf-8'),
                                      (after / guards.DRIVER / 'panthor_fw.h').read_text('utf-8'))
        for name in names:
            old, new = (compile_as(directory, side, name) for side in (before, after))
            texts = [(side / name).read_text('utf-8') for side in (before, after)]
            changed, reached = changed_functions(*texts)
            for function in sorted({*old, *new}):
                if old.get(function) == new.get(function):
                    same += 1
                    continue
                body = {key: text for key, _, text in guards.functions(texts[1])}.get(function, '')
                if function in changed:
                    why = 'converted'
                elif function in reached:
                    why = 'has a converted one inlined'
                elif function.replace('_threaded', '') in reached:  # PANTHOR_IRQ_HANDLER() makes it
                    why = 'has a converted one inlined'
                elif macros & set(re.findall(r'\w+', body)):
                    why = 'uses a converted macro'
                else:
                    why, status = 'NOT converted', 1
                counts = [calls(lines.get(function, [])) for lines in (old, new)]
                moved = {call: (counts[0].get(call, 0), counts[1].get(call, 0))
                         for call in sorted({*counts[0], *counts[1]})
                         if counts[0].get(call) != counts[1].get(call)}
                other.append((name, function, len(old.get(function, [])),
                              len(new.get(function, [])), why, moved))
    print('%d functions have the same code, %d other code:' % (same, len(other)))
    for name, function, a, b, why, moved in other:
        print('%-22s %-44s %4d -> %4d  %s%s' % (
            Path(name).name, function, a, b, why, '' if not verbose else ''.join(
                '\n%24s%s: %d -> %d calls' % ('', call, *pair) for call, pair in moved.items())))
    return status
