// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of heaps as the kernel uses them: found, allocated from, removed meanwhile. */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

/* Far more than anything here takes. */
#define PATIENCE (60 * HZ)
#define TEST_HEAP "kunit-heap"

/* A heap of the test, and what its functions do. */
struct test_heap {
	struct dma_heap *heap;
	/* How often it was asked for a buffer, and that the last one was freed. */
	atomic_t asked;
	struct completion freed;
	/* If it blocks: that it is in there, and that it may go on. */
	bool blocks;
	struct completion inside;
	struct completion go_on;
};

static struct sg_table *test_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction direction)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void test_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
		       enum dma_data_direction direction)
{
}

static void test_release(struct dma_buf *dmabuf)
{
	struct test_heap *test_heap = dmabuf->priv;

	complete(&test_heap->freed);
}

static const struct dma_buf_ops test_buf_ops = {
	.map_dma_buf = test_map,
	.unmap_dma_buf = test_unmap,
	.release = test_release,
};

static struct dma_buf *test_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				     u64 heap_flags)
{
	struct test_heap *test_heap = dma_heap_get_drvdata(heap);
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);

	atomic_inc(&test_heap->asked);
	if (test_heap->blocks) {
		complete(&test_heap->inside);
		wait_for_completion(&test_heap->go_on);
	}

	exp_info.ops = &test_buf_ops;
	exp_info.size = len;
	exp_info.flags = fd_flags;
	exp_info.priv = test_heap;

	return dma_buf_export(&exp_info);
}

static const struct dma_heap_ops test_heap_ops = {
	.allocate = test_allocate,
};

static struct dma_heap *add(struct test_heap *test_heap)
{
	struct dma_heap_export_info info = {
		.name = TEST_HEAP,
		.ops = &test_heap_ops,
		.priv = test_heap,
	};

	return dma_heap_add(&info);
}

static struct test_heap *add_heap(struct kunit *test)
{
	struct test_heap *test_heap = kunit_kzalloc(test, sizeof(*test_heap), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, test_heap);
	init_completion(&test_heap->freed);
	init_completion(&test_heap->inside);
	init_completion(&test_heap->go_on);
	test_heap->heap = add(test_heap);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, test_heap->heap);

	return test_heap;
}

static void test_find_finds_the_system_heap(struct kunit *test)
{
	struct dma_heap *heap;

	if (!IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM))
		kunit_skip(test, "there is no system heap");

	heap = dma_heap_find_by_name("system");
	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_EXPECT_STREQ(test, dma_heap_get_name(heap), "system");
	dma_heap_put(heap);
}

static void test_find_wants_the_whole_name(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, dma_heap_find_by_name("systems"));
	KUNIT_EXPECT_NULL(test, dma_heap_find_by_name("system\n"));
	KUNIT_EXPECT_NULL(test, dma_heap_find_by_name(""));
}

static void test_system_heap_gives_memory(struct kunit *test)
{
	struct dma_heap *heap;
	struct dma_buf *dmabuf;
	struct iosys_map map;

	if (!IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM))
		kunit_skip(test, "there is no system heap");

	heap = dma_heap_find_by_name("system");
	KUNIT_ASSERT_NOT_NULL(test, heap);
	dmabuf = dma_heap_buffer_alloc(heap, PAGE_SIZE + 1, O_RDWR, 0);
	dma_heap_put(heap);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, dmabuf->size, 2 * PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	if (!iosys_map_is_null(&map)) {
		KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, 2 * PAGE_SIZE - 1, u8), 0);
		iosys_map_memset(&map, 0, 0xa5, 2 * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, 2 * PAGE_SIZE - 1, u8), 0xa5);
		dma_buf_vunmap_unlocked(dmabuf, &map);
	}
	dma_buf_put(dmabuf);
}

static void test_bad_arguments_do_not_reach_the_heap(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap = test_heap->heap;

	KUNIT_EXPECT_PTR_EQ(test, dma_heap_buffer_alloc(heap, 0, O_RDWR, 0), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_buffer_alloc(heap, SIZE_MAX, O_RDWR, 0),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_buffer_alloc(heap, 1, O_RDWR | O_APPEND, 0),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_buffer_alloc(heap, 1, O_RDWR, 1), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, atomic_read(&test_heap->asked), 0);
	dma_heap_remove(heap);
}

static void test_second_heap_of_a_name_is_refused(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap;

	KUNIT_EXPECT_PTR_EQ(test, add(test_heap), ERR_PTR(-EINVAL));
	heap = dma_heap_find_by_name(TEST_HEAP);
	KUNIT_EXPECT_PTR_EQ(test, heap, test_heap->heap);
	dma_heap_put(heap);
	dma_heap_remove(test_heap->heap);
}

static void test_removed_heap_is_not_found(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP);

	KUNIT_EXPECT_PTR_EQ(test, heap, test_heap->heap);
	dma_heap_put(heap);
	dma_heap_remove(test_heap->heap);
	KUNIT_EXPECT_NULL(test, dma_heap_find_by_name(TEST_HEAP));
}

static void test_removed_heap_gives_nothing(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	dma_heap_remove(test_heap->heap);
	KUNIT_EXPECT_PTR_EQ(test, dma_heap_buffer_alloc(heap, 1, O_RDWR, 0), ERR_PTR(-ENODEV));
	KUNIT_EXPECT_EQ(test, atomic_read(&test_heap->asked), 0);
	/* Its name is its own and not the caller's. */
	KUNIT_EXPECT_STREQ(test, dma_heap_get_name(heap), TEST_HEAP);
	dma_heap_put(heap);
}

static void test_name_is_free_while_removed_heap_is_referenced(struct kunit *test)
{
	struct test_heap *first = add_heap(test), *second;
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP), *found;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	dma_heap_remove(first->heap);
	second = add_heap(test);
	found = dma_heap_find_by_name(TEST_HEAP);
	KUNIT_EXPECT_PTR_EQ(test, found, second->heap);
	KUNIT_EXPECT_PTR_NE(test, found, heap);
	dma_heap_put(found);
	dma_heap_put(heap);
	dma_heap_remove(second->heap);
}

static void test_buffer_outlives_its_heap(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP);
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_NOT_NULL(test, heap);
	dmabuf = dma_heap_buffer_alloc(heap, 1, O_RDWR, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	dma_heap_remove(test_heap->heap);
	dma_heap_put(heap);
	KUNIT_EXPECT_EQ(test, dmabuf->size, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, completion_done(&test_heap->freed));
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&test_heap->freed, PATIENCE), 0);
}

static void test_reference_keeps_the_module(struct kunit *test)
{
#ifdef MODULE
	struct test_heap *test_heap = add_heap(test);
	int before = module_refcount(THIS_MODULE);
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before + 1);
	/* Still, as the caller may be in one of its functions. */
	dma_heap_remove(test_heap->heap);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before + 1);
	dma_heap_put(heap);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before);
#else
	kunit_skip(test, "these tests are no module");
#endif
}

/* The node of the test's heap. /dev need not be where a thread of the kernel looks for it. */
static struct file *open_node(struct vfsmount *dev)
{
	const struct path root = { .mnt = dev, .dentry = dev->mnt_root };

	return file_open_root(&root, "dma_heap/" TEST_HEAP, O_RDWR, 0);
}

/* The char device, which the file gives up last, is a part of the heap. */
static void test_open_file_outlives_its_heap(struct kunit *test)
{
	struct file_system_type *type = get_fs_type("devtmpfs");
	struct test_heap *test_heap;
	struct vfsmount *dev;
	struct file *file;

	if (!type)
		kunit_skip(test, "there is no devtmpfs");
	dev = kern_mount(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	test_heap = add_heap(test);
	file = open_node(dev);
	KUNIT_EXPECT_FALSE(test, IS_ERR(file));
	dma_heap_remove(test_heap->heap);
	KUNIT_EXPECT_PTR_EQ(test, open_node(dev), ERR_PTR(-ENOENT));
	if (!IS_ERR(file))
		__fput_sync(file);
	kern_unmount(dev);
}

static int allocate_in_thread(void *data)
{
	struct test_heap *test_heap = data;
	struct dma_buf *dmabuf = dma_heap_buffer_alloc(test_heap->heap, 1, O_RDWR, 0);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_buf_put(dmabuf);

	return 0;
}

struct removal {
	struct dma_heap *heap;
	struct completion done;
};

static int remove_in_thread(void *data)
{
	struct removal *removal = data;

	dma_heap_remove(removal->heap);
	complete(&removal->done);

	return 0;
}

static struct task_struct *start(struct kunit *test, int (*function)(void *data), void *data)
{
	struct task_struct *task = kthread_create(function, data, "dma-heap-test");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);

	return task;
}

/* dma_heap_remove() cannot return while the heap is asked for a buffer. */
static void test_removal_waits_for_allocation(struct kunit *test)
{
	struct test_heap *test_heap = add_heap(test);
	struct dma_heap *heap = dma_heap_find_by_name(TEST_HEAP);
	struct task_struct *allocates, *removes;
	struct removal removal = { .heap = heap };

	KUNIT_ASSERT_NOT_NULL(test, heap);
	init_completion(&removal.done);
	test_heap->blocks = true;
	allocates = start(test, allocate_in_thread, test_heap);
	wait_for_completion(&test_heap->inside);
	removes = start(test, remove_in_thread, &removal);
	schedule_timeout_uninterruptible(HZ / 10);
	KUNIT_EXPECT_FALSE(test, completion_done(&removal.done));

	complete(&test_heap->go_on);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&removal.done, PATIENCE), 0);
	KUNIT_EXPECT_EQ(test, kthread_stop_put(allocates), 0);
	kthread_stop_put(removes);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&test_heap->freed, PATIENCE), 0);
	dma_heap_put(heap);
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE(test_find_finds_the_system_heap),
	KUNIT_CASE(test_find_wants_the_whole_name),
	KUNIT_CASE(test_system_heap_gives_memory),
	KUNIT_CASE(test_bad_arguments_do_not_reach_the_heap),
	KUNIT_CASE(test_second_heap_of_a_name_is_refused),
	KUNIT_CASE(test_removed_heap_is_not_found),
	KUNIT_CASE(test_removed_heap_gives_nothing),
	KUNIT_CASE(test_name_is_free_while_removed_heap_is_referenced),
	/* Before those with buffers, which have references to the module, too. */
	KUNIT_CASE(test_reference_keeps_the_module),
	KUNIT_CASE(test_open_file_outlives_its_heap),
	KUNIT_CASE(test_buffer_outlives_its_heap),
	KUNIT_CASE(test_removal_waits_for_allocation),
	{}
};

static struct kunit_suite heap_suite = {
	.name = "dma-heap",
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
