# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system that hangs, as ext4 does when it is frozen: what else QEMU and
the guest have goes on."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from xenguest import CONNECTED, wait_for

DEVID = 30
IMAGE = '/opt/xen-9pfs/ext4.img'
# A program that is started costs a tenth of a second; without an answer it is
# until the thaw.
SOON = 10
TICKS = 20
# What QEMU's log has of it then.
STUCK = 'has not returned for a second'


def call(*words):
    return subprocess.run(words, check=True, text=True, capture_output=True,
                          timeout=60).stdout


class Disk:
    """A file system of its own, mounted in a folder."""

    def __init__(self, path):
        self.path, self.frozen = path, False

    def freeze(self):
        call('fsfreeze', '-f', self.path)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            call('fsfreeze', '-u', self.path)
            self.frozen = False

    def unmount(self):
        """Some of QEMU's descriptors go a moment after the device."""
        self.thaw()
        wait_for('the disk to be free', lambda: subprocess.run(
            ['umount', self.path], check=False).returncode == 0)


@pytest.fixture(name='disk')
def disk_in_folder(folder):
    path, image = folder / 'disk', '/tmp/disk.img'
    path.mkdir()
    shutil.copy(IMAGE, image)
    call('modprobe', 'loop')
    call('mount', '-o', 'loop', image, path)
    disk = Disk(path)
    yield disk
    disk.unmount()
    os.unlink(image)


def wait_for_calls(guest, number):
    """Until so many threads of its QEMU sleep until a disk is there."""
    tasks = Path(f'/proc/{guest.qemu_pid()}/task')
    wait_for('calls', lambda: number == sum(
        task.read_text().rpartition(')')[2].split()[0] == 'D'
        for task in tasks.glob('*/stat')))


def soon(what, function, *args):
    start = time.monotonic()
    result = function(*args)
    took = time.monotonic() - start
    print(f'{what}: {took:.1f} s')
    assert took < SOON, f'{what} took {took:.1f} s'
    return result


class Writer:
    """A process of the guest that has a new file open, and writes to it when it
    is told to."""

    def __init__(self, guest, file):
        self.guest = guest
        guest.run(f'''rm -f /tmp/go /tmp/done
            (until [ -e /tmp/go ]; do sleep 0.1; done
             echo text && touch /tmp/done) >{file} 2>/dev/null &
            until [ -e {file} ]; do sleep 0.1; done''')

    def hang(self):
        """Returns when QEMU has made its call."""
        self.guest.run('touch /tmp/go')
        wait_for_calls(self.guest, 1)

    def end(self):
        self.guest.run('until [ -e /tmp/done ]; do sleep 0.1; done; '
                       'rm /tmp/go /tmp/done')


def status(guest):
    """Of the share that does not hang; its tag may be there over both."""
    devid = min(d for d, kind in guest.devids.items() if kind == guest.protocol)
    return call('xen-virtfs', 'status', str(guest.domid),
                f'{guest.protocol}/{devid}')


def ticks(guest):
    """What a while of the guest takes, by its own clock and by dom0's."""
    script = (f'n=0; cut -d" " -f1 /proc/uptime; while [ $n -lt {TICKS} ]; do '
              'sleep 0.1; n=$((n+1)); done; cut -d" " -f1 /proc/uptime')
    start = time.monotonic()
    first, last = map(float, guest.run(script, SOON).split())
    return last - first, time.monotonic() - start


def goes_on(guest, usual):
    """Its clock, its timers and its console; and its devices, if they are
    QEMU's."""
    own, real = ticks(guest)
    print(f'{TICKS} ticks: {own:.1f} s, by dom0 {real:.1f} s, before {usual}')
    assert own < 2 * usual[0] + 1 and real < 2 * usual[1] + 1
    assert abs(real - own) < 2
    if guest.kind == 'hvm':
        size = soon('PCI', guest.run,
                    'cat /sys/bus/pci/devices/*/config | wc -c', SOON)
        assert int(size) > 0


@pytest.fixture(name='frozen')
def share_of_disk(guest, disk):
    """Where the guest has a share that is the disk, and nothing but that; its
    calls are all made by the device's thread."""
    guest.attach(DEVID, 'disk', path=disk.path, security_model='none',
                 dispatch='inline')
    guest.wait_state(DEVID, CONNECTED)
    guest.mount('disk', '/tmp/disk')
    yield '/tmp/disk'
    disk.thaw()
    guest.umount('/tmp/disk')
    guest.detach(DEVID)
    told = guest.new_log_lines()
    assert len(told) == 1 and STUCK in told[0]


@pytest.mark.protocols
def test_below_share(place, disk):
    """What hangs is mounted below the share's root: all else of it does not."""
    guest = place.guest
    (place.outside / 'other').write_text('text\n')
    writer = Writer(guest, f'{place.inside}/disk/file')
    disk.freeze()
    writer.hang()
    place.run('(echo >disk/new) 2>/dev/null &')
    wait_for_calls(guest, 2)
    soon('stat', place.run, 'stat other', SOON)
    soon('read', place.run, 'cat other', SOON)
    soon('write', place.run, 'echo >another', SOON)
    soon('rename', place.run, 'mv another other; cat other', SOON)
    assert 'in flight' in soon('status', status, guest)
    disk.thaw()
    writer.end()
    assert (disk.path / 'file').read_text() == 'text\n'
    wait_for('the new file', lambda: (disk.path / 'new').exists())


@pytest.mark.core
@pytest.mark.protocols
def test_neighbour(place, disk, frozen):
    """All of a share hangs, in the thread of its device: others do not, nor does
    the guest."""
    guest = place.guest
    (place.outside / 'other').write_text('text\n')
    usual = ticks(guest)
    writer = Writer(guest, f'{frozen}/file')
    disk.freeze()
    writer.hang()
    goes_on(guest, usual)
    soon('stat', place.run, 'stat other', SOON)
    assert 'in flight' in soon('status', status, guest)
    disk.thaw()
    writer.end()
    assert (disk.path / 'file').read_text() == 'text\n'
