/*
 * A whole loopback for a test: xenstored, a guest, a backend, a folder
 *
 * Environment:
 *
 *     LOOP_BACKEND    ours, stock or xen-9pfsd; [ours]
 *     LOOP_PROTOCOL   9pfs or virtfs, which only ours has; [9pfs]
 *     LOOP_QEMU       the QEMU to run for ours and stock
 *     LOOP_QEMU_ARGS  further words of its command line
 *     LOOP_DISPATCH   auto, worker or inline: the node of that name of every
 *                     device of ours; [none]
 *     LOOP_POLL       the node poll-max-ns of every device of ours; [none]
 *     LOOP_GRANTS     the node grant-policy, likewise; [none]
 *     LOOP_XEN_BIN    where xenstored and xen-9pfsd are; [found]
 *     LOOP_SHIM       libloopshim.so; [beside the program]
 *     LOOP_WRAP       words put before the backend's command, which has to
 *                     keep its process: "taskset -c 1", "nice"
 *     LOOP_KEEP       do not remove the temporary folder
 *     LOOP_SANITIZED  LOOP_QEMU is built with sanitizers
 *
 * A failure that only this machinery can have ends the test with a message.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FIXTURE_H
#define LOOPBACK_FIXTURE_H

#include <pwd.h>

#include "9p/calls.h"
#include "core/account.h"
#include "core/fault.h"
#include "core/fs.h"
#include "guest/fe.h"

/* The first guest; those beside it have the numbers that follow. */
#define FIXTURE_DOMID 7

typedef enum Backend {
    BACKEND_OURS,
    BACKEND_STOCK,
    BACKEND_XEN_9PFSD
} Backend;

typedef struct Fixture {
    struct Fixture *host;       /* whose loopback this is; NULL: its own */
    domid_t domid;
    Backend backend;
    const char *type;           /* what xenstore calls the backend */
    char *dir;                  /* temporary; everything is in it */
    char *share;                /* the folder that is served */
    char *loop_path;
    Loop *loop;
    struct xs_handle *xsh;
    Guest *guest;
    GPid xenstored_pid;
    GPid backend_pid;           /* 0: not running */
    int backend_status;         /* of waitpid(), once it has ended */
    LoopStats idle;             /* of the backend, when it was ready */
    int idle_fds;
    GPtrArray *fes;             /* Fe *, ours to free */
} Fixture;

/*
 * fixture_up: everything but the backend, which fixture_start() starts.
 * fixture_beside: a further guest, with a backend of its own (xen-9pfsd: with
 *     the same, which @host starts), on the loopback of @host. It goes down
 *     first.
 * fixture_down: stop and remove all, after asserting that nothing is left:
 *     no mapping, port, handle or descriptor of the backend beyond what it
 *     had when it was ready, no thread of a device, no grant of the guest in
 *     use. Stock backends are known to leak; for them it is only reported. Our
 *     backend's exit status has to be 0: sanitizers report leaks there.
 */
Fixture *fixture_up(void);
Fixture *fixture_beside(Fixture *host);
void fixture_down(Fixture *f);

/*
 * fixture_start: start the backend, and wait until it is ready. For stock
 *     QEMU, whose hot plug is broken, devices must have been added before.
 * fixture_stop: end it and wait; returns its status as waitpid() does.
 * fixture_alive: whether it runs.
 * fixture_fds: how many descriptors it has open, without the loopback's
 *     own.
 * fixture_cpu_ms: how much processor time it has had, of all its threads.
 * fixture_await_call: wait until one of its calls of the file system waits at
 *     loop_fs_hold(); the test ends if none does in 20 s.
 */
void fixture_start(Fixture *f);
int fixture_stop(Fixture *f);
bool fixture_alive(Fixture *f);
int fixture_fds(Fixture *f);
double fixture_cpu_ms(Fixture *f);
void fixture_await_call(Fixture *f, LoopFsCall call);

/*
 * fixture_device: add a device for the shared folder, or as @opts say, and
 *     make its frontend. The fixture frees it.
 * fixture_frontend: the frontend of a device that others have added.
 * fixture_connect: the usual: add device 0, start the backend if it does not
 *     run, connect @rings of @order. Ends the test if that fails.
 * fixture_connect_as: the same with a device as @opts say.
 * fixture_drop: disconnect and remove a device, asserting that no grant of
 *     its rings is in use.
 * fixture_abandon: remove a device as after a guest's death: its frontend
 *     does nothing any more, and keeps its rings until it is freed.
 * fixture_close: as fixture_drop for the last one; then fixture_check().
 * fixture_gone: the last device was removed by others, without a word to its
 *     frontend: as fixture_check(), then free the frontend.
 * fixture_check: assert that the backend, which has no device, holds nothing.
 * fixture_devices: how many of a type xenstore's backend side has.
 * fixture_why: what is known of why a device does not connect, to be freed.
 */
Fe *fixture_device(Fixture *f, const DeviceOpts *opts);
Fe *fixture_frontend(Fixture *f, const char *type, int devid);
Fe *fixture_connect(Fixture *f, unsigned rings, uint32_t order);
Fe *fixture_connect_as(Fixture *f, const DeviceOpts *opts, unsigned rings,
                       uint32_t order);
void fixture_drop(Fixture *f, Fe *fe);
void fixture_abandon(Fixture *f, Fe *fe);
void fixture_close(Fixture *f, Fe *fe);
void fixture_gone(Fixture *f, Fe *fe);
unsigned fixture_devices(Fixture *f, const char *type);
void fixture_check(Fixture *f);
char *fixture_why(Fixture *f, Fe *fe);

/*
 * fixture_mount: a folder beside the shared one, on a file system of type @fs
 *     of its own, or where that is NULL on that of the others; the path, to be
 *     freed after fixture_unmount(), which comes after fixture_down(). NULL
 *     where mount() is not permitted: the test is skipped, the fixture is down.
 * fixture_file: write a file of the shared folder; @name may have folders in
 *     it.
 * fixture_pattern: the same, of bytes that tell where they are; returns them,
 *     to be freed.
 */
char *fixture_mount(Fixture *f, const char *name, const char *fs,
                    const char *options);
void fixture_unmount(char *path, const char *fs);
void fixture_file(Fixture *f, const char *name, const void *data, size_t len);
uint8_t *fixture_pattern(Fixture *f, const char *name, uint32_t len);

/* All of QEMU's. */
extern const char *const fixture_models[4];

/*
 * fixture_user: FIXTURE_USER, whom a process of root's can become, and who may
 *     make files in the fixture's folders. NULL where this is not root: the
 *     test is skipped, the fixture is down.
 */
#define FIXTURE_USER "nobody"
const struct passwd *fixture_user(Fixture *f);

/*
 * The backend's type and dialect, and whether devices are virtfs by default.
 */
Backend fixture_backend(void);
bool fixture_virtfs(void);
const char *fixture_version(Fixture *f);

#endif
