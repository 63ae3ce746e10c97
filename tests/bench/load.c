/*
 * One measurement: so many operations of a kind at once, for so long
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "core/fs.h"
#include "link.h"
#include "load.h"
#include "served.h"

#define MAX_PARTS 5
#define FIRST_FID 16
#define FIDS_A_JOB 2
/* How long the fsync beside a load takes. */
#define FSYNC_US 5000

/* Fewer operations of each slot than this are no measurement. */
#define MIN_ROUNDS 4

typedef struct Part {
    const char *op;
    uint32_t size;
    unsigned share;             /* of 100 */
} Part;

/* What programs do with many small files, about. */
static const Part mix[MAX_PARTS] = {
    { "getattr", 0, 40 },
    { "walk", 0, 10 },
    { "read", 4096, 30 },
    { "read", 65536, 10 },
    { "write", 4096, 10 },
};

/* What a slot does. */
typedef struct Worker {
    Job *jobs[MAX_PARTS];
    Job *job;                   /* the present one */
    uint32_t random;
    uint64_t began_ns;
} Worker;

typedef struct Load {
    OpEnv env;
    Link link;
    Part parts[MAX_PARTS];
    unsigned nr_parts;
    Worker workers[LOAD_MAX_DEPTH + 1]; /* behind env.writers: the fsync */
    unsigned nr_workers;
    bool counting, stopping;
    LoadResult *result;
} Load;

/* Whether what it does is measured. */
static bool counts(const Load *load, const Worker *worker)
{
    return worker < &load->workers[load->env.writers];
}

static Job *choose(Load *load, Worker *worker)
{
    unsigned i = 0, at;

    if (load->nr_parts == 1 || !counts(load, worker)) {
        return worker->jobs[0];
    }
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 17;
    worker->random ^= worker->random << 5;
    at = worker->random % 100;
    while (at >= load->parts[i].share) {
        at -= load->parts[i++].share;
    }
    return worker->jobs[i];
}

static void begin(Load *load, Slot *slot)
{
    Worker *worker = &load->workers[slot->tag];
    const OpMsg *msg;

    worker->job = choose(load, worker);
    msg = job_begin(worker->job);
    worker->began_ns = meter_now();
    link_send(&load->link, slot, msg->data, msg->len);
}

static void on_reply(void *opaque, Slot *slot)
{
    Load *load = opaque;
    LoadResult *result = load->result;
    Worker *worker = &load->workers[slot->tag];
    bool counting = load->counting && counts(load, worker);
    uint64_t now = meter_now();
    const OpMsg *msg;

    msg = job_reply(worker->job, slot->rx, slot->rx_len);
    result->messages += counting;
    if (msg) {
        link_send(&load->link, slot, msg->data, msg->len);
        return;
    }
    if (counting) {
        result->ops++;
        result->bytes += worker->job->bytes;
        histogram_add(&result->latency, now - worker->began_ns);
    }
    if (!load->stopping) {
        begin(load, slot);
    }
}

/* Until @ns are over and @ops are counted; no longer than four times @ns. */
static void run_for(Load *load, uint64_t ns, uint64_t ops)
{
    uint64_t begin = meter_now(), now = begin;

    while (now < begin + ns ||
           (load->result->ops < ops && now < begin + 4 * ns)) {
        link_wait(&load->link);
        now = meter_now();
    }
}

static void measure(Load *load, const Target *target, const LoadSpec *spec)
{
    uint64_t ns = spec->ms * 1000000ull;
    Meter meter;
    unsigned i;

    for (i = 0; i < load->nr_workers; i++) {
        begin(load, &load->link.slots[i]);
    }
    run_for(load, ns / 5, 0);
    meter_start(&meter, target);
    load->counting = true;
    run_for(load, ns, MIN_ROUNDS * spec->depth);
    load->counting = false;
    meter_stop(&meter, target, &load->result->use);
    load->stopping = true;
    while (load->link.in_flight) {
        link_wait(&load->link);
    }
}

/* Are the writes in the file, all of them? */
static void check_writes(Load *load, unsigned part)
{
    uint32_t size = load->parts[part].size;
    uint64_t found = 0;
    unsigned i;

    if (strcmp(load->parts[part].op, "write")) {
        return;
    }
    for (i = 0; i < load->env.writers; i++) {
        Job *job = load->workers[i].jobs[part];

        found += MIN(job->count, job->places);
    }
    if (!served_check_written(load->env.dir, op_size(&load->env, size), size,
                              load->env.writers, found)) {
        g_error("write: the file does not have what was written");
    }
    served_blank(load->env.dir);
}

static void make_jobs(Load *load)
{
    uint32_t fid = FIRST_FID;
    unsigned i, part;

    for (i = 0; i < load->env.writers; i++) {
        load->workers[i].random = 2463534242u + i;
        for (part = 0; part < load->nr_parts; part++) {
            load->workers[i].jobs[part] = job_new(
                op_find(load->parts[part].op), &load->env,
                load->parts[part].size, i, i, fid);
            fid += FIDS_A_JOB;
        }
    }
}

static void free_jobs(Load *load)
{
    unsigned i, part;

    for (part = 0; part < load->nr_parts; part++) {
        check_writes(load, part);
        for (i = 0; i < load->env.writers; i++) {
            job_free(load->workers[i].jobs[part]);
        }
    }
}

/* One more slot has an fsync in flight all the time. */
static void add_fsync(Load *load, Target *target)
{
    Worker *worker = &load->workers[load->nr_workers];

    loop_fs_delay(target->f->loop, LOOP_FS_SYNC, FSYNC_US, 0);
    loop_fs_watch(target->f->loop, target->f->backend_pid);
    worker->jobs[0] = job_new(op_find("fsync"), &load->env, 0,
                              load->nr_workers, 0,
                              FIRST_FID - FIDS_A_JOB);
    load->nr_workers++;
}

static void remove_fsync(Load *load, Target *target)
{
    job_free(load->workers[--load->nr_workers].jobs[0]);
    loop_fs_delay(target->f->loop, LOOP_FS_SYNC, 0, 0);
}

bool load_valid(const Target *target, const LoadSpec *spec)
{
    const char *op = spec->op;

    if (spec->fsync && !target->f) {
        return false;
    }
    if ((spec->fsync || !strcmp(op, "readdir") ||
         g_str_has_prefix(op, "list@")) && !target->client->dotl) {
        return false;           /* they are .L's */
    }
    if (spec->depth < 1 || spec->depth > LOAD_MAX_DEPTH || !spec->ms ||
        spec->size % 8 || spec->size > SERVED_SIZE / spec->depth) {
        return false;
    }
    return !strcmp(op, "mix") || (op_find(op) &&
           (spec->size || !strcmp(op, "getattr") || !strcmp(op, "walk") ||
            g_str_has_prefix(op, "stat@") || g_str_has_prefix(op, "open@")));
}

void load_run(Target *target, const LoadSpec *spec, LoadResult *result)
{
    g_autofree Load *load = g_new0(Load, 1);

    memset(result, 0, sizeof(*result));
    load->result = result;
    load->env = (OpEnv) {
        .client = target->client, .dir = target->dir,
        .writers = spec->depth,
    };
    result->size = op_size(&load->env, spec->size);
    if (!strcmp(spec->op, "mix")) {
        memcpy(load->parts, mix, sizeof(mix));
        load->nr_parts = G_N_ELEMENTS(mix);
        result->size = 0;
    } else {
        load->parts[0] = (Part) { spec->op, spec->size, 100 };
        load->nr_parts = 1;
    }
    make_jobs(load);
    load->nr_workers = spec->depth;
    if (spec->fsync) {
        add_fsync(load, target);
    }
    link_init(&load->link, target, load->nr_workers, on_reply, load);
    measure(load, target, spec);
    link_fini(&load->link);
    if (spec->fsync) {
        remove_fsync(load, target);
    }
    free_jobs(load);
}
