/*
 * QEMU's 9P server in this process, with a transport that costs nothing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/option.h"
#include "fsdev/qemu-fsdev.h"
#include "hw/9pfs/9p.h"
#include "floor-server.h"

typedef struct Request {
    struct iovec out, in;
    uint32_t len;               /* of the reply; 0: not done */
} Request;

static V9fsState state;
static Request requests[FLOOR_MAX_REQUESTS];
static unsigned request_of[MAX_REQ];    /* by PDU */
static unsigned done_numbers[FLOOR_MAX_REQUESTS], nr_done;

static Request *find(V9fsPDU *pdu)
{
    return &requests[request_of[pdu->idx]];
}

static ssize_t floor_vmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                              va_list ap)
{
    return v9fs_iov_vmarshal(&find(pdu)->in, 1, offset, 1, fmt, ap);
}

static ssize_t floor_vunmarshal(V9fsPDU *pdu, size_t offset, const char *fmt,
                                va_list ap)
{
    return v9fs_iov_vunmarshal(&find(pdu)->out, 1, offset, 1, fmt, ap);
}

static void floor_init_in(V9fsPDU *pdu, struct iovec **iov,
                          unsigned int *niov, size_t size)
{
    *iov = &find(pdu)->in;
    *niov = 1;
}

static void floor_init_out(V9fsPDU *pdu, struct iovec **iov,
                           unsigned int *niov, size_t size)
{
    *iov = &find(pdu)->out;
    *niov = 1;
}

static void floor_push(V9fsPDU *pdu)
{
    find(pdu)->len = pdu->size;
    done_numbers[nr_done++] = request_of[pdu->idx];
}

static size_t floor_limit(V9fsState *s)
{
    return 1 << 20;
}

static size_t floor_room(V9fsPDU *pdu)
{
    return find(pdu)->in.iov_len;
}

static const V9fsTransport transport = {
    .pdu_vmarshal = floor_vmarshal,
    .pdu_vunmarshal = floor_vunmarshal,
    .init_in_iov_from_pdu = floor_init_in,
    .init_out_iov_from_pdu = floor_init_out,
    .push_and_notify = floor_push,
    .msize_limit = floor_limit,
    .response_buffer_size = floor_room,
};

void floor_open(const char *path)
{
    QemuOpts *opts;

    qemu_init_main_loop(&error_fatal);
    module_call_init(MODULE_INIT_OPTS);
    opts = qemu_opts_create(qemu_find_opts("fsdev"), "floor", 1,
                            &error_fatal);
    qemu_opt_set(opts, "fsdriver", "local", &error_fatal);
    qemu_opt_set(opts, "path", path, &error_fatal);
    qemu_opt_set(opts, "security_model", "none", &error_fatal);
    qemu_fsdev_add(opts, &error_fatal);
    state.fsconf.fsdev_id = g_strdup("floor");
    state.fsconf.tag = g_strdup("floor");
    v9fs_device_realize_common(&state, &transport, &error_fatal);
}

void floor_submit(unsigned number, const void *tx, uint32_t len, void *rx,
                  uint32_t room)
{
    Request *request = &requests[number];
    V9fsPDU *pdu = pdu_alloc(&state);
    P9MsgHeader header;

    g_assert(pdu && number < FLOOR_MAX_REQUESTS);
    request->out = (struct iovec) { (void *)tx, len };
    request->in = (struct iovec) { rx, room };
    request_of[pdu->idx] = number;
    memcpy(&header, tx, sizeof(header));
    pdu_submit(pdu, &header);
}

void floor_run(FloorDone *done, void *opaque)
{
    unsigned numbers[FLOOR_MAX_REQUESTS], n, i;

    /* What was done before it returned does not wake the main loop. */
    main_loop_wait(nr_done);
    n = nr_done;
    nr_done = 0;
    memcpy(numbers, done_numbers, n * sizeof(numbers[0]));
    for (i = 0; i < n; i++) {
        done(opaque, numbers[i], requests[numbers[i]].len);
    }
}
