// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: pages that stay granted, so that neither side has to
 * grant or map anything for a message that goes through them.
 *
 * A page that was announced to the backend as persistent has to stay granted
 * until the connection ends, so the pool only grows, up to its limit. What is
 * needed beyond it is granted for one transaction.
 *
 * A few pages are there from the beginning. A request with data can do with
 * fewer pages than it would like to have, and nobody waits who has some: so
 * there is always a request that can go on, however short memory and grants
 * are.
 */
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "virtfs.h"

/*
 * Requests are made to write pages back, when memory is short: nothing may
 * wait for that here. There are other ways to go on.
 */
#define VIRTFS_GFP	(GFP_NOWAIT | __GFP_NOWARN)

/* How long until memory and grants are looked for again */
#define VIRTFS_TRY_TIME	(HZ / 10)
/* Of Xen's table, a device takes this part at most. */
#define VIRTFS_GRANT_SHARE	4
#define VIRTFS_GRANTS_PER_FRAME	(PAGE_SIZE / sizeof(struct grant_entry_v1))

static unsigned int max_granted;
module_param(max_granted, uint, 0644);
MODULE_PARM_DESC(max_granted,
		 "Pages granted or pinned for a device; 0: a quarter of all");

void virtfs_pool_init(struct virtfs_conn *conn)
{
	struct virtfs_pool *pool = &conn->pool;
	unsigned int all = gnttab_max_grant_frames() * VIRTFS_GRANTS_PER_FRAME;

	mutex_init(&pool->line);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->free);
	init_waitqueue_head(&pool->returned);
	pool->max_granted = max(READ_ONCE(max_granted) ?:
				all / VIRTFS_GRANT_SHARE,
				2 * VIRTFS_POOL_RESERVE);
	pool->max_kept = clamp(totalram_pages() / VIRTFS_POOL_SHARE,
			       VIRTFS_POOL_LEAST, VIRTFS_POOL_PAGES);
	pool->max_kept = min(pool->max_kept, pool->max_granted / 2);
}

/* Pages that will be granted. Return: whether there may be so many. */
bool virtfs_pool_charge(struct virtfs_pool *pool, unsigned int count)
{
	unsigned long flags;
	bool room;

	spin_lock_irqsave(&pool->lock, flags);
	room = pool->granted + count <= pool->max_granted;
	if (room)
		pool->granted += count;
	spin_unlock_irqrestore(&pool->lock, flags);
	return room;
}

void virtfs_pool_uncharge(struct virtfs_pool *pool, unsigned int count)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->granted -= count;
	spin_unlock_irqrestore(&pool->lock, flags);
}

/**
 * virtfs_pool_end - end the grant of a page that is not kept
 * @conn: whose it is
 * @page: the page, which stays where it is
 *
 * Return: whether the backend has let go of it. If not, nobody gets the page
 * again before it has.
 */
bool virtfs_pool_end(struct virtfs_conn *conn, struct virtfs_page *page)
{
	bool free;

	if (page->ended)
		return true;
	page->ended = true;
	free = gnttab_try_end_foreign_access(page->gref);
	if (!free)
		gnttab_end_foreign_access(page->gref, NULL);
	virtfs_pool_uncharge(&conn->pool, 1);
	return free;
}

static void virtfs_page_free(struct virtfs_conn *conn, struct virtfs_page *page)
{
	virtfs_pool_end(conn, page);
	free_page((unsigned long)page->va);
	kfree(page);
}

static struct virtfs_page *virtfs_page_new(struct virtfs_conn *conn, bool kept,
					   gfp_t gfp)
{
	struct virtfs_page *page;
	int gref;

	if (!virtfs_pool_charge(&conn->pool, 1))
		return NULL;
	page = kzalloc(sizeof(*page), gfp);
	if (!page)
		goto uncharge;
	/* The backend may read all of it. */
	page->va = (void *)get_zeroed_page(gfp);
	if (!page->va)
		goto free;
	gref = gnttab_grant_foreign_access(conn->domid, virt_to_gfn(page->va),
					   0);
	if (gref < 0)
		goto free_page;
	page->gref = gref;
	page->kept = kept;
	return page;

free_page:
	free_page((unsigned long)page->va);
free:
	kfree(page);
uncharge:
	virtfs_pool_uncharge(&conn->pool, 1);
	return NULL;
}

/* The backend has let go of all pages, and no transaction has one. */
void virtfs_pool_fini(struct virtfs_conn *conn)
{
	struct virtfs_page *page, *next;

	list_for_each_entry_safe(page, next, &conn->pool.free, list)
		virtfs_page_free(conn, page);
}

/* In any context. */
void virtfs_pool_put(struct virtfs_conn *conn, struct virtfs_page **pages,
		     unsigned int count)
{
	struct virtfs_pool *pool = &conn->pool;
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
			virtfs_page_free(conn, pages[i]);
	wake_up(&pool->returned);
}

/**
 * virtfs_pool_lend - ask whether a task that has pages may sleep
 * @conn: the connection
 * @count: how many it has that are kept
 *
 * It may wait for a page fault, which may be one of a file of this very mount,
 * and so for another request. That needs pages: the reserve has to be left.
 *
 * Return: true, until virtfs_pool_unlend(), or false.
 */
bool virtfs_pool_lend(struct virtfs_conn *conn, unsigned int count)
{
	struct virtfs_pool *pool = &conn->pool;
	unsigned long flags;
	bool may;

	spin_lock_irqsave(&pool->lock, flags);
	may = pool->lent + count + VIRTFS_POOL_RESERVE <= pool->kept;
	if (may)
		pool->lent += count;
	spin_unlock_irqrestore(&pool->lock, flags);
	return may;
}

void virtfs_pool_unlend(struct virtfs_conn *conn, unsigned int count)
{
	struct virtfs_pool *pool = &conn->pool;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->lent -= count;
	spin_unlock_irqrestore(&pool->lock, flags);
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

static bool virtfs_pool_grow(struct virtfs_conn *conn, unsigned int count,
			     gfp_t gfp)
{
	struct virtfs_pool *pool = &conn->pool;
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
		page = virtfs_page_new(conn, true, gfp);
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

/* The pages that a connection has from its beginning */
bool virtfs_pool_fill(struct virtfs_conn *conn)
{
	return virtfs_pool_grow(conn, VIRTFS_POOL_RESERVE, GFP_NOIO);
}

/**
 * virtfs_pool_reserve - have pages ready that stay granted
 * @conn: the connection
 * @count: how many
 *
 * Only as long as there is plenty of memory: these do not come back.
 *
 * Return: whether they were there a moment ago.
 */
bool virtfs_pool_reserve(struct virtfs_conn *conn, unsigned int count)
{
	return virtfs_pool_grow(conn, count, VIRTFS_GFP);
}

/*
 * Take up to @count pages that are kept, the last returned first: the backend
 * is likely to have them mapped. None if there are less than @least.
 */
static unsigned int virtfs_pool_take(struct virtfs_pool *pool,
				     struct virtfs_page **pages,
				     unsigned int least, unsigned int count)
{
	struct virtfs_page *page, *next;
	unsigned int taken = 0;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	if (pool->nr_free >= least) {
		list_for_each_entry_safe(page, next, &pool->free, list) {
			if (taken == count)
				break;
			list_del(&page->list);
			pages[taken++] = page;
		}
		pool->nr_free -= taken;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return taken;
}

/* Make up to @count pages for one transaction, but none less than @least. */
static unsigned int virtfs_pool_make(struct virtfs_conn *conn,
				     struct virtfs_page **pages,
				     unsigned int least, unsigned int count)
{
	unsigned int made;

	for (made = 0; made < count; made++) {
		pages[made] = virtfs_page_new(conn, false, VIRTFS_GFP);
		if (!pages[made])
			break;
	}
	if (made >= least)
		return made;
	virtfs_pool_put(conn, pages, made);
	return 0;
}

/* All pages are kept ones, or none is. */
static unsigned int virtfs_pool_try(struct virtfs_conn *conn,
				    struct virtfs_page **pages,
				    unsigned int least, unsigned int most)
{
	virtfs_pool_reserve(conn, most);
	return virtfs_pool_take(&conn->pool, pages, most, most) ?:
	       virtfs_pool_make(conn, pages, most, most) ?:
	       virtfs_pool_take(&conn->pool, pages, least, most) ?:
	       virtfs_pool_make(conn, pages, least, most);
}

/*
 * Wait until pages, memory or grants may be had again.
 *
 * Return: 0, -EIO (the connection has ended) or -ERESTARTSYS (killed)
 */
int virtfs_pool_wait(struct virtfs_conn *conn, struct p9_client *client)
{
	DEFINE_WAIT(wait);

	prepare_to_wait(&conn->pool.returned, &wait, TASK_KILLABLE);
	if (READ_ONCE(conn->client) == client)
		schedule_timeout(VIRTFS_TRY_TIME);
	finish_wait(&conn->pool.returned, &wait);
	if (READ_ONCE(conn->client) != client)
		return -EIO;
	return fatal_signal_pending(current) ? -ERESTARTSYS : 0;
}

/* The first in line is content with less and less, down to @least. */
static int virtfs_pool_queue(struct virtfs_conn *conn,
			     struct p9_client *client,
			     struct virtfs_page **pages, unsigned int least,
			     unsigned int most)
{
	unsigned int enough = most;
	int got = 0, err = 0;

	atomic_long_inc(&conn->stats.waited);
	if (mutex_lock_killable(&conn->pool.line))
		return -ERESTARTSYS;
	while (!got && !err) {
		got = virtfs_pool_try(conn, pages, enough, most);
		enough = max(enough / 2, least);
		if (!got)
			err = virtfs_pool_wait(conn, client);
	}
	mutex_unlock(&conn->pool.line);
	return got ?: err;
}

/**
 * virtfs_pool_get - get pages for a transaction
 * @conn: the connection
 * @client: who asks
 * @pages: where they are noted; all kept ones or none
 * @least: how many it needs, not more than the reserve
 * @most: how many it would like to have
 *
 * Who calls this has none yet. It waits for as long as it takes.
 *
 * Return: how many; -EIO (the connection has ended) or -ERESTARTSYS (killed).
 */
int virtfs_pool_get(struct virtfs_conn *conn, struct p9_client *client,
		    struct virtfs_page **pages, unsigned int least,
		    unsigned int most)
{
	int got = 0;

	/* Those that wait come first. */
	if (!mutex_is_locked(&conn->pool.line))
		got = virtfs_pool_try(conn, pages, most, most);
	return got ?: virtfs_pool_queue(conn, client, pages, least, most);
}
