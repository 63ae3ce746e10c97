// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: one transaction, from the pages of its request to its
 * reply.
 *
 * Messages go through pages of the pool, but for the data of zero-copy
 * requests, where the caller's own pages are granted:
 *
 *   pool     | request header |      | response header |
 *   caller                    | data |        or       | data |
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtfs.h"

/* Pages are asked for in such batches. */
#define VIRTFS_BATCH		32
/* size[4] type[1] tag[2] */
#define VIRTFS_TYPE_AT		4

/* Life */

static struct virtfs_txn *virtfs_txn_alloc(unsigned int pages,
					   unsigned int data)
{
	const gfp_t gfp = GFP_NOIO | __GFP_NOWARN;
	struct virtfs_txn *txn;

	/* One page can be of request and response, hence 1. */
	txn = kvzalloc(struct_size(txn, seg, pages + 1 + data), gfp);
	if (!txn)
		return NULL;
	txn->buf = kvmalloc_array(pages, sizeof(*txn->buf), gfp);
	if (data)
		txn->data = kvmalloc_array(data, sizeof(*txn->data), gfp);
	if (txn->buf && (txn->data || !data))
		return txn;
	kvfree(txn->data);
	kvfree(txn->buf);
	kvfree(txn);
	return NULL;
}

/**
 * virtfs_txn_new - make a transaction without pages
 * @conn: the connection
 * @client: who asks
 * @req: its request
 * @room: for what, or more
 *
 * Waits for memory for as long as it takes.
 *
 * Return: the transaction, or -EIO (the connection has ended) or -ERESTARTSYS
 * (killed).
 */
struct virtfs_txn *virtfs_txn_new(struct virtfs_conn *conn,
				  struct p9_client *client,
				  struct p9_req_t *req,
				  const struct virtfs_room *room)
{
	/* With less data there may be a page more, of descriptors. */
	unsigned int pages = virtfs_layout(conn, room).pages + 1;
	struct virtfs_txn *txn;
	int err = 0;

	do {
		txn = virtfs_txn_alloc(pages, room->data);
		if (!txn)
			err = virtfs_pool_wait(conn, client);
	} while (!txn && !err);
	if (!txn)
		return ERR_PTR(err);
	refcount_set(&txn->ref, 1);
	kref_get(&conn->ref);
	txn->conn = conn;
	txn->client = client;
	txn->req = req;
	txn->max_data = room->data;
	return txn;
}

/**
 * virtfs_txn_get_pages - get a transaction's pages of the pool
 * @txn: the transaction, which has room in the ring
 * @room: for what; copied data become less where pages are short
 *
 * Waits for memory and grants for as long as it takes.
 *
 * Return: 0, or -EIO (the connection has ended) or -ERESTARTSYS (killed).
 */
int virtfs_txn_get_pages(struct virtfs_txn *txn, struct virtfs_room *room)
{
	struct virtfs_conn *conn = txn->conn;
	struct virtfs_layout at = virtfs_layout(conn, room);
	int got;

	got = virtfs_pool_get(conn, txn->client, txn->buf,
			      virtfs_least_pages(conn, room), at.pages);
	if (got < 0)
		return got;
	txn->nr_buf = got;
	if (got < at.pages) {
		atomic_long_inc(&conn->stats.shortened);
		at = virtfs_shorten(conn, room, got);
	}
	txn->rsp_at = at.rsp_at;
	txn->tables_at = at.tables_at;
	txn->rsp_len = room->rsp + room->copy_in;
	txn->rc_len = room->rsp;
	atomic_long_inc(&conn->stats.requests);
	return 0;
}

/**
 * virtfs_txn_revoke - end all grants that do not outlive the transaction
 * @txn: the transaction, which the backend has answered
 *
 * In any context.
 *
 * Return: whether the backend had let go of all.
 */
bool virtfs_txn_revoke(struct virtfs_txn *txn)
{
	unsigned int i;

	for (i = 0; i < txn->nr_granted; i++) {
		if (gnttab_try_end_foreign_access(txn->seg[i].gref))
			continue;
		/* This keeps the page from being used until it can be ended. */
		gnttab_end_foreign_access(txn->seg[i].gref, NULL);
		txn->busy = true;
	}
	txn->nr_granted = 0;
	virtfs_pool_uncharge(&txn->conn->pool, txn->nr_charged);
	txn->nr_charged = 0;
	for (i = 0; i < txn->nr_buf; i++)
		if (!txn->buf[i]->kept &&
		    !virtfs_pool_end(txn->conn, txn->buf[i]))
			txn->busy = true;
	return !txn->busy;
}

static void virtfs_txn_free(struct virtfs_txn *txn)
{
	struct virtfs_conn *conn = txn->conn;

	virtfs_txn_revoke(txn);
	if (txn->nr_data)
		virtfs_put_pages(txn->data, txn->nr_data, txn->data_user,
				 txn->data_in);
	virtfs_pool_put(conn, txn->buf, txn->nr_buf);
	kvfree(txn->data);
	kvfree(txn->buf);
	kvfree(txn);
	virtfs_leave(conn);
}

/* Where one may sleep. */
void virtfs_txn_put(struct virtfs_txn *txn)
{
	if (refcount_dec_and_test(&txn->ref))
		virtfs_txn_free(txn);
}

/* In any context: pages of users are left to the work. */
void virtfs_txn_put_atomic(struct virtfs_txn *txn)
{
	struct virtfs_conn *conn = txn->conn;

	if (!refcount_dec_and_test(&txn->ref))
		return;
	if (!txn->nr_data) {
		virtfs_txn_free(txn);
		return;
	}
	llist_add(&txn->dead, &conn->dead);
	queue_work(virtfs_wq, &conn->reap_work);
}

void virtfs_txn_reap(struct work_struct *work)
{
	struct virtfs_conn *conn = container_of(work, struct virtfs_conn,
						reap_work);
	struct virtfs_txn *txn, *next;

	llist_for_each_entry_safe(txn, next, llist_del_all(&conn->dead), dead)
		virtfs_txn_free(txn);
}

/* Bytes in the pages of the pool */

/* Where the byte @at is; *len is cut to what is in the same page. */
static void *virtfs_txn_at(const struct virtfs_txn *txn, unsigned int at,
			   unsigned int *len)
{
	*len = min_t(unsigned int, *len, PAGE_SIZE - offset_in_page(at));
	return txn->buf[at / PAGE_SIZE]->va + offset_in_page(at);
}

/* The request begins at 0. */
void virtfs_txn_write(struct virtfs_txn *txn, const void *from,
		      unsigned int len)
{
	unsigned int at, part;
	void *to;

	for (at = 0; at < len; at += part) {
		part = len - at;
		to = virtfs_txn_at(txn, at, &part);
		memcpy(to, from + at, part);
	}
}

/*
 * No page fault is waited for. Return: how many bytes there were until the
 * first one.
 */
unsigned int virtfs_txn_write_iter(struct virtfs_txn *txn, unsigned int at,
				   struct iov_iter *from, unsigned int len)
{
	unsigned int done = 0, part, got;
	void *to;

	pagefault_disable();
	do {
		part = len - done;
		to = virtfs_txn_at(txn, at + done, &part);
		got = copy_from_iter(to, part, from);
		done += got;
	} while (done < len && got == part);
	pagefault_enable();
	return done;
}

/* From the byte @at of the response. Return: how many bytes. */
unsigned int virtfs_txn_read_iter(struct virtfs_txn *txn, unsigned int at,
				  struct iov_iter *to, unsigned int len)
{
	unsigned int done = 0, part, got;
	void *from;

	do {
		part = len - done;
		from = virtfs_txn_at(txn, txn->rsp_at + at + done, &part);
		got = copy_to_iter(from, part, to);
		done += got;
	} while (done < len && got == part);
	return done;
}

/* From the byte @at of the response, whose end @len is not behind. */
void virtfs_txn_read(const struct virtfs_txn *txn, unsigned int at, void *to,
		     unsigned int len)
{
	unsigned int done, part;
	void *from;

	for (done = 0; done < len; done += part) {
		part = len - done;
		from = virtfs_txn_at(txn, txn->rsp_at + at + done, &part);
		memcpy(to + done, from, part);
	}
}

/* Bytes that the backend has put into the caller's pages */
static void virtfs_txn_read_data(const struct virtfs_txn *txn, void *to,
				 unsigned int len)
{
	const struct xen_virtfsif_segment *seg = txn->seg;
	unsigned int i, part;

	for (i = 0; i < txn->nr_data && len; i++, seg++) {
		part = min_t(unsigned int, len, seg->size);
		memcpy_from_page(to, txn->data[i], seg->offset, part);
		to += part;
		len -= part;
	}
}

/* Segments */

/* Note the pages of the next @len bytes of @iter. Return: how many bytes. */
static ssize_t virtfs_txn_extract(struct virtfs_txn *txn, struct iov_iter *iter,
				  unsigned int len)
{
	struct page *batch[VIRTFS_BATCH], **pages = batch;
	struct xen_virtfsif_segment *seg;
	unsigned int max, left;
	size_t offset;
	ssize_t got;

	max = min_t(unsigned int, VIRTFS_BATCH, txn->max_data - txn->nr_data);
	if (!max)
		return 0;
	got = virtfs_get_pages(iter, batch, len, max, &offset);
	for (left = max_t(ssize_t, got, 0); left; left -= seg->size) {
		seg = txn->seg + txn->nr_data;
		seg->offset = offset;
		seg->size = min_t(unsigned int, left, PAGE_SIZE - offset);
		offset = 0;
		txn->data[txn->nr_data++] = *pages++;
	}
	return got;
}

/**
 * virtfs_txn_add_data - take the pages of a caller's data
 * @txn: the transaction, which has no pages and no room in the ring yet: this
 *       can wait for page faults
 * @iter: the data; moves on by as much as is returned
 * @len: how much of it
 * @in: whether it is for the backend to write
 *
 * Return: how much it is now, which is less where it is in too many pieces;
 * -ENOSPC: it cannot be granted; -EFAULT.
 */
int virtfs_txn_add_data(struct virtfs_txn *txn, struct iov_iter *iter,
			unsigned int len, bool in)
{
	ssize_t got = 0;

	txn->data_in = in;
	txn->data_user = user_backed_iter(iter);
	while (txn->data_len < len) {
		got = virtfs_txn_extract(txn, iter, len - txn->data_len);
		if (got <= 0)
			break;
		txn->data_len += got;
	}
	if (!txn->data_len || got == -ENOSPC)
		return got ?: -EFAULT;
	if (!virtfs_pool_charge(&txn->conn->pool, txn->nr_data))
		return -ENOSPC;
	txn->nr_charged = txn->nr_data;
	return txn->data_len;
}

/* Grant these pages. Return: 0, or -ENOSPC. */
int virtfs_txn_grant(struct virtfs_txn *txn)
{
	grant_ref_t head;
	unsigned int i;

	if (gnttab_alloc_grant_references(txn->nr_data, &head))
		return -ENOSPC;
	for (i = 0; i < txn->nr_data; i++) {
		txn->seg[i].gref = gnttab_claim_grant_reference(&head);
		gnttab_grant_foreign_access_ref(txn->seg[i].gref,
						txn->conn->domid,
						xen_page_to_gfn(txn->data[i]),
						!txn->data_in);
	}
	txn->nr_granted = txn->nr_data;
	return 0;
}

static struct virtfs_run *virtfs_txn_run(struct virtfs_txn *txn, u16 flags,
					 unsigned int first,
					 unsigned int count)
{
	struct virtfs_run *run = txn->run + txn->nr_runs++;

	run->flags = flags;
	run->first = first;
	run->count = count;
	return run;
}

/* A run of @len bytes from @at of the pages of the pool */
static void virtfs_txn_run_buf(struct virtfs_txn *txn, unsigned int at,
			       unsigned int len, u16 flags)
{
	unsigned int end = at + len, part, first = txn->nr_segs;
	struct xen_virtfsif_segment *seg;

	for (; at < end; at += part) {
		part = end - at;
		virtfs_txn_at(txn, at, &part);
		seg = txn->seg + txn->nr_segs++;
		seg->gref = txn->buf[at / PAGE_SIZE]->gref;
		seg->offset = offset_in_page(at);
		seg->size = part;
	}
	if (txn->conn->persistent && txn->buf[0]->kept)
		flags |= XEN_VIRTFSF_PERSISTENT;
	virtfs_txn_run(txn, flags, first, txn->nr_segs - first);
}

/*
 * Describe a run in a page of its own, where that saves slots. One that has
 * become shorter than expected can have no page for that, but has the slots.
 *
 * Return: whether @table was needed.
 */
static bool virtfs_txn_describe(struct virtfs_txn *txn, struct virtfs_run *run,
				struct virtfs_page *table)
{
	if (!table || !virtfs_is_indirect(txn->conn, run->count)) {
		txn->nr_slots += run->count;
		return false;
	}
	run->table = table;
	memcpy(table->va, txn->seg + run->first,
	       run->count * sizeof(*txn->seg));
	txn->nr_slots++;
	return true;
}

/**
 * virtfs_txn_seal - make the slots of a transaction that has all its pages
 * @txn: the transaction
 * @req_len: length of the request, or its header
 *
 * Return: 0, or -EMSGSIZE
 */
int virtfs_txn_seal(struct virtfs_txn *txn, unsigned int req_len)
{
	unsigned int i, table = txn->tables_at;

	txn->nr_segs = txn->nr_data;
	virtfs_txn_run_buf(txn, 0, req_len, 0);
	if (txn->nr_data && !txn->data_in)
		virtfs_txn_run(txn, 0, 0, txn->nr_data);
	virtfs_txn_run_buf(txn, txn->rsp_at, txn->rsp_len, XEN_VIRTFSF_WRITE);
	if (txn->nr_data && txn->data_in)
		virtfs_txn_run(txn, XEN_VIRTFSF_WRITE, 0, txn->nr_data);

	for (i = 0; i < txn->nr_runs; i++)
		table += virtfs_txn_describe(txn, txn->run + i,
					     table < txn->nr_buf ?
					     txn->buf[table] : NULL);
	return txn->nr_slots > txn->max_slots ? -EMSGSIZE : 0;
}

/* Replies: in any context, under the queue's lock */

void virtfs_txn_fail(struct virtfs_txn *txn, int err)
{
	struct p9_req_t *req = txn->req;

	if (!req)
		return;
	txn->req = NULL;
	req->t_err = err;
	p9_client_cb(txn->client, req, REQ_STATUS_ERROR);
}

static int virtfs_txn_error(struct virtfs_txn *txn, int err)
{
	txn->req->t_err = err;
	return REQ_STATUS_ERROR;
}

/*
 * The reply's header is fetched once, and only what was fetched is looked at:
 * the backend may still write to it.
 */
static int virtfs_txn_deliver(struct virtfs_txn *txn, const u8 *head, u32 size)
{
	struct p9_fcall *rc = &txn->req->rc;
	u32 len;

	/* An error takes the place of all, data included. */
	if (head[VIRTFS_TYPE_AT] == P9_RERROR)
		size = min_t(u32, size, rc->capacity);
	len = head[VIRTFS_TYPE_AT] == P9_RERROR ? txn->rsp_len : txn->rc_len;
	len = min3(size, len, (u32)rc->capacity);
	memcpy(rc->sdata, head, P9_HDRSZ);
	virtfs_txn_read(txn, P9_HDRSZ, rc->sdata + P9_HDRSZ, len - P9_HDRSZ);
	if (head[VIRTFS_TYPE_AT] == P9_RERROR)
		virtfs_txn_read_data(txn, rc->sdata + len, size - len);
	rc->size = size;
	return REQ_STATUS_RCVD;
}

/**
 * virtfs_txn_complete - take the reply
 * @txn: the transaction whose last slot has come back; revoked
 *
 * Return: the new status of its request; REQ_STATUS_FLSHD: it was flushed, and
 * nobody is to be told.
 */
int virtfs_txn_complete(struct virtfs_txn *txn)
{
	unsigned int room = txn->rsp_len + (txn->data_in ? txn->data_len : 0);
	struct device *dev = &txn->conn->dev->xdev->dev;
	u8 head[P9_HDRSZ];
	u32 size;

	if (!txn->req)
		return REQ_STATUS_ERROR;
	if (txn->status)
		dev_err_ratelimited(dev, "the backend refused a request: %d\n",
				    txn->status);
	if (txn->status || txn->busy)
		return virtfs_txn_error(txn, -EIO);
	virtfs_txn_read(txn, 0, head, sizeof(head));
	size = get_unaligned_le32(head);
	if (!size && txn->flushed)
		return REQ_STATUS_FLSHD;
	if (txn->given_up)
		return virtfs_txn_error(txn, -ERESTARTSYS);
	if (size < P9_HDRSZ || size > room) {
		dev_err_ratelimited(dev, "a reply of %u bytes, room for %u\n",
				    size, room);
		return virtfs_txn_error(txn, -EIO);
	}
	return virtfs_txn_deliver(txn, head, size);
}
