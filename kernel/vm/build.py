# SPDX-License-Identifier: GPL-2.0-only
"""Configuring and building a kernel of the bed."""
import re
import shutil

import overlay
import source
from bed import CONFIGS, CROSS, PATCHES, PROJECT, VM, WORK, Failure, locked, make

IMAGE = 'arch/x86/boot/bzImage'


def fragments(config):
    """The files that say what the configuration has: the bed's, then those of the topics."""
    names = ['%s.config' % config]
    if config not in CROSS:
        names.insert(0, 'common.config')
    found = [PATCHES / topic / name for topic in overlay.topics() for name in names]
    return [VM / name for name in names] + [path for path in found if path.exists()]


def options(text):
    """The options that a .config or a fragment sets: name to value, None for "is not set"."""
    found = dict(re.findall(r'^(CONFIG_\w+)=(.*)$', text, re.M))
    found.update(dict.fromkeys(re.findall(r'^# (CONFIG_\w+) is not set$', text, re.M)))
    return found


def refused(asked, got):
    """What is asked for and is not so."""
    return ['%s is %s, not %s' % (name, got.get(name) or 'not set', value or 'not set')
            for name, value in asked.items() if got.get(name) != value]


def configure(config):
    """Have a .config that is what the fragments ask for."""
    directory = WORK / config
    directory.mkdir(exist_ok=True)
    path, stamp = directory / '.config', directory / '.asked'
    texts = [fragment.read_text('utf-8') for fragment in fragments(config)]
    wanted = {}
    for text in texts:
        wanted.update(options(text))
    asked = '\n'.join(texts)

    def wrong():
        make(config, 'olddefconfig', capture_output=True, text=True)
        return refused(wanted, options(path.read_text('utf-8')))

    if path.exists() and stamp.exists() and stamp.read_text('utf-8') == asked and not wrong():
        return
    make(config, 'tinyconfig', capture_output=True, text=True)
    with open(path, 'a', encoding='utf-8') as file:
        file.write(asked)
    faults = wrong()
    if faults:
        raise Failure('options that the kernel does not take as %s ask for:\n%s' %
                      (', '.join(str(path.relative_to(PROJECT)) for path in fragments(config)),
                       '\n'.join(faults)))
    stamp.write_text(asked, encoding='utf-8')


def install_modules(config):
    """Put the modules where the guest finds them, if they are not there as they are."""
    directory, order = WORK / config / 'modules', WORK / config / 'modules.order'
    stamp = directory / '.order'
    modules = [WORK / config / (line.removesuffix('.o') + '.ko') for line in order.read_text().split()]
    if stamp.exists() and stamp.read_text() == order.read_text() and \
       all(module.stat().st_mtime <= stamp.stat().st_mtime for module in modules):
        return
    shutil.rmtree(directory, ignore_errors=True)
    make(config, 'modules_install', 'INSTALL_MOD_PATH=%s' % directory, capture_output=True,
         text=True)
    stamp.write_text(order.read_text())


def prepare_tree():
    """Have the tree that is built. Return: whether it has changed."""
    with locked('tree'):
        source.obtain()
        changed = overlay.synchronize()
    if 0 < len(changed) < 100:
        print('Changed in the tree: %s' % ' '.join(sorted(changed)))
    return bool(changed)


def build(config):
    """Build the kernel and its modules from what is there now."""
    if config not in CONFIGS:
        raise Failure('%s: no such configuration, there are %s' % (config, ' and '.join(CONFIGS)))
    prepare_tree()
    with locked(config):
        configure(config)
        print('Building the %s kernel' % config, flush=True)
        make(config, 'bzImage', 'modules')
        install_modules(config)
