// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: a device as mounts see it, by its tag
 */
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "virtfs.h"

/* How long a mount waits for a device that is about to connect */
#define VIRTFS_MOUNT_TIME	(5 * HZ)
/* How long umount waits for the next connection */
#define VIRTFS_CLOSE_TIME	(5 * HZ)

static DEFINE_MUTEX(virtfs_devs_lock);
static LIST_HEAD(virtfs_devs);

/* The end of a connection */

void virtfs_set_state(struct virtfs_dev *dev, enum virtfs_state state)
{
	dev->state = state;
	wake_up_all(&dev->changed);
}

void virtfs_down(struct virtfs_dev *dev)
{
	if (dev->state != VIRTFS_SETUP && dev->state != VIRTFS_UP)
		return;
	virtfs_conn_end(dev);
	virtfs_set_state(dev, VIRTFS_DOWN);
	xenbus_switch_state(dev->xdev, XenbusStateClosed);
}

/* Devices */

static void virtfs_dev_free(struct kref *ref)
{
	struct virtfs_dev *dev = container_of(ref, struct virtfs_dev, ref);

	put_device(&dev->xdev->dev);
	kfree(dev->tag);
	kfree(dev);
}

void virtfs_dev_get(struct virtfs_dev *dev)
{
	kref_get(&dev->ref);
}

void virtfs_dev_put(struct virtfs_dev *dev)
{
	kref_put(&dev->ref, virtfs_dev_free);
}

/**
 * virtfs_dev_new - make a device, which a mount can find
 * @xdev: what it is for xenbus
 *
 * Return: the device, until virtfs_dev_gone(), or NULL.
 */
struct virtfs_dev *virtfs_dev_new(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	dev->xdev = xdev;
	get_device(&xdev->dev);
	mutex_init(&dev->lock);
	spin_lock_init(&dev->gate);
	init_waitqueue_head(&dev->changed);
	mutex_lock(&virtfs_devs_lock);
	list_add_tail(&dev->list, &virtfs_devs);
	mutex_unlock(&virtfs_devs_lock);
	return dev;
}

/* It gets no connection any more. A mount or a task may still have it. */
void virtfs_dev_gone(struct virtfs_dev *dev)
{
	mutex_lock(&virtfs_devs_lock);
	list_del(&dev->list);
	mutex_unlock(&virtfs_devs_lock);
	virtfs_dev_put(dev);
}

/* @tag becomes the device's own. */
void virtfs_dev_name(struct virtfs_dev *dev, char *tag)
{
	mutex_lock(&virtfs_devs_lock);
	swap(dev->tag, tag);
	mutex_unlock(&virtfs_devs_lock);
	kfree(tag);
}

/* For sysfs: the tag and a newline. */
ssize_t virtfs_dev_tag(struct virtfs_dev *dev, char *to)
{
	ssize_t len;

	mutex_lock(&virtfs_devs_lock);
	len = sysfs_emit(to, "%s\n", dev->tag ?: "");
	mutex_unlock(&virtfs_devs_lock);
	return len;
}

/* Whether a client has the device. Whoever asks has its lock. */
bool virtfs_is_mounted(struct virtfs_dev *dev)
{
	return dev->conn && dev->conn->client;
}

/* How good a device is for a mount: the free one of several with a tag. */
static unsigned int virtfs_dev_rank(struct virtfs_dev *dev)
{
	unsigned int rank;

	if (READ_ONCE(dev->state) == VIRTFS_CLOSED)
		return 0;
	spin_lock_irq(&dev->gate);
	rank = virtfs_is_mounted(dev) ? 1 :
	       READ_ONCE(dev->state) == VIRTFS_UP ? 3 : 2;
	spin_unlock_irq(&dev->gate);
	return rank;
}

static struct virtfs_dev *virtfs_dev_find(const char *tag)
{
	struct virtfs_dev *dev, *found = NULL;
	unsigned int rank, best = 0;

	mutex_lock(&virtfs_devs_lock);
	list_for_each_entry(dev, &virtfs_devs, list) {
		if (!dev->tag || strcmp(dev->tag, tag))
			continue;
		rank = virtfs_dev_rank(dev);
		if (rank > best) {
			best = rank;
			found = dev;
		}
	}
	if (found)
		virtfs_dev_get(found);
	mutex_unlock(&virtfs_devs_lock);
	return found;
}

static int virtfs_claim(struct virtfs_dev *dev, struct p9_client *client)
{
	struct virtfs_conn *conn;
	int err = 0;

	mutex_lock(&dev->lock);
	conn = dev->conn;
	if (dev->state != VIRTFS_UP) {
		err = -ENODEV;
	} else if (conn->client) {
		err = -EBUSY;
	} else {
		if (client->msize > conn->max_msize) {
			client->msize = conn->max_msize;
			dev_info(&dev->xdev->dev, "msize limited to %u\n",
				 client->msize);
		}
		spin_lock_irq(&dev->gate);
		conn->client = client;
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
	virtfs_dev_put(dev);
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
	mine = dev->conn && dev->conn->client == client;
	if (mine)
		virtfs_down(dev);
	mutex_unlock(&dev->lock);
	if (mine)
		wait_event_timeout(dev->changed,
				   dev->state == VIRTFS_UP ||
				   dev->state == VIRTFS_CLOSED,
				   VIRTFS_CLOSE_TIME);
	virtfs_dev_put(dev);
}
