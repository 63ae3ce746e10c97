/*
 * The operations that are measured
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "op.h"
#include "served.h"

/* Where fields are in messages, see the 9P manual pages. */
#define AT_OFFSET       11      /* Tread, Twrite, Treaddir */
#define AT_DATA         23      /* Twrite */
#define AT_RDATA        11      /* Rread, Rreaddir */
#define AT_RGETATTR_LEN 56
#define AT_RSTAT_LEN    42

/* Each so many reads all bytes are looked at. */
#define WHOLE_EVERY 64

struct OpKind {
    const char *name;
    const char *folder;         /* of what it is about; NULL: the root */
    uint8_t reply[2];           /* the last message's reply: .L and .u */
    void (*prepare)(Job *job, uint16_t tag);
    void (*place)(Job *job);    /* go on to the next place; or NULL */
    const OpMsg *(*reply_is)(Job *job, const uint8_t *rx, uint32_t len);
};

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_LE(value);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_LE(value);
}

static void put64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, sizeof(value));
}

static void G_GNUC_NORETURN wrong(Job *job, const char *what)
{
    g_error("%s, fid %u, offset %" G_GUINT64_FORMAT ": %s", job->kind->name,
            job->fid, job->offset, what);
}

/* Add a message to the job's. The format is p9_pack()'s. */
#define add_msg(job, type, tag, ...)                                     \
    do {                                                                 \
        P9Msg msg_;                                                      \
        p9_msg_init(&msg_, g_byte_array_new(), type, tag);               \
        p9_pack(&msg_, __VA_ARGS__);                                     \
        keep_msg(job, &msg_);                                            \
    } while (0)

static void keep_msg(Job *job, P9Msg *msg)
{
    OpMsg *kept = &job->msgs[job->nr_msgs++];
    GByteArray *bytes;

    p9_msg_end(msg);
    bytes = p9_msg_steal(msg);
    kept->len = bytes->len;
    kept->data = g_byte_array_free(bytes, FALSE);
}

/* A fid of what has that name in the job's folder; NULL: of the folder. */
static void walk_to(Job *job, uint32_t fid, const char *name)
{
    g_autofree char *path = g_strjoin("/", job->kind->folder ?: name,
                                      job->kind->folder ? name : NULL, NULL);

    if (path && *path) {
        twalk({.fe = job->env->client, .newfid = fid, .path = path});
    } else {
        twalk({.fe = job->env->client, .newfid = fid});
    }
}

static void open_fid(Job *job, const char *name, bool writable)
{
    P9Client *fe = job->env->client;

    walk_to(job, job->fid, name);
    if (fe->dotl) {
        tlopen({.fe = fe, .fid = job->fid,
                .flags = writable ? P9_DOTL_RDWR : P9_DOTL_RDONLY});
    } else {
        topen({.fe = fe, .fid = job->fid,
               .flags = writable ? P9_ORDWR : P9_OREAD});
    }
}

/* --- Attributes of a file --- */

static void getattr_prepare(Job *job, uint16_t tag)
{
    walk_to(job, job->fid, SERVED_READ);
    if (job->env->client->dotl) {
        /* Linux asks for all. */
        add_msg(job, P9_TGETATTR, tag, "dq", job->fid,
                job->kind->name[0] == 's' ? P9_GETATTR_ALL : P9_GETATTR_BASIC);
    } else {
        add_msg(job, P9_TSTAT, tag, "d", job->fid);
    }
}

static const OpMsg *getattr_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    uint32_t at = job->env->client->dotl ? AT_RGETATTR_LEN : AT_RSTAT_LEN;

    if (len < at + 8 || get64(rx + at) != SERVED_SIZE) {
        wrong(job, "the file has another size");
    }
    return NULL;
}

/* --- Walk to a file, open it, let go of it --- */

static void walk_prepare(Job *job, uint16_t tag)
{
    walk_to(job, job->fid, NULL);
    add_msg(job, P9_TWALK, tag, "ddws", job->fid, job->newfid, 1, SERVED_READ);
    if (job->env->client->dotl) {
        add_msg(job, P9_TLOPEN, tag, "dd", job->newfid, P9_DOTL_RDONLY);
    } else {
        add_msg(job, P9_TOPEN, tag, "db", job->newfid, P9_OREAD);
    }
    add_msg(job, P9_TCLUNK, tag, "d", job->newfid);
}

static const OpMsg *walk_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    if (rx[4] != job->msgs[job->now].data[4] + 1) {
        wrong(job, "the reply is of another type");
    }
    return ++job->now < job->nr_msgs ? &job->msgs[job->now] : NULL;
}

/* --- Read and write --- */

/* Jobs share a file, each with every n-th place of it. */
static void file_place(Job *job)
{
    OpMsg *msg = &job->msgs[0];
    uint64_t place = job->count % job->places * job->env->writers +
                     job->number;

    job->offset = place * job->step;
    put64(msg->data + AT_OFFSET, job->offset);
    if (msg->len > AT_DATA) {
        served_stamp(msg->data + AT_DATA, job->offset);
    }
}

static void read_prepare(Job *job, uint16_t tag)
{
    open_fid(job, SERVED_READ, false);
    add_msg(job, P9_TREAD, tag, "dqd", job->fid, 0ull, job->size);
}

static const OpMsg *read_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    if (len != AT_RDATA + job->size || get32(rx + 7) != job->size) {
        wrong(job, "a short read");
    }
    if (!served_check(rx + AT_RDATA, job->size, job->offset,
                      job->count % WHOLE_EVERY == 0)) {
        wrong(job, "the data is not the file's");
    }
    job->bytes = job->size;
    return NULL;
}

static void write_prepare(Job *job, uint16_t tag)
{
    g_autofree uint8_t *data = g_malloc(job->size);

    open_fid(job, SERVED_WRITTEN, true);
    served_payload(data, job->size, job->number);
    add_msg(job, P9_TWRITE, tag, "dqD", job->fid, 0ull, job->size, data);
}

/* What was written is looked at in the end: served_check_written(). */
static const OpMsg *write_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    if (len != 11 || get32(rx + 7) != job->size) {
        wrong(job, "a short write");
    }
    job->bytes = job->size;
    return NULL;
}

/* --- Have a file on the disk --- */

static void fsync_prepare(Job *job, uint16_t tag)
{
    open_fid(job, SERVED_WRITTEN, true);
    add_msg(job, P9_TFSYNC, tag, "dd", job->fid, 0);
}

static const OpMsg *fsync_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    return NULL;
}

/* --- List a folder --- */

static void readdir_prepare(Job *job, uint16_t tag)
{
    open_fid(job, SERVED_DIR, false);
    add_msg(job, P9_TREADDIR, tag, "dqd", job->fid, 0ull, job->size);
}

static void readdir_place(Job *job)
{
    job->entries = 0;
    job->bytes = 0;
    put64(job->msgs[0].data + AT_OFFSET, 0);
}

/* Entries are qid[13] offset[8] type[1] name[s]. */
static const OpMsg *readdir_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    uint32_t count = len >= AT_RDATA ? get32(rx + 7) : 0;
    uint32_t at = AT_RDATA;
    uint64_t offset = 0;

    while (at < len && at + 24 <= len) {
        offset = get64(rx + at + 13);
        at += 24 + (rx[at + 22] | rx[at + 23] << 8);
        job->entries++;
    }
    if (at != len || len != AT_RDATA + count) {
        wrong(job, "entries make no sense");
    }
    job->bytes += count;
    if (count) {
        put64(job->msgs[0].data + AT_OFFSET, offset);
        return &job->msgs[0];
    }
    if (job->entries != SERVED_ENTRIES + 2) {
        wrong(job, "not all entries came, or too many");
    }
    return NULL;
}

/* What a program does with a name, in that folder. */
#define STAT(name, folder)                                                \
    { "stat@" name, folder, { P9_TGETATTR + 1, P9_TSTAT + 1 },            \
      getattr_prepare, NULL, getattr_reply }
#define OPEN(name, folder)                                                \
    { "open@" name, folder, { 0, 0 }, walk_prepare, NULL, walk_reply }
#define LIST(name, folder)                                                \
    { "list@" name, folder, { P9_TREADDIR + 1, P9_TREADDIR + 1 },         \
      readdir_prepare, readdir_place, readdir_reply }

static const OpKind kinds[] = {
    { "getattr", NULL, { P9_TGETATTR + 1, P9_TSTAT + 1 },
      getattr_prepare, NULL, getattr_reply },
    { "walk", NULL, { 0, 0 }, walk_prepare, NULL, walk_reply },
    { "read", NULL, { P9_TREAD + 1, P9_TREAD + 1 },
      read_prepare, file_place, read_reply },
    { "write", NULL, { P9_TWRITE + 1, P9_TWRITE + 1 },
      write_prepare, file_place, write_reply },
    { "fsync", NULL, { P9_TFSYNC + 1, 0 }, fsync_prepare, NULL, fsync_reply },
    { "readdir", NULL, { P9_TREADDIR + 1, P9_TREADDIR + 1 },
      readdir_prepare, readdir_place, readdir_reply },
    STAT("0", NULL), STAT("1", SERVED_DEEP_1),
    STAT("4", SERVED_DEEP_4), STAT("8", SERVED_DEEP_8),
    OPEN("0", NULL), OPEN("1", SERVED_DEEP_1),
    OPEN("4", SERVED_DEEP_4), OPEN("8", SERVED_DEEP_8),
    LIST("0", NULL), LIST("1", SERVED_DEEP_1),
    LIST("4", SERVED_DEEP_4), LIST("8", SERVED_DEEP_8),
};

const OpKind *op_find(const char *name)
{
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!strcmp(name, kinds[i].name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

uint32_t op_size(const OpEnv *env, uint32_t size)
{
    return MIN(size, env->client->msize - 24);
}

Job *job_new(const OpKind *kind, const OpEnv *env, uint32_t size,
             uint16_t tag, unsigned number, uint32_t fid)
{
    Job *job = g_new0(Job, 1);

    job->kind = kind;
    job->env = env;
    job->fid = fid;
    job->newfid = fid + 1;
    job->number = number;
    job->size = op_size(env, size);
    job->step = size;
    job->places = size ? served_places(size, env->writers) : 0;
    kind->prepare(job, tag);
    return job;
}

const OpMsg *job_begin(Job *job)
{
    job->now = 0;
    if (job->kind->place) {
        job->kind->place(job);
    }
    return &job->msgs[0];
}

const OpMsg *job_reply(Job *job, const uint8_t *rx, uint32_t len)
{
    uint8_t type = job->kind->reply[!job->env->client->dotl];
    const OpMsg *next;

    if (type && rx[4] != type) {
        wrong(job, rx[4] == P9_RLERROR || rx[4] == P9_RERROR ?
                   "an error" : "the reply is of another type");
    }
    next = job->kind->reply_is(job, rx, len);
    job->count += !next;
    return next;
}

void job_free(Job *job)
{
    unsigned i;

    tclunk({.fe = job->env->client, .fid = job->fid});
    for (i = 0; i < job->nr_msgs; i++) {
        g_free(job->msgs[i].data);
    }
    g_free(job);
}
