# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator can get wrong, and what he is told."""

from pathlib import Path

import pytest

from xenguest import (CLOSED, CLOSING, CONNECTED, Failed, Share, wait_for)

DEVID = 20
PATH = '/srv/shares/none'

# The wrong node, its value (None: missing), and words that the error node
# has to have beside the node's name: the value, or what is allowed.
WRONG = {
    'path-missing': ('path', None, []),
    'path-empty': ('path', '', []),
    'path-absent': ('path', '/srv/nowhere', ['/srv/nowhere', 'No such file']),
    'path-file': ('path', '/etc/passwd', ['/etc/passwd', 'directory']),
    'model-missing': ('security_model', None, ['passthrough', 'mapped-xattr']),
    'model-unknown': ('security_model', 'secure', ['secure', 'passthrough',
                                                   'mapped-xattr', 'mapped-file',
                                                   'none']),
    'tag-missing': ('tag', None, []),
    'tag-empty': ('tag', '', []),
    'tag-ill-formed': ('tag', 'not a,tag=', []),
    'tag-too-long': ('tag', 't' * 32, ['31']),
    'readonly': ('readonly', 'maybe', ['maybe', 'on', 'off']),
    'multidevs': ('multidevs', 'many', ['many', 'remap', 'forbid', 'warn']),
    'writeout': ('writeout', 'later', ['later', 'immediate']),
    'fmode': ('fmode', '0999', ['0999']),
    'dmode': ('dmode', 'rwx', ['rwx']),
    'max_xattr': ('max_xattr', 'lots', ['lots']),
    'throttling': ('throttling/bps-total', 'fast', ['fast']),
    'dispatch': ('dispatch', 'fast', ['fast', 'auto', 'worker', 'inline']),
}


def config(**changes):
    """Nodes of a device that works, but for the changes; None: without."""
    nodes = {'tag': 'wrong', 'path': PATH, 'security_model': 'none', **changes}
    tag = nodes.pop('tag')
    return tag, {k: v for k, v in nodes.items() if v is not None}


@pytest.mark.parametrize('case', WRONG)
def test_wrong(place, case):
    node, value, words = WRONG[case]
    guest = place.guest
    tag, nodes = config(**{node: value})
    states = set()

    def refused():
        states.add(guest.state(DEVID))
        return guest.error(DEVID) and states & {CLOSING, CLOSED}

    guest.attach(DEVID, tag, **nodes)
    try:
        wait_for('the refusal', refused, 10)
        assert CONNECTED not in states
        for word in [node, *words]:
            assert word in guest.error(DEVID)
        lines = guest.new_log_lines()
        assert len(lines) == 1, lines
        assert '9pfs' in lines[0] and str(DEVID) in lines[0] and node in lines[0]
        # The others go on.
        place.run('echo on >file')
        assert (place.outside / 'file').read_text() == 'on\n'
    finally:
        guest.new_log_lines()
        guest.detach(DEVID)


def test_right_after_wrong(guest, folder):
    """The device that was refused can be put right and tried again."""
    guest.attach(DEVID, 'wrong', path='/srv/nowhere', security_model='none')
    guest.wait_state(DEVID, CLOSING, CLOSED)
    assert len(guest.new_log_lines()) == 1
    guest.detach(DEVID)
    guest.attach(DEVID, 'wrong', path=folder, security_model='none')
    guest.wait_state(DEVID, CONNECTED)
    assert guest.error(DEVID) == ''
    guest.mount('wrong', '/mnt')
    guest.run('echo right >/mnt/file; umount /mnt')
    guest.detach(DEVID)


def test_options(guest, folder):
    """Right values of every option."""
    guest.attach(DEVID, 'options', path=folder, security_model='mapped-xattr',
                 readonly='off', multidevs='remap', writeout='immediate',
                 fmode='0640', dmode='0750', max_xattr='65536',
                 dispatch='worker',
                 **{'throttling/iops-total': '10000'})
    guest.wait_state(DEVID, CONNECTED)
    guest.mount('options', '/mnt')
    guest.run('cd /mnt; mkdir sub; echo 1 >sub/file')
    assert (folder / 'sub').stat().st_mode & 0o777 == 0o750
    assert (folder / 'sub' / 'file').stat().st_mode & 0o777 == 0o640
    guest.run('umount /mnt')
    guest.detach(DEVID)


def test_wrong_path_in_xl(new_guest, folder):
    """xl create with a share that does not exist: the guest comes up, without
    this share and with the other."""
    guest = new_guest('half', shares=[Share('bad', '/srv/nowhere'),
                                      Share('good', folder)]).create()
    guest.wait_state(0, CLOSING, CLOSED)
    guest.mount('good', '/mnt')
    guest.run('echo 1 >/mnt/file')
    assert (folder / 'file').exists()
    guest.fails('mkdir /bad; mount -t 9p -o trans=xen,version=9p2000.L bad /bad')
    assert '/srv/nowhere' in guest.error(0)
    lines = guest.new_log_lines()
    assert len(lines) == 1 and '/srv/nowhere' in lines[0]
    guest.shutdown()


def test_baseline_stock_qemu(new_guest, folder, record_property):
    """Debian's own QEMU, for comparison: why this project exists."""
    message = "Device 'xen-backend' does not support hotplugging"
    guest = new_guest('stock', shares=[Share('share', folder)], qemu=None)
    log = Path('/var/log/xen/qemu-dm-stock.log')
    try:
        guest.create('-p')
    except Failed as failed:
        record_property('xl', failed.output)
    try:
        wait_for('the message', lambda: log.exists()
                 and message in log.read_text(), 15)
    except TimeoutError:
        pytest.skip("Debian's QEMU has learnt to hot-plug a xen-backend: "
                    'the cure of scripts/integrate may no longer be needed')
    wait_for('the death of QEMU', lambda: guest.qemu_pid() is None)
    assert guest.state(0) != CONNECTED
    record_property('qemu', log.read_text())
    guest.new_log_lines()
