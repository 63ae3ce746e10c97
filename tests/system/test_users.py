# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU without root serves shares, by each model but passthrough."""

import os
import pwd
import re
from pathlib import Path

import pytest

from test_tools import detach, tool
from xenguest import CONNECTED, OUR_QEMU, Share, wait_for

USER = 'nobody'
SANDBOX = 'on,obsolete=deny,spawn=deny,resourcecontrol=deny'
# What udev's rule in docs/system gives to a group.
NODES = ['/dev/xen/gntdev', '/dev/xen/evtchn']
MODELS = ['none', 'mapped-xattr', 'mapped-file']


@pytest.fixture(name='user')
def user_with_nodes(folder):
    entry = pwd.getpwnam(USER)
    before = [os.stat(node) for node in NODES]
    for node in NODES:
        os.chown(node, 0, entry.pw_gid)
        os.chmod(node, 0o660)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    yield entry
    for node, stat in zip(NODES, before):
        os.chown(node, stat.st_uid, stat.st_gid)
        os.chmod(node, stat.st_mode & 0o777)


def assert_confined(guest, user):
    status = Path(f'/proc/{guest.qemu_pid()}/status').read_text()

    def line(name):
        return re.search(rf'^{name}:\s*(.*)', status, re.M)[1].split()
    assert line('Uid') == [str(user.pw_uid)] * 4
    assert int(line('CapEff')[0], 16) == 0
    assert line('Seccomp') == ['2']


def use(guest, point, mapped):
    """The guest's root may give away what is its own only with a model that
    keeps owners beside the files."""
    guest.run(f'cd {point} && echo text >file && mkdir d && '
              'ln -s file link && mkfifo fifo && chmod 750 d && '
              '/usr/bin/setfattr -n user.a -v b file')
    assert guest.run(f'cd {point}; cat link; stat -c "%a %F" d fifo'
                     ) == 'text\n750 directory\n644 fifo\n'
    if mapped:
        guest.run(f'chown 5:6 {point}/file')
        assert guest.run(f'stat -c "%u %g" {point}/file') == '5 6\n'


@pytest.mark.protocols
def test_attach(new_guest, folder, user, protocol):
    guest = new_guest('confined').create()
    guest.protocol = protocol
    words = f'--qemu={OUR_QEMU}', f'--user={USER}', 'attach', guest.name
    assert 'passthrough needs a QEMU that is root' in tool(
        *words, f'tag=x,path={folder},security_model=passthrough', status=2)
    for devid, model in enumerate(MODELS):
        path = folder / model
        path.mkdir()
        os.chown(path, user.pw_uid, user.pw_gid)
        tool(*words, f'tag={model},path={path},security_model={model},'
             f'protocol={protocol},devid={devid}')
        guest.devids[devid] = protocol
        guest.wait_state(devid, CONNECTED)
    assert_confined(guest, user)
    for devid, model in enumerate(MODELS):
        guest.mount(model, '/mnt')
        use(guest, '/mnt', model != 'none')
        guest.umount('/mnt')
        for made in (folder / model).iterdir():
            assert made.lstat().st_uid == user.pw_uid
    # It is somebody who cannot read this.
    (folder / 'none' / 'secret').write_text('text\n')
    (folder / 'none' / 'secret').chmod(0o600)
    guest.mount('none', '/mnt')
    assert 'Permission denied' in guest.fails('cat /mnt/secret')
    guest.umount('/mnt')
    for devid in list(guest.devids):
        detach(guest, devid)
    wait_for('the end of QEMU', lambda: guest.qemu_pid() is None)


@pytest.mark.parametrize('kind', ['pvh', 'hvm'])
def test_xl(new_guest, folder, user, kind):
    """What xl has no key for, device_model_args says."""
    guest = new_guest('args', kind, [Share('share', folder, 'mapped-xattr')])
    guest.lines = [*guest.lines, 'device_model_args = [ "-run-with", '
                   f'"user={USER}", "-sandbox", "{SANDBOX}" ]']
    guest.create()
    assert_confined(guest, user)
    guest.mount('share', '/mnt')
    use(guest, '/mnt', True)
    guest.umount('/mnt')
    guest.shutdown()
