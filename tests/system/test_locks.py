# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks of files that reach dom0: a guest, another guest and dom0 exclude one
another, with locks=on, and nothing is left when one of them has ended."""

import fcntl
import time

import pytest

from xenguest import CONNECTED, Failed, Share, wait_for

DEVID = 40


@pytest.fixture(name='locked')
def share_with_locks(guest, folder):
    """A folder of dom0, and where the guest has it."""
    guest.attach(DEVID, 'locks', path=folder, security_model='none', locks='on')
    guest.wait_state(DEVID, CONNECTED)
    guest.mount('locks', '/tmp/locks')
    (folder / 'file').write_text('text\n')
    yield folder
    guest.umount('/tmp/locks')
    guest.detach(DEVID)


def hold(guest, kind='-x'):
    """Have a process of the guest lock the file, until release()."""
    guest.run(f'''rm -f /tmp/held
        echo >/tmp/holder
        (/usr/bin/flock {kind} /tmp/locks/file sh -c \\
            'echo >/tmp/held; while [ -e /tmp/held ]; do sleep 0.1; done'
         rm /tmp/holder) &
        until [ -e /tmp/held ]; do sleep 0.1; done''')


def release(guest):
    """When this returns, that process has ended."""
    guest.run('rm /tmp/held; while [ -e /tmp/holder ]; do sleep 0.1; done')


def guest_can(guest, kind='-x'):
    try:
        guest.run(f'/usr/bin/flock -n {kind} /tmp/locks/file true')
        return True
    except Failed:
        return False


def dom0_can(folder, kind=fcntl.LOCK_EX):
    with (folder / 'file').open('r+') as file:
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False


@pytest.mark.protocols
def test_guest_excludes_dom0(guest, locked):
    assert dom0_can(locked)
    hold(guest)
    assert not dom0_can(locked) and not dom0_can(locked, fcntl.LOCK_SH)
    release(guest)
    wait_for('the lock', lambda: dom0_can(locked))
    hold(guest, '-s')
    assert dom0_can(locked, fcntl.LOCK_SH) and not dom0_can(locked)
    release(guest)


@pytest.mark.protocols
def test_dom0_excludes_guest(guest, locked):
    with (locked / 'file').open('r+') as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not guest_can(guest) and not guest_can(guest, '-s')
        fcntl.lockf(file, fcntl.LOCK_SH)
        assert guest_can(guest, '-s') and not guest_can(guest)
        # A process of the guest that waits gets it in the end.
        number = guest.console.send('/usr/bin/flock /tmp/locks/file echo mine')
        time.sleep(1)
        fcntl.lockf(file, fcntl.LOCK_UN)
        assert 'mine' in guest.answer(number, 'the lock', 90)


def test_guest_excludes_guest(guest, locked, new_guest):
    # As stock xl can say it.
    other = new_guest('second', shares=[
        Share('locks', locked, 'none;locks=on')]).create()
    other.mount('locks', '/tmp/locks')
    hold(other)
    assert not guest_can(guest)
    release(other)
    wait_for('the lock', lambda: guest_can(guest))
    # One that is destroyed has none.
    hold(other)
    assert not guest_can(guest)
    other.destroy()
    wait_for('the lock', lambda: guest_can(guest))


def test_off(guest, place):
    """Without locks=on they are the guest's own business."""
    (place.outside / 'file').write_text('text\n')
    with (place.outside / 'file').open('r+') as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        place.run('/usr/bin/flock -n file true')
