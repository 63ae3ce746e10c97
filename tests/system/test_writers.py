# SPDX-License-Identifier: GPL-2.0-or-later
"""Many processes of one stock guest that write in large pieces at once. Linux's
frontend waits killably for room in its ring but is woken interruptibly, so that
a writer that has to wait there does so for ever."""

import random

import pytest

from xenguest import Share

K = 1024
# Each writer writes a window of the same random bytes, an odd number of bytes
# further on than the last: no page of a file is like one of another.
WRITERS = 64
STEP = 67891
SIZE = 2 * 512 * K + 12345
# Seconds without a byte in any file, times PATIENCE, until writers count as
# hanging: on a busy machine they are slow, but never that slow.
PAUSE = 8


DATA = random.Random(1).randbytes(STEP * WRITERS + SIZE)


def window(writer, size):
    return DATA[STEP * writer:STEP * writer + size]


@pytest.fixture(name='crowd')
def crowd_guest(new_guest, protocol, folder):
    """A function that makes a guest, with the share as /mnt and DATA as
    /tmp/data."""
    def make(msize, cache):
        (folder / 'data').write_bytes(DATA)
        guest = new_guest('crowd', vcpus=2, shares=[
            Share('share', folder, protocol=protocol)])
        guest.protocol = protocol
        guest.create()
        guest.mount('share', '/mnt', msize, f',cache={cache}')
        guest.run(f'cp /mnt/data /tmp/; head -c {SIZE} /tmp/data >/tmp/head')
        return guest
    return make


def finish(guest, folder, script):
    """Run a script whose processes write to the folder; they may take long, but
    not without writing anything."""
    number, before = guest.console.send(script), None
    while True:
        try:
            return guest.answer(number, script, PAUSE)
        except TimeoutError:
            sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
            assert sizes != before, f'the writers hang: {sizes}'
            before = sizes


def write_all(guest, folder, writers, readers=0, size=SIZE):
    """Start them all, and wait; readers compare in the guest, the rest is compared
    here."""
    finish(guest, folder, f'''cd /mnt
        i=0
        while [ $i -lt {writers} ]; do
            dd if=/tmp/data of=$i bs=512k iflag=skip_bytes,count_bytes \\
                skip=$((i * {STEP})) count={size} 2>/tmp/write$i || \\
                echo $i >>/tmp/bad &
            i=$((i + 1))
        done
        i=0
        while [ $i -lt {readers} ]; do
            dd if=data bs=512k iflag=count_bytes count={SIZE} 2>/dev/null | \\
                cmp - /tmp/head || echo $i >>/tmp/bad &
            i=$((i + 1))
        done
        wait
        sync
        ! cat /tmp/bad /tmp/write* 2>/dev/null | grep -v records''')
    for writer in range(writers):
        assert (folder / str(writer)).read_bytes() == window(writer, size)
    guest.shutdown()


@pytest.mark.parametrize('msize, cache', [
    (512 * K, 'none'), (512 * K, 'loose'), (131096, 'none'), (65560, 'none')])
def test_files(crowd, folder, msize, cache):
    """Each writer has a file of its own, and there are readers beside them."""
    write_all(crowd(msize, cache), folder, WRITERS, readers=4)


@pytest.mark.parametrize('protocol', ['virtfs'])
def test_files_over_virtfs(crowd, folder):
    write_all(crowd(512 * K, 'none'), folder, WRITERS, readers=4)


@pytest.mark.parametrize('writers', [8])
def test_few(crowd, folder, writers):
    """So many are enough, with messages of the largest size."""
    write_all(crowd(512 * K, 'none'), folder, writers, size=8 * 512 * K)


@pytest.mark.protocols
def test_one_file(crowd, folder):
    """Eight writers of one file, each at a place of its own; then eight that have
    inherited the same descriptor, whose blocks come in any order."""
    guest = crowd(512 * K, 'none')
    block = 512 * K
    finish(guest, folder, '''cd /mnt
        for i in 0 1 2 3 4 5 6 7; do
            dd if=/tmp/data of=placed bs=512k count=1 conv=notrunc \\
                skip=$i seek=$i 2>/dev/null &
        done
        exec 5>shared
        for i in 0 1 2 3 4 5 6 7; do
            dd if=/tmp/data bs=512k count=1 skip=$i >&5 2>/dev/null &
        done
        wait''')
    blocks = [DATA[i * block:(i + 1) * block] for i in range(8)]
    assert (folder / 'placed').read_bytes() == b''.join(blocks)
    shared = (folder / 'shared').read_bytes()
    assert sorted(shared[place:place + block]
                  for place in range(0, len(shared), block)) == sorted(blocks)
    guest.shutdown()
