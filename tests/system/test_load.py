# SPDX-License-Identifier: GPL-2.0-or-later
"""What fio, with verification, does to a share. It is dom0's own: a share of
its /usr is the guest's while it runs, so that it is loaded over the protocol,
too."""

import os

import pytest

from xenguest import CONNECTED

DEVID = 30

pytestmark = pytest.mark.protocols


@pytest.fixture(name='tools')
def tools_of_dom0(guest):
    guest.attach(DEVID, 'tools', path='/usr', security_model='none',
                 readonly='on')
    guest.wait_state(DEVID, CONNECTED)
    guest.mount('tools', '/usr')
    yield
    guest.run('umount /usr')
    guest.detach(DEVID)


@pytest.mark.usefixtures('tools')
@pytest.mark.parametrize('cache', ['none', 'loose'])
def test_fio_verify(guest, folder, cache):
    """Four files are written anywhere and in any size, and read again."""
    guest.mount('none', '/mnt', 524288, f',cache={cache}')
    said = guest.run('''cd /mnt/work && /usr/bin/fio --name=it --directory=. --numjobs=4 \\
        --thread --size=4m --rw=randwrite --bsrange=512-300k --bs_unaligned=1 \\
        --ioengine=psync --fallocate=none --clocksource=clock_gettime \\
        --verify=crc32c --verify_backlog=16 --verify_fatal=1 \\
        --verify_state_save=0 2>&1''', 400)
    assert said.count('err= 0') == 4 and 'verify:' not in said, said
    assert len(os.listdir(folder)) == 4
