// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: a ring with its event channel, and the transactions
 * whose slots are in it.
 */
#include <linux/interrupt.h>
#include <linux/wait.h>
#include <xen/events.h>

#include "virtfs.h"

/* Responses */

/* What the backend did is beyond repair; the connection ends. */
static void virtfs_queue_violated(struct virtfs_queue *queue, const char *how)
{
	queue->broken = true;
	virtfs_conn_violated(queue->conn, how);
}

/* The slots of @txn are free again; the ring's reference is the caller's. */
static void virtfs_queue_drop(struct virtfs_queue *queue,
			      struct virtfs_txn *txn)
{
	queue->txns[txn->id] = NULL;
	__clear_bit(txn->id, queue->ids);
}

/*
 * The last slot has come back. The caller is woken when the ring has let go,
 * so that it is the one that frees the pages.
 */
static void virtfs_queue_answer(struct virtfs_queue *queue,
				struct virtfs_txn *txn)
{
	struct p9_client *client = txn->client;
	struct p9_req_t *req = txn->req;
	int status;

	if (!virtfs_txn_revoke(txn))
		virtfs_queue_violated(queue, "keeps pages mapped");
	status = virtfs_txn_complete(txn);
	txn->req = NULL;
	virtfs_queue_drop(queue, txn);
	virtfs_txn_put_atomic(txn);
	if (!req)
		return;
	if (status == REQ_STATUS_FLSHD)
		p9_req_put(client, req);
	else
		p9_client_cb(client, req, status);
}

static void virtfs_queue_response(struct virtfs_queue *queue,
				  const struct xen_virtfsif_response *rsp)
{
	struct virtfs_txn *txn = NULL;

	if (rsp->id < VIRTFS_MAX_TXNS)
		txn = queue->txns[rsp->id];
	if (!txn) {
		virtfs_queue_violated(queue, "sent an unknown id");
		return;
	}
	if (rsp->status != XEN_VIRTFSIF_RSP_OKAY)
		txn->status = rsp->status;
	if (++txn->answered < txn->nr_slots)
		return;
	virtfs_queue_answer(queue, txn);
}

/* Return: whether there was any. */
static bool virtfs_queue_consume(struct virtfs_queue *queue)
{
	struct xen_virtfsif_front_ring *ring = &queue->ring;
	struct xen_virtfsif_response rsp;
	bool any = false;
	RING_IDX prod;
	int more = 1;

	while (more && !queue->broken) {
		prod = READ_ONCE(ring->sring->rsp_prod);
		if (RING_RESPONSE_PROD_OVERFLOW(ring, prod)) {
			virtfs_queue_violated(queue, "sent too many responses");
			break;
		}
		virt_rmb(); /* responses are read after their index */
		while (ring->rsp_cons != prod && !queue->broken) {
			RING_COPY_RESPONSE(ring, ring->rsp_cons, &rsp);
			WRITE_ONCE(ring->rsp_cons, ring->rsp_cons + 1);
			virtfs_queue_response(queue, &rsp);
			any = true;
		}
		RING_FINAL_CHECK_FOR_RESPONSES(ring, more);
	}
	return any;
}

static irqreturn_t virtfs_queue_interrupt(int irq, void *data)
{
	struct virtfs_queue *queue = data;
	unsigned long flags;
	bool any;

	spin_lock_irqsave(&queue->lock, flags);
	any = virtfs_queue_consume(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	wake_up(&queue->room);
	/* A backend that sends nonsense is not listened to any more. */
	if (!READ_ONCE(queue->broken))
		xen_irq_lateeoi(irq, any ? 0 : XEN_EOI_FLAG_SPURIOUS);
	return IRQ_HANDLED;
}

/* Requests */

/* Take @slots and an id if they are there. A broken queue has enough. */
static bool virtfs_queue_take(struct virtfs_queue *queue, unsigned int slots)
{
	bool room;

	spin_lock_irq(&queue->lock);
	room = queue->broken ||
	       (RING_FREE_REQUESTS(&queue->ring) >= queue->reserved + slots &&
		bitmap_weight(queue->ids, VIRTFS_MAX_TXNS) +
			queue->reserved_ids < VIRTFS_MAX_TXNS);
	if (room) {
		queue->reserved += slots;
		queue->reserved_ids++;
	}
	spin_unlock_irq(&queue->lock);
	return room;
}

static void virtfs_queue_release(struct virtfs_queue *queue,
				 unsigned int slots)
{
	queue->reserved -= slots;
	queue->reserved_ids--;
}

/**
 * virtfs_queue_reserve - wait for room in the ring
 * @queue: where
 * @slots: how much
 *
 * Comes before everything else that a request needs, so that nobody holds
 * pages or grants who waits for the ring. In line, so that small requests
 * cannot keep a large one out for ever.
 *
 * Return: 0, until virtfs_queue_push() or virtfs_queue_unreserve(); or
 * -ERESTARTSYS (killed).
 */
int virtfs_queue_reserve(struct virtfs_queue *queue, unsigned int slots)
{
	int err;

	if (mutex_lock_killable(&queue->turn))
		return -ERESTARTSYS;
	err = wait_event_killable(queue->room,
				  virtfs_queue_take(queue, slots));
	mutex_unlock(&queue->turn);
	return err;
}

void virtfs_queue_unreserve(struct virtfs_queue *queue, unsigned int slots)
{
	spin_lock_irq(&queue->lock);
	virtfs_queue_release(queue, slots);
	spin_unlock_irq(&queue->lock);
	wake_up(&queue->room);
}

static void virtfs_queue_slot(struct virtfs_queue *queue,
			      const struct virtfs_txn *txn, u16 flags,
			      grant_ref_t gref, u16 offset, u16 size, bool last)
{
	struct xen_virtfsif_front_ring *ring = &queue->ring;
	struct xen_virtfsif_request *slot;

	slot = RING_GET_REQUEST(ring, ring->req_prod_pvt++);
	slot->gref = gref;
	slot->offset = offset;
	slot->flags = flags | (last ? 0 : XEN_VIRTFSF_MORE);
	slot->id = txn->id;
	slot->size = size;
}

/* All slots of @txn; the backend sees none of them yet. */
static void virtfs_queue_slots(struct virtfs_queue *queue,
			       const struct virtfs_txn *txn)
{
	const struct xen_virtfsif_segment *seg;
	const struct virtfs_run *run;
	unsigned int i, left;

	for (run = txn->run; run < txn->run + txn->nr_runs; run++) {
		bool last = run == txn->run + txn->nr_runs - 1;

		seg = txn->seg + run->first;
		if (run->table) {
			virtfs_queue_slot(queue, txn,
					  run->flags | XEN_VIRTFSF_INDIRECT,
					  run->table->gref, 0,
					  run->count * sizeof(*seg), last);
			continue;
		}
		for (i = 0; i < run->count; i++, seg++) {
			left = run->count - 1 - i;
			virtfs_queue_slot(queue, txn, run->flags, seg->gref,
					  seg->offset, seg->size,
					  last && !left);
		}
	}
}

/**
 * virtfs_queue_push - hand a transaction to the backend
 * @queue: where it has reserved room
 * @txn: what; the ring takes a reference
 *
 * Return: 0, or -EIO (the connection has ended), and then nothing was sent.
 */
int virtfs_queue_push(struct virtfs_queue *queue, struct virtfs_txn *txn)
{
	int notify;

	spin_lock_irq(&queue->lock);
	virtfs_queue_release(queue, txn->max_slots);
	if (queue->broken) {
		spin_unlock_irq(&queue->lock);
		return -EIO;
	}
	txn->id = find_first_zero_bit(queue->ids, VIRTFS_MAX_TXNS);
	__set_bit(txn->id, queue->ids);
	queue->txns[txn->id] = txn;
	refcount_inc(&txn->ref);
	WRITE_ONCE(txn->req->status, REQ_STATUS_SENT);

	virtfs_queue_slots(queue, txn);
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&queue->ring, notify);
	if (notify)
		notify_remote_via_irq(queue->irq);
	spin_unlock_irq(&queue->lock);
	/* It has reserved more than it needed, most often. */
	wake_up(&queue->room);
	return 0;
}

/* Requests that are given up */

static struct virtfs_txn *virtfs_queue_find(struct virtfs_queue *queue,
					    const struct p9_req_t *req)
{
	unsigned int id;

	for_each_set_bit(id, queue->ids, VIRTFS_MAX_TXNS)
		if (queue->txns[id]->req == req)
			return queue->txns[id];
	return NULL;
}

/* Whether the request with this tag is in flight here. */
bool virtfs_queue_has_tag(struct virtfs_queue *queue, u16 tag)
{
	const struct p9_req_t *req;
	unsigned int id;
	bool found = false;

	spin_lock_irq(&queue->lock);
	for_each_set_bit(id, queue->ids, VIRTFS_MAX_TXNS) {
		req = queue->txns[id]->req;
		found |= req && req->tc.tag == tag;
	}
	spin_unlock_irq(&queue->lock);
	return found;
}

/* A Tflush for @req will follow. Return: whether @req is in flight here. */
bool virtfs_queue_flush(struct virtfs_queue *queue, struct p9_req_t *req)
{
	struct virtfs_txn *txn;

	spin_lock_irq(&queue->lock);
	txn = virtfs_queue_find(queue, req);
	if (txn)
		txn->flushed = true;
	spin_unlock_irq(&queue->lock);
	return txn;
}

/* @req is not to be answered any more; its slots and pages are to come back. */
bool virtfs_queue_forget(struct virtfs_queue *queue, struct p9_req_t *req)
{
	struct virtfs_txn *txn;

	spin_lock_irq(&queue->lock);
	txn = virtfs_queue_find(queue, req);
	if (txn) {
		txn->req = NULL;
		p9_req_put(txn->client, req);
	}
	spin_unlock_irq(&queue->lock);
	return txn;
}

/*
 * The caller will not take the data of @txn any more. Return: false where it
 * is too late for that, since the answer is there.
 */
bool virtfs_queue_give_up(struct virtfs_queue *queue, struct virtfs_txn *txn)
{
	bool waiting;

	spin_lock_irq(&queue->lock);
	txn->given_up = true;
	waiting = txn->req;
	spin_unlock_irq(&queue->lock);
	return waiting;
}

/* Start and end */

/* A transaction in flight, one whose request waits if that is asked for. */
static struct virtfs_txn *virtfs_queue_any(struct virtfs_queue *queue,
					   bool waits)
{
	unsigned int id;

	for_each_set_bit(id, queue->ids, VIRTFS_MAX_TXNS)
		if (queue->txns[id]->req || !waits)
			return queue->txns[id];
	return NULL;
}

/*
 * Nothing goes in any more; who waits for an answer gets EIO. No request is
 * freed under the lock, since that can sleep (vfree()).
 */
void virtfs_queue_fail(struct virtfs_queue *queue)
{
	struct p9_client *client;
	struct virtfs_txn *txn;
	struct p9_req_t *req;

	spin_lock_irq(&queue->lock);
	queue->broken = true;
	while ((txn = virtfs_queue_any(queue, true))) {
		client = txn->client;
		req = txn->req;
		p9_req_get(req);
		virtfs_txn_fail(txn, -EIO);
		spin_unlock_irq(&queue->lock);
		p9_req_put(client, req);
		spin_lock_irq(&queue->lock);
	}
	spin_unlock_irq(&queue->lock);
	wake_up_all(&queue->room);
}

/* What the ring has is let go of, outside of the lock for the same reason. */
static void virtfs_queue_clear(struct virtfs_queue *queue)
{
	struct virtfs_txn *txn;

	spin_lock_irq(&queue->lock);
	queue->broken = true;
	while ((txn = virtfs_queue_any(queue, false))) {
		virtfs_queue_drop(queue, txn);
		spin_unlock_irq(&queue->lock);
		virtfs_txn_put_atomic(txn);
		spin_lock_irq(&queue->lock);
	}
	spin_unlock_irq(&queue->lock);
}

void virtfs_queue_init(struct virtfs_queue *queue, struct virtfs_conn *conn)
{
	queue->conn = conn;
	mutex_init(&queue->turn);
	init_waitqueue_head(&queue->room);
	spin_lock_init(&queue->lock);
}

/* The backend is gone. Takes a queue that is half started, or not at all. */
void virtfs_queue_stop(struct virtfs_queue *queue)
{
	struct virtfs_conn *conn = queue->conn;

	if (queue->irq > 0) {
		irq_update_affinity_hint(queue->irq, NULL);
		unbind_from_irqhandler(queue->irq, queue);
	} else if (queue->evtchn) {
		xenbus_free_evtchn(conn->dev->xdev, queue->evtchn);
	}
	queue->irq = 0;
	queue->evtchn = 0;
	virtfs_queue_clear(queue);
	if (queue->pages)
		xenbus_teardown_ring(&queue->pages, 1 << conn->ring_order,
				     queue->grefs);
}

/*
 * Who sends here also gets the answers, see virtfs_pick(). If that cannot be,
 * it is slower.
 */
static void virtfs_queue_place(struct virtfs_queue *queue)
{
	unsigned int cpu, nr = queue->conn->nr_queues;

	cpumask_clear(&queue->cpus);
	for_each_possible_cpu(cpu)
		if (queue->conn->queues + cpu % nr == queue)
			cpumask_set_cpu(cpu, &queue->cpus);
	irq_set_affinity_and_hint(queue->irq, &queue->cpus);
}

/**
 * virtfs_queue_start - make the ring and the event channel of a queue
 * @queue: from virtfs_queue_init(); virtfs_queue_stop() frees it, after an
 *         error too
 *
 * Return: 0 or what went wrong, which xenstore has been told of.
 */
int virtfs_queue_start(struct virtfs_queue *queue)
{
	struct virtfs_conn *conn = queue->conn;
	struct xenbus_device *xdev = conn->dev->xdev;
	struct xen_virtfsif_sring *sring;
	int err, irq;

	err = xenbus_setup_ring(xdev, GFP_NOIO, &queue->pages,
				1 << conn->ring_order, queue->grefs);
	if (err)
		return err;
	sring = queue->pages;
	XEN_FRONT_RING_INIT(&queue->ring, sring,
			    XEN_PAGE_SIZE << conn->ring_order);

	err = xenbus_alloc_evtchn(xdev, &queue->evtchn);
	if (err)
		return err;
	irq = bind_evtchn_to_irqhandler_lateeoi(queue->evtchn,
						virtfs_queue_interrupt, 0,
						"9pnet_virtfs", queue);
	if (irq < 0) {
		xenbus_dev_fatal(xdev, irq, "binding an event channel");
		return irq;
	}
	queue->irq = irq;
	virtfs_queue_place(queue);
	return 0;
}
