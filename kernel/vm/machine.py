# SPDX-License-Identifier: GPL-2.0-only
"""The virtual machine: QEMU with a kernel of the bed on the host's own root file system."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bed import BUILD, PROJECT, VM, WORK, Failure
from build import IMAGE

ROOT_FLAGS = 'trans=virtio,version=9p2000.L,cache=loose,msize=524288'
ARGUMENTS = ['console=ttyS0', 'root=root', 'rootfstype=9p', 'rootflags=' + ROOT_FLAGS, 'ro',
             'init=%s' % (VM / 'guest-init'), 'panic=-1', 'printk.devkmsg=on',
             'kasan_multi_shot',
             # What is slow on a busy machine is not stuck; the tests' own time limits end that.
             'sysctl.kernel.hung_task_timeout_secs=900', 'kunit.timeout=900']
KVM_LIMIT_S = 60


def write_session(directory, config, kind, **more):
    """What guest-init reads."""
    values = {'KIND': kind, 'PROJECT': PROJECT, 'BUILD': BUILD, 'KERNEL_BUILD': WORK / config,
              **more}
    (directory / 'session').write_text(
        ''.join('%s=%s\n' % (name, shlex.quote(str(value))) for name, value in values.items()),
        encoding='utf-8')


def command_line(config, session, serial, *, kernel_args=(), qemu_args=(), accel='tcg'):
    """QEMU's arguments. @accel: tcg, kvm, or icount for TCG with a clock that counts
    instructions.
    """
    accelerators = {
        'tcg': ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
        'kvm': ['-accel', 'kvm', '-cpu', 'host'],
        'icount': ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-cpu', 'max'],
    }
    image = WORK / config / IMAGE
    if not image.exists():
        raise Failure('%s is not there: ./dev kernel build --config %s' % (image, config))
    cores = '1' if accel == 'icount' else '2'
    return ['qemu-system-x86_64', '-M', 'q35', *accelerators[accel], '-smp', cores, '-m', '2048',
            '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
            '-kernel', str(image), '-append', ' '.join([*ARGUMENTS, *kernel_args]),
            '-fsdev', 'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap',
            '-device', 'virtio-9p-pci,fsdev=root,mount_tag=root',
            '-fsdev', 'local,id=session,path=%s,security_model=none' % session,
            '-device', 'virtio-9p-pci,fsdev=session,mount_tag=session',
            '-device', 'virtio-gpu-pci', *serial, *qemu_args]


def start(command, **options):
    try:
        return subprocess.Popen(command, **options)
    except FileNotFoundError as error:
        raise Failure('%s: not installed' % command[0]) from error


def stop(process):
    process.kill()
    process.wait()


def run_command(config, command, *, timeout, accel='tcg', stdout=None, kernel_args=(),
                qemu_args=()):
    """Boot, run a shell command, power off. Return: its exit status."""
    with tempfile.TemporaryDirectory(prefix='session.', dir=WORK) as session:
        session = Path(session)
        write_session(session, config, 'command', COMMAND=command)
        console = session / 'console'
        serial = ['-serial', 'file:%s' % console, '-device', 'virtio-serial-pci',
                  '-chardev', 'stdio,id=out', '-device', 'virtserialport,chardev=out']
        # An input that does not end: at its end QEMU takes the guest's port for unplugged.
        process = start(command_line(config, session, serial, accel=accel,
                                     kernel_args=kernel_args, qemu_args=qemu_args),
                        stdin=subprocess.PIPE, stdout=stdout)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure('the machine ran longer than %d s' % timeout) from error
        finally:
            stop(process)
        if not (session / 'status').exists():
            log = console.read_text('utf-8', 'replace') if console.exists() else ''
            raise Failure('the machine ended before the command did:\n%s' % log[-4000:])
        return int((session / 'status').read_text('utf-8'))


def choose_accel(config, is_kvm):
    """KVM only if asked for, and if a boot has shown that it works here."""
    if not is_kvm:
        return 'tcg'
    try:
        if run_command(config, 'true', timeout=KVM_LIMIT_S, accel='kvm',
                       stdout=subprocess.DEVNULL) == 0:
            return 'kvm'
        reason = 'the proving boot failed'
    except Failure as failure:
        reason = str(failure).splitlines()[0].rstrip(':')
    print('KVM does not work here (%s): going on with TCG' % reason, flush=True)
    return 'tcg'


def shell(config, accel):
    """Boot to an interactive shell on this terminal."""
    if not sys.stdin.isatty():
        raise Failure('a shell needs a terminal; without one: ./dev kernel shell COMMAND')
    size = shutil.get_terminal_size()
    with tempfile.TemporaryDirectory(prefix='session.', dir=WORK) as session:
        write_session(Path(session), config, 'shell', ROWS=size.lines, COLUMNS=size.columns,
                      TERM=os.environ.get('TERM', 'linux'))
        serial = ['-serial', 'mon:stdio']
        start(command_line(config, session, serial, kernel_args=['quiet'], accel=accel)).wait()
