/*
 * The operations that are measured: messages made beforehand, replies checked
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_OP_H
#define BENCH_OP_H

#include "fixture.h"

#define OP_MAX_MSGS 3

/* What all jobs of a measurement have in common. */
typedef struct OpEnv {
    P9Client *client;           /* attached, the root is fid 0 */
    const char *dir;            /* that is served */
    unsigned writers;           /* how many jobs write to one file */
} OpEnv;

typedef struct OpMsg {
    uint8_t *data;
    uint32_t len;
} OpMsg;

typedef struct OpKind OpKind;

/* One operation after the other, of one kind, in one place. */
typedef struct Job {
    const OpKind *kind;
    const OpEnv *env;
    uint32_t fid, newfid;
    uint32_t size;              /* bytes it asks for */
    uint32_t step;              /* from one place in a file to the next */
    unsigned number;            /* of those that do the same */
    uint64_t places;            /* of its own in the file */
    uint64_t offset;            /* of the present operation */
    uint64_t count;             /* operations that are finished */
    uint32_t bytes;             /* payload of the last one */
    uint32_t entries;
    unsigned now;               /* which message is on its way */
    unsigned nr_msgs;
    OpMsg msgs[OP_MAX_MSGS];
} Job;

/*
 * op_find: a kind by name: getattr, walk, read, write, fsync, readdir; stat@N,
 *     open@N, list@N, what a program does N folders deep; or NULL.
 * op_size: the bytes that an operation of @size really asks for: a message
 *     cannot carry more than msize - 24, as Linux counts it.
 * job_new: a job whose messages have @tag. It opens what it needs.
 * job_begin: the first message of the next operation.
 * job_reply: look at a reply. The next message, or NULL when the operation
 *     is finished. Ends the program if the reply is not right.
 * job_free: gives its fids back.
 */
const OpKind *op_find(const char *name);
uint32_t op_size(const OpEnv *env, uint32_t size);
Job *job_new(const OpKind *kind, const OpEnv *env, uint32_t size,
             uint16_t tag, unsigned number, uint32_t fid);
const OpMsg *job_begin(Job *job);
const OpMsg *job_reply(Job *job, const uint8_t *rx, uint32_t len);
void job_free(Job *job);

#endif
