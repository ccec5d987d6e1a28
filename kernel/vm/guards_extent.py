# SPDX-License-Identifier: GPL-2.0-only
"""What each lock of a function covers, by its text: so that a conversion to guards can be seen to
make no critical section longer or shorter, and to take no locks in another order.

A function is walked once, along its statements, with the locks that are held. Branches that meet
have to hold the same ones; a goto hands them to its label. What counts is calls, assignments to
members, and locks that are taken in a section.
"""
import re
from collections import Counter

import guards

# Calls that take a lock, with the class of it and the argument that says which; then those that
# may fail to.
TAKE = {'mutex_lock': ('mutex', 0), 'spin_lock': ('spinlock', 0),
        'spin_lock_irq': ('spinlock_irq', 0), 'spin_lock_irqsave': ('spinlock_irqsave', 0),
        'down_read': ('rwsem_read', 0), 'down_write': ('rwsem_write', 0),
        'dma_resv_lock': ('dma_resv', 0), 'xa_lock': ('spinlock', 0)}
TRY = {'mutex_trylock': ('mutex', 0), 'mutex_lock_interruptible': ('mutex', 0),
       'refcount_dec_and_mutex_lock': ('mutex', 1), 'dma_resv_trylock': ('dma_resv', 0),
       'dma_resv_lock_interruptible': ('dma_resv', 0), 'drm_dev_enter': ('drm_dev', 0),
       'panthor_device_resume_and_get': ('panthor_device', 0)}
RELEASE = {'mutex_unlock': 'mutex', 'spin_unlock': 'spinlock', 'spin_unlock_irq': 'spinlock_irq',
           'spin_unlock_irqrestore': 'spinlock_irqsave', 'up_read': 'rwsem_read',
           'up_write': 'rwsem_write', 'dma_resv_unlock': 'dma_resv', 'xa_unlock': 'spinlock',
           'drm_dev_exit': 'drm_dev', 'pm_runtime_put': 'panthor_device',
           'pm_runtime_put_autosuspend': 'panthor_device'}
# Of these there is one at a time, and what ends them does not name it.
NAMELESS = ('drm_dev', 'panthor_device')
VARIANT = re.compile(r'_(try|intr|access|active)$')
# What only computes something, or says what has to be so already.
IDLE = {'if', 'for', 'while', 'switch', 'return', 'sizeof', 'typeof', 'defined', 'container_of',
        'ARRAY_SIZE', 'BIT', 'GENMASK', 'ERR_PTR', 'PTR_ERR', 'IS_ERR', 'IS_ERR_OR_NULL', 'ERR_CAST',
        'GPU_MMU_FEATURES_VA_BITS', 'io_pgtable_ops_to_pgtable', 'lockdep_assert_held',
        'ACQUIRE_ERR', 'drm_WARN_ON', 'pm_runtime_mark_last_busy', 'refcount_dec_not_one',
        'refcount_dec_and_test'}
# What patches change in this, and say so.
DECLARED = {('panthor_mmu_reclaim_priv_bos', 'list_first_entry_or_null')}


class Unclear(Exception):
    """A function that cannot be followed."""


def tokens_of(body):
    """The tokens of a function from its opening brace, or of a macro from its do."""
    bare = re.sub(r'\\\n', ' ', body) if body.startswith('#') else re.sub(r'^#.*', '', body,
                                                                         flags=re.M)
    tokens = re.findall(r'\w+|->|[-+|&^<>=!]=|\+\+|--|&&|\|\||[^\w\s]', bare)
    return tokens[next(at for at, token in enumerate(tokens) if token in ('do', '{')):]


def close(tokens, start):
    """Where the parenthesis that opens at start closes."""
    depth = 0
    for at in range(start, len(tokens)):
        depth += (tokens[at] in '([{') - (tokens[at] in ')]}')
        if not depth:
            return at
    raise Unclear('a parenthesis does not close')


def arguments(tokens, start):
    """The arguments of a call whose parenthesis opens at start, as texts."""
    found, depth = [''], 0
    for token in tokens[start + 1:close(tokens, start)]:
        depth += (token in '([{') - (token in ')]}')
        if token == ',' and not depth:
            found.append('')
        else:
            found[-1] += token
    return found


def lock_of(kind, which):
    """A lock is the class of its guard and the text of what it locks."""
    return kind, '' if kind in NAMELESS else which


class Walk:
    """One walk over a function, with the helpers that it was split into."""

    def __init__(self, helpers, ignored):
        self.helpers, self.ignored = helpers, ignored
        self.covered = Counter()
        self.scopes = 0

    def function(self, body, held=()):
        outer = {name: getattr(self, name, None) for name in ('tokens', 'open', 'labels', 'tried')}
        self.tokens, self.open, self.labels, self.tried = tokens_of(body), [], {}, None
        self.base = held
        _, held = self.statement(0, held, None)
        self.leave(held)
        for name, value in outer.items():
            setattr(self, name, value)

    def leave(self, held):
        """The function returns: what it has taken by hand is released."""
        if held is not None and [lock for lock, scope in held if scope is None] != \
           [lock for lock, scope in self.base if scope is None]:
            raise Unclear('it returns with %s held' % ', '.join('%s(%s)' % lock for lock, _ in held))

    def meet(self, *states):
        """What is held where these come together; None does not get there."""
        alive = {tuple(state) for state in states if state is not None}
        if len(alive) > 1:
            raise Unclear('what is held depends on the way: %s' % ' or '.join(
                sorted(str([lock for lock, _ in state]) for state in alive)))
        return alive.pop() if alive else None

    def reachable(self, held):
        """What is held outside of the scopes that have ended."""
        return held and tuple(item for item in held if item[1] is None or item[1] in self.open or
                              item in self.base)

    def count(self, what, held):
        for lock in {lock for lock, _ in held}:
            self.covered[what, lock] += 1

    def take(self, held, item):
        """Return: what is held with one lock more."""
        self.count('%s(%s)' % item[0], held)
        return held + (item,)

    def expression(self, start, end, held):
        """Return: what is held after it; self.tried is what it may have taken."""
        tokens, at = self.tokens, start
        while at < end:
            word, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ''
            if after != '(' or not re.match(r'[a-z_]\w*$', word, re.I):
                if word in ('->', '.') and tokens[at + 2] in ('=', '|=', '&=', '+=', '-=', '++', '--'):
                    self.count(after, held)
                at += 1
                continue
            if word in TAKE or word in TRY:
                kind, which = TAKE.get(word) or TRY[word]
                text = arguments(tokens, at + 1)[which]
                lock = lock_of(kind, text + '.xa_lock' if word == 'xa_lock' else text)
                if word in TAKE:
                    held = self.take(held, (lock, None))
                elif word not in self.ignored:
                    self.count('%s(%s)' % lock, held)
                    self.tried = (lock, None)
                at = close(tokens, at + 1) + 1
            elif word in RELEASE:
                text = arguments(tokens, at + 1)[0]
                lock = lock_of(RELEASE[word], text + '.xa_lock' if word == 'xa_unlock' else text)
                # A put may be that of another reference than the one of the section.
                if (lock, None) in held[-1 if word.startswith('pm_') else 0:]:
                    held = tuple(item for item in held if item != (lock, None))
                elif word not in self.ignored and not word.startswith('pm_'):
                    raise Unclear('%s(%s) releases what is not held' % (word, text))
                at = close(tokens, at + 1) + 1
            elif word in ('guard', 'ACQUIRE'):
                kind = arguments(tokens, at + 1)[0]
                at = close(tokens, at + 1) + 1
                item = (lock_of(VARIANT.sub('', kind), ''.join(arguments(tokens, at))), self.open[-1])
                if word == 'guard':
                    held = self.take(held, item)
                else:
                    self.count('%s(%s)' % item[0], held)
                    self.tried = item
                at = close(tokens, at) + 1
            elif word in self.helpers:
                base, tried = self.base, self.tried
                self.function(self.helpers[word], held)
                self.base, self.tried = base, tried
                at = close(tokens, at + 1) + 1
            else:
                if word not in IDLE:
                    self.count(word, held)
                at += 1
        return held

    def block(self, at, held, loop):
        self.scopes += 1
        self.open.append(self.scopes)
        while self.tokens[at] != '}':
            at, held = self.statement(at, held, loop)
        self.open.pop()
        return at + 1, self.reachable(held)

    def scoped(self, at, held, item, loop):
        """A statement with one more lock."""
        self.scopes += 1
        self.open.append(self.scopes)
        at, after = self.statement(at, self.take(held, (item, self.scopes)), loop)
        self.open.pop()
        return at, self.reachable(after)

    def statement(self, at, held, loop):
        """Walk over a statement; @loop: the states that break and continue hand over, or None.

        Return: what follows it, and what is held then, or None if nothing gets there.
        """
        tokens = self.tokens
        word, after = tokens[at], tokens[at + 1]
        if word in ('case', 'default') or (after == ':' and re.match(r'\w', word)):
            end = tokens.index(':', at)
            if word in ('case', 'default'):
                return end + 1, self.meet(held, loop[0])
            return end + 1, self.meet(held, *map(self.reachable, self.labels.get(word, ())))
        if word == '{':
            return self.block(at + 1, held, loop)
        if held is None:  # a label has to come first
            end = at
            while tokens[end] != ';':
                end += 1
            return end + 1, None
        return self.live(at, held, loop)

    def live(self, at, held, loop):
        tokens = self.tokens
        word, after = tokens[at], tokens[at + 1]
        if word == 'goto':
            self.labels.setdefault(after, []).append(held)
            return at + 3, None
        if word in ('break', 'continue'):
            if loop is not None:
                loop.append(self.reachable(held))
            return at + 2, None
        if word == 'return':
            end = tokens.index(';', at)
            held = self.expression(at + 1, end, held)
            self.leave(held)
            return end + 1, None
        if word == 'do':
            at, held = self.statement(at + 1, held, [held])
            end = close(tokens, at + 1)
            return end + 2 if tokens[end + 1:] and tokens[end + 1] == ';' else end + 1, held
        if re.match(r'[a-z_]\w*$', word) and after == '(':
            end = close(tokens, at + 1)
            follows = tokens[end + 1] if end + 1 < len(tokens) else ''
            if word == 'if':
                return self.branch(at, end, held, loop)
            if word in guards.SCOPED:
                given = arguments(tokens, at + 1)
                if word == 'scoped_cond_guard' and 'goto' in given[1]:
                    raise Unclear('a scoped_cond_guard() that jumps')
                lock = lock_of(VARIANT.sub('', given[0]), given[-1])
                return self.scoped(end + 1, held, lock, loop)
            if word == 'switch':
                states = [held]
                held = self.expression(at + 2, end, held)
                at, last = self.statement(end + 1, None, states)
                return at, self.meet(held, last, *states)
            if follows == '{' or (re.match(r'\w', follows) and word != 'while') or \
               (word in ('for', 'while') and follows != ';'):
                # A loop: each round begins and ends with what is held before the first.
                before = self.expression(at + (1 if word not in ('for', 'while') else 2), end, held)
                states = [before]
                at, last = self.statement(end + 1, before, states)
                return at, self.meet(last, *map(self.reachable, states))
        end, level = at, 0
        while level or tokens[end] != ';':
            level += (tokens[end] in '({[') - (tokens[end] in ')}]')
            end += 1
        return end + 1, self.expression(at, end, held)

    def branch(self, at, end, held, loop):
        """An if, which may be the question whether a lock was taken."""
        tokens = self.tokens
        earlier, self.tried = self.tried, None
        held = self.expression(at + 2, end, held)
        item, self.tried = self.tried or earlier, None
        no = bool(item) and (earlier is not None or '!' in tokens[at + 2:end])
        held_then = held + ((item,) if item and not no else ())
        held_else = held + ((item,) if no else ())
        at, then = self.statement(end + 1, held_then, loop)
        if tokens[at:at + 1] == ['else']:
            at, held_else = self.statement(at + 1, held_else, loop)
        return at, self.meet(then, held_else)


def covered(body, helpers, ignored):
    """How often each lock covers each thing in a function."""
    walk = Walk(helpers, ignored)
    walk.function(body)
    return walk.covered


def changed(before, after, manual):
    """Where a lock covers other things in a file that is converted than it did: texts."""
    old, new = ({name: body for name, _, body in guards.functions(text)} for text in (before, after))
    helpers = {name: body for name, body in new.items() if name not in old}
    for name in sorted(set(old) & set(new)):
        if old[name] == new[name] or 'do {' not in old[name] and old[name].startswith('#'):
            continue
        reached, more = {name}, True
        while more:  # the helpers that it calls
            more = {other for other in helpers if other not in reached and any(
                re.search(r'\b%s\(' % other, new[caller]) for caller in reached)}
            reached |= more
        ignored = {call for caller in reached for function, call in manual if function == caller}
        ignored |= {'dma_resv_unlock'} if 'dma_resv_trylock' in ignored else set()
        try:
            counts = [covered(body, helpers, ignored) for body in (old[name], new[name])]
        except Unclear as unclear:
            yield '%s(): what its locks cover is not clear: %s' % (name, unclear)
            continue
        for what, lock in sorted(set(counts[0]) | set(counts[1])):
            was, now = (count[what, lock] for count in counts)
            if was != now and (name, what) not in DECLARED:
                yield '%s(): %s(%s) covers %s %d times, not %d' % (name, *lock, what, now, was)
