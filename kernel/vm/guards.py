# SPDX-License-Identifier: GPL-2.0-only
"""Locks of Panthor made guards by the semantic patches of kernel/cocci/panthor, and what is to be
so afterwards.

They work on the tree as all patches leave it. What they made of it is kept in build-kernel/cocci and
made again when something that it depends on has changed.
"""
import difflib
import hashlib
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bed import KERNEL, WORK, Failure, output

TOPIC = 'guards'
DRIVER = 'drivers/gpu/drm/panthor'
RULES = KERNEL / 'cocci/panthor'
CACHE = WORK / 'cocci'

# In this order: an unlock becomes the last statement of its block when the one after it is gone,
# so the first three run twice.
TEMPLATES = ['goto-return', 'return', 'block'] * 2 + ['scoped-one', 'scoped']
AFTER = ['dev-access', 'resv']

# Lock, its arguments, unlock, its arguments, class, what it locks, metavariables, by template
# parameter.
LOCKS = [
    ('mutex_lock', '(E)', 'mutex_unlock', '(E)', 'mutex', 'E', ''),
    ('down_read', '(E)', 'up_read', '(E)', 'rwsem_read', 'E', ''),
    ('down_write', '(E)', 'up_write', '(E)', 'rwsem_write', 'E', ''),
    ('spin_lock', '(E)', 'spin_unlock', '(E)', 'spinlock', 'E', ''),
    ('spin_lock_irqsave', '(E, F)', 'spin_unlock_irqrestore', '(E, F)', 'spinlock_irqsave', 'E',
     'expression F;'),
    ('dma_resv_lock', '(E, NULL)', 'dma_resv_unlock', '(E)', 'dma_resv', 'E', ''),
    ('xa_lock', '(&E)', 'xa_unlock', '(&E)', 'spinlock', '&E.xa_lock', ''),
]
PARAMETERS = ('LOCK', 'ARGUMENTS', 'UNLOCK', 'UNARGUMENTS', 'GUARD', 'OF', 'EXTRA')

# What a guard can stand for, and what ends it by hand.
ACQUIRED = re.compile(
    r'\b(mutex_lock|mutex_trylock|refcount_dec_and_mutex_lock|spin_lock|spin_lock_irqsave|'
    r'spin_lock_irq|down_read|down_write|dma_resv_lock|dma_resv_lock_interruptible|'
    r'dma_resv_trylock|drm_dev_enter|panthor_device_resume_and_get|xa_lock)\(')
RELEASED = re.compile(
    r'\b(mutex_unlock|spin_unlock\w*|up_read|up_write|dma_resv_unlock|drm_dev_exit|xa_unlock)\(')
GUARDED = re.compile(r'\b(guard|ACQUIRE|scoped_guard|scoped_cond_guard)\(')
SCOPED = ('scoped_guard', 'scoped_cond_guard')


def plain(text):
    """The text with its comments, strings and directives blank, at the same places."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  lambda match: re.sub(r'[^\n]', ' ', match[0]), text, flags=re.S)


def functions(text):
    """The functions of a file, and the macros of several lines: (name, line of its text, text)."""
    bare = plain(text)
    found = [(match[1], match.start(), match.end()) for match in re.finditer(
        r'^(?![ \t#}])[^;{}]*?\b(\w+)\((?:[^;{}])*\)\s*\n\{\n.*?^\}', bare, re.M | re.S)]
    found += [(match[1], match.start(), match.end()) for match in re.finditer(
        r'^#define (\w+)\((?:.*\\\n)+.*', bare, re.M)]
    return [(name, bare.count('\n', 0, start) + 1, bare[start:end])
            for name, start, end in found]


def sites(text):
    """Calls that acquire something by hand: (function, call)."""
    return [(name, call) for name, _, body in functions(text)
            for call in ACQUIRED.findall(body.split('{', 1)[-1])]


def lay_out(before, after):
    """What spatch leaves to do: it indents no comments in a new block, and its blank lines."""
    old, new = before.split('\n'), after.split('\n')
    bare = [line.strip() for line in new]
    matcher = difflib.SequenceMatcher(None, [line.strip() for line in old], bare, autojunk=False)
    origin = {b + i: a + i for a, b, n in matcher.get_matching_blocks() for i in range(n)}
    depth, code = [0] * len(new), plain(after).split('\n')
    dropped = {number for number, line in enumerate(new) if line and not line.strip()}
    for number, line in enumerate(new):
        if number in origin or not re.match(r'\t+scoped_guard\(.*\)( \{)?$', line):
            continue
        if 'drm_dev_access' in line:  # in the place of an if, with its block
            continue
        if not line.endswith('{'):
            depth[number + 1] += 1
            continue
        end, level = number, 1
        while level:
            end += 1
            level += code[end].count('{') - code[end].count('}')
        for inner in range(number + 1, end):
            depth[inner] += 1
        dropped.update(inner for inner in (number + 1, end - 1) if not bare[inner])
    lines = []
    for number, line in enumerate(new):
        if number in dropped:
            continue
        if number in origin and depth[number] and bare[number] and \
           not re.match(r'\w+:$', bare[number]):
            line = '\t' * depth[number] + old[origin[number]]
        if bare[number].startswith('return') and bare[number - 1].startswith('guard('):
            lines.append('')
        lines.append(line)
    return '\n'.join(lines)


def manual():
    """The sites that stay as they are: (function, call) to why."""
    lines = (RULES / 'manual').read_text('utf-8').splitlines()
    entries = [line.split(None, 2) for line in lines if line and not line.startswith('#')]
    return {(function, call): why for function, call, why in entries}


def spatch(rules, path, converted=()):
    environment = dict(os.environ, MANUAL=' '.join({function for function, _ in manual()}),
                       CONVERTED=' '.join(converted))
    output(['spatch', '--sp-file', rules, '--macro-file', RULES / 'macros.h', '--no-includes',
            '--in-place', '--very-quiet', path], env=environment)


def convert_file(path, text):
    """Return: the text with guards; path is where to work on it."""
    path.write_text(text, 'utf-8')
    common = (RULES / 'common.cocci.in').read_text('utf-8')
    for template in TEMPLATES:
        rules = common + (RULES / ('%s.cocci.in' % template)).read_text('utf-8')
        for lock in LOCKS:
            if not re.search(r'\b%s\(' % lock[0], path.read_text('utf-8')):
                continue
            filled = rules
            for name, value in zip(PARAMETERS, lock):
                filled = filled.replace('@%s@' % name, value)
            script = path.with_suffix('.cocci')
            script.write_text(filled, 'utf-8')
            spatch(script, path)
    for name in AFTER:
        spatch(RULES / ('%s.cocci' % name), path)
    was = {name: body for name, _, body in functions(text)}
    converted = [name for name, _, body in functions(path.read_text('utf-8'))
                 if was.get(name) != body]
    if converted:
        spatch(RULES / 'tidy.cocci', path, converted)
    return lay_out(text, path.read_text('utf-8'))


def convert(texts):
    """Texts by name to texts by name."""
    def one(item):
        with tempfile.TemporaryDirectory() as directory:
            return convert_file(Path(directory) / item[0], item[1])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(texts, pool.map(one, texts.items())))


def converted(texts):
    """The same, from the cache if nothing has changed since."""
    parts = [output(['spatch', '--version']), Path(__file__).read_text('utf-8')]
    parts += [path.read_text('utf-8') for path in sorted(RULES.iterdir()) if path.is_file()]
    parts += [part for item in sorted(texts.items()) for part in item]
    directory = CACHE / hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]
    if not directory.is_dir():
        print('Converting the locks of %s' % DRIVER, flush=True)
        results = convert(texts)
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in sorted(CACHE.iterdir(), key=os.path.getmtime)[:-3]:
            shutil.rmtree(old)
        new = Path(tempfile.mkdtemp(dir=CACHE))
        for file, text in results.items():
            (new / file).write_text(text, 'utf-8')
        new.rename(directory)
    return {path.name: path.read_text('utf-8') for path in directory.iterdir()}


def read(*directories):
    """The driver's source files, each from the first of the directories that has it."""
    found = {}
    for directory in directories:
        for path in sorted(directory.glob('*.[ch]')):
            found.setdefault(path.name, path.read_text('utf-8'))
    return found


def overlaid(staged, source):
    """What the rules make of a tree: the driver's files that change, by name. @staged has what is
    patched of it, @source the rest.
    """
    texts = {name: text for name, text in read(staged / DRIVER, source / DRIVER).items()
             if name.endswith('.c')}
    return {'%s/%s' % (DRIVER, name): text for name, text in converted(texts).items()
            if text != texts[name]}


def closing(tokens, start):
    """Where the parenthesis that opens at start closes."""
    depth = 0
    for number in range(start, len(tokens)):
        depth += (tokens[number][0] == '(') - (tokens[number][0] == ')')
        if not depth:
            return number
    raise Failure('a parenthesis that does not close in line %d' % tokens[start][1])


def jumps(text):
    """break and continue that act on a scoped guard, which is a loop, and not on the loop around
    it: (line, word).
    """
    bare = re.sub(r'^#(?:.*\\\n)*.*', lambda match: '\n' * match[0].count('\n'), plain(text),
                  flags=re.M)
    tokens = [(match[0], bare.count('\n', 0, match.start()) + 1)
              for match in re.finditer(r'\w+|[^\w\s]', bare)]
    found = []

    def statement(at, breaks, continues):
        """Walk over one statement. Return: the token after it."""
        word = tokens[at][0]
        if word == '{':
            at += 1
            while tokens[at][0] != '}':
                at = statement(at, breaks, continues)
            return at + 1
        if word in ('break', 'continue'):
            if (breaks if word == 'break' else continues) in SCOPED:
                found.append((tokens[at][1], word))
            return at + 2
        if word in ('else', 'do'):
            return statement(at + 1, *(('do',) * 2 if word == 'do' else (breaks, continues)))
        if re.match(r'\w', word) and tokens[at + 1][0] == '(':
            end = closing(tokens, at + 1)
            follows = tokens[end + 1][0]
            if word == 'if':
                return statement(end + 1, breaks, continues)
            if word == 'switch':
                return statement(end + 1, word, continues)
            if follows == '{' or (re.match(r'\w', follows) and word != 'while') or \
               (word in ('for', 'while') and follows != ';'):
                return statement(end + 1, word, word)
        level = 0
        while level or tokens[at][0] not in (';', ':'):
            level += (tokens[at][0] in '({[') - (tokens[at][0] in ')}]')
            at += 1
        return at + 1

    for name, line, body in functions(text):
        if not body.startswith('#'):
            at = next(number for number, token in enumerate(tokens)
                      if token[1] >= line and token[0] == '{')
            statement(at, None, None)
    return found


def faults(texts):
    """What is wrong in sources, by name, as they are when all is converted."""
    for name, text in sorted(texts.items()):
        for function, line, body in functions(text):
            if GUARDED.search(body) and RELEASED.search(body):
                yield '%s:%d: %s() mixes guards with %s()' % (
                    name, line, function, RELEASED.search(body)[1])
        for line, word in jumps(text):
            yield '%s:%d: %s acts on the guard, not on the loop around it' % (name, line, word)


def unexpected(texts):
    """Sites that are left, and should not be, or the other way round."""
    left = {site for text in texts.values() for site in sites(text)}
    yield from ('%s() still calls %s()' % site for site in sorted(left - set(manual())))
    yield from ('%s() does not call %s() any more: %s names it' % (*site, RULES / 'manual')
                for site in sorted(set(manual()) - left))


def table(pristine, patched, results):
    """How many sites each file had, and what has become of them."""
    def count(texts, name):
        return len(sites(texts.get(name, '')))

    rows, total = [('file', 'sites', 'by patch', 'by rule', 'left')], [0] * 4
    for name in sorted(pristine):
        counts = [count(texts, name) for texts in (pristine, patched, results)]
        if any(counts):
            row = (counts[0], counts[0] - counts[1], counts[1] - counts[2], counts[2])
            total = [a + b for a, b in zip(total, row)]
            rows.append((name, *row))
    rows.append(('all', *total))
    return '\n'.join('%-20s%8s%10s%10s%8s' % row for row in rows)
