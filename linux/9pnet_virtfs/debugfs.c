// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: what can be looked at, a file for each device in
 * /sys/kernel/debug/9pnet_virtfs
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "virtfs.h"

static struct dentry *virtfs_debugfs;

static void virtfs_show_queue(struct seq_file *file, struct virtfs_queue *queue)
{
	unsigned int free, ids;

	spin_lock_irq(&queue->lock);
	free = RING_FREE_REQUESTS(&queue->ring);
	ids = bitmap_weight(queue->ids, VIRTFS_MAX_TXNS);
	spin_unlock_irq(&queue->lock);
	seq_printf(file, "queue: in flight %u, free slots %u of %u\n", ids,
		   free, RING_SIZE(&queue->ring));
}

static void virtfs_show_conn(struct seq_file *file, struct virtfs_conn *conn)
{
	struct virtfs_pool *pool = &conn->pool;
	struct virtfs_stats *stats = &conn->stats;
	unsigned int i;

	for (i = 0; i < conn->nr_queues; i++)
		virtfs_show_queue(file, conn->queues + i);
	seq_printf(file, "pages: kept %u of %u, free %u, granted %u of %u\n",
		   pool->kept, pool->max_kept, pool->nr_free, pool->granted,
		   pool->max_granted);
	seq_printf(file, "requests %lu\nshortened %lu\nwaited %lu\n",
		   atomic_long_read(&stats->requests),
		   atomic_long_read(&stats->shortened),
		   atomic_long_read(&stats->waited));
	seq_printf(file, "copied %lu\ngranted %lu\n",
		   atomic_long_read(&stats->copied),
		   atomic_long_read(&stats->granted));
}

static int virtfs_show(struct seq_file *file, void *unused)
{
	struct virtfs_dev *dev = file->private;

	mutex_lock(&dev->lock);
	if (dev->conn)
		virtfs_show_conn(file, dev->conn);
	mutex_unlock(&dev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(virtfs);

void virtfs_debugfs_init(void)
{
	virtfs_debugfs = debugfs_create_dir("9pnet_virtfs", NULL);
}

void virtfs_debugfs_exit(void)
{
	debugfs_remove(virtfs_debugfs);
}

/* Until debugfs_remove(dev->debugfs), which waits for those that read it. */
void virtfs_debugfs_add(struct virtfs_dev *dev)
{
	dev->debugfs = debugfs_create_file(dev_name(&dev->xdev->dev), 0444,
					   virtfs_debugfs, dev, &virtfs_fops);
}
