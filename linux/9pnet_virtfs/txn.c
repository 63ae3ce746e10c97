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
#include <linux/align.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtfs.h"

/* Up to so many have a slot each: the backend has to fetch a page of them. */
#define VIRTFS_DIRECT_SEGS	32
/* Between request and response, where both are in one page. */
#define VIRTFS_RSP_ALIGN	64
/* Pages are asked for in such batches. */
#define VIRTFS_BATCH		32
/* size[4] type[1]: as much of a reply as has to be looked at */
#define VIRTFS_PEEK		5

/* Life */

/**
 * virtfs_txn_new - make a transaction and get its pages of the pool
 * @client: who asks
 * @req: its request
 * @room: for what; virtfs_txn_add_data() adds the pages of the caller
 *
 * Return: the transaction, or -ENOMEM, -EIO or -ERESTARTSYS.
 */
struct virtfs_txn *virtfs_txn_new(struct p9_client *client,
				  struct p9_req_t *req,
				  const struct virtfs_room *room)
{
	unsigned int rsp_at = ALIGN(room->req, VIRTFS_RSP_ALIGN), nr_buf;
	struct virtfs_dev *dev = client->trans;
	struct virtfs_txn *txn;
	int err = -ENOMEM;

	/* Data begin with a page, as they do in a file: copying is faster. */
	if (offset_in_page(rsp_at) + room->rsp > PAGE_SIZE)
		rsp_at = PAGE_ALIGN(rsp_at + room->rsp_head) - room->rsp_head;
	nr_buf = PFN_UP(rsp_at + room->rsp);

	if (!virtfs_enter(dev, client))
		return ERR_PTR(-EIO);
	/* One page can be of both, hence 1. */
	txn = kvzalloc(struct_size(txn, seg, nr_buf + 1 + room->data),
		       GFP_NOFS);
	if (!txn) {
		virtfs_leave(dev);
		return ERR_PTR(err);
	}
	refcount_set(&txn->ref, 1);
	txn->dev = dev;
	txn->client = client;
	txn->req = req;
	txn->rsp_at = rsp_at;
	txn->rsp_len = room->rsp;
	txn->rc_len = room->rsp;
	txn->max_data = room->data;
	txn->buf = kvmalloc_array(nr_buf, sizeof(*txn->buf), GFP_NOFS);
	if (room->data)
		txn->data = kvmalloc_array(room->data, sizeof(*txn->data),
					   GFP_NOFS);
	if (!txn->buf || (room->data && !txn->data))
		goto fail;
	err = virtfs_pool_get(txn, txn->buf, nr_buf);
	if (err)
		goto fail;
	txn->nr_buf = nr_buf;
	return txn;

fail:
	virtfs_txn_put(txn);
	return ERR_PTR(err);
}

/*
 * The caller's pages go back to their owner. The backend has let go of them,
 * or gnttab_end_foreign_access() keeps them from being freed until it has.
 */
static void virtfs_txn_free_data(struct virtfs_txn *txn)
{
	unsigned int i;

	for (i = 0; i < txn->nr_granted; i++)
		gnttab_end_foreign_access(txn->seg[i].gref, NULL);
	virtfs_put_pages(txn->data, txn->nr_data, txn->data_user,
			 txn->data_in);
}

static void virtfs_txn_free(struct virtfs_txn *txn)
{
	struct virtfs_dev *dev = txn->dev;
	struct virtfs_run *run;

	if (txn->nr_data)
		virtfs_txn_free_data(txn);
	for (run = txn->run; run < txn->run + txn->nr_runs; run++)
		if (run->table)
			virtfs_pool_put(&dev->pool, &run->table, 1);
	virtfs_pool_put(&dev->pool, txn->buf, txn->nr_buf);
	kvfree(txn->data);
	kvfree(txn->buf);
	kvfree(txn);
	virtfs_leave(dev);
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
	struct virtfs_dev *dev = txn->dev;

	if (!refcount_dec_and_test(&txn->ref))
		return;
	if (!txn->nr_data) {
		virtfs_txn_free(txn);
		return;
	}
	llist_add(&txn->dead, &dev->dead);
	schedule_work(&dev->reap_work);
}

void virtfs_txn_reap(struct work_struct *work)
{
	struct virtfs_dev *dev = container_of(work, struct virtfs_dev,
					      reap_work);
	struct virtfs_txn *txn, *next;

	llist_for_each_entry_safe(txn, next, llist_del_all(&dev->dead), dead)
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

/* Return: whether all of it could be copied. */
bool virtfs_txn_write_iter(struct virtfs_txn *txn, unsigned int at,
			   struct iov_iter *from, unsigned int len)
{
	unsigned int end = at + len, part;
	void *to;

	for (; at < end; at += part) {
		part = end - at;
		to = virtfs_txn_at(txn, at, &part);
		if (!copy_from_iter_full(to, part, from))
			return false;
	}
	return true;
}

/* From the byte @at of the response. Return: as above. */
bool virtfs_txn_read_iter(struct virtfs_txn *txn, unsigned int at,
			  struct iov_iter *to, unsigned int len)
{
	unsigned int end, part;
	void *from;

	at += txn->rsp_at;
	for (end = at + len; at < end; at += part) {
		part = end - at;
		from = virtfs_txn_at(txn, at, &part);
		if (copy_to_iter(from, part, to) != part)
			return false;
	}
	return true;
}

static void virtfs_txn_read(const struct virtfs_txn *txn, void *to,
			    unsigned int len)
{
	unsigned int done, part;
	void *from;

	for (done = 0; done < len; done += part) {
		part = len - done;
		from = virtfs_txn_at(txn, txn->rsp_at + done, &part);
		memcpy(to + done, from, part);
	}
}

/* Bytes that the backend has put into the caller's pages */
void virtfs_txn_read_data(const struct virtfs_txn *txn, void *to,
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

static int virtfs_txn_grant(struct virtfs_txn *txn)
{
	domid_t domid = txn->dev->xdev->otherend_id;
	unsigned int i, tries = 0;
	grant_ref_t head;
	int err = 0;

	while (gnttab_alloc_grant_references(txn->nr_data, &head)) {
		err = virtfs_pool_wait(txn, &tries);
		if (err)
			return err;
	}
	for (i = 0; i < txn->nr_data; i++) {
		txn->seg[i].gref = gnttab_claim_grant_reference(&head);
		gnttab_grant_foreign_access_ref(txn->seg[i].gref, domid,
						xen_page_to_gfn(txn->data[i]),
						!txn->data_in);
	}
	txn->nr_granted = txn->nr_data;
	return 0;
}

/**
 * virtfs_txn_add_data - grant the pages of a caller's data
 * @txn: the transaction
 * @iter: the data; moves on by as much as is returned
 * @len: how much of it
 * @in: whether it is for the backend to write
 *
 * Return: how much it is now, which is less where it is in too many pieces;
 * or why there is none.
 */
int virtfs_txn_add_data(struct virtfs_txn *txn, struct iov_iter *iter,
			unsigned int len, bool in)
{
	ssize_t got = 0;
	int err;

	txn->data_in = in;
	txn->data_user = user_backed_iter(iter);
	while (txn->data_len < len) {
		got = virtfs_txn_extract(txn, iter, len - txn->data_len);
		if (got <= 0)
			break;
		txn->data_len += got;
	}
	if (!txn->data_len)
		return got ?: -EFAULT;
	err = virtfs_txn_grant(txn);
	return err ?: txn->data_len;
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
	if (txn->dev->persistent && txn->buf[0]->kept)
		flags |= XEN_VIRTFSF_PERSISTENT;
	virtfs_txn_run(txn, flags, first, txn->nr_segs - first);
}

/* Describe a run in a page of its own, where that saves slots. */
static int virtfs_txn_describe(struct virtfs_txn *txn, struct virtfs_run *run)
{
	int err;

	if (run->count <= VIRTFS_DIRECT_SEGS ||
	    run->count > txn->dev->max_indirect) {
		txn->nr_slots += run->count;
		return 0;
	}
	err = virtfs_pool_get(txn, &run->table, 1);
	if (err) {
		run->table = NULL;
		return err;
	}
	memcpy(run->table->va, txn->seg + run->first,
	       run->count * sizeof(*txn->seg));
	txn->nr_slots++;
	return 0;
}

/**
 * virtfs_txn_seal - make the slots of a transaction that has all its pages
 * @txn: the transaction
 * @req_len: length of the request, or its header
 *
 * Return: 0, or as virtfs_pool_get().
 */
int virtfs_txn_seal(struct virtfs_txn *txn, unsigned int req_len)
{
	unsigned int i;
	int err = 0;

	txn->nr_segs = txn->nr_data;
	virtfs_txn_run_buf(txn, 0, req_len, 0);
	if (txn->nr_data && !txn->data_in)
		virtfs_txn_run(txn, 0, 0, txn->nr_data);
	virtfs_txn_run_buf(txn, txn->rsp_at, txn->rsp_len, XEN_VIRTFSF_WRITE);
	if (txn->nr_data && txn->data_in)
		virtfs_txn_run(txn, XEN_VIRTFSF_WRITE, 0, txn->nr_data);

	for (i = 0; i < txn->nr_runs && !err; i++)
		err = virtfs_txn_describe(txn, txn->run + i);
	if (!err && txn->nr_slots > RING_SIZE(&txn->dev->queues[0].ring))
		err = -EMSGSIZE;
	return err;
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

/* Nobody is to be told, or the caller could not take the data any more. */
static bool virtfs_txn_unwanted(struct virtfs_txn *txn, u32 size)
{
	if (!size && txn->flushed) {
		p9_req_put(txn->client, txn->req);
		txn->req = NULL;
		return true;
	}
	if (txn->given_up) {
		virtfs_txn_fail(txn, -ERESTARTSYS);
		return true;
	}
	return false;
}

/* The last slot has come back: deliver the reply. */
void virtfs_txn_complete(struct virtfs_txn *txn)
{
	unsigned int room = txn->rsp_len + (txn->data_in ? txn->data_len : 0);
	struct device *dev = &txn->dev->xdev->dev;
	struct p9_req_t *req = txn->req;
	u8 head[VIRTFS_PEEK];
	u32 size, len;

	if (!req)
		return;
	if (txn->status) {
		dev_err_ratelimited(dev, "the backend refused a request: %d\n",
				    txn->status);
		virtfs_txn_fail(txn, -EIO);
		return;
	}
	virtfs_txn_read(txn, head, sizeof(head));
	size = get_unaligned_le32(head);
	if (virtfs_txn_unwanted(txn, size))
		return;
	if (size < P9_HDRSZ || size > room) {
		dev_err_ratelimited(dev, "a reply of %u bytes, room for %u\n",
				    size, room);
		virtfs_txn_fail(txn, -EIO);
		return;
	}
	/* An error takes the place of all, data included. */
	len = head[4] == P9_RERROR ? txn->rsp_len : txn->rc_len;
	len = min3(size, len, (u32)req->rc.capacity);
	virtfs_txn_read(txn, req->rc.sdata, len);
	req->rc.size = size;
	txn->req = NULL;
	p9_client_cb(txn->client, req, REQ_STATUS_RCVD);
}
