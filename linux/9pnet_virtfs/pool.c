// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: pages that stay granted, so that neither side has to
 * grant or map anything for a message that goes through them.
 *
 * A page that was announced to the backend as persistent has to stay granted
 * until the connection ends, so the pool only grows, up to its limit. What is
 * needed beyond it is granted for one transaction.
 */
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "virtfs.h"

/* Requests are made to write pages back, when memory is short. */
#define VIRTFS_GFP	(GFP_NOFS | __GFP_NOWARN)

#define VIRTFS_TRIES	50
#define VIRTFS_TRY_TIME	(HZ / 10)

void virtfs_pool_init(struct virtfs_pool *pool)
{
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->free);
	pool->nr_free = 0;
	pool->kept = 0;
	pool->max_kept = clamp(totalram_pages() / VIRTFS_POOL_SHARE,
			       VIRTFS_POOL_LEAST, VIRTFS_POOL_PAGES);
	init_waitqueue_head(&pool->returned);
}

/* Should the backend still have the page mapped, it is freed when it has not. */
static void virtfs_page_free(struct virtfs_page *page)
{
	gnttab_end_foreign_access(page->gref, virt_to_page(page->va));
	kfree(page);
}

static struct virtfs_page *virtfs_page_new(struct virtfs_dev *dev, bool kept,
					   gfp_t gfp)
{
	struct virtfs_page *page = kmalloc(sizeof(*page), gfp);
	int gref;

	if (!page)
		return NULL;
	/* The backend may read all of it. */
	page->va = (void *)get_zeroed_page(gfp);
	if (!page->va)
		goto free;
	gref = gnttab_grant_foreign_access(dev->xdev->otherend_id,
					   virt_to_gfn(page->va), 0);
	if (gref < 0)
		goto free_page;
	page->gref = gref;
	page->kept = kept;
	return page;

free_page:
	free_page((unsigned long)page->va);
free:
	kfree(page);
	return NULL;
}

/* The backend has let go of all pages, and no transaction has one. */
void virtfs_pool_fini(struct virtfs_pool *pool)
{
	struct virtfs_page *page, *next;

	list_for_each_entry_safe(page, next, &pool->free, list)
		virtfs_page_free(page);
	INIT_LIST_HEAD(&pool->free);
	pool->nr_free = 0;
	pool->kept = 0;
}

/* In any context. */
void virtfs_pool_put(struct virtfs_pool *pool, struct virtfs_page **pages,
		     unsigned int count)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&pool->lock, flags);
	for (i = 0; i < count; i++) {
		if (!pages[i]->kept)
			continue;
		list_add(&pages[i]->list, &pool->free);
		pool->nr_free++;
	}
	spin_unlock_irqrestore(&pool->lock, flags);

	for (i = 0; i < count; i++)
		if (!pages[i]->kept)
			virtfs_page_free(pages[i]);
	wake_up(&pool->returned);
}

/*
 * Under the pool's lock: how many pages have to be made, so that @count are
 * free that are kept; or -ENOSPC.
 */
static int virtfs_pool_lacks(const struct virtfs_pool *pool,
			     unsigned int count)
{
	unsigned int more = count - min(count, pool->nr_free);

	return pool->kept + more <= pool->max_kept ? more : -ENOSPC;
}

/**
 * virtfs_pool_reserve - have pages ready that stay granted
 * @dev: the device
 * @count: how many
 *
 * Only as long as there is plenty of memory: these do not come back.
 *
 * Return: whether they were there a moment ago.
 */
bool virtfs_pool_reserve(struct virtfs_dev *dev, unsigned int count)
{
	struct virtfs_pool *pool = &dev->pool;
	struct virtfs_page *page;
	unsigned long flags;
	LIST_HEAD(made);
	int more, nr;

	spin_lock_irqsave(&pool->lock, flags);
	more = virtfs_pool_lacks(pool, count);
	if (more > 0)
		pool->kept += more;
	spin_unlock_irqrestore(&pool->lock, flags);
	if (more <= 0)
		return !more;

	for (nr = 0; nr < more; nr++) {
		page = virtfs_page_new(dev, true, GFP_NOWAIT | __GFP_NOWARN);
		if (!page)
			break;
		list_add(&page->list, &made);
	}
	spin_lock_irqsave(&pool->lock, flags);
	list_splice(&made, &pool->free);
	pool->nr_free += nr;
	pool->kept -= more - nr;
	spin_unlock_irqrestore(&pool->lock, flags);
	wake_up(&pool->returned);
	return nr == more;
}

/*
 * Take what is free, the last returned first: the backend is likely to have
 * it mapped. Makes room for the rest of @count; @kept is false when the pool
 * has no room for that, and then nothing is taken.
 */
static unsigned int virtfs_pool_take(struct virtfs_pool *pool,
				     struct virtfs_page **pages,
				     unsigned int count, bool *kept)
{
	unsigned int taken = 0;
	struct virtfs_page *page, *next;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	*kept = virtfs_pool_lacks(pool, count) >= 0;
	if (*kept) {
		list_for_each_entry_safe(page, next, &pool->free, list) {
			if (taken == count)
				break;
			list_del(&page->list);
			pages[taken++] = page;
		}
		pool->nr_free -= taken;
		pool->kept += count - taken;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return taken;
}

static bool virtfs_pool_try(struct virtfs_dev *dev, struct virtfs_page **pages,
			    unsigned int count)
{
	struct virtfs_pool *pool = &dev->pool;
	unsigned long flags;
	unsigned int i;
	bool kept;

	for (i = virtfs_pool_take(pool, pages, count, &kept); i < count; i++) {
		pages[i] = virtfs_page_new(dev, kept, VIRTFS_GFP);
		if (pages[i])
			continue;
		if (kept) {
			spin_lock_irqsave(&pool->lock, flags);
			pool->kept -= count - i;
			spin_unlock_irqrestore(&pool->lock, flags);
		}
		virtfs_pool_put(pool, pages, i);
		return false;
	}
	return true;
}

/**
 * virtfs_pool_wait - wait for memory or grants to be had again
 * @txn: who needs them
 * @tries: how often it has waited
 *
 * Return: 0 when it is time to try again, or why not to.
 */
int virtfs_pool_wait(struct virtfs_txn *txn, unsigned int *tries)
{
	struct virtfs_dev *dev = txn->dev;
	DEFINE_WAIT(wait);

	if (++*tries > VIRTFS_TRIES)
		return -ENOMEM;
	prepare_to_wait(&dev->pool.returned, &wait, TASK_KILLABLE);
	if (READ_ONCE(dev->client) == txn->client)
		schedule_timeout(VIRTFS_TRY_TIME);
	finish_wait(&dev->pool.returned, &wait);
	if (READ_ONCE(dev->client) != txn->client)
		return -EIO;
	return fatal_signal_pending(current) ? -ERESTARTSYS : 0;
}

/**
 * virtfs_pool_get - get pages for a transaction
 * @txn: whose they will be
 * @pages: where they are noted; all kept ones or none
 * @count: how many
 *
 * Return: 0; -ENOMEM, -EIO (the connection has ended), -ERESTARTSYS (killed).
 */
int virtfs_pool_get(struct virtfs_txn *txn, struct virtfs_page **pages,
		    unsigned int count)
{
	unsigned int tries = 0;
	int err = 0;

	while (!err) {
		if (virtfs_pool_try(txn->dev, pages, count))
			return 0;
		err = virtfs_pool_wait(txn, &tries);
	}
	return err;
}
