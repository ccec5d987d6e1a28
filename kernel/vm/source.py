# SPDX-License-Identifier: GPL-2.0-only
"""The pristine kernel source: Debian's package, or a tree that the user names."""
import re
import shutil
import tempfile
from pathlib import Path

from bed import SOURCE, WORK, Failure, output, run

PACKAGE = 'linux-source-7.3'
SUITE = 'trixie-backports'
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
CURE = ('get a Linux 7.3 source tree in another way and name it once: '
        './dev kernel build --source TREE')


def mirrors(lists):
    """Where this machine gets its Debian from: its own apt sources know.

    @lists is an empty directory: apt tells its sources only together with what it would fetch.
    """
    release = output(['sh', '-c', '. /etc/os-release; echo "$ID $VERSION_CODENAME"']).split()
    if release[0] != 'debian':
        raise Failure('%s is a Debian package and this is %s: %s' % (PACKAGE, release[0], CURE))
    listed = output(['apt-get', '-o', 'Dir::State::Lists=%s' % lists, '--print-uris', 'update'])
    found = re.findall(r"^'(\S+?)/dists/(?:%s|stable|oldstable)/InRelease'" % release[1], listed,
                       re.M)
    if not found:
        raise Failure("no source for Debian's %s in apt's configuration: %s" % (release[1], CURE))
    return list(dict.fromkeys(found))


def download(directory):
    """Fetch the package into the directory, with an apt configuration of its own."""
    for name in ('none/partial', 'lists/partial', 'cache/archives/partial', 'state'):
        (directory / name).mkdir(parents=True)
    sources = directory / 'sources.list'
    options = []
    for option in ('Dir::Etc::SourceList=%s' % sources, 'Dir::Etc::SourceParts=/dev/null',
                   'Dir::State=%s/state' % directory, 'Dir::State::Lists=%s/lists' % directory,
                   'Dir::State::status=/var/lib/dpkg/status', 'Dir::Cache=%s/cache' % directory,
                   'APT::Sandbox::User=root', 'Acquire::Languages=none', 'Acquire::Retries=3'):
        options += ['-o', option]
    told = []
    for mirror in mirrors(directory / 'none'):
        sources.write_text('deb [signed-by=%s] %s %s main\n' % (KEYRING, mirror, SUITE), 'utf-8')
        try:
            output(['apt-get', *options, 'update'])
            output(['apt-get', *options, 'download', PACKAGE], cwd=directory)
            return next(directory.glob('*.deb'))
        except Failure as error:
            # Not every source with a suite of this name is Debian's.
            told.append(str(error))
    raise Failure("%s\n%s does not come from %s of this machine's mirror; %s" %
                  ('\n'.join(told), PACKAGE, SUITE, CURE))


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
