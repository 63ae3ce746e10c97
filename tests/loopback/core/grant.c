/*
 * Loopback Xen: a domain's own grant table, from the domain's side
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "shm.h"

static void write_entry(grant_entry_v1_t *entry, domid_t to, uint32_t gfn,
                        bool readonly)
{
    uint16_t flags = GTF_permit_access | (readonly ? GTF_readonly : 0);

    entry->frame = gfn;
    entry->domid = to;
    /* The frame and the domain are there before the entry is valid. */
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
}

static int64_t find_free(LoopDomain *dom)
{
    uint32_t i, ref;

    for (i = 0; i < LOOP_MAX_GRANTS; i++) {
        ref = (dom->grant_hint + i) % LOOP_MAX_GRANTS;
        if (ref >= LOOP_RESERVED_GRANTS && !dom->grant_used[ref]) {
            dom->grant_hint = ref + 1;
            return ref;
        }
    }
    return -ENOSPC;
}

int loop_grant(Loop *loop, domid_t domid, domid_t to, uint32_t gfn,
               bool readonly)
{
    LoopDomain *dom;
    int ref = -ESRCH;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        ref = find_free(dom);
    }
    if (ref >= 0) {
        dom->grant_used[ref] = 1;
        write_entry(&loop->shm->tables[loop_slot(loop, dom)][ref], to, gfn,
                    readonly);
    }
    loop_unlock(loop);
    return ref;
}

int loop_grant_at(Loop *loop, domid_t domid, grant_ref_t ref, domid_t to,
                  uint32_t gfn, bool readonly)
{
    LoopDomain *dom;

    if (ref >= LOOP_MAX_GRANTS) {
        return -EINVAL;
    }
    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        dom->grant_used[ref] = 1;
        write_entry(&loop->shm->tables[loop_slot(loop, dom)][ref], to, gfn,
                    readonly);
    }
    loop_unlock(loop);
    return dom ? 0 : -ESRCH;
}

/*
 * As the header of the grant table says: read the flags, see that neither
 * GTF_reading nor GTF_writing is set, and clear them in one go.
 */
int loop_grant_end(Loop *loop, domid_t domid, grant_ref_t ref)
{
    grant_entry_v1_t *entry = loop_grant_entry(loop, domid, ref);
    LoopDomain *dom;
    uint16_t flags;

    if (!entry) {
        return -EINVAL;
    }
    flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
    do {
        if (flags & (GTF_reading | GTF_writing)) {
            return -EBUSY;
        }
    } while (!__atomic_compare_exchange_n(&entry->flags, &flags, 0, false,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        dom->grant_used[ref] = 0;
    }
    loop_unlock(loop);
    return 0;
}

grant_entry_v1_t *loop_grant_entry(Loop *loop, domid_t domid, grant_ref_t ref)
{
    grant_entry_v1_t *entry = NULL;
    LoopDomain *dom;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom && ref < LOOP_MAX_GRANTS) {
        entry = &loop->shm->tables[loop_slot(loop, dom)][ref];
    }
    loop_unlock(loop);
    return entry;
}

typedef bool GrantTest(const LoopDomain *dom, uint32_t ref);

/* How many of a domain's grants a test is true of. */
static uint32_t count_grants(Loop *loop, domid_t domid, GrantTest *test)
{
    uint32_t ref, count = 0;
    LoopDomain *dom;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    for (ref = LOOP_RESERVED_GRANTS; dom && ref < LOOP_MAX_GRANTS; ref++) {
        count += test(dom, ref);
    }
    loop_unlock(loop);
    return count;
}

static bool is_active(const LoopDomain *dom, uint32_t ref)
{
    return dom->grant_used[ref];
}

static bool is_in_use(const LoopDomain *dom, uint32_t ref)
{
    return dom->active[ref].readers || dom->active[ref].writers;
}

uint32_t loop_grants_active(Loop *loop, domid_t domid)
{
    return count_grants(loop, domid, is_active);
}

uint32_t loop_grants_in_use(Loop *loop, domid_t domid)
{
    return count_grants(loop, domid, is_in_use);
}
