# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs that were made to break file systems do to a share. They are
dom0's own: a share of its /usr is the guest's while they run, and so they are
loaded over the protocol that they test."""

import hashlib
import os
import time

import pytest

from xenguest import CONNECTED, xl

DEVID = 30
# What processes of stress-ng do, in a folder each. Not symlink and link: these
# remove 8,192 names when their time is over, which takes minutes in emulation.
STRESSORS = ['chmod', 'dentry', 'dir', 'hdd', 'rename', 'seek', 'utime', 'xattr']

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
        --thread --size=2m --rw=randwrite --bsrange=512-300k --bs_unaligned=1 \\
        --ioengine=psync --fallocate=none --clocksource=clock_gettime \\
        --verify=crc32c --verify_backlog=16 --verify_fatal=1 \\
        --verify_state_save=0 2>&1''', 400)
    assert said.count('err= 0') == 4 and 'verify:' not in said, said
    assert len(os.listdir(folder)) == 4


@pytest.mark.usefixtures('tools')
def test_stress_ng(place):
    """Names, attributes and data, changed by all at once for a while."""
    stressors = ' '.join(f'--{name} 1' for name in STRESSORS)
    said = place.run('/usr/bin/stress-ng --temp-path . --timeout 15 --verify '
                     '--dentries 32 --dir-dirs 64 --hdd-bytes 1m --seek-size 1m '
                     f'{stressors} 2>&1', 240)
    assert f'passed: {len(STRESSORS)}' in said, said
    assert 'failed: 0' in said, said
    assert not os.listdir(place.outside)


def test_pause(place):
    """The guest stands still again and again, in the middle of its requests."""
    script = '''set -e; cd /mnt/work
        for i in 1 2 3 4 5 6 7 8 9 10; do
            head -c 1000000 /dev/urandom >/tmp/data; cp /tmp/data $i
            cmp /tmp/data $i; sha256sum <$i
        done'''
    guest = place.guest
    number, end = guest.console.send(script), place.outside / '10'
    for _ in range(100):
        if end.exists():
            break
        xl('pause', str(guest.domid))
        time.sleep(0.2)
        xl('unpause', str(guest.domid))
        time.sleep(0.5)
    sums = guest.answer(number, script, 200).split()[::2]
    assert sums == [hashlib.sha256((place.outside / str(i)).read_bytes())
                    .hexdigest() for i in range(1, 11)]
