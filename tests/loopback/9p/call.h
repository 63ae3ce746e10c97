/*
 * What the files with the calls share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_9P_CALL_H
#define LOOPBACK_9P_CALL_H

#include "calls.h"

/*
 * call_begin: a request for the call, with its header.
 * call_send: send it; if the call is to wait, wait, and return whether there
 *     are fields of the reply to read.
 * call_end: what the call returns; ends the test when the reply was shorter
 *     than its fields.
 */
static inline P9Req *call_begin(const P9Call *call, uint8_t type)
{
    return p9_req_new(call->fe, type, (int)call->tag - 1,
                      (int)call->ring - 1);
}

bool call_send(const P9Call *call, P9Req *req);
P9Req *call_end(const P9Call *call, P9Req *req);

static inline P9Req *call_run(const P9Call *call, P9Req *req)
{
    call_send(call, req);
    return call_end(call, req);
}

static inline const char *or_empty(const char *string)
{
    return string ? string : "";
}

#endif
