# SPDX-License-Identifier: GPL-2.0-or-later
"""What a new user of a Debian 13 dom0 has: the packages, and what they say."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from test_tools import share
from xenguest import (BARE, CONNECTED, OUR_QEMU, PACKAGES, TRANSPORTS,
                      Failed)

pytestmark = pytest.mark.skipif(
    not PACKAGES, reason="no package is installed: 'make check-packages' does")
EXAMPLE = Path('/usr/share/doc/qemu-xen-9pfs/examples/share.cfg')
# What the example names.
FOLDER = Path('/srv/share')
# What was installed, see dom0-init.
INSTALLED = Path('/opt/xen-9pfs')
VIRTFS_D = Path('/etc/xen/virtfs.d')


def run(command):
    done = subprocess.run(command.split(), text=True, capture_output=True,
                          timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def example():
    """The lines of the example that are about the share, and how to mount it."""
    text = EXAMPLE.read_text()
    lines = re.findall('^(?:p9|device_model).*', text, re.M)
    return lines, re.search('mount -t 9p .*', text)[0]


@pytest.fixture(name='user')
def user_of_packages(new_guest):
    """A function that starts a guest with these lines in its file, and
    nothing else."""
    FOLDER.mkdir(exist_ok=True)

    def make(name, kind, lines=()):
        guest = new_guest(name, kind, qemu=None, lines=BARE[kind] + list(lines))
        return guest.create()
    yield make
    for path in [*FOLDER.iterdir(), *VIRTFS_D.glob('*.conf')]:
        path.unlink()


def use(guest, mount, word):
    """A share at work."""
    assert guest.run(f'set -e; mkdir -p /mnt; {mount}; cd /mnt; cat hello; '
                     f'echo {word} >{word}; cd /; umount /mnt') == 'hello\n'
    assert (FOLDER / word).read_text() == f'{word}\n'


@pytest.mark.parametrize('kind', ['pv', 'pvh', 'hvm'])
def test_example(user, kind):
    """The lines of the example, and its mount; and once more after a reboot."""
    lines, mount = example()
    assert len(lines) == 3
    guest = user('guest', kind, lines)
    (FOLDER / 'hello').write_text('hello\n')
    for word in 'one', 'two':
        guest.devids[0] = '9pfs'
        guest.wait_state(0, CONNECTED)
        assert os.readlink(f'/proc/{guest.qemu_pid()}/exe') == OUR_QEMU
        use(guest, mount, word)
        if word == 'one':
            guest.reboot()
    guest.shutdown()


def test_module(user):
    """The guests' module is that of dkms."""
    module = (INSTALLED / 'modules/9pnet_virtfs.ko').read_bytes()
    guest = user('module', 'pv')
    assert hashlib.sha256(module).hexdigest() in guest.run(
        'sha256sum /modules/9pnet_virtfs.ko')
    guest.destroy()


def test_service(user):
    """One line in virtfs.d for each share, none in the guest's file; over a
    reboot, and while the packages go and come again."""
    assert run('systemctl is-active xen-virtfs') == 'active\n'
    for i, more in enumerate(['', ',protocol=virtfs,devid=20']):
        with (VIRTFS_D / 'guest.conf').open('a', encoding='ascii') as file:
            file.write(share(f'share{i}', FOLDER, more) + '\n')
    (FOLDER / 'hello').write_text('hello\n')
    guest = user('guest', 'pvh')

    def use_both(word):
        guest.devids = {0: '9pfs', 20: 'virtfs'}
        for devid in guest.devids:
            guest.wait_state(devid, CONNECTED)
        for tag, protocol in ('share0', '9pfs'), ('share1', 'virtfs'):
            use(guest, f'mount -t 9p -o trans={TRANSPORTS[protocol]},'
                f'version=9p2000.L {tag} /mnt', f'{word}-{protocol}')

    use_both('first')
    guest.reboot()
    use_both('second')

    pid = guest.qemu_pid()
    run('apt-get remove -q -y qemu-xen-9pfs xen-virtfs')
    use_both('without')
    lines, _ = example()
    with pytest.raises(Failed, match=OUR_QEMU):
        user('other', 'pv', lines)
    run(f'apt-get install -q -y {" ".join(map(str, INSTALLED.glob("*.deb")))}')
    assert run('systemctl is-active xen-virtfs') == 'active\n'
    use_both('again')
    assert guest.qemu_pid() == pid
    guest.destroy()
