# SPDX-License-Identifier: GPL-2.0-or-later
"""Our module against a backend that breaks the protocol, or is gone."""

import time

import pytest

from liar import Liar
from xenguest import CLOSED, CONNECTED, STORE, wait_for

DEVID = 40


@pytest.fixture
def liar(guest):
    """A function that makes a device with such a backend, mounted at /liar."""
    made = []

    def make(version='9p2000.L', **nodes):
        made.append(Liar(guest, DEVID, 'liar', **nodes).start())
        guest.mount('liar', '/liar', 1 << 20, f',version={version}', 'virtfs')
        return made[-1]
    yield make
    guest.run('umount /liar 2>/dev/null; true')
    for each in made:
        each.stop()


def write(guest, count=1):
    """A file of whole MiB, in one piece each; what dd says if that fails."""
    return guest.run(f'dd if=/dev/zero of=/liar/file bs=1M count={count} 2>&1; '
                     'true')


def test_honest(guest, liar):
    """The liar's own check: without a lie all goes well."""
    liar()
    assert 'error' not in write(guest, 3)
    guest.run('dd if=/liar/file of=/dev/null bs=1M count=3 2>/dev/null')
    assert not guest.new_warnings()


def test_count_of_write(guest, liar):
    """More was written than was sent: dd would count on behind its buffer."""
    liar().more_written = 5000
    assert 'Input/output error' in write(guest)
    assert 'written more than it got' in ' '.join(guest.new_warnings())


def test_pages_that_stay_mapped(guest, liar):
    """The request fails, and the backend gets no further one."""
    backend = liar()
    backend.keep_mapped = True
    assert 'Input/output error' in write(guest)
    assert 'keeps pages' in ' '.join(guest.new_warnings())
    wait_for('the end', lambda: backend.state() == CLOSED)
    backend.close()


def test_error_without_end(guest, liar):
    """In 9P2000.u an error has a text: Linux keeps 4 KiB of a reply like that,
    and looks for an error that has this text. What is behind stays there."""
    liar('9p2000.u').long_error = True
    said = guest.run('dd if=/liar/file of=/dev/null bs=1M count=1 2>&1; true')
    assert 'Invalid argument' in said
    assert 'leak' not in guest.run('dmesg')


def test_comes_back(guest, liar):
    """A backend that has vanished is there again: so is the device."""
    backend = liar()
    backend.close()
    STORE.remove(backend.back)
    wait_for('the end', lambda: backend.state() == CLOSED)
    assert 'Input/output error' in write(guest)
    backend.come_back()
    guest.mount('liar', '/again', 1 << 20, protocol='virtfs')
    guest.run('dd if=/dev/zero of=/again/file bs=1M count=1 2>/dev/null')
    guest.umount('/again')


SECRET = 'neighbour of the data'


def write_beside_secret(guest):
    """Data in whose last page there is something else: dd cannot seek in a
    pipe, so what it skips is in its buffer, behind what it writes."""
    guest.run(f'''
        yes '{SECRET}' | head -c 16384 >/tmp/secret
        head -c 2000 /dev/zero >>/tmp/secret
        cat /tmp/secret | (
            sleep 1; dd of=/liar/file bs=16384 skip=1 2>/dev/null)''')


@pytest.mark.parametrize('trusted', [0, 1])
def test_neighbours(guest, liar, trusted):
    """Only a backend that is trusted gets pages with others' bytes in them."""
    guest.run('echo 0 >/sys/module/9pnet_virtfs/parameters/copy_max')
    backend = liar(trusted=trusted)
    write_beside_secret(guest)
    guest.run('echo 2097152 >/sys/module/9pnet_virtfs/parameters/copy_max')
    assert (SECRET.encode() in backend.beside) == bool(trusted)


def test_backend_vanishes(guest, liar):
    """Who waits for an answer gets EIO, and umount works."""
    backend = liar()
    backend.silent = True
    number = guest.console.send(
        'dd if=/dev/zero of=/liar/file bs=1M count=1 2>&1; umount /liar')
    time.sleep(2)
    backend.close()
    backend.vanish()
    assert 'Input/output error' in guest.answer(number, 'the write', 20)


def test_detach_waits_for_umount(guest, folder):
    """A toolstack that asks politely has to wait; a share that nobody has
    mounted goes at once."""
    guest.attach(DEVID, 'polite', 'virtfs', path=folder, security_model='none')
    guest.wait_state(DEVID, CONNECTED)
    guest.mount('polite', '/polite', 1 << 20, protocol='virtfs')
    number = guest.console.send('''
        sleep 4; cd /polite; echo text >file; cat file
        cd /; umount /polite''')
    guest.detach(DEVID)
    assert guest.answer(number, 'the write') == 'text\n'
    assert (folder / 'file').read_text() == 'text\n'
