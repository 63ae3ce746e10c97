# SPDX-License-Identifier: GPL-2.0-or-later
"""HVM guests with the devices that xl gives them: QEMU has to have these as well,
or there is no share."""

import hashlib
import lzma
import os
import subprocess
from pathlib import Path

import pytest

from xenguest import INIT_WAIT, Share

DRIVERS = Path(f'/usr/lib/modules/{os.uname().release}/kernel/drivers')
FRONTENDS = ['block/xen-blkfront', 'net/xen-netfront']
BACKENDS = ['loop', 'bridge', 'tun', 'xen-blkback', 'xen-netback']
BRIDGE = 'xenbr0'
DISK, CDROM = '/tmp/disk.img', '/tmp/disk.iso'
DISK_SIZE = 4 << 20
# What is in no configuration here is up to xl: a Cirrus VGA card with VNC.
LINES = [f'disk = [ "{DISK},raw,hda,rw" ]', f'vif = [ "bridge={BRIDGE}" ]']
OTHERS = ['vga = "stdvga"', 'usb = 1', 'usbdevice = [ "tablet" ]',
          'serial = "pty"', 'boot = "cdn"',
          f'vif = [ "bridge={BRIDGE},model=e1000" ]',
          f'disk = [ "{DISK},raw,hda,rw,backendtype=qdisk", '
          f'"{CDROM},raw,hdc,r,devtype=cdrom" ]']


@pytest.fixture(name='disk', scope='module')
def disk_and_bridge():
    """The bytes of the disk."""
    data = os.urandom(DISK_SIZE)
    for path in DISK, CDROM:
        Path(path).write_bytes(data)
    for command in (f'modprobe -a {" ".join(BACKENDS)}',
                    f'ip link add {BRIDGE} type bridge',
                    f'ip addr add 10.9.0.1/24 dev {BRIDGE}',
                    f'ip link set {BRIDGE} up'):
        subprocess.run(command.split(), check=True)
    yield data
    subprocess.run(f'ip link del {BRIDGE}'.split(), check=True)
    for path in DISK, CDROM:
        os.unlink(path)


def command_line(guest):
    return Path(f'/proc/{guest.qemu_pid()}/cmdline').read_text().split('\0')


def test_default_devices(new_guest, folder, disk):
    """The share gives the guest the drivers of its disk and its card."""
    for name in FRONTENDS:
        with lzma.open(DRIVERS / f'{name}.ko.xz') as module:
            (folder / f'{Path(name).name}.ko').write_bytes(module.read())
    guest = new_guest('default', 'hvm', [Share('share', folder, type=None)],
                      lines=LINES)
    guest.create()
    words = ' '.join(command_line(guest))
    for device in 'cirrus-vga', 'rtl8139', 'if=ide', '-vnc 127.0.0.1':
        assert device in words
    guest.mount('share', '/mnt')
    guest.run('insmod /mnt/xen-blkfront.ko && insmod /mnt/xen-netfront.ko && '
              'ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up')
    guest.run('until [ -b /dev/xvda ]; do sleep 1; done; cp /dev/xvda /mnt/disk',
              60)
    assert (folder / 'disk').read_bytes() == disk
    guest.run('until ping -c 1 10.9.0.1; do sleep 1; done', 60)
    guest.shutdown()


def test_other_devices(new_guest, folder, disk):
    """They need not be seen by a guest: it is QEMU that has to have them."""
    guest = new_guest('other-devices', 'hvm', [Share('share', folder)],
                      lines=OTHERS)
    guest.create('-p')
    guest.wait_state(0, INIT_WAIT)
    words = ' '.join(command_line(guest))
    for device in ('VGA,', 'e1000', '-usbdevice tablet', 'ide-cd',
                   '-serial pty'):
        assert device in words
