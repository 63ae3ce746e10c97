# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared guests' own end; the last file, so that they need not boot again."""

import pytest


@pytest.mark.core
def test_shutdown(place):
    place.run('echo last words >file')
    place.guest.shutdown()
    assert (place.outside / 'file').read_text() == 'last words\n'
