# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests of the suite 'loopback', each in a process of its own: one that
ends its program in the middle costs no other test.

LOOP_TIMEOUT in the environment is a test's time in seconds.
"""

import collections
import os
import re
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# The program of each backend, where it is a QEMU.
BACKENDS = {
    'ours': f'{TOP}/build/qemu-system-i386',
    'stock': f'{TOP}/build/qemu-stock',
    'xen-9pfsd': None,
}
TIMEOUT = int(os.environ.get('LOOP_TIMEOUT', '120'))

# kind: pass, fail or skip; leak: the backend held more at the end.
Result = collections.namedtuple('Result',
                                'path kind why leak seconds output')

# What GLib says of a failure, without the place in the source.
REASON = re.compile(r'^(?:not ok .*? - |(?:# )?Bail out! )(?:(?:FATAL-)?ERROR:)?'
                    r' ?(?:\S+:\d+:\w+: )?(.*)', re.M)


def version_of(backend, commit):
    """What a backend is: what it, or its package, says; and ours of what."""
    if BACKENDS[backend]:
        words = [BACKENDS[backend], '--version']
    else:
        words = ['dpkg-query', '-W', '-f', 'xen-utils ${Version}',
                 'xen-utils-4.20']
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    text = (done.stdout.splitlines() or ['unknown'])[0]
    text = text.replace('emulator version ', '')
    return f'{text}, xen-9pfs {commit}' if backend == 'ours' and commit else \
        text


def environment(backend=None):
    """What a test's process is told, see fixture.h; what we were told stays."""
    environ = dict(os.environ)
    if backend:
        environ['LOOP_BACKEND'] = backend
    qemu = BACKENDS.get(environ.setdefault('LOOP_BACKEND', 'ours'))
    if qemu:
        environ.setdefault('LOOP_QEMU', qemu)
    environ.setdefault('LOOP_TOOL', f'{TOP}/build/xen-virtfs')
    return environ


def tests_of(program, environ):
    """The paths of a program's tests."""
    text = subprocess.run([program, '--tap', '-l'], env=environ, check=True,
                          capture_output=True, text=True).stdout
    paths = (line.lstrip('# ') for line in text.splitlines())
    return [path for path in paths if path.startswith('/')]


def run_bounded(words, environ):
    """Output and status; a test that hangs has no status."""
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            status = None
        return output.decode(errors='replace'), status


def reason(output, status):
    """Why a test has failed, in a line."""
    if status is None:
        return f'not over after {TIMEOUT} s'
    found = REASON.search(output)
    return found.group(1) if found else f'status {status}'


def run_test(program, path, environ):
    """Run one test."""
    start = time.monotonic()
    output, status = run_bounded([program, '--tap', '-p', path], environ)
    # GLib calls a test that it cannot finish yet a TODO.
    skipped = re.search(r'# (?:SKIP|TODO) *(.*)', output)
    kind, why = 'pass', ''
    if status != 0:
        kind, why = 'fail', reason(output, status)
    elif skipped:
        kind, why = 'skip', skipped.group(1)
    return Result(path, kind, why, 'left over:' in output,
                  round(time.monotonic() - start, 2), output)
