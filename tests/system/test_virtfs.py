# SPDX-License-Identifier: GPL-2.0-or-later
"""What only the virtfs protocol has, and what must not harm it."""

import os
import signal
import time

import pytest

from conftest import Place
from test_files import digest, random_file
from xenguest import CONNECTED, Failed, Share, granted_pages, wait_for

DEVID = 20
# Parameters of the guest's module, and what it can do with them.
FORMS = {
    'seed': ('max_queues=1 max_ring_order=0 indirect=0 persistent=0',
             '1 ring(s) of 1 page(s), 0 indirect segments', 253 * 4096),
    'ring': ('max_ring_order=4 indirect=0 persistent=0 max_queues=1',
             '0 indirect segments', 1 << 20),
    'indirect': ('persistent=0', '512 indirect segments', 1 << 20),
    'persistent': ('', ', persistent', 1 << 20),
}
# In pieces of the size that the protocol is for; busybox's cp takes 4 KiB.
COPY = 'copy() { dd if=$1 of=$2 bs=1M 2>/dev/null; }'


@pytest.fixture
def protocol():
    return 'virtfs'


@pytest.fixture
def own_guest(new_guest, folder):
    """A guest with two processors and one share, whose QEMU is ours to stop."""
    guest = new_guest('own', vcpus=2, shares=[
        Share('share', folder, protocol='virtfs')]).create()
    guest.protocol = 'virtfs'
    return guest


def reload(guest, parameters=''):
    """Our module alone. Linux's own gives up a thousand grants a device when it
    goes, and gets them back slowly, while they are still mapped; when all that
    a guest has were given out Linux 6.12 crashed in get_free_entries()."""
    guest.run(f"""
        cd /sys/bus/xen/drivers/virtfs
        for device in virtfs-*; do
            echo $device >unbind || exit
        done
        rmmod 9pnet_virtfs && insmod /modules/9pnet_virtfs.ko {parameters}""")
    for devid in guest.devids:
        guest.wait_state(devid, CONNECTED)


@pytest.fixture(name='data', params=['copied', 'granted'])
def way_of_data(request, guest):
    """Which way all data go in this test: the pool's pages, or the caller's."""
    parameter = '/sys/module/9pnet_virtfs/parameters/copy_max'
    usual = guest.run(f'cat {parameter}').strip()
    most = 1 << 21 if request.param == 'copied' else 0
    guest.run(f'echo {most} >{parameter}')
    yield
    guest.run(f'echo {usual} >{parameter}')


def start_load(guest, point, writers=4, then=''):
    """Writers that go on until they fail, and another script beside them; the
    number of it all. It prints why they failed."""
    return guest.console.send(f'''
        for i in $(seq {writers}); do
            (while dd if=/dev/zero of={point}/load$i bs=256k count=64 2>/tmp/err$i
             do :; done) &
        done
        {then}
        wait; cat /tmp/err*''')


def wait_for_load(folder, writers=4):
    wait_for('data of all writers', lambda: len(
        [p for p in folder.glob('load*') if p.stat().st_size]) == writers)


def test_second_mount_is_refused(place):
    with pytest.raises(Failed, match='busy'):
        place.guest.mount('none', '/srv')
    place.run('echo text >file')
    assert (place.outside / 'file').read_text() == 'text\n'


# Forms of the protocol

@pytest.mark.parametrize('form', FORMS)
def test_form(guest, folder, form):
    parameters, words, msize = FORMS[form]
    wanted = random_file(folder / 'in', 3_000_003)
    reload(guest, parameters)
    try:
        assert words in guest.run('dmesg | grep virtfs | tail -n 4')
        guest.mount('none', '/mnt', 1 << 20)
        assert f'msize={msize},' in guest.run('grep /mnt /proc/mounts')
        guest.run(f'cd /tmp; {COPY}; copy /mnt/work/in in; '
                  'copy in /mnt/work/out; ls -l /mnt/work')
        assert wanted in guest.run('sha256sum /tmp/in')
        assert digest(folder / 'out') == wanted
        guest.umount('/mnt')
    finally:
        reload(guest)


@pytest.mark.usefixtures('data')
def test_odd_sizes_and_offsets(place):
    """Data that begins and ends anywhere, in one piece of up to 1 MiB."""
    place.guest.umount('/mnt')
    place.guest.mount('none', '/mnt', 1 << 20)
    data = os.urandom(2_200_000)
    (place.outside / 'in').write_bytes(data)
    place.run('cat in >/tmp/in')
    for size in 1023, 1025, 4097, 8191, 65537, 1048551, 1048553, 2097153:
        place.run(f'''
            dd if=in of=/tmp/out bs={size} count=2 2>/dev/null
            dd if=/tmp/in of=out bs={size} count=2 seek=1 2>/dev/null
            cat /tmp/out >same''')
        assert (place.outside / 'same').read_bytes() == data[:2 * size]
        assert (place.outside / 'out').read_bytes() == (
            bytes(size) + data[:2 * size])
        place.run('rm out same')


def test_two_queues(own_guest, folder):
    assert '2 ring(s)' in own_guest.run('dmesg | grep virtfs-')
    own_guest.mount('share', '/mnt', 1 << 20)
    sums = own_guest.run('''
        cd /tmp
        for i in 1 2 3 4; do head -c $((3000000 + i)) /dev/urandom >$i; done
        for i in 1 2 3 4; do
            taskset $((1 + i % 2)) dd if=$i of=/mnt/$i bs=1M 2>/dev/null &
        done
        wait
        sha256sum 1 2 3 4''')
    for line in sums.splitlines():
        wanted, name = line.split()
        assert digest(folder / name) == wanted, name
    assert own_guest.run('cat /proc/irq/*/9pnet_virtfs/../smp_affinity '
                         '| sort | xargs') == '1 2\n'
    assert not own_guest.new_warnings()


# Load

def test_eight_readers_and_writers(place):
    for i in range(8):
        random_file(place.outside / f'in{i}', 3_000_000 + i)
    sums = place.run(COPY + '''
        for i in 0 1 2 3 4 5 6 7; do
            head -c $((3000000 + i)) /dev/urandom >/tmp/out$i
        done
        for round in 1 2; do
            for i in 0 1 2 3 4 5 6 7; do
                copy in$i /tmp/in$i & copy /tmp/out$i out$i &
            done
            wait
        done
        cd /tmp; sha256sum in? out?''', 400)
    assert len(sums.splitlines()) == 16
    for line in sums.splitlines():
        wanted, name = line.split()
        assert digest(place.outside / name) == wanted, name


@pytest.mark.usefixtures('data')
@pytest.mark.parametrize('cache', ['none', 'loose'])
def test_memory_pressure(place, cache):
    """Eight writers, and hardly any memory left but their own pages: 8 MiB of
    them are dd's buffers. With 14 MB the guest has to kill one now and then."""
    place.guest.umount('/mnt')
    place.guest.mount('none', '/mnt', 1 << 20, f',cache={cache}')
    wanted = random_file(place.outside / 'in', 8 << 20)
    place.run(COPY + '''
        mkdir -p /tmp/full
        mount -t tmpfs -o size=100% full /tmp/full
        trap 'umount /tmp/full' EXIT
        free=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
        dd if=/dev/zero of=/tmp/full/file bs=1k count=$((free - 18000)) 2>/dev/null
        for i in 1 2 3 4 5 6 7 8; do
            copy in out$i &
        done
        wait
        sync''', 600)
    for i in range(1, 9):
        assert digest(place.outside / f'out{i}') == wanted


def test_both_protocols_at_once(place):
    # Four writers' requests have to fit into one ring: Linux 6.12 never wakes
    # a writer that waits for room, see "Limits" in docs/system/xen-9pfs.rst.
    place.guest.mount('none', '/other', 131072, protocol='9pfs')
    sums = place.run(COPY + '''
        head -c 4000000 /dev/urandom >/tmp/data
        for i in 1 2 3 4; do
            copy /tmp/data /mnt/work/v$i & copy /tmp/data /other/work/x$i &
        done
        wait
        for i in 1 2 3 4; do
            copy /other/work/v$i /tmp/v$i & copy /mnt/work/x$i /tmp/x$i &
        done
        wait
        sha256sum /tmp/data /tmp/v? /tmp/x?''', 300)
    assert len(sums.splitlines()) == 9
    assert len({line.split()[0] for line in sums.splitlines()}) == 1


# The end of a request

@pytest.mark.usefixtures('data')
def test_killed_in_the_middle(place):
    """Pages of those that are killed stay pinned until the backend is done."""
    random_file(place.outside / 'in', 8 << 20)
    place.run('''
        for i in 1 2 3 4 5 6; do
            dd if=/dev/zero of=out bs=1M count=64 2>/dev/null & writer=$!
            dd if=in of=/dev/null bs=1M 2>/dev/null & reader=$!
            usleep ${i}00000
            kill -9 $writer $reader 2>/dev/null || true
            wait $writer $reader || true
        done
        dd if=in of=copy bs=1M 2>/dev/null''', 200)
    assert digest(place.outside / 'copy') == digest(place.outside / 'in')


def test_killed_while_the_backend_sleeps(place):
    guest = place.guest
    place.run('echo text >file')
    pid = guest.qemu_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        number = guest.console.send('''cd /mnt/work
            dd if=/dev/zero of=out bs=256k count=4 2>/dev/null & writer=$!
            cat file & reader=$!
            sleep 1; kill -9 $writer $reader; sleep 1
            wait; echo over''')
        time.sleep(4)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert guest.answer(number, 'kill').endswith('over\n')
    assert place.run('cat file') == 'text\n'


# The end of a connection

def test_umount_frees_every_grant(guest, folder):
    before = granted_pages(guest.qemu_pid())
    assert before == guest.expected_pages()
    guest.mount('none', '/mnt', 1 << 20)
    guest.run('cd /mnt/work; dd if=/dev/zero of=file bs=1M count=8 2>/dev/null; '
              'ls -l; cat file >/dev/null')
    guest.umount('/mnt')
    wait_for('the pages', lambda: granted_pages(guest.qemu_pid()) == before, 5)


def test_removed_under_load(guest, folder):
    """Without a word, as a forced detach; see test_detach_waits_for_umount."""
    for _ in range(2):
        guest.attach(DEVID, 'load', path=folder, security_model='none')
        guest.wait_state(DEVID, CONNECTED)
        guest.mount('load', '/load', 1 << 20)
        number = start_load(guest, '/load')
        wait_for_load(folder)
        guest.remove(DEVID)
        assert 'Input/output error' in guest.answer(number, 'load', 30)
        guest.umount('/load')
        for path in folder.glob('load*'):
            path.unlink()


def test_unbind_under_load(guest, folder):
    """As far as Linux goes in taking a module away that is in use."""
    guest.attach(DEVID, 'load', path=folder, security_model='none')
    guest.wait_state(DEVID, CONNECTED)
    for _ in range(2):
        guest.mount('load', '/load', 1 << 20)
        said = guest.answer(start_load(
            guest, '/load', then=f'''
                until [ -s /load/load4 ]; do sleep 0.1; done
                echo virtfs-{DEVID} >/sys/bus/xen/drivers/virtfs/unbind'''),
            'load', 60)
        assert said.count('Input/output error') >= 4
        guest.umount('/load')
        guest.run(f'echo virtfs-{DEVID} >/sys/bus/xen/drivers/virtfs/bind')
        guest.wait_state(DEVID, CONNECTED)
    guest.mount('load', '/load')
    guest.run('rm /load/load*; umount /load')
    guest.detach(DEVID)


def test_destroy_under_load(new_guest, folder):
    guest = new_guest('doomed', shares=[
        Share('share', folder, protocol='virtfs')]).create()
    guest.protocol = 'virtfs'
    guest.mount('share', '/mnt', 1 << 20)
    start_load(guest, '/mnt', 8)
    wait_for_load(folder, 8)
    guest.destroy()

    heir = new_guest('heir', shares=[
        Share('share', folder, protocol='virtfs')]).create()
    heir.protocol = 'virtfs'
    heir.mount('share', '/mnt')
    heir.run('rm /mnt/load*; echo new >/mnt/file')
    heir.shutdown()
    assert os.listdir(folder) == ['file']


def test_save_and_restore(own_guest, folder):
    own_guest.mount('share', '/mnt', 1 << 20)
    own_guest.run('echo before >/mnt/file; sync')
    own_guest.save_and_restore()
    assert 'Input/output error' in own_guest.fails('cat /mnt/file', 60)
    own_guest.umount('/mnt')
    own_guest.wait_state(0, CONNECTED)
    own_guest.mount('share', '/mnt', 1 << 20)
    assert own_guest.run('cat /mnt/file') == 'before\n'
    own_guest.umount('/mnt')


def test_backend_restart(own_guest, folder):
    """QEMU dies in the middle of a load, and another one takes its place."""
    own_guest.mount('share', '/mnt', 1 << 20)
    number = start_load(own_guest, '/mnt')
    wait_for_load(folder)
    own_guest.stop_serving()
    own_guest.serve()
    assert 'Input/output error' in own_guest.answer(number, 'load', 60)
    own_guest.umount('/mnt')
    own_guest.wait_state(0, CONNECTED)
    own_guest.mount('share', '/mnt', 1 << 20)
    place = Place(own_guest, '/mnt', folder)
    place.run('rm load*; echo again >file')
    assert (folder / 'file').read_text() == 'again\n'
    own_guest.umount('/mnt')
    assert not own_guest.new_warnings()
