/*
 * A QMP connection to a QEMU of a loopback, for the few tests that want one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_QMP_H
#define LOOPBACK_QMP_H

#include "fixture.h"

typedef struct Qmp Qmp;

/*
 * qmp_new: connect to the fixture's QEMU. Ends the test when it cannot.
 * qmp_run: run a command, as in {"execute": "query-status"}; returns the
 *     line of its answer ("return" or "error") to be freed, NULL if QEMU
 *     is gone, or hangs. Events that come meanwhile are dropped.
 */
Qmp *qmp_new(Fixture *f);
void qmp_free(Qmp *qmp);
char *qmp_run(Qmp *qmp, const char *command);

#endif
