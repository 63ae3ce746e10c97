# SPDX-License-Identifier: GPL-2.0-or-later
"""A domain beside dom0 serves a share: backend= of xl's p9."""

import lzma
import os
from pathlib import Path

from xenguest import INIT_WAIT, OUR_QEMU, STORE, Share, wait_for

DRIVERS = Path(f'/usr/lib/modules/{os.uname().release}/kernel/drivers/xen')
# What QEMU needs of the kernel that it runs in, in this order.
MODULES = ['xen-privcmd', 'xenfs/xenfs', 'xen-evtchn', 'xen-gntdev']


def start_driver_domain(guest, folder):
    """A guest with dom0's programs: over a share, too."""
    for name in MODULES:
        with lzma.open(DRIVERS / f'{name}.ko.xz') as module:
            (folder / f'{Path(name).name}.ko').write_bytes(module.read())
    guest.lines = ['driver_domain = 1']
    guest.create()
    guest.mount('tools', '/usr', 131072, ',cache=loose')
    guest.mount('modules', '/mnt')
    for name in MODULES:
        guest.run(f'insmod /mnt/{Path(name).name}.ko')
    guest.run('umount /mnt; mkdir -p /proc/xen /share; '
              'mount -t xenfs x /proc/xen; echo text >/share/file')


def test_driver_domain(new_guest, folder):
    driver = new_guest('driver', shares=[
        Share('tools', '/usr', 'none;readonly=on'), Share('modules', folder)])
    start_driver_domain(driver, folder)
    guest = new_guest('served')
    # With type=qemu xl would start a QEMU in dom0 as well, for nothing.
    guest.lines = ['p9 = [ "tag=share,path=/share,'
                   'security_model=none,backend=driver" ]']
    guest.create('-p')
    assert guest.qemu_pid() is None
    assert guest.state(0) == 0
    driver.run('export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu; '
               f'{OUR_QEMU} -M xenpv -xen-attach -xen-domid {guest.domid} '
               '-nodefaults -display none -monitor none -serial none '
               '</dev/null >/tmp/log 2>&1 & echo $! >/tmp/pid')
    state = (f'/local/domain/{driver.domid}/backend/9pfs/{guest.domid}/0/'
             'state')
    wait_for('the offer', lambda: STORE.read(state) == str(INIT_WAIT), 60)
    guest.unpause()
    guest.mount('share', '/mnt')
    assert guest.run('cat /mnt/file; echo more >/mnt/new') == 'text\n'
    assert driver.run('cat /share/new') == 'more\n'
    guest.umount('/mnt')
    guest.shutdown()
    driver.run('kill $(cat /tmp/pid); until ! [ -e /proc/$(cat /tmp/pid) ]; '
               'do sleep 0.1; done; umount /usr')
    driver.shutdown()
