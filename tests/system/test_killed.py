# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU is killed under a share that is in use: what the guest is told, and how
the operator gives it the share again. All else goes on."""

import os
import signal
import time

import pytest

from test_tools import attach, detach, tool, watch
from xenguest import CONNECTED, OUR_QEMU, STORE, wait_for, xl

__all__ = ['watch']
PROGRAM = f'--qemu={OUR_QEMU}'
# A command in dom0, emulated and beside others.
SOON = 20

pytestmark = pytest.mark.protocols


def soon(function, *args):
    start = time.monotonic()
    result = function(*args)
    took = time.monotonic() - start
    assert took < SOON, f'{args} took {took:.1f} s'
    return result


@pytest.fixture(name='victim')
def guest_with_share(new_guest, folder, protocol):
    """It reads and writes, and its QEMU is no more."""
    guest = new_guest('victim').create()
    guest.protocol = protocol
    (folder / 'file').write_text('text\n')
    attach(guest, 'share', folder, PROGRAM)
    guest.mount('share', '/mnt', msize=131072)
    guest.run('''sleep 1000 </mnt/file &
                 (dd if=/dev/zero of=/mnt/big bs=64k count=100000
                  echo $? >/tmp/dd
                  ) 2>/dev/null &''')
    wait_for('data', lambda: (folder / 'big').exists()
             and (folder / 'big').stat().st_size > 1 << 20)
    pid = guest.qemu_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for('its end', lambda: not os.path.exists(f'/proc/{pid}/exe'))
    return guest


def let_go(guest):
    """What was under way has ended with an error. Linux's own frontend never
    ends that, killed or not; what comes later fails."""
    if guest.protocol == 'virtfs':
        assert guest.run('until [ -e /tmp/dd ]; do sleep 0.1; done; cat '
                         '/tmp/dd', 60) != '0\n'
        guest.run('kill $(pidof sleep); umount /mnt')
    else:
        assert 'Invalid argument' in guest.fails('ls /mnt')
        assert guest.run('ls /tmp/dd 2>/dev/null; true') == ''
        guest.run('umount -l /mnt')


def use_again(guest, tag, folder):
    guest.mount(tag, '/again')
    assert guest.run('cat /again/file; echo more >/again/new') == 'text\n'
    guest.umount('/again')
    assert (folder / 'new').read_text() == 'more\n'


@pytest.mark.usefixtures('watch')
def test_others_go_on(guest, victim):
    guest.mount('none', '/mnt')
    assert str(victim.domid) in soon(xl, 'list')
    assert ' share ' in soon(tool, 'list', victim.name)
    assert '"stats": null' in soon(tool, '-j', 'status', victim.name)
    assert ' share ' in soon(tool, 'top', '-n', '1')
    assert soon(guest.run, 'cat /mnt/work/file') == 'text\n'
    guest.run('echo text >/mnt/work/other')
    assert soon(victim.run, 'echo alive') == 'alive\n'
    # The toolstack does not wait for anybody, and the service sweeps.
    nodes = os.path.dirname(victim.backend(max(victim.devids)))
    victim.devids.clear()
    soon(victim.destroy)
    wait_for('its devices to go', lambda: not STORE.ls(nodes))


def test_attached_again(victim, folder):
    devid = max(victim.devids)
    detach(victim, devid)
    let_go(victim)
    devid = attach(victim, 'share', folder, PROGRAM)
    use_again(victim, 'share', folder)
    detach(victim, devid)
    wait_for('the end of QEMU', lambda: victim.qemu_pid() is None)


def test_taken_over(victim, folder):
    """A QEMU that is started for something else serves the share again. The
    frontend of Linux does not come back to it."""
    old = max(victim.devids)
    tool(PROGRAM, 'attach', victim.name, f'tag=other,path={folder},'
         f'security_model=none,protocol={victim.protocol},devid=40')
    victim.devids[40] = victim.protocol
    victim.wait_state(40, CONNECTED)
    if victim.protocol == 'virtfs':
        victim.wait_state(old, CONNECTED)
        let_go(victim)
        use_again(victim, 'share', folder)
    use_again(victim, 'other', folder)
    detach(victim, old)
    if victim.protocol == '9pfs':
        let_go(victim)
    detach(victim, 40)
    wait_for('the end of QEMU', lambda: victim.qemu_pid() is None)
