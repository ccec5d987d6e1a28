# SPDX-License-Identifier: GPL-2.0-only
"""The pristine kernel source: Debian's package, or a tree that the user names."""
import shutil
import tempfile
from pathlib import Path

from bed import SOURCE, WORK, Failure, output, run

PACKAGE = 'linux-source-7.3'
SUITE = 'trixie-backports'
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
CURE = ('get a Linux 7.3 source tree in another way and name it once: '
        './dev kernel build --source TREE')


def mirror():
    """Where this machine gets Debian from: its own apt sources know."""
    listed = output(['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE)',
                     'Created-By: Packages'])
    release = output(['sh', '-c', '. /etc/os-release; echo "$ID $VERSION_CODENAME"']).split()
    if release[0] != 'debian':
        raise Failure('%s is a Debian package and this is %s: %s' % (PACKAGE, release[0], CURE))
    for line in listed.splitlines():
        uri, suite = line.split()[:2]
        if suite in (release[1], 'stable', 'oldstable'):
            return uri.rstrip('/')
    raise Failure("no source for Debian's %s in apt's configuration: %s" % (release[1], CURE))


def download(directory):
    """Fetch the package into the directory, with an apt configuration of its own."""
    for name in ('lists/partial', 'cache/archives/partial', 'state'):
        (directory / name).mkdir(parents=True)
    sources = directory / 'sources.list'
    sources.write_text('deb [signed-by=%s] %s %s main\n' % (KEYRING, mirror(), SUITE),
                       encoding='utf-8')
    options = []
    for option in ('Dir::Etc::SourceList=%s' % sources, 'Dir::Etc::SourceParts=/dev/null',
                   'Dir::State=%s/state' % directory, 'Dir::State::Lists=%s/lists' % directory,
                   'Dir::State::status=/var/lib/dpkg/status', 'Dir::Cache=%s/cache' % directory,
                   'APT::Sandbox::User=root', 'Acquire::Languages=none', 'Acquire::Retries=3'):
        options += ['-o', option]
    try:
        output(['apt-get', *options, 'update'])
        output(['apt-get', *options, 'download', PACKAGE], cwd=directory)
    except Failure as error:
        raise Failure('%s\n%s does not come from %s of this machine\'s mirror; %s' %
                      (error, PACKAGE, SUITE, CURE)) from error
    return next(directory.glob('*.deb'))


def unpack(package, directory):
    output(['dpkg', '-x', package, directory / 'package'])
    tarball = next((directory / 'package/usr/src').glob('linux-source-*.tar.xz'))
    output(['tar', '-xf', tarball, '-C', directory])
    return next(directory.glob('linux-source-*/'))


def obtain():
    """Have build-kernel/source: fetch the package unless a tree is there."""
    if (SOURCE / 'Makefile').exists():
        return
    if SOURCE.is_symlink():
        raise Failure('%s is gone; %s' % (SOURCE.readlink(), CURE))
    WORK.mkdir(exist_ok=True)
    print('Fetching %s' % PACKAGE, flush=True)
    with tempfile.TemporaryDirectory(dir=WORK, prefix='fetch.') as name:
        directory = Path(name)
        unpack(download(directory), directory).rename(SOURCE)


def use(tree):
    """Make the user's tree the pristine source."""
    tree = Path(tree).resolve()
    if not (tree / 'Kbuild').exists() or not (tree / 'MAINTAINERS').exists():
        raise Failure('%s is not a Linux source tree' % tree)
    if (tree / '.config').exists() or (tree / 'include/config').exists():
        raise Failure('%s has been built in; clean it first: make -C %s mrproper' % (tree, tree))
    if SOURCE.is_symlink():
        SOURCE.unlink()
    elif SOURCE.exists():
        shutil.rmtree(SOURCE)
    WORK.mkdir(exist_ok=True)
    SOURCE.symlink_to(tree)
