# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests that the tests share, and what must hold after each test.

A boot takes long, so one guest of each kind serves all tests that do not need
their own; the tests marked 'core' run on every kind, the others on PV.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from xenguest import (BACKENDS, CONNECTED, ERRORS, STORE, TRANSPORTS, Guest,
                      Share, domains, granted_pages, qemus, wait_for)

MODELS = ['none', 'passthrough', 'mapped-xattr', 'mapped-file']
SHARES = Path('/srv/shares')
# The first virtfs device of the shared guests; xl counts its own from 0.
FIRST_VIRTFS = 10
FAILURES = Path('/results/failures')
LIMIT = 1200
LONG_LIMIT = 3 * LIMIT


def pytest_configure(config):
    config.addinivalue_line('markers', 'core: runs on PV, PVH and HVM')
    config.addinivalue_line('markers', 'protocols: runs over 9pfs and virtfs')
    config.addinivalue_line('markers', 'long: may take more than the others')


def pytest_generate_tests(metafunc):
    if 'shared_guest' in metafunc.fixturenames:
        core = any(metafunc.definition.iter_markers('core'))
        metafunc.parametrize('shared_guest', ['pv', 'pvh', 'hvm'][:3 if core else 1],
                             indirect=True, scope='session')
    if any(metafunc.definition.iter_markers('protocols')):
        metafunc.parametrize('protocol', TRANSPORTS)


def pytest_collection_modifyitems(config, items):
    """HVM guests have the slowest processor: one protocol is enough for them."""
    def wanted(item):
        params = getattr(item, 'callspec', None) and item.callspec.params or {}
        return (params.get('shared_guest'), params.get('protocol')) != (
            'hvm', 'virtfs')
    config.hook.pytest_deselected(items=[i for i in items if not wanted(i)])
    items[:] = filter(wanted, items)


# What must hold

FOLDERS = [(kind, f'{folder}/{protocol}') for protocol in TRANSPORTS
           for kind, folder in (('device', BACKENDS), ('error node', ERRORS))]


def complaints():
    """What is there and should not be, or the other way round."""
    found = []
    alive = Guest.alive
    for domid in domains() ^ set(alive):
        found.append(f'domain {domid}: left behind, or lost')
    for domid in set(qemus()) - set(alive):
        found.append(f'QEMU of domain {domid}: left behind')
    for kind, folder in FOLDERS:
        for domid in STORE.ls(folder):
            guest = alive.get(int(domid))
            for devid in STORE.ls(f'{folder}/{domid}'):
                if not guest or int(devid) not in guest.devids:
                    found.append(f'{kind} {devid} of domain {domid}: left behind')
    for guest in alive.values():
        pid = guest.qemu_pid()
        if pid is None:
            found.append(f'QEMU of {guest.name} has died')
        elif granted_pages(pid) != guest.expected_pages():
            found.append(f'QEMU of {guest.name} maps {granted_pages(pid)} pages, '
                         f'not {guest.expected_pages()}')
    return found


def assert_nothing_left(guests=()):
    """After a grace time, since QEMU follows xenstore at its own pace."""
    try:
        wait_for('order', lambda: not complaints(), 5)
    except TimeoutError:
        assert not complaints()
    for guest in {*guests, *Guest.alive.values()}:
        assert not guest.new_log_lines()


@pytest.fixture(autouse=True)
def nothing_left():
    """After every test. Where something is, nobody goes on with it: the next
    test gets new guests."""
    yield
    try:
        for guest in list(Guest.alive.values()):
            guest.run('umount-9p; rm -rf /tmp/*; ! grep " 9p " /proc/mounts')
        assert_nothing_left()
    except BaseException:
        for guest in list(Guest.alive.values()):
            guest.destroy()
        for _, folder in FOLDERS:
            for domid in STORE.ls(folder):
                STORE.remove(f'{folder}/{domid}')
        raise


# Limits and reports

def out_of_time(_signal, _frame):
    raise TimeoutError('the test has taken too long')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that hangs fails, and the rest goes on."""
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(LONG_LIMIT if item.get_closest_marker('long') else LIMIT)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Add to a failure what an operator would look at, and have it on the host
    at once."""
    report = (yield).get_result()
    if not report.failed:
        return
    for guest in getattr(item, 'guests', []):
        for what, path in (
                ('console', f'/var/log/xen/console/guest-{guest.name}.log'),
                ('QEMU log', f'/var/log/xen/qemu-dm-{guest.name}.log')):
            if os.path.exists(path):
                text = Path(path).read_text(errors='replace')
                report.sections.append((f'{what} of {guest.name}', text[-3000:]))
    for _, folder in FOLDERS:
        nodes = subprocess.run(['xenstore-ls', '-f', folder], text=True,
                               capture_output=True, check=False).stdout
        report.sections.append((f'xenstore {folder}', nodes[-6000:]))
    FAILURES.mkdir(exist_ok=True)
    with (FAILURES / f'{item.name}.txt').open('a') as file:
        file.write(f'{item.nodeid}, {report.when}\n\n{report.longreprtext}\n')
        for title, text in report.sections:
            file.write(f'\n--- {title}\n{text}\n')


# Guests

@pytest.fixture(scope='session')
def folders():
    """One folder of dom0 for each security model."""
    for model in MODELS:
        (SHARES / model).mkdir(parents=True, exist_ok=True)
    return SHARES


@pytest.fixture(scope='session')
def shared_guest(request, folders):
    """The guest of this kind, perhaps not alive: see guest. It has a share for
    each security model, of the same name."""
    kind = request.param
    guest = Guest(f'shared-{kind}', kind,
                  [Share(model, folders / model, model) for model in MODELS])
    yield guest
    guest.destroy()
    assert_nothing_left([guest])


@pytest.fixture
def protocol():
    """What a test without the marker 'protocols' works over."""
    return '9pfs'


@pytest.fixture
def guest(shared_guest, folders, protocol, request):
    """The shared guest of one kind, a new one where the last has ended. From
    the first test over virtfs on it has each share over virtfs as well."""
    request.node.guests = [shared_guest]
    if shared_guest.domid not in Guest.alive:
        shared_guest.create()
    if protocol == 'virtfs' and FIRST_VIRTFS not in shared_guest.devids:
        attach_virtfs(shared_guest, folders)
    shared_guest.protocol = protocol
    yield shared_guest
    if protocol == 'virtfs' and shared_guest.domid in Guest.alive:
        assert not shared_guest.new_warnings()


def attach_virtfs(guest, folders):
    for devid, model in enumerate(MODELS, FIRST_VIRTFS):
        guest.attach(devid, model, 'virtfs', path=folders / model,
                     security_model=model)
    for devid in range(FIRST_VIRTFS, FIRST_VIRTFS + len(MODELS)):
        guest.wait_state(devid, CONNECTED)


@pytest.fixture
def new_guest(request):
    """A function that makes a guest of this test's own."""
    made = []
    request.node.guests = made

    def make(name, *args, **keys):
        made.append(Guest(name, *args, **keys))
        return made[-1]
    yield make
    for guest in made:
        guest.destroy()
    assert_nothing_left(made)


class Place:
    """A new folder of a share, seen from both sides."""

    def __init__(self, guest, inside, outside):
        self.guest, self.inside, self.outside = guest, inside, outside

    def run(self, script, timeout=120):
        """Run a script in the folder in the guest, with set -e."""
        return self.guest.run(f'set -e; cd {self.inside}\n{script}', timeout)

    def fails(self, script):
        return self.guest.fails(f'set -e; cd {self.inside}\n{script}')


@pytest.fixture
def folder(folders):
    """A new folder in the share 'none', on dom0's side alone."""
    path = folders / 'none' / 'work'
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


@pytest.fixture
def place(guest, folder):
    """That folder, mounted in the shared guest."""
    guest.mount('none', '/mnt')
    return Place(guest, '/mnt/work', folder)
