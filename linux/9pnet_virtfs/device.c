// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: a device as mounts see it, by its tag, and who uses its
 * connection
 */
#include <linux/slab.h>

#include "virtfs.h"

/* How long a mount waits for a device that is about to connect */
#define VIRTFS_MOUNT_TIME	(5 * HZ)
/* How long umount waits for the next connection */
#define VIRTFS_CLOSE_TIME	(5 * HZ)

static DEFINE_MUTEX(virtfs_devs_lock);
static LIST_HEAD(virtfs_devs);

/* Who uses the connection */

/**
 * virtfs_enter - begin to use the connection of a device
 * @dev: the device
 * @client: who does
 *
 * Return: whether it is still that client's. If so, it stays until
 * virtfs_leave().
 */
bool virtfs_enter(struct virtfs_dev *dev, const struct p9_client *client)
{
	unsigned long flags;
	bool mine;

	spin_lock_irqsave(&dev->gate, flags);
	mine = dev->client == client;
	if (mine)
		dev->inside++;
	spin_unlock_irqrestore(&dev->gate, flags);
	return mine;
}

void virtfs_leave(struct virtfs_dev *dev)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->gate, flags);
	if (!--dev->inside)
		wake_up(&dev->left);
	spin_unlock_irqrestore(&dev->gate, flags);
}

/* The end of a connection */

void virtfs_set_state(struct virtfs_dev *dev, enum virtfs_state state)
{
	dev->state = state;
	wake_up_all(&dev->changed);
}

/* Nothing is sent any more, and who waits for an answer gets EIO. */
void virtfs_end_session(struct virtfs_dev *dev)
{
	unsigned int i;

	spin_lock_irq(&dev->gate);
	if (dev->client)
		dev->client->status = Disconnected;
	WRITE_ONCE(dev->client, NULL);
	spin_unlock_irq(&dev->gate);
	for (i = 0; i < dev->nr_queues; i++)
		virtfs_queue_fail(dev->queues + i);
	wake_up_all(&dev->pool.returned);
}

/* The backend has let go, or never will. */
void virtfs_free_connection(struct virtfs_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i++)
		virtfs_queue_stop(dev->queues + i);
	spin_lock_irq(&dev->gate);
	wait_event_lock_irq(dev->left, !dev->inside, dev->gate);
	spin_unlock_irq(&dev->gate);
	virtfs_pool_fini(&dev->pool);
	kfree(dev->queues);
	dev->queues = NULL;
	dev->nr_queues = 0;
}

void virtfs_down(struct virtfs_dev *dev)
{
	if (dev->state != VIRTFS_SETUP && dev->state != VIRTFS_UP)
		return;
	virtfs_end_session(dev);
	virtfs_set_state(dev, VIRTFS_DOWN);
	xenbus_switch_state(dev->xdev, XenbusStateClosed);
}

/* Devices */

static void virtfs_dev_free(struct kref *ref)
{
	struct virtfs_dev *dev = container_of(ref, struct virtfs_dev, ref);

	kfree(dev->tag);
	kfree(dev);
}

/**
 * virtfs_dev_new - make a device, which a mount can find
 * @xdev: what it is for xenbus
 *
 * Return: the device, until virtfs_dev_put(), or NULL.
 */
struct virtfs_dev *virtfs_dev_new(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	dev->xdev = xdev;
	mutex_init(&dev->lock);
	spin_lock_init(&dev->gate);
	init_waitqueue_head(&dev->changed);
	init_waitqueue_head(&dev->left);
	virtfs_pool_init(&dev->pool);
	INIT_WORK(&dev->reap_work, virtfs_txn_reap);
	init_llist_head(&dev->dead);
	mutex_lock(&virtfs_devs_lock);
	list_add_tail(&dev->list, &virtfs_devs);
	mutex_unlock(&virtfs_devs_lock);
	return dev;
}

/* It has no connection any more, and gets none. A mount may still have it. */
void virtfs_dev_put(struct virtfs_dev *dev)
{
	mutex_lock(&virtfs_devs_lock);
	list_del(&dev->list);
	mutex_unlock(&virtfs_devs_lock);
	kref_put(&dev->ref, virtfs_dev_free);
}

/* @tag becomes the device's own. */
void virtfs_dev_name(struct virtfs_dev *dev, char *tag)
{
	mutex_lock(&virtfs_devs_lock);
	swap(dev->tag, tag);
	mutex_unlock(&virtfs_devs_lock);
	kfree(tag);
}

static struct virtfs_dev *virtfs_dev_find(const char *tag)
{
	struct virtfs_dev *dev, *found = NULL;

	mutex_lock(&virtfs_devs_lock);
	list_for_each_entry(dev, &virtfs_devs, list) {
		if (!dev->tag || strcmp(dev->tag, tag) ||
		    dev->state == VIRTFS_CLOSED)
			continue;
		kref_get(&dev->ref);
		found = dev;
		break;
	}
	mutex_unlock(&virtfs_devs_lock);
	return found;
}

static int virtfs_claim(struct virtfs_dev *dev, struct p9_client *client)
{
	int err = 0;

	mutex_lock(&dev->lock);
	if (dev->state != VIRTFS_UP) {
		err = -ENODEV;
	} else if (dev->client) {
		err = -EBUSY;
	} else {
		if (client->msize > dev->max_msize) {
			client->msize = dev->max_msize;
			dev_info(&dev->xdev->dev, "msize limited to %u\n",
				 client->msize);
		}
		spin_lock_irq(&dev->gate);
		dev->client = client;
		spin_unlock_irq(&dev->gate);
	}
	mutex_unlock(&dev->lock);
	return err;
}

/**
 * virtfs_dev_claim - let a client have a device
 * @client: the client
 * @tag: the name of the device
 *
 * A device that is about to connect, again perhaps, is waited for.
 *
 * Return: the device, until virtfs_dev_release(); -ENOENT (no such tag),
 * -EBUSY (mounted), -ENODEV (not connected), -ERESTARTSYS.
 */
struct virtfs_dev *virtfs_dev_claim(struct p9_client *client, const char *tag)
{
	struct virtfs_dev *dev = virtfs_dev_find(tag);
	long err;

	if (!dev)
		return ERR_PTR(-ENOENT);
	err = wait_event_killable_timeout(dev->changed,
					  dev->state == VIRTFS_UP ||
					  dev->state == VIRTFS_CLOSED,
					  VIRTFS_MOUNT_TIME);
	if (err >= 0)
		err = virtfs_claim(dev, client);
	if (!err)
		return dev;
	kref_put(&dev->ref, virtfs_dev_free);
	return ERR_PTR(err);
}

/**
 * virtfs_dev_release - the client of a device goes
 * @dev: the device
 * @client: its client, or one that was, before its session ended
 *
 * The connection ends with the session, so that no page stays granted that
 * the session needed. The device connects again, for the next one; until it
 * has, a toolstack that takes the device away would meet it half-way.
 */
void virtfs_dev_release(struct virtfs_dev *dev, struct p9_client *client)
{
	bool mine;

	mutex_lock(&dev->lock);
	mine = dev->client == client;
	if (mine)
		virtfs_down(dev);
	mutex_unlock(&dev->lock);
	if (mine)
		wait_event_timeout(dev->changed,
				   dev->state == VIRTFS_UP ||
				   dev->state == VIRTFS_CLOSED,
				   VIRTFS_CLOSE_TIME);
	kref_put(&dev->ref, virtfs_dev_free);
}
