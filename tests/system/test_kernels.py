# SPDX-License-Identifier: GPL-2.0-or-later
"""Our module in the kernels of other releases, see scripts/kernels."""

import pytest

from test_files import digest, random_file
from xenguest import BOOT, Share

SUITES = ['bookworm', 'trixie-backports']


@pytest.mark.parametrize('suite', SUITES)
def test_other_kernel(new_guest, folder, suite):
    """All data, copied and granted; names, and a file that is mapped."""
    if not (BOOT / f'vmlinux-{suite}').exists():
        pytest.skip('its packages could not be fetched')
    guest = new_guest(suite, suite=suite, shares=[
        Share('share', folder, protocol='virtfs')]).create()
    guest.protocol = 'virtfs'
    wanted = random_file(folder / 'in', 3_000_003)
    for most in 1 << 21, 0:
        guest.run(f'echo {most} >/sys/module/9pnet_virtfs/parameters/copy_max')
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
