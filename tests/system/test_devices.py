# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of devices and domains: shares come and go, guests live and die."""

import os
import time

import pytest

from conftest import MODELS, Place
from xenguest import CLOSED, CLOSING, CONNECTED, Share, granted_pages, wait_for

core = pytest.mark.core
protocols = pytest.mark.protocols


def descriptors(guest):
    """The open files of a guest's QEMU, each with what it is."""
    folder = f'/proc/{guest.qemu_pid()}/fd'
    return sorted(os.readlink(f'{folder}/{fd}') for fd in os.listdir(folder))


# Security models

def stored(model, path):
    """Owner, group and mode of a file, from where the model stores them."""
    def number(name):
        if model == 'mapped-xattr':
            return int.from_bytes(os.getxattr(path, f'user.virtfs.{name}'), 'little')
        text = (path.parent / '.virtfs_metadata' / path.name).read_text()
        return int(dict(line.split('=') for line in text.split())[f'virtfs.{name}'])

    status = path.lstat()
    if model in ('none', 'passthrough'):
        return status.st_uid, status.st_gid, status.st_mode
    # The file itself stays QEMU's own, and nobody else's to read.
    assert (status.st_uid, status.st_mode & 0o077) == (0, 0)
    return number('uid'), number('gid'), number('mode')


@protocols
@pytest.mark.parametrize('model', MODELS)
def test_security_model(guest, folders, model):
    for path in (folders / model).glob('f*'):
        path.unlink()
    guest.mount(model, '/mnt')
    guest.run('''cd /mnt && echo text >file && chown 1000:1001 file &&
                 chmod 640 file && ln -s file flink && mknod fifo p''')
    assert guest.run('cd /mnt && stat -c "%u %g %a %F" file; readlink flink; '
                     'stat -c %F fifo'
                     ) == '1000 1001 640 regular file\nfile\nfifo\n'
    path = folders / model
    assert stored(model, path / 'file') == (1000, 1001, 0o100640)
    assert (path / 'file').read_text() == 'text\n'
    # Mapped, everything special is a plain file for the host.
    mapped = model.startswith('mapped')
    assert (path / 'flink').is_symlink() == (not mapped)
    assert (path / 'fifo').is_fifo() == (not mapped)
    if mapped:
        assert (path / 'flink').read_text() == 'file'


@pytest.mark.parametrize('value', ['on', '1'])
def test_readonly(guest, folder, value):
    (folder / 'file').write_text('text\n')
    guest.attach(20, 'fixed', path=folder, security_model='none', readonly=value)
    guest.wait_state(20, CONNECTED)
    guest.mount('fixed', '/mnt')
    assert guest.run('cat /mnt/file') == 'text\n'
    for script in ('echo 1 >/mnt/new', 'echo 1 >>/mnt/file', 'mkdir /mnt/d',
                   'rm /mnt/file', 'mv /mnt/file /mnt/x', 'chmod 600 /mnt/file',
                   'touch /mnt/file', 'ln -s x /mnt/y', 'truncate -s 0 /mnt/file'):
        assert 'Read-only file system' in guest.fails(script), script
    assert [p.name for p in folder.iterdir()] == ['file']
    assert (folder / 'file').read_text() == 'text\n'
    guest.umount('/mnt')
    guest.detach(20)


# Several

def test_two_shares_in_one_guest(guest, folder, folders):
    guest.mount('none', '/mnt')
    guest.mount('passthrough', '/srv')
    guest.run('''mkdir -p /mnt/work /srv/work; cd /tmp
                 for i in 1 2 3 4; do
                     head -c 1500000 /dev/urandom >$i
                     cp $i /mnt/work/ & cp $i /srv/work/ &
                 done
                 wait
                 for i in 1 2 3 4; do
                     cmp $i /mnt/work/$i && cmp $i /srv/work/$i || exit 1
                 done''')
    for i in '1234':
        one, two = ((folders / model / 'work' / i).read_bytes()
                    for model in ('none', 'passthrough'))
        assert len(one) == 1500000 and one == two


def test_two_guests_on_one_share(place, new_guest, folders):
    other = new_guest('other', shares=[Share('again', folders / 'none')]).create()
    other.mount('again', '/mnt')
    there = Place(other, place.inside, place.outside)
    script = '''head -c 4000000 /dev/urandom >/tmp/{0}; cp /tmp/{0} /mnt/work/{0}
                sha256sum </tmp/{0}'''
    running = [(side.guest, side.guest.console.send(script.format(name)))
               for side, name in ((place, 'one'), (there, 'two'))]
    one, two = (guest.answer(number, script) for guest, number in running)
    assert place.run('sha256sum <two') == two
    assert there.run('sha256sum <one') == one
    place.run('mv one three')
    assert there.run('ls -1') == 'three\ntwo\n'
    other.shutdown()


# Again

@protocols
@core
def test_umount_and_mount_again(place):
    for i in range(5):
        place.run(f'echo {i} >>file')
        place.guest.umount('/mnt')
        place.guest.mount('none', '/mnt')
    assert (place.outside / 'file').read_text() == '0\n1\n2\n3\n4\n'


def test_second_mount_of_a_tag(new_guest, folder):
    """Linux gives it the rings of the first mount, whose files and requests
    are lost in the guest: with an error, or until their process is killed. (One
    of the first mount's requests that Linux sends after the second's Tversion is
    beyond what QEMU can tell, so there are none here.)"""
    guest = new_guest('twice', shares=[Share('share', folder)]).create()
    guest.mount('share', '/mnt')
    guest.run('echo one >/mnt/one')
    before = descriptors(guest)
    for i in '01':
        guest.run('sleep 1000 </mnt/one & echo $! >/tmp/pids')
        guest.mount('share', '/srv')
        guest.run(f'cat /srv/one; echo {i} >/srv/two{i}')
        guest.fails('timeout 20 ls /mnt')
        guest.run('kill -9 $(cat /tmp/pids); sleep 1; umount /mnt')
        assert guest.run(f'cat /srv/two{i}') == f'{i}\n'
        guest.umount('/srv')
        guest.mount('share', '/mnt')
        assert guest.run(f'cat /mnt/one /mnt/two{i}') == f'one\n{i}\n'
        wait_for('the files to be closed', lambda: descriptors(guest) == before)
    guest.umount('/mnt')
    assert sorted(os.listdir(folder)) == ['one', 'two0', 'two1']
    guest.shutdown()


@protocols
@core
def test_module_reload(place):
    guest = place.guest
    before = descriptors(guest)
    for i in range(3):
        guest.umount('/mnt')
        guest.run('unload-9p')
        for devid in guest.devids:
            # A frontend of virtfs starts again by itself.
            if guest.type(devid) == '9pfs':
                guest.reset(devid)
        wait_for('the rings to go', lambda: granted_pages(guest.qemu_pid()) == 0)
        guest.run('load-9p')
        for devid in guest.devids:
            guest.wait_state(devid, CONNECTED)
        guest.mount('none', '/mnt')
        place.run(f'echo {i} >>file')
    assert (place.outside / 'file').read_text() == '0\n1\n2\n'
    assert descriptors(guest) == before


@protocols
def test_attach_and_detach(guest, folder):
    before = descriptors(guest)
    for i in range(3):
        guest.attach(20, f'tag{i}', path=folder, security_model='none')
        guest.wait_state(20, CONNECTED)
        guest.mount(f'tag{i}', '/mnt')
        guest.run(f'echo {i} >>/mnt/file; umount /mnt')
        guest.detach(20)
        wait_for('no trace in QEMU', lambda: descriptors(guest) == before)
    assert (folder / 'file').read_text() == '0\n1\n2\n'


@protocols
def test_device_vanishes_from_xenstore(guest, folder):
    guest.attach(20, 'short', path=folder, security_model='none')
    guest.wait_state(20, CONNECTED)
    before = granted_pages(guest.qemu_pid())
    guest.remove(20)
    wait_for('the rings to go', lambda: granted_pages(guest.qemu_pid()) < before)


# The end

def test_destroy_in_the_middle_of_a_write(new_guest, folder):
    guest = new_guest('doomed', shares=[Share('share', folder)]).create()
    guest.mount('share', '/mnt')
    guest.console.send('dd if=/dev/zero of=/mnt/file bs=1M count=1000')
    wait_for('data', lambda: (folder / 'file').exists()
             and (folder / 'file').stat().st_size > 4 << 20)
    guest.destroy()
    size = (folder / 'file').stat().st_size
    assert size < 1000 << 20
    time.sleep(0.5)
    assert (folder / 'file').stat().st_size == size

    heir = new_guest('heir', shares=[Share('share', folder)]).create()
    heir.mount('share', '/mnt')
    assert heir.run('stat -c %s /mnt/file') == f'{size}\n'
    heir.run('rm /mnt/file; echo new >/mnt/file2')
    assert os.listdir(folder) == ['file2']
    # And the guest's own way down, with the share mounted.
    heir.shutdown()
    assert (folder / 'file2').read_text() == 'new\n'
