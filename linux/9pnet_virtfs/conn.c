// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: a connection, and who uses it
 *
 * The device has a reference to it, and so has each task and transaction that
 * uses it. So nobody waits for a task that may sleep for long, for instance in
 * a page fault, when the connection or the device ends.
 */
#include <linux/slab.h>

#include "virtfs.h"

static void virtfs_conn_free_work(struct work_struct *work)
{
	struct virtfs_conn *conn = container_of(work, struct virtfs_conn,
						free_work);
	struct virtfs_dev *dev = conn->dev;

	virtfs_pool_fini(conn);
	kvfree(conn);
	virtfs_dev_put(dev);
}

/* In any context. The backend has let go, or never will. */
static void virtfs_conn_release(struct kref *ref)
{
	struct virtfs_conn *conn = container_of(ref, struct virtfs_conn, ref);

	queue_work(virtfs_wq, &conn->free_work);
}

/**
 * virtfs_enter - begin to use the connection of a device
 * @dev: the device
 * @client: who does
 *
 * Return: the connection, until virtfs_leave(), or NULL where it is not that
 * client's any more.
 */
struct virtfs_conn *virtfs_enter(struct virtfs_dev *dev,
				 const struct p9_client *client)
{
	struct virtfs_conn *conn;
	unsigned long flags;

	spin_lock_irqsave(&dev->gate, flags);
	conn = dev->conn;
	if (conn && conn->client == client)
		kref_get(&conn->ref);
	else
		conn = NULL;
	spin_unlock_irqrestore(&dev->gate, flags);
	return conn;
}

void virtfs_leave(struct virtfs_conn *conn)
{
	kref_put(&conn->ref, virtfs_conn_release);
}

static void virtfs_conn_fail_work(struct work_struct *work)
{
	struct virtfs_conn *conn = container_of(work, struct virtfs_conn,
						fail_work);
	struct virtfs_dev *dev = conn->dev;

	mutex_lock(&dev->lock);
	if (dev->conn == conn)
		virtfs_down(dev);
	mutex_unlock(&dev->lock);
	virtfs_leave(conn);
}

/* In any context: what the backend did is beyond repair. */
void virtfs_conn_violated(struct virtfs_conn *conn, const char *how)
{
	dev_err_ratelimited(&conn->dev->xdev->dev, "the backend %s\n", how);
	kref_get(&conn->ref);
	if (!queue_work(virtfs_wq, &conn->fail_work))
		virtfs_leave(conn);
}

/**
 * virtfs_conn_new - make the connection of a device, without queues
 * @dev: the device, which has none
 *
 * Return: the connection, until virtfs_conn_free(), or NULL.
 */
struct virtfs_conn *virtfs_conn_new(struct virtfs_dev *dev)
{
	struct virtfs_conn *conn = kvzalloc(sizeof(*conn), GFP_KERNEL);
	unsigned int i;

	if (!conn)
		return NULL;
	kref_init(&conn->ref);
	conn->dev = dev;
	virtfs_dev_get(dev);
	conn->domid = dev->xdev->otherend_id;
	INIT_WORK(&conn->fail_work, virtfs_conn_fail_work);
	INIT_WORK(&conn->reap_work, virtfs_txn_reap);
	INIT_WORK(&conn->free_work, virtfs_conn_free_work);
	init_llist_head(&conn->dead);
	virtfs_pool_init(conn);
	for (i = 0; i < VIRTFS_MAX_QUEUES; i++)
		virtfs_queue_init(conn->queues + i, conn);
	spin_lock_irq(&dev->gate);
	dev->conn = conn;
	spin_unlock_irq(&dev->gate);
	return conn;
}

/* Nothing is sent any more, and who waits for an answer gets EIO. */
void virtfs_conn_end(struct virtfs_dev *dev)
{
	struct virtfs_conn *conn = dev->conn;
	unsigned int i;

	if (!conn)
		return;
	spin_lock_irq(&dev->gate);
	if (conn->client)
		conn->client->status = Disconnected;
	WRITE_ONCE(conn->client, NULL);
	spin_unlock_irq(&dev->gate);
	for (i = 0; i < conn->nr_queues; i++)
		virtfs_queue_fail(conn->queues + i);
	wake_up_all(&conn->pool.returned);
}

/* The backend has let go of the connection, or never will. */
void virtfs_conn_free(struct virtfs_dev *dev)
{
	struct virtfs_conn *conn = dev->conn;
	unsigned int i;

	if (!conn)
		return;
	for (i = 0; i < conn->nr_queues; i++)
		virtfs_queue_stop(conn->queues + i);
	spin_lock_irq(&dev->gate);
	dev->conn = NULL;
	spin_unlock_irq(&dev->gate);
	virtfs_leave(conn);
}
