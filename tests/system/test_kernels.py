# SPDX-License-Identifier: GPL-2.0-or-later
"""Our module in the kernels of other releases, see scripts/kernels."""

import pytest

from test_files import digest, random_file
from xenguest import BOOT, CONNECTED, Share, wait_for

SUITES = ['bookworm', 'trixie-backports']
# Which way all data go: through the pool's pages, or in the caller's
WAYS = {'copied': 1 << 21, 'granted': 0}


def boot(new_guest, folder, suite):
    if not (BOOT / f'vmlinux-{suite}').exists():
        pytest.skip('its packages could not be fetched')
    guest = new_guest(suite, suite=suite, shares=[
        Share('share', folder, protocol='virtfs')]).create()
    guest.protocol = 'virtfs'
    return guest


def choose(guest, way):
    guest.run(f'echo {WAYS[way]} >/sys/module/9pnet_virtfs/parameters/copy_max')


@pytest.mark.parametrize('suite', SUITES)
def test_other_kernel(new_guest, folder, suite):
    """All data, copied and granted; names, and a file that is mapped."""
    guest = boot(new_guest, folder, suite)
    wanted = random_file(folder / 'in', 3_000_003)
    for way in WAYS:
        choose(guest, way)
        guest.mount('share', '/mnt', 1 << 20, ',cache=mmap')
        guest.run('''
            cd /mnt
            dd if=in of=/tmp/in bs=1M 2>/dev/null
            dd if=/tmp/in of=out bs=1M 2>/dev/null
            mkdir dir; touch dir/1 dir/2; mv dir/1 dir/3
            [ "$(ls dir | xargs)" = "2 3" ]
            rm -r dir; cp /bin/busybox .; ./busybox true; rm busybox''')
        assert digest(folder / 'out') == wanted
        assert wanted in guest.run('sha256sum /tmp/in')
        guest.umount('/mnt')
    assert not guest.new_warnings()


# Before some version between 6.1 and 6.12 Linux leaves it to the transport to
# wait for the caller's pages.

def remove_while_a_page_is_waited_for(guest, folder, what):
    """A task sleeps in a page fault; others' devices come and go meanwhile."""
    guest.attach(1, 'stalled', path=folder, security_model='none')
    guest.wait_state(1, CONNECTED)
    guest.mount('stalled', '/stalled', 1 << 20)
    pid = guest.run(f'stall /stalled/file {what} >/tmp/said 2>&1 & '
                    'echo $!').strip()
    wait_for('the page fault', lambda: 'userfault' in guest.run(
        f'cat /proc/{pid}/stack /tmp/said'))
    guest.remove(1)
    guest.attach(2, 'other', path=folder, security_model='none')
    guest.wait_state(2, CONNECTED)
    guest.mount('other', '/other', 1 << 20)
    guest.run(f'ls /other; umount /other; kill -9 {pid}')
    wait_for('its end', lambda: guest.run(
        'umount /stalled 2>/dev/null && echo gone; true'))
    guest.detach(2)


@pytest.mark.parametrize('way', WAYS)
def test_page_faults(new_guest, folder, way):
    """More writers than a ring has requests in flight, and each needs another
    request for the page faults of what it writes; then such faults never end."""
    guest = boot(new_guest, folder, 'bookworm')
    choose(guest, way)
    guest.mount('share', '/mnt', 1 << 20)
    guest.run('hammer /mnt 140 0 8192 mapped', 100)
    guest.umount('/mnt')
    (folder / 'file').write_bytes(bytes(65536))
    for what in 'read', 'write':
        remove_while_a_page_is_waited_for(guest, folder, what)
    assert not guest.new_warnings()
