# SPDX-License-Identifier: GPL-2.0-or-later
"""What a share is for: files, from the guest's side and from dom0's."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

core = pytest.mark.core
pytestmark = pytest.mark.protocols


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def random_file(path, size):
    path.write_bytes(os.urandom(size))
    return digest(path)


# Contents

@core
@pytest.mark.parametrize('msize', [8192, 262144, 524288])
def test_msize(guest, folder, msize):
    wanted = random_file(folder / 'in', 300_003)
    guest.mount('none', '/mnt', msize)
    assert f'msize={msize}' in guest.run('grep /mnt /proc/mounts')
    guest.run('cp /mnt/work/in /tmp/in; cp /tmp/in /mnt/work/out')
    assert wanted in guest.run('sha256sum /tmp/in')
    assert digest(folder / 'out') == wanted


@core
def test_64_mib_both_ways(place):
    wanted = random_file(place.outside / 'in', 64 << 20)
    place.run('cp in /tmp/big', 120)
    assert wanted in place.run('sha256sum /tmp/big', 120)
    place.run('cp /tmp/big out', 120)
    assert digest(place.outside / 'out') == wanted


def test_eight_writers(place):
    sums = place.run('''
        for i in 1 2 3 4 5 6 7 8; do
            head -c $((2000000 + i)) /dev/urandom >/tmp/$i
        done
        for i in 1 2 3 4 5 6 7 8; do
            cp /tmp/$i $i &
        done
        wait
        cd /tmp; sha256sum 1 2 3 4 5 6 7 8''', 120)
    for line in sums.splitlines():
        wanted, name = line.split()
        assert digest(place.outside / name) == wanted, name
    assert len(sums.splitlines()) == 8


def test_append(place):
    place.run('echo one >file; echo two >>file')
    (place.outside / 'file').open('a').write('three\n')
    place.run('echo four >>file')
    assert (place.outside / 'file').read_text() == 'one\ntwo\nthree\nfour\n'


def test_truncate(place):
    wanted = random_file(place.outside / 'file', 10000)
    place.run('truncate -s 20000 file')
    assert (place.outside / 'file').stat().st_size == 20000
    place.run('truncate -s 10000 file')
    assert digest(place.outside / 'file') == wanted
    place.run('truncate -s 0 file')
    assert (place.outside / 'file').read_bytes() == b''


def test_sparse_file(place):
    place.run('echo end | dd of=file bs=1 seek=5000000000 2>/dev/null')
    status = (place.outside / 'file').stat()
    assert status.st_size == 5000000004
    assert status.st_blocks * 512 < 100000
    assert place.run('tail -c 4 file; head -c 3 file | xxd -p') == 'end\n000000\n'


def test_fsync(place):
    place.run('dd if=/dev/zero of=file bs=64k count=3 conv=fsync 2>/dev/null; sync .')
    assert (place.outside / 'file').stat().st_size == 3 * 65536


def test_unlink_while_open(place):
    assert place.run('''
        echo kept >file
        exec 3<>file
        rm file
        cat <&3
        ls -1''') == 'kept\n'
    assert os.listdir(place.outside) == []


# Names and trees

def test_tree_of_2000_files(place):
    """Ten processes at once. Two thousand files are some 40,000 requests."""
    names = [f'{d}/{f}' for d in range(20) for f in range(100)]
    place.run('''
        for d in $(seq 0 19); do
            mkdir -p /tmp/tree/$d
            for f in $(seq 0 99); do
                echo "file $f of $d" >/tmp/tree/$d/$f
            done
        done
        mkdir tree''')
    each = 'ls /tmp/tree | xargs -P 10 -n 1'
    place.run(f"{each} sh -c 'cp -r /tmp/tree/$0 tree/'", 240)
    place.run(f"{each} sh -c 'cat /tmp/tree/$0/* >/tmp/$0; cat tree/$0/* | cmp - /tmp/$0'",
              240)
    for name in names:
        d, f = name.split('/')
        assert ((place.outside / 'tree' / name).read_text()
                == f'file {f} of {d}\n')
    place.run(f"{each} sh -c 'rm -r tree/$0'; rmdir tree", 120)
    assert os.listdir(place.outside) == []


def test_5000_entries(place):
    names = sorted(f'entry-{i:04}-' + 'x' * (i % 50) for i in range(5000))
    for name in names:
        (place.outside / name).touch()
    # The shell's own pattern reads the folder and asks for nothing else.
    assert place.run("printf '%s\\n' *").split() == names


def test_rename(place):
    place.run('mkdir a b; echo 1 >a/x; echo 2 >b/y; mv a/x b/y; mv b c')
    assert sorted(os.listdir(place.outside)) == ['a', 'c']
    assert os.listdir(place.outside / 'c') == ['y']
    assert place.run('cat c/y') == '1\n'
    assert 'No such file' in place.fails('mv a/none a/other')


def test_hard_link(place):
    place.run('echo 1 >a; ln a b; echo 2 >>b')
    assert (place.outside / 'a').read_text() == '1\n2\n'
    assert (place.outside / 'a').samefile(place.outside / 'b')
    assert place.run('stat -c %h a') == '2\n'


def test_symlink(place):
    place.run('echo 1 >a; ln -s a b; ln -s /nowhere/at/all c')
    assert os.readlink(place.outside / 'b') == 'a'
    assert place.run('cat b; readlink c') == '1\n/nowhere/at/all\n'
    assert 'No such file' in place.fails('cat c')


def test_name_of_255_bytes(place):
    name = 'n' * 253 + 'ä'
    place.run(f'echo 1 >{name}; cat {name}')
    assert os.listdir(place.outside) == [name]
    assert 'too long' in place.fails(f'echo 1 >{name}x')


def test_path_of_16_components(place):
    path = '/'.join(f'component-{i}' for i in range(15))
    place.run(f'mkdir -p {path}; echo deep >{path}/file')
    assert (place.outside / path / 'file').read_text() == 'deep\n'
    # 9P walks at most 16 names at a time: a file further down takes two.
    place.run(f'mkdir -p {path}/a/b; echo deeper >{path}/a/b/file')
    place.guest.umount('/mnt')
    place.guest.mount('none', '/mnt')
    assert place.run(f'cat {path}/file {path}/a/b/file') == 'deep\ndeeper\n'


# Attributes

@core
def test_chmod_chown_utimes(place):
    place.run('''
        touch file
        chmod 4750 file
        chown 1234:5678 file
        chmod u+s file
        touch -d "2001-02-03 04:05:06" file''')
    status = (place.outside / 'file').stat()
    assert stat.S_IMODE(status.st_mode) == 0o4750
    assert (status.st_uid, status.st_gid) == (1234, 5678)
    assert int(status.st_mtime) == 981173106
    os.chmod(place.outside / 'file', 0o600)
    os.utime(place.outside / 'file', (1, 2))
    assert place.run('stat -c "%a %u %g %X %Y" file') == '600 1234 5678 1 2\n'


def test_xattr(place):
    place.run('''
        touch file
        /usr/bin/setfattr -n user.colour -v blue file
        /usr/bin/setfattr -n user.shape -v round file''')
    assert os.getxattr(place.outside / 'file', 'user.colour') == b'blue'
    assert place.run('/usr/bin/getfattr --only-values -n user.shape file') == 'round'
    listed = place.run('/usr/bin/getfattr file')
    assert 'user.colour' in listed and 'user.shape' in listed
    place.run('/usr/bin/setfattr -x user.colour file')
    assert os.listxattr(place.outside / 'file') == ['user.shape']
    assert 'No such attribute' in place.fails('/usr/bin/getfattr -n user.none file')


def test_statfs(place):
    outside = os.statvfs(place.outside)
    blocks, size, length = place.run('stat -f -c "%b %S %l" .').split()
    # QEMU counts in blocks of about the msize, and rounds down to whole ones.
    lost = outside.f_blocks * outside.f_frsize - int(blocks) * int(size)
    assert 0 <= lost < int(size)
    assert int(length) == outside.f_namemax


def test_permission_denied(place):
    place.run('echo secret >file; chmod 600 file; chmod 711 .')
    place.guest.run('mkdir -p /etc; echo user:x:1000:1000::/:/bin/sh >/etc/passwd')
    assert 'ermission denied' in place.fails('su user -c "cat file"')


# Nobody gets out, see docs/devel/xen-9pfs-security.rst

@pytest.fixture
def secret():
    """A file of dom0's beside the shares, which is to stay as it is."""
    folder = Path('/srv/outside')
    folder.mkdir(exist_ok=True)
    file = folder / 'secret'
    file.write_text('outside\n')
    file.chmod(0o640)
    before = file.stat()
    yield file
    assert file.read_text() == 'outside\n'
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_nlink, after.st_mtime) == (
        before.st_mode, before.st_uid, before.st_nlink, before.st_mtime)
    assert os.listdir(folder) == ['secret']
    shutil.rmtree(folder)


def test_links_lead_nowhere(place, secret):
    """Linux follows links itself, in the guest's own tree."""
    seen = place.run(f'''
        ln -s {secret} link; ln -s {secret.parent} up
        ln -s ../../../outside/secret relative
        {{
            for name in link relative up/secret; do
                cat $name; echo new >$name; chmod 777 $name; chown 1:1 $name
                ln $name hard
            done
            echo new >up/made; rm up/secret; mv up/secret got
        }} 2>/dev/null || true''')
    assert 'outside' not in seen
