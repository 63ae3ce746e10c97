# SPDX-License-Identifier: GPL-2.0-or-later
"""The toolstack: xen-virtfs, and -device xen-9pfs by hand and through xl."""

import json
import os
import re
import subprocess

import pytest

from xenguest import (CONNECTED, INIT_WAIT, INITIALISING, OUR_QEMU, PACKAGES,
                      STORE, Share, granted_pages, wait_for)

long = pytest.mark.skipif(
    not PACKAGES, reason="takes minutes: 'make check-packages' runs it")

# Guest does not tell devices apart that have the same number.
VIRTFS_DEVID = 20


def tool(*words, status=0):
    """What xen-virtfs prints, or what it complains of, with this status."""
    done = subprocess.run(['xen-virtfs', *map(str, words)], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def share(tag, path, more=''):
    return f'tag={tag},path={path},security_model=none{more}'


def attach(guest, tag, path, *options, more=''):
    """The number of the new device."""
    if guest.protocol == 'virtfs':
        more += f',protocol=virtfs,devid={VIRTFS_DEVID}'
    text = tool(*options, 'attach', guest.name, share(tag, path, more))
    devid = int(re.match(rf"{guest.protocol}/(\d+): '{tag}' is attached",
                         text)[1])
    guest.devids[devid] = guest.protocol
    guest.wait_state(devid, CONNECTED)
    return devid


def detach(guest, devid, *options):
    kind = guest.type(devid)
    tool(*options, 'detach', guest.domid, f'{kind}/{devid}')
    assert guest.state(devid) == 0
    assert STORE.read(guest.frontend(devid) + '/state') is None
    guest.devids.pop(devid)
    # Linux has let it go as well.
    wait_for('Linux to forget the device', lambda: not guest.run(
        f'ls -d /sys/bus/xen/devices/{kind}-{devid} 2>/dev/null; true'))


@pytest.mark.core
@pytest.mark.protocols
def test_attach_and_detach(guest, folder):
    (folder / 'file').write_text('text\n')
    before = granted_pages(guest.qemu_pid())
    for i in range(3):
        devid = attach(guest, 'extra', folder)
        # xl's own come first.
        assert devid == (VIRTFS_DEVID if guest.protocol == 'virtfs'
                         else len(guest.shares))
        guest.mount('extra', '/mnt')
        assert guest.run(f'cat /mnt/file; echo {i} >/mnt/new{i}') == 'text\n'
        guest.umount('/mnt')
        detach(guest, devid)
        assert (folder / f'new{i}').read_text() == f'{i}\n'
        assert granted_pages(guest.qemu_pid()) == before


def test_options(guest, folder):
    (folder / 'file').write_text('text\n')
    devid = attach(guest, 'fixed', folder, more=',readonly=on,devid=30')
    assert devid == 30
    guest.mount('fixed', '/mnt')
    assert 'Read-only file system' in guest.fails('touch /mnt/new')
    assert guest.run('cat /mnt/file') == 'text\n'
    guest.umount('/mnt')
    detach(guest, devid)


def test_list_and_status(guest, folder):
    devid = attach(guest, 'extra', folder)
    guest.mount('extra', '/mnt', msize=65536)
    guest.run('head -c 1000000 /dev/zero >/mnt/zeros')
    # It may have shares over virtfs as well, from another test.
    found = [d for d in json.loads(tool('list', '--json', guest.name))
             if d['protocol'] == '9pfs']
    assert [d['tag'] for d in found] == [s.tag for s in guest.shares] + ['extra']
    assert [d['devid'] for d in found] == list(range(len(found)))
    last = found[-1]
    assert (last['domain'], last['name'], last['protocol'], last['path'],
            last['security_model'], last['server'], last['backend_state'],
            last['frontend_state'], last['error']) == (
                guest.domid, guest.name, '9pfs', str(folder), 'none', 'qemu',
                'Connected', 'Connected', None)
    table = [line for line in tool('list').splitlines() if ' 9pfs/' in line]
    assert len(table) == len(found)
    assert table[-1].split() == [guest.name, str(guest.domid), f'9pfs/{devid}',
                                 'extra', 'Connected', 'qemu', 'none', str(folder)]

    stats = json.loads(tool('status', '-j', guest.domid, 'extra'))[0]['stats']
    assert stats['msize'] == 65536
    assert stats['requests'] > 1000000 // 65536
    assert 1000000 < stats['bytes-received'] < 1100000
    assert 0 < stats['bytes-sent'] < 100000
    assert stats['in-flight'] == 0
    rings = int(STORE.read(guest.frontend(devid) + '/num-rings'))
    assert stats['rings'] == rings
    # Those of all devices are what the kernel knows to be mapped.
    every = json.loads(tool('status', '-j', guest.domid))
    assert sum(d['stats']['grants'] for d in every) == guest.expected_pages()
    assert f"9pfs/{devid}: 'extra' of domain {guest.domid}\n" in tool(
        'status', guest.name)
    guest.umount('/mnt')
    detach(guest, devid)


@pytest.mark.parametrize('words, status, text', [
    (['attach', 'nobody', 'tag=x'], 3, "there is no domain 'nobody'"),
    (['attach', 'GUEST', share('none', '/srv')], 1, "tag 'none' is taken"),
    (['attach', 'GUEST', share('x', '/no/such')], 1, 'No such file or directory'),
    (['attach', 'GUEST', share('x', '/srv', ',nonsense=1')], 1,
     "Property 'xen-9pfs.nonsense' not found"),
    (['attach', 'GUEST', 'tag=x,path=/srv'], 1, 'security_model: missing'),
    (['attach', 'GUEST', 'path=/srv'], 2, 'tag: is missing'),
    (['detach', 'GUEST', 'x'], 4, "has no device 'x'"),
    (['status', 'GUEST', '77'], 4, "has no device '77'"),
    (['status', '12345'], 3, "there is no domain '12345'"),
])
def test_errors(guest, words, status, text):
    nodes = STORE.ls(f'/local/domain/{guest.domid}/device/9pfs')
    words = [guest.name if word == 'GUEST' else word for word in words]
    assert text in tool(*words, status=status)
    assert STORE.ls(f'/local/domain/{guest.domid}/device/9pfs') == nodes


# Guests of their own

def test_guest_without_qemu(new_guest, folder):
    guest = new_guest('bare').create()
    assert guest.qemu_pid() is None
    program = f'--qemu={OUR_QEMU}'
    assert 'No such file' in tool(program, 'attach', guest.name,
                                  share('x', '/no/such'), status=1)
    assert guest.qemu_pid() is None
    assert 'does not start' in tool('--qemu=/bin/false', 'attach', guest.name,
                                    share('x', '/srv'), status=5)
    one = attach(guest, 'one', folder, program)
    pid = guest.qemu_pid()
    two = attach(guest, 'two', folder, program)
    assert (one, two, guest.qemu_pid()) == (0, 1, pid)
    guest.mount('two', '/mnt')
    guest.run('echo text >/mnt/file; umount /mnt')
    assert (folder / 'file').read_text() == 'text\n'
    detach(guest, one)
    assert guest.qemu_pid() == pid
    detach(guest, two)
    wait_for('the end of QEMU', lambda: guest.qemu_pid() is None)

    # With the domain goes a QEMU that has shares.
    attach(guest, 'three', folder, program)
    guest.mount('three', '/mnt')
    guest.destroy()
    assert guest.qemu_pid() is None
    assert not STORE.ls(f'/local/domain/0/backend/9pfs/{guest.domid}')


@pytest.fixture
def watch(tmp_path):
    """xen-virtfs watch, as its service runs it, and its folder."""
    with subprocess.Popen(['xen-virtfs', f'--qemu={OUR_QEMU}', 'watch'], env={
            **os.environ, 'XEN_VIRTFS_DIR': str(tmp_path)}) as process:
        yield tmp_path
        process.terminate()


@pytest.mark.parametrize('kind, shares', [('pv', 0), ('pvh', 1), ('hvm', 1)])
def test_again_after_reboot(new_guest, folder, watch, kind, shares):
    """Beside shares that xl gives it, and without; a QEMU is there or is not."""
    guest = new_guest('again', kind, [Share('share', folder)] * shares)
    (watch / 'again.conf').write_text(share('more', folder) + '\n')
    (folder / 'file').write_text('text\n')
    guest.create('-p')
    assert guest.state(shares) == 0
    guest.unpause()
    for reboots in range(3):
        guest.devids[shares] = '9pfs'
        guest.wait_state(shares, CONNECTED)
        guest.mount('more', '/mnt')
        assert guest.run('cat /mnt/file; umount /mnt') == 'text\n'
        if reboots < 2:
            guest.reboot()
    guest.destroy()
    assert not STORE.ls(f'/local/domain/0/backend/9pfs/{guest.domid}')


def test_detach_what_xl_has_made(new_guest, folder):
    guest = new_guest('made', shares=[Share('share', folder),
                                      Share('other', folder)]).create()
    guest.mount('other', '/mnt')
    detach(guest, 0)
    assert STORE.read(guest.noted(0)) is None
    guest.run('echo text >/mnt/file')
    assert (folder / 'file').read_text() == 'text\n'
    assert attach(guest, 'share', folder) == 0
    guest.shutdown()


def test_device_model_args(new_guest, folder):
    """Beside a p9 entry, which is what makes xl start a QEMU."""
    guest = new_guest('args', shares=[Share('share', folder)])
    usual = guest.config()
    device = f'xen-9pfs,mount_tag=more,path={folder},security_model=none,devid=1'
    guest.config = lambda: (
        f'{usual}device_model_args_pv = [ "-device", "{device}" ]\n')
    guest.create()
    guest.devids[1] = '9pfs'
    guest.wait_state(1, CONNECTED)
    guest.mount('more', '/mnt')
    guest.run('echo text >/mnt/file; umount /mnt')
    assert (folder / 'file').read_text() == 'text\n'
    guest.mount('share', '/mnt')
    assert guest.run('cat /mnt/file; umount /mnt') == 'text\n'
    guest.destroy()
    assert not STORE.ls(f'/local/domain/0/backend/9pfs/{guest.domid}')


@pytest.mark.parametrize('kind', [
    'pv', pytest.param('pvh', marks=long), pytest.param('hvm', marks=long)])
def test_kept_by_xl(new_guest, folder, kind):
    """What xl knows nothing of, and libxl keeps over reboot, save and restore:
    options behind the model, and a share over virtfs."""
    (folder / 'file').write_text('text\n')
    guest = new_guest('kept', kind, [Share('fixed', folder, 'none;readonly=on')])
    usual = guest.config()
    device = (f'xen-9pfs,protocol=virtfs,mount_tag=fast,path={folder},'
              f'security_model=none,devid={VIRTFS_DEVID}')
    args = 'device_model_args_hvm' if kind == 'hvm' else 'device_model_args_pv'
    guest.config = lambda: f'{usual}{args} = [ "-device", "{device}" ]\n'

    def wait():
        guest.devids[VIRTFS_DEVID] = 'virtfs'
        for devid in guest.devids:
            guest.wait_state(devid, CONNECTED)
        assert STORE.read(guest.backend(0) + '/security_model') == (
            'none;readonly=on')

    def use_virtfs():
        guest.mount('fast', '/mnt', protocol='virtfs')
        guest.run('echo more >/mnt/new; rm /mnt/new; umount /mnt')

    guest.create()
    for reboots in range(2):
        wait()
        guest.mount('fixed', '/mnt')
        assert 'Read-only' in guest.fails('echo more >>/mnt/file')
        assert guest.run('cat /mnt/file; umount /mnt') == 'text\n'
        use_virtfs()
        if reboots < 1:
            guest.reboot()
    # What Linux's own frontend makes of 9pfs then, see "Saving and migrating".
    guest.save_and_restore()
    wait()
    use_virtfs()
    guest.destroy()


@pytest.mark.protocols
def test_qemu_by_hand(new_guest, folder, protocol):
    guest = new_guest('hand').create()
    guest.protocol = protocol
    command = [OUR_QEMU, '-M', 'xenpv', '-xen-attach', '-xen-domid',
               str(guest.domid), '-nodefaults', '-display', 'none', '-device',
               f'xen-9pfs,mount_tag=share,path={folder},security_model=none,'
               f'protocol={protocol}']
    with subprocess.Popen(command) as qemu:
        guest.devids[0] = protocol
        guest.wait_state(0, CONNECTED)
        guest.mount('share', '/mnt')
        guest.run('echo text >/mnt/file; umount /mnt')
        assert (folder / 'file').read_text() == 'text\n'
        qemu.terminate()
        assert qemu.wait(20) == 0
    assert guest.state(0) == 0
    assert STORE.read(guest.frontend(0) + '/state') is None
    guest.devids.clear()
    # A domain that is not there.
    command[command.index('-xen-domid') + 1] = '12345'
    done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1
    assert 'there is no domain 12345' in done.stderr
    guest.destroy()


# xl without a type: QEMU is what libxl takes then, but no reason to start one

@pytest.mark.parametrize('kind', ['pv', 'pvh'])
def test_no_type(new_guest, folder, kind):
    guest = new_guest('untyped', kind, [Share('share', folder, type=None)])
    guest.create('-p')
    assert guest.qemu_pid() is None
    assert guest.state(0) == INITIALISING
    assert STORE.read(guest.backend(0) + '/path') == str(folder)
    guest.serve()
    guest.wait_state(0, INIT_WAIT)


def test_no_type_but_another_reason(new_guest, folder):
    guest = new_guest('mixed', shares=[Share('one', folder, type=None),
                                       Share('two', folder)])
    guest.create('-p')
    for devid in 0, 1:
        guest.wait_state(devid, INIT_WAIT)
