/*
 * Loopback Xen: domains and their pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "shm.h"

#define VIRQ_DOMAIN_CHANGED VIRQ_DOM_EXC

LoopDomain *loop_find(Loop *loop, domid_t domid)
{
    int i;

    for (i = 0; i < LOOP_MAX_DOMAINS; i++) {
        LoopDomain *dom = &loop->shm->domains[i];

        if (dom->used && dom->domid == domid) {
            return dom;
        }
    }
    return NULL;
}

int loop_domain_create(Loop *loop, domid_t domid, uint32_t nr_pages)
{
    LoopDomain *dom = NULL;
    int i, ret = -ENOSPC;

    if (nr_pages > LOOP_MAX_PAGES) {
        return -EINVAL;
    }
    loop_lock(loop);
    if (loop_find(loop, domid)) {
        ret = -EEXIST;
        goto out;
    }
    for (i = 0; i < LOOP_MAX_DOMAINS; i++) {
        if (!loop->shm->domains[i].used) {
            dom = &loop->shm->domains[i];
            break;
        }
    }
    if (dom) {
        memset(dom, 0, sizeof(*dom));
        dom->domid = domid;
        dom->nr_pages = nr_pages;
        dom->used = true;
        ret = 0;
    }
out:
    loop_unlock(loop);
    return ret;
}

static bool grants_in_use(const LoopDomain *dom)
{
    int i;

    for (i = 0; i < LOOP_MAX_GRANTS; i++) {
        if (dom->active[i].readers || dom->active[i].writers) {
            return true;
        }
    }
    return false;
}

int loop_domain_destroy(Loop *loop, domid_t domid)
{
    LoopShm *shm = loop->shm;
    LoopDomain *dom;
    uint32_t slot;
    int ret = 0;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (!dom) {
        ret = -ESRCH;
    } else if (grants_in_use(dom)) {
        ret = -EBUSY;
    } else {
        slot = loop_slot(loop, dom);
        loop_evtchn_close_domain(loop, dom);
        dom->used = false;
        memset(shm->tables[slot], 0, sizeof(shm->tables[slot]));
        madvise(shm->pages[slot], sizeof(shm->pages[slot]), MADV_REMOVE);
        loop_evtchn_raise_virq(loop, VIRQ_DOMAIN_CHANGED);
    }
    loop_unlock(loop);
    return ret;
}

int loop_domain_shutdown(Loop *loop, domid_t domid)
{
    LoopDomain *dom;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        dom->shutdown = true;
        loop_evtchn_raise_virq(loop, VIRQ_DOMAIN_CHANGED);
    }
    loop_unlock(loop);
    return dom ? 0 : -ESRCH;
}

bool loop_domain_exists(Loop *loop, domid_t domid)
{
    bool found;

    loop_lock(loop);
    found = loop_find(loop, domid);
    loop_unlock(loop);
    return found;
}

bool loop_domain_is_shutdown(Loop *loop, domid_t domid)
{
    LoopDomain *dom;
    bool shutdown;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    shutdown = dom && dom->shutdown;
    loop_unlock(loop);
    return shutdown;
}

void loop_domain_pause(Loop *loop, domid_t domid, bool paused)
{
    LoopDomain *dom;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        dom->paused = paused;
    }
    loop_unlock(loop);
}

bool loop_domain_is_paused(Loop *loop, domid_t domid)
{
    LoopDomain *dom;
    bool paused;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    paused = dom && dom->paused;
    loop_unlock(loop);
    return paused;
}

uint32_t loop_domain_pages(Loop *loop, domid_t domid)
{
    LoopDomain *dom;
    uint32_t pages;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    pages = dom ? dom->nr_pages : 0;
    loop_unlock(loop);
    return pages;
}

int64_t loop_pages_alloc(Loop *loop, domid_t domid, uint32_t count)
{
    LoopDomain *dom;
    uint32_t gfn, run = 0;
    int64_t found = -ENOMEM;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    for (gfn = dom ? dom->page_hint : 0;
         dom && count && gfn < dom->nr_pages; gfn++) {
        run = dom->page_used[gfn] ? 0 : run + 1;
        if (run == count) {
            found = gfn + 1 - count;
            memset(&dom->page_used[found], 1, count);
            if (found == dom->page_hint) {
                dom->page_hint += count;
            }
            break;
        }
    }
    loop_unlock(loop);
    return found;
}

void loop_pages_free(Loop *loop, domid_t domid, uint32_t gfn, uint32_t count)
{
    LoopDomain *dom;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom && gfn < dom->nr_pages && count <= dom->nr_pages - gfn) {
        memset(&dom->page_used[gfn], 0, count);
        if (gfn < dom->page_hint) {
            dom->page_hint = gfn;
        }
    }
    loop_unlock(loop);
}

void *loop_page(Loop *loop, domid_t domid, uint32_t gfn)
{
    LoopDomain *dom;
    void *page = NULL;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom && gfn < dom->nr_pages) {
        page = loop->shm->pages[loop_slot(loop, dom)][gfn];
    }
    loop_unlock(loop);
    return page;
}

off_t loop_page_offset(Loop *loop, domid_t domid, uint32_t gfn)
{
    uint8_t *page = loop_page(loop, domid, gfn);

    return page ? page - (uint8_t *)loop->shm : -EINVAL;
}
