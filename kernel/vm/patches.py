# SPDX-License-Identifier: GPL-2.0-only
"""The patch series of kernel/patches: made from a git work tree, checked, compiled step by step."""
import re
import shutil
import tempfile
from pathlib import Path

import build
import overlay
from bed import PATCHES, PROJECT, SOURCE, TREE, WORK, Failure, locked, make, output

FORMAT = ['-U1', '--no-signature', '--zero-commit', '--no-stat', '--no-numbered', '--no-renames',
          '--no-cover-letter', '--no-attach', '--no-thread', '--no-base', '--no-color',
          '--subject-prefix=PATCH', '--diff-algorithm=histogram']
TRAILER = re.compile(r'^[A-Z][A-Za-z-]+: .*')


def git(directory, *words, **options):
    return output(['git', '-C', directory, *words], **options)


def before(topic):
    """The topics that are applied before this one; it may be a new one."""
    there = overlay.topics()
    return there[:there.index(topic)] if topic in there else there


def make_tree(topic, directory, names):
    """Set up a git work tree that has the topic's patches as commits on top of the tag "base".

    It holds the files that the patches touch and those named, which may be directories.
    """
    directory = Path(directory)
    if directory.exists():
        raise Failure('%s exists' % directory)
    build.prepare_tree()
    directory.mkdir(parents=True)
    for name in names:
        path = SOURCE / name
        if not path.exists():
            raise Failure('there is no %s in the source' % name)
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
    # The same files as after the topics before it, and its own as they are before it.
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        overlay.stage(staged, overlay.all_patches(before(topic)))
        for patch in overlay.patches(topic):
            for touched in overlay.touched(patch):
                if not (staged / touched).exists() and (SOURCE / touched).exists():
                    (staged / touched).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(SOURCE / touched, staged / touched)
        shutil.copytree(staged, directory, dirs_exist_ok=True)
    git(directory, 'init', '-q')
    git(directory, 'add', '-A')
    identity = ['-c', 'user.name=bed', '-c', 'user.email=bed@localhost']
    git(directory, *identity, 'commit', '-q', '--allow-empty', '-m', 'The source as it was')
    git(directory, 'tag', 'base')
    series = overlay.patches(topic)
    if series:
        git(directory, *identity, 'am', '-q', '-C1', '--keep-non-patch',
            '--committer-date-is-author-date', *series)
    print('%s: %d patches of %s on top of the tag "base"' % (directory, len(series), topic))


def clean(text):
    """A patch without the names of blobs, which say nothing here."""
    return re.sub(r'^index [0-9a-f]+\.\.[0-9a-f]+.*\n', '', text, flags=re.M)


def regenerate(topic, tree, base):
    """Write the topic's patches from the commits base..HEAD of a git work tree."""
    if git(tree, 'status', '--porcelain', '--untracked-files=no'):
        raise Failure('%s has changes that are not committed' % tree)
    directory = PATCHES / topic
    with tempfile.TemporaryDirectory() as name:
        # The kernel's say how to find the name of the function that a hunk is in.
        git(tree, '-c', 'core.attributesFile=%s' % (SOURCE / '.gitattributes'),
            'format-patch', *FORMAT, '-o', name, '%s..HEAD' % base)
        made = sorted(Path(name).glob('*.patch'))
        if not made:
            raise Failure('%s has no commits after %s' % (tree, base))
        directory.mkdir(parents=True, exist_ok=True)
        for old in overlay.patches(topic):
            old.unlink()
        for path in made:
            (directory / path.name).write_text(clean(path.read_text('utf-8')), 'utf-8')
    series = PATCHES / 'series'
    if topic not in overlay.topics():
        with open(series, 'a', encoding='utf-8') as file:
            file.write(topic + '\n')
    print('%d patches in %s' % (len(made), directory.relative_to(PROJECT)))


def message_faults(text):
    """What is wrong with the message of a patch."""
    subject = re.search(r'^Subject: \[PATCH\] (.*(?:\n .*)*)', text, re.M)
    if not subject or not re.match(r'\S+.*: \S', subject[1]):
        yield 'the subject is not "[PATCH] area: what it does"'
    head = text.split('\n---\n')[0].split('\ndiff --git')[0]
    body = head.split('\n\n', 1)[1] if '\n\n' in head else ''
    if not [line for line in body.splitlines() if line.strip() and not TRAILER.match(line)]:
        yield 'the message has no body'
    if not re.search(r'^Signed-off-by: ', body, re.M):
        yield 'there is no Signed-off-by'


def context_faults(text):
    """Hunks with more than one line of context at their ends."""
    for hunk in re.split(r'^(?=@@ )', text, flags=re.M)[1:]:
        first, *lines = hunk.split('\n')
        lines = [line for line in lines if line[:1] in (' ', '+', '-')]
        if lines[-1:] == ['-- ']:
            lines.pop()
        for end in (lines, lines[::-1]):
            if len(end) > 1 and end[0][0] == end[1][0] == ' ':
                yield 'more than one line of context: ' + first
                break


def check():
    """Return: what is wrong with the series."""
    faults = []
    topics = overlay.topics()
    for directory in sorted(PATCHES.iterdir()) if PATCHES.is_dir() else []:
        if directory.is_dir() and directory.name not in topics:
            faults.append('%s is not in the series' % directory.relative_to(PROJECT))
    for topic in topics:
        for number, patch in enumerate(overlay.patches(topic), 1):
            text = patch.read_text('utf-8')
            found = [*message_faults(text), *context_faults(text)]
            if not patch.name.startswith('%04d-' % number):
                found.append('number %d of its series is called so' % number)
            faults += ['%s: %s' % (patch.relative_to(PROJECT), fault) for fault in found]
    with tempfile.TemporaryDirectory() as name:
        try:
            overlay.stage(Path(name), overlay.all_patches(), exact=True)
        except Failure as failure:
            faults.append(str(failure))
    return faults


def objects(config, names):
    """The objects to make after a change of these files: their own, and, for a header, those that
    were built with it.
    """
    found = {name[:-2] + '.o' for name in names if name.endswith('.c') and overlay.is_kernel(name)}
    headers = {name.removeprefix('include/') for name in names if name.endswith('.h')}
    if headers:
        directory = WORK / config
        for path in directory.rglob('.*.o.cmd'):
            text = path.read_text('utf-8')
            if any('/%s ' % header in text for header in headers):
                found.add(str(path.parent.relative_to(directory) / path.name[1:-4]))
    # New files are there all the time, and meant for the whole series: the build compiles those.
    new = overlay.new_files()
    return sorted(name for name in found
                  if (TREE / (name[:-2] + '.c')).exists() and name[:-2] + '.c' not in new)


def compile_steps(topic, config):
    """Build, after each patch of the topic, the objects it touches. Warnings are faults, too."""
    if topic not in overlay.topics():
        raise Failure('%s: no such topic, there are: %s' % (topic, ' '.join(overlay.topics())))
    build.build(config)
    series = overlay.patches(topic)
    with locked('tree'), locked(config):
        try:
            for number, patch in enumerate(series, 1):
                overlay.synchronize(overlay.all_patches(before(topic)) + series[:number])
                names = overlay.touched(patch)
                # Without options that only later patches add.
                make(config, 'olddefconfig', capture_output=True, text=True)
                targets = objects(config, names)
                if targets:
                    told = make(config, *targets, capture_output=True, text=True)
                    if told.stderr:
                        raise Failure('%s:\n%s' % (patch.name, told.stderr))
                print('ok      %s (%d objects)' % (patch.name, len(targets)), flush=True)
        finally:
            overlay.synchronize()
    return 0
