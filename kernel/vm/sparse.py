# SPDX-License-Identifier: GPL-2.0-only
"""sparse: how make calls it, and what it says of correct code."""

# C=2 checks objects that are up to date, too. Linux asks of sparse a word that no release of it
# knows.
OPTIONS = ['C=2', 'CHECK=sparse -D__typeof_unqual__=__typeof__']


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
        return any(line.startswith(('MODULE_', 'module_param'))
                   for line in file.read().splitlines()[int(number) - 2:int(number)])
