/*
 * Loopback Xen: grant operations, with the checks that Xen makes
 *
 * What a grant allows is taken from the guest's table once, when it gets
 * its first user, and latched; later users are checked against that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "shm.h"

/* Xen gives up on an entry that the guest keeps changing. */
#define UNSTABLE_TRIES 5

typedef union Header {
    struct {
        uint16_t flags;
        domid_t domid;
    };
    uint32_t raw;
} Header;

/*
 * Check the guest's entry and set the bits of use in it, in one atomic step.
 * A grant with users is not checked again for type and domain.
 */
static int16_t mark_entry(grant_entry_v1_t *entry, const LoopActive *act,
                          domid_t self, bool readonly, bool map)
{
    uint32_t *shared = (uint32_t *)entry;
    uint16_t mask = GTF_type_mask | (map ? GTF_sub_page : 0);
    Header old, new;
    int tries;

    old.raw = __atomic_load_n(shared, __ATOMIC_ACQUIRE);
    for (tries = 0; tries < UNSTABLE_TRIES; tries++) {
        if (!act->readers && !act->writers &&
            ((old.flags & mask) != GTF_permit_access || old.domid != self)) {
            return GNTST_general_error;
        }
        if (!readonly && (old.flags & GTF_readonly)) {
            return GNTST_general_error;
        }
        new = old;
        new.flags |= GTF_reading | (readonly ? 0 : GTF_writing);
        if (__atomic_compare_exchange_n(shared, &old.raw, new.raw, false,
                                        __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}

/* Clear the bits of use that no user accounts for. */
static void unmark_entry(grant_entry_v1_t *entry, const LoopActive *act)
{
    uint16_t clear = 0;

    if (!act->writers) {
        clear |= GTF_writing;
    }
    if (!act->writers && !act->readers) {
        clear |= GTF_reading;
    }
    __atomic_and_fetch(&entry->flags, ~clear, __ATOMIC_ACQ_REL);
}

/* Become a user of a grant. Under the lock. */
static int16_t pin(Loop *loop, domid_t self, domid_t domid, grant_ref_t ref,
                   bool readonly, bool map, LoopDomain **owner)
{
    LoopDomain *dom = loop_find(loop, domid);
    grant_entry_v1_t *entry;
    LoopActive *act;
    bool first;
    int16_t status;

    if (!dom) {
        return GNTST_bad_domain;
    }
    if (ref >= LOOP_MAX_GRANTS) {
        return GNTST_bad_gntref;
    }
    act = &dom->active[ref];
    entry = &loop->shm->tables[loop_slot(loop, dom)][ref];
    first = !act->readers && !act->writers;
    if (!first && act->domid != self) {
        return GNTST_general_error;
    }
    if (first || (!readonly && !act->writers)) {
        status = mark_entry(entry, act, self, readonly, map);
        if (status != GNTST_okay) {
            return status;
        }
    }
    if (first) {
        act->domid = self;
        act->gfn = __atomic_load_n(&entry->frame, __ATOMIC_RELAXED);
        if (act->gfn >= dom->nr_pages) {
            unmark_entry(entry, act);
            return GNTST_bad_page;
        }
    }
    if (readonly) {
        act->readers++;
    } else {
        act->writers++;
    }
    *owner = dom;
    return GNTST_okay;
}

static void unpin(Loop *loop, LoopDomain *dom, grant_ref_t ref, bool readonly)
{
    LoopActive *act = &dom->active[ref];
    uint32_t *users = readonly ? &act->readers : &act->writers;

    /* A copy that ran through a recount has been dropped already. */
    if (*users) {
        --*users;
    }
    unmark_entry(&loop->shm->tables[loop_slot(loop, dom)][ref], act);
}

/* A free record of a mapping, or 0. Under the lock. */
static uint32_t new_track(LoopShm *shm)
{
    uint32_t i, track;

    for (i = 0; i < LOOP_MAX_TRACKS; i++) {
        track = (shm->track_hint + i) % LOOP_MAX_TRACKS;
        if (track && !shm->tracks[track].used) {
            shm->track_hint = track + 1;
            if (track >= shm->track_top) {
                shm->track_top = track + 1;
            }
            return track;
        }
    }
    return 0;
}

static void map_one(Loop *loop, domid_t self, LoopMapOp *op)
{
    LoopShm *shm = loop->shm;
    uint32_t track;
    LoopDomain *dom;

    loop_lock(loop);
    track = new_track(shm);
    if (!track) {
        op->status = GNTST_no_space;
        goto out;
    }
    op->status = pin(loop, self, op->domid, op->ref, op->readonly, true,
                     &dom);
    if (op->status == GNTST_okay) {
        shm->tracks[track] = (LoopTrack) {
            .used = true, .readonly = op->readonly, .proc = loop->proc,
            .domid = op->domid, .ref = op->ref,
        };
        op->track = track;
        op->offset = shm->pages[loop_slot(loop, dom)]
                               [dom->active[op->ref].gfn] - (uint8_t *)shm;
    }
out:
    loop_unlock(loop);
}

/* Under the lock. */
static int16_t end_track(Loop *loop, uint32_t track)
{
    LoopTrack *rec = &loop->shm->tracks[track];
    LoopDomain *dom;

    if (track >= LOOP_MAX_TRACKS || !rec->used || rec->proc != loop->proc) {
        return GNTST_bad_handle;
    }
    dom = loop_find(loop, rec->domid);
    rec->used = false;
    if (!dom) {
        return GNTST_bad_domain;
    }
    unpin(loop, dom, rec->ref, rec->readonly);
    return GNTST_okay;
}

static domid_t self_of(Loop *loop, int handle)
{
    return loop->shm->handles[handle].domid;
}

static bool hit(const LoopFault *fault, bool any, uint32_t i)
{
    return any && fault->error && (fault->op < 0 || fault->op == (int)i);
}

void loop_gnt_map(Loop *loop, int handle, LoopMapOp *ops, uint32_t count)
{
    domid_t self = self_of(loop, handle);
    LoopFault fault;
    bool any = loop_fault(loop, LOOP_FAULT_GNT_MAP, self, &fault);
    uint32_t i, failed = 0;

    for (i = 0; i < count; i++) {
        if (hit(&fault, any, i)) {
            ops[i].status = fault.error;
        } else {
            map_one(loop, self, &ops[i]);
        }
        failed += ops[i].status != GNTST_okay;
    }
    loop_count(loop, LOOP_CALL_GNT_MAP, 1);
    loop_count(loop, LOOP_CALL_GNT_MAP_OPS, count);
    loop_count(loop, LOOP_CALL_GNT_FAILED, failed);
}

void loop_gnt_unmap(Loop *loop, int handle, const uint32_t *tracks,
                    int16_t *status, uint32_t count)
{
    LoopFault fault;
    bool any = loop_fault(loop, LOOP_FAULT_GNT_UNMAP, self_of(loop, handle),
                          &fault);
    uint32_t i, failed = 0;

    for (i = 0; i < count; i++) {
        if (hit(&fault, any, i)) {
            status[i] = fault.error;
        } else {
            loop_lock(loop);
            status[i] = end_track(loop, tracks[i]);
            loop_unlock(loop);
        }
        failed += status[i] != GNTST_okay;
    }
    loop_count(loop, LOOP_CALL_GNT_UNMAP, 1);
    loop_count(loop, LOOP_CALL_GNT_UNMAP_OPS, count);
    loop_count(loop, LOOP_CALL_GNT_FAILED, failed);
}

static void copy_one(Loop *loop, domid_t self, LoopCopyOp *op)
{
    bool readonly = !op->to_grant;
    LoopDomain *dom;
    uint8_t *page;

    if (op->offset + op->len > LOOP_PAGE_SIZE) {
        op->status = GNTST_bad_copy_arg;
        return;
    }
    loop_lock(loop);
    op->status = pin(loop, self, op->domid, op->ref, readonly, false, &dom);
    loop_unlock(loop);
    if (op->status != GNTST_okay) {
        return;
    }
    page = loop->shm->pages[loop_slot(loop, dom)][dom->active[op->ref].gfn];
    if (op->to_grant) {
        memcpy(page + op->offset, op->local, op->len);
    } else {
        memcpy(op->local, page + op->offset, op->len);
    }
    loop_lock(loop);
    unpin(loop, dom, op->ref, readonly);
    loop_unlock(loop);
}

void loop_gnt_copy(Loop *loop, int handle, LoopCopyOp *ops, uint32_t count)
{
    domid_t self = self_of(loop, handle);
    LoopFault fault;
    bool any = loop_fault(loop, LOOP_FAULT_GNT_COPY, self, &fault);
    uint64_t bytes = 0;
    uint32_t i, failed = 0;

    for (i = 0; i < count; i++) {
        if (hit(&fault, any, i)) {
            ops[i].status = fault.error;
        } else {
            copy_one(loop, self, &ops[i]);
        }
        if (ops[i].status == GNTST_okay) {
            bytes += ops[i].len;
        } else {
            failed++;
        }
    }
    loop_count(loop, LOOP_CALL_GNT_COPY, 1);
    loop_count(loop, LOOP_CALL_GNT_COPY_OPS, count);
    loop_count(loop, LOOP_CALL_GNT_COPY_BYTES, bytes);
    loop_count(loop, LOOP_CALL_GNT_FAILED, failed);
}

void loop_gnt_release(Loop *loop, uint16_t proc)
{
    LoopShm *shm = loop->shm;
    uint32_t track;
    LoopDomain *dom;

    for (track = 1; track < shm->track_top; track++) {
        LoopTrack *rec = &shm->tracks[track];

        if (rec->used && rec->proc == proc) {
            dom = loop_find(loop, rec->domid);
            rec->used = false;
            if (dom) {
                unpin(loop, dom, rec->ref, rec->readonly);
            }
        }
    }
}

/* Count users anew, from the mappings, after an owner of the lock died. */
void loop_gnt_recount(Loop *loop)
{
    LoopShm *shm = loop->shm;
    uint32_t i, ref, track;
    LoopDomain *dom;

    for (i = 0; i < LOOP_MAX_DOMAINS; i++) {
        for (ref = 0; ref < LOOP_MAX_GRANTS; ref++) {
            shm->domains[i].active[ref].readers = 0;
            shm->domains[i].active[ref].writers = 0;
        }
    }
    for (track = 1; track < shm->track_top; track++) {
        LoopTrack *rec = &shm->tracks[track];

        dom = rec->used ? loop_find(loop, rec->domid) : NULL;
        if (dom && rec->readonly) {
            dom->active[rec->ref].readers++;
        } else if (dom) {
            dom->active[rec->ref].writers++;
        }
    }
    for (i = 0; i < LOOP_MAX_DOMAINS; i++) {
        for (ref = 0; ref < LOOP_MAX_GRANTS; ref++) {
            unmark_entry(&shm->tables[i][ref], &shm->domains[i].active[ref]);
        }
    }
}
