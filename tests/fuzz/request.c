/*
 * 9P requests from a fuzzer's input, by grammar
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "9p/msg.h"
#include "9p/proto.h"
#include "request.h"

/*
 * The fields of a request after its header:
 *
 *     f    a fid: one of few          F    the same, or no fid
 *     b w d q s                       of that size; a string
 *     o    an offset                  c    a count of bytes
 *     n    names: Twalk's             D    data with its count: Twrite's
 *     t    a tag                      v    a version
 *     S    a stat structure of .u: Twstat's
 */
typedef struct Rule {
    uint8_t type;
    const char *fields;
} Rule;

static const Rule grammar[] = {
    { P9_TVERSION, "cv" }, { P9_TATTACH, "fFssd" }, { P9_TWALK, "ffn" },
    { P9_TLOPEN, "fd" }, { P9_TREAD, "foc" }, { P9_TWRITE, "foD" },
    { P9_TCLUNK, "f" }, { P9_TREADDIR, "foc" }, { P9_TFLUSH, "t" },
    { P9_TGETATTR, "fq" }, { P9_TSETATTR, "fddddqqqqq" },
    { P9_TSTATFS, "f" }, { P9_TLCREATE, "fsddd" }, { P9_TSYMLINK, "fssd" },
    { P9_TMKNOD, "fsdddd" }, { P9_TRENAME, "ffs" }, { P9_TREADLINK, "f" },
    { P9_TXATTRWALK, "ffs" }, { P9_TXATTRCREATE, "fsqd" },
    { P9_TFSYNC, "fd" }, { P9_TLOCK, "fbdoqds" }, { P9_TGETLOCK, "fboqds" },
    { P9_TLINK, "ffs" }, { P9_TMKDIR, "fsdd" }, { P9_TRENAMEAT, "fsfs" },
    { P9_TUNLINKAT, "fsd" }, { P9_TAUTH, "fssd" }, { P9_TOPEN, "fb" },
    { P9_TCREATE, "fsdbs" }, { P9_TREMOVE, "f" }, { P9_TSTAT, "f" },
    { P9_TWSTAT, "fS" },
};

static const char *const names[] = {
    ".", "..", "a", "b", "d", "l", "new", "", "a/b", "user.x",
    "system.posix_acl_access",
};

static const char *const versions[] = {
    "9P2000.L", "9P2000.u", "9P2000", "unknown", "",
};

static const uint64_t numbers[] = {
    0, 1, 2, 0102, 0644, 0755, 0100644, 0x200, 0x3fff, 4096, 1 << 20,
    0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX,
};

static const uint32_t counts[] = {
    0, 1, 100, 1000, 4000, 4096, 8168, 8192, 16384, 65536, 524288,
    0x7fffffff, 0xffffffff,
};

/* Of a Twrite, as far as the ring has room: both ways that we take it. */
static const uint16_t lengths[] = {
    0, 1, 100, 1000, 4000, 4073, 4096, 4097, 5000, 8000, 16000, 60000,
};

/* Bytes from here on in the input mean: the value itself follows. */
#define RAW 0xf0

static uint64_t read_number(Input *in)
{
    uint8_t choice = input_u8(in);
    uint32_t low;

    if (choice < RAW) {
        return numbers[choice % G_N_ELEMENTS(numbers)];
    }
    low = input_u32(in);
    return (uint64_t)input_u32(in) << 32 | low;
}

static uint32_t read_count(Input *in)
{
    uint8_t choice = input_u8(in);

    return choice < RAW ? counts[choice % G_N_ELEMENTS(counts)]
                        : input_u32(in);
}

static void put_string(P9Msg *msg, Input *in, const char *const *list,
                       unsigned num)
{
    uint8_t choice = input_u8(in);
    char text[RAW];

    if (choice < RAW) {
        p9_pack(msg, "s", list[choice % num]);
    } else {
        memset(text, 0, sizeof(text));
        input_take(in, text, input_u8(in) % sizeof(text));
        text[sizeof(text) - 1] = '\0';
        p9_pack(msg, "s", text);
    }
}

static void put_name(P9Msg *msg, Input *in)
{
    put_string(msg, in, names, G_N_ELEMENTS(names));
}

static void put_names(P9Msg *msg, Input *in)
{
    unsigned num = input_u8(in) % (P9_MAX_WELEM + 2), i;

    p9_pack(msg, "w", num);
    for (i = 0; i < num; i++) {
        put_name(msg, in);
    }
}

/* Its content does not matter, and would fill inputs with nothing. */
static void put_data(P9Msg *msg, Input *in)
{
    uint32_t len = lengths[input_u8(in) % G_N_ELEMENTS(lengths)];
    g_autofree uint8_t *data = g_malloc(len + 1);

    memset(data, 'x', len);
    p9_pack(msg, "D", len, data);
}

static void put_stat(P9Msg *msg, Input *in)
{
    P9Qid qid = { .type = input_u8(in) };
    uint16_t type = input_u8(in);
    unsigned i;

    /* All bits set means: no change. */
    if (qid.type == 0xff) {
        qid.version = UINT32_MAX;
        qid.path = UINT64_MAX;
        type = UINT16_MAX;
    }
    /* Its two sizes; the server goes by what it parses. */
    p9_pack(msg, "wwwdQ", 61, 59, type, (uint32_t)read_number(in), &qid);
    for (i = 0; i < 3; i++) {
        p9_pack(msg, "d", (uint32_t)read_number(in));
    }
    p9_pack(msg, "q", read_number(in));
    for (i = 0; i < 5; i++) {
        put_name(msg, in);
    }
    for (i = 0; i < 3; i++) {
        p9_pack(msg, "d", (uint32_t)read_number(in));
    }
}

static void put_field(P9Msg *msg, Input *in, char field)
{
    uint8_t fid;

    switch (field) {
    case 'f':
    case 'F':
        fid = input_u8(in) % 8;
        p9_pack(msg, "d", field == 'F' && fid == 0 ? P9_NOFID : fid);
        break;
    case 'b':
        p9_pack(msg, "b", input_u8(in));
        break;
    case 'd':
        p9_pack(msg, "d", (uint32_t)read_number(in));
        break;
    case 'q':
        p9_pack(msg, "q", read_number(in));
        break;
    case 'o':
        p9_pack(msg, "q", (uint64_t)read_count(in));
        break;
    case 'c':
        p9_pack(msg, "d", read_count(in));
        break;
    case 't':
        p9_pack(msg, "w", input_u8(in) % REQUEST_TAGS);
        break;
    case 's':
        put_name(msg, in);
        break;
    case 'v':
        put_string(msg, in, versions, G_N_ELEMENTS(versions));
        break;
    case 'n':
        put_names(msg, in);
        break;
    case 'D':
        put_data(msg, in);
        break;
    case 'S':
        put_stat(msg, in);
        break;
    }
}

GByteArray *request_read(Input *in)
{
    const Rule *rule = &grammar[input_u8(in) % G_N_ELEMENTS(grammar)];
    uint16_t tag = input_u8(in) % REQUEST_TAGS;
    const char *field;
    P9Msg msg;

    p9_msg_init(&msg, g_byte_array_new(), rule->type, tag);
    for (field = rule->fields; *field; field++) {
        put_field(&msg, in, *field);
    }
    p9_msg_end(&msg);
    return p9_msg_steal(&msg);
}

GByteArray *request_version(const char *version, uint32_t msize)
{
    P9Msg msg;

    p9_msg_init(&msg, g_byte_array_new(), P9_TVERSION, P9_NOTAG);
    p9_pack(&msg, "ds", msize, version);
    p9_msg_end(&msg);
    return p9_msg_steal(&msg);
}

GByteArray *request_attach(void)
{
    P9Msg msg;

    p9_msg_init(&msg, g_byte_array_new(), P9_TATTACH, 0);
    p9_pack(&msg, "ddssd", 0, P9_NOFID, "", "", 0);
    p9_msg_end(&msg);
    return p9_msg_steal(&msg);
}
