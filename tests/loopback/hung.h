/*
 * A share whose file system hangs: what its tests have in common
 *
 * Device 0's share is a file system of its own, calls on which are held, as
 * those on a frozen disk or a server that is gone are. Meanwhile QEMU answers,
 * device 1 is served, others come and go; and QEMU can end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_HUNG_H
#define LOOPBACK_HUNG_H

#include "shares.h"

#define HUNG_WAIT_MS 20000
/* What QEMU may take, on a machine that does other things as well. */
#define HUNG_ANSWER_S 1.0
#define HUNG_END_S 2.0

typedef struct Hung {
    Fixture *f;
    char *folder;               /* device 0's share */
    const char *dispatch;
    Fe *fe, *other;             /* of devices 0 and 1 */
    Qmp *qmp;
    P9Req *req;                 /* that waits for the call, or NULL */
    bool by_qmp;                /* device 0 is made by device_add */
} Hung;

extern const char *const hung_modes[3];

/*
 * hung_up: a loopback with the share; skips the test and returns false where
 *     there can be none.
 * hung_start: its QEMU, and device 1.
 * hung_add: a device for a folder, as a toolstack makes it.
 * hung_attach: connect it, with fid 0.
 * hung_hold: whether calls of the kind wait, on the share of device 0.
 * hung_fine: assert that QEMU answers, device 1 is served, and device 2 comes
 *     and goes.
 * hung_forget: nobody waits for the request's reply any more.
 * hung_soon: assert that no more than @seconds have gone since @begin.
 * hung_remove: QEMU has no device any more, or has ended: remove all.
 * hung_down: device 1 is the last: remove all, after asserting that nothing is
 *     left of device 0, and that QEMU's first thread made no call of a share.
 */
bool hung_up(Hung *h, const char *dispatch);
void hung_start(Hung *h);
Fe *hung_add(Hung *h, int devid, const char *path);
void hung_attach(Hung *h, Fe *fe);
void hung_hold(Hung *h, LoopFsCall call, bool held);
void hung_fine(Hung *h);
void hung_forget(Hung *h);
void hung_soon(gint64 begin, double seconds, const char *what);
void hung_remove(Hung *h);
void hung_down(Hung *h);

#endif
