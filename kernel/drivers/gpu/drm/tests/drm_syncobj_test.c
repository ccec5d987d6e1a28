// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of sync objects: what drm_syncobj.c does without handles. */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sync_file.h>

#include <drm/drm.h>
#include <drm/drm_syncobj.h>

/* Far more than anything here takes. */
#define PATIENCE (60 * HZ)

static const char *test_fence_name(struct dma_fence *fence)
{
	return "drm_syncobj_test";
}

static const struct dma_fence_ops test_fence_ops = {
	.get_driver_name = test_fence_name,
	.get_timeline_name = test_fence_name,
};

static void put_object(void *object)
{
	drm_syncobj_put(object);
}

static struct drm_syncobj *create(struct kunit *test, u32 flags)
{
	struct drm_syncobj *object;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&object, flags, NULL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_object, object), 0);

	return object;
}

/* Signals what a test leaves pending, so that callbacks are gone. */
static void end_fence(void *fence)
{
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* A pending fence. */
static struct dma_fence *pending(struct kunit *test)
{
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &test_fence_ops, NULL, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, end_fence, fence), 0);

	return fence;
}

static void add_point(struct kunit *test, struct drm_syncobj *object,
		      struct dma_fence *fence, u64 point)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	drm_syncobj_add_point(object, chain, fence, point);
}

static int signal(struct drm_syncobj *object, u64 point)
{
	return drm_syncobj_timeline_signal(&object, &point, 1);
}

static long wait(struct drm_syncobj *object, u64 point, u32 flags)
{
	return drm_syncobj_array_wait_timeout(&object, &point, 1, flags, 0, NULL, NULL);
}

static int lookup(struct drm_syncobj *object, u64 point, u32 flags)
{
	struct dma_fence *fence;
	int ret = drm_syncobj_fence_lookup(object, point, flags, &fence);

	if (!ret)
		dma_fence_put(fence);

	return ret;
}

/* ---- files -------------------------------------------------------------- */

static void close_it(void *fd)
{
	close_fd((long)fd);
}

static int install(struct kunit *test, struct file *file)
{
	int fd;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	fd = FD_ADD(O_CLOEXEC, file);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, close_it, (void *)(long)fd), 0);

	return fd;
}

static int export(struct kunit *test, struct drm_syncobj *object, u64 point)
{
	return install(test, drm_syncobj_export_sync_file(object, point));
}

static void from_fd_finds_the_object(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0), *found;
	int fd = install(test, drm_syncobj_get_file(object));

	found = drm_syncobj_from_fd(fd);
	KUNIT_ASSERT_PTR_EQ(test, found, object);
	KUNIT_EXPECT_EQ(test, kref_read(&object->refcount), 3);
	drm_syncobj_put(found);
}

static void from_fd_finds_nothing_in_other_files(struct kunit *test)
{
	struct drm_syncobj *object = create(test, DRM_SYNCOBJ_CREATE_SIGNALED);
	int fd = export(test, object, 0);

	KUNIT_EXPECT_NULL(test, drm_syncobj_from_fd(fd));
}

static void from_fd_finds_nothing_in_closed_descriptors(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, drm_syncobj_from_fd(-1));
	KUNIT_EXPECT_NULL(test, drm_syncobj_from_fd(INT_MAX));
}

static void file_keeps_the_object(struct kunit *test)
{
	struct drm_syncobj *object, *found;
	int fd;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&object, 0, NULL), 0);
	fd = install(test, drm_syncobj_get_file(object));
	drm_syncobj_put(object);

	found = drm_syncobj_from_fd(fd);
	KUNIT_ASSERT_PTR_EQ(test, found, object);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(found, 0), 0ULL);
	drm_syncobj_put(found);
}

/* ---- look-up ------------------------------------------------------------ */

static void lookup_in_an_empty_object_fails(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);

	KUNIT_EXPECT_EQ(test, lookup(object, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, lookup(object, 1, 0), -EINVAL);
}

static void lookup_refuses_other_flags(struct kunit *test)
{
	struct drm_syncobj *object = create(test, DRM_SYNCOBJ_CREATE_SIGNALED);

	KUNIT_EXPECT_EQ(test, lookup(object, 0, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL), -EINVAL);
	KUNIT_EXPECT_EQ(test, lookup(object, 0, 0), 0);
}

static void lookup_of_a_binary_object_has_point_0_only(struct kunit *test)
{
	struct drm_syncobj *object = create(test, DRM_SYNCOBJ_CREATE_SIGNALED);

	KUNIT_EXPECT_EQ(test, lookup(object, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, lookup(object, 1, 0), -EINVAL);
}

static void lookup_of_a_collected_point_is_signaled(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct dma_fence *last = pending(test), *fence;

	KUNIT_ASSERT_EQ(test, signal(object, 1), 0);
	add_point(test, object, last, 2);

	KUNIT_ASSERT_EQ(test, drm_syncobj_fence_lookup(object, 1, 0, &fence), 0);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

static void lookup_of_a_skipped_point_finds_the_next(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct dma_fence *first = pending(test), *fence;

	add_point(test, object, first, 10);

	KUNIT_ASSERT_EQ(test, drm_syncobj_fence_lookup(object, 7, 0, &fence), 0);
	KUNIT_EXPECT_EQ(test, fence->seqno, 10ULL);
	dma_fence_put(fence);
}

struct later {
	struct drm_syncobj *object;
	struct dma_fence *fence;
	struct completion started;
};

static int add_later(void *data)
{
	struct later *later = data;
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	complete(&later->started);
	msleep(20);
	if (!chain)
		return -ENOMEM;
	drm_syncobj_add_point(later->object, chain, later->fence, 5);

	return 0;
}

static struct task_struct *begin_add(struct kunit *test, struct later *later,
				     struct drm_syncobj *object)
{
	struct task_struct *task;

	later->object = object;
	later->fence = pending(test);
	init_completion(&later->started);
	task = kthread_create(add_later, later, "drm_syncobj_test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&later->started);

	return task;
}

static void end_add(struct kunit *test, struct task_struct *task)
{
	KUNIT_EXPECT_EQ(test, kthread_stop_put(task), 0);
}

static void lookup_waits_for_submission(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct task_struct *task;
	struct dma_fence *fence;
	struct later later;
	int ret;

	task = begin_add(test, &later, object);
	ret = drm_syncobj_fence_lookup(object, 5, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
				       &fence);
	end_add(test, task);

	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, fence->seqno, 5ULL);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

static void lookup_for_a_point_that_never_comes_times_out(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);

	KUNIT_EXPECT_EQ(test, lookup(object, 1, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT),
			-ETIME);
	KUNIT_EXPECT_TRUE(test, list_empty(&object->cb_list));
}

/* ---- wait --------------------------------------------------------------- */

static void wait_matrix(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct dma_fence *fence = pending(test);

	KUNIT_EXPECT_EQ(test, wait(object, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, wait(object, 1, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT), -ETIME);
	KUNIT_EXPECT_EQ(test, wait(object, 1, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE), -ETIME);

	add_point(test, object, fence, 1);
	KUNIT_EXPECT_EQ(test, wait(object, 1, 0), -ETIME);
	KUNIT_EXPECT_EQ(test, wait(object, 1, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT), -ETIME);
	KUNIT_EXPECT_EQ(test, wait(object, 1, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE), 0);
	KUNIT_EXPECT_EQ(test, wait(object, 2, 0), -EINVAL);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, wait(object, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, wait(object, 0, 0), 0);
}

static void wait_without_points_is_for_the_whole_fence(struct kunit *test)
{
	struct drm_syncobj *objects[] = { create(test, DRM_SYNCOBJ_CREATE_SIGNALED),
					  create(test, 0) };

	KUNIT_ASSERT_EQ(test, signal(objects[1], 3), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_array_wait_timeout(objects, NULL, 2,
							     DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL,
							     0, NULL, NULL), 0);
}

static void wait_any_tells_which(struct kunit *test)
{
	struct drm_syncobj *objects[] = { create(test, 0), create(test, 0), create(test, 0) };
	u32 first = ~0;

	KUNIT_ASSERT_EQ(test, signal(objects[1], 3), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_array_wait_timeout(objects, (u64[]){ 3, 3, 3 }, 3,
							     DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
							     0, &first, NULL), 0);
	KUNIT_EXPECT_EQ(test, first, 1);
}

static void wait_wakes_up_on_submission(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct task_struct *task;
	struct later later;
	u64 point = 5;
	long left;

	task = begin_add(test, &later, object);
	left = drm_syncobj_array_wait_timeout(&object, &point, 1,
					      DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE,
					      PATIENCE, NULL, NULL);
	end_add(test, task);
	KUNIT_EXPECT_GT(test, left, 0);
}

static void wait_for_too_many_fails_without_a_warning(struct kunit *test)
{
	struct drm_syncobj *object = create(test, DRM_SYNCOBJ_CREATE_SIGNALED);

	/* The count is refused before an object is looked at. */
	KUNIT_EXPECT_EQ(test, drm_syncobj_array_wait_timeout(&object, NULL, U32_MAX, 0, 0, NULL,
							     NULL), -ENOMEM);
}

/* ---- signal and query --------------------------------------------------- */

static void query_of_objects_without_a_timeline_is_0(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(create(test, 0), 0), 0ULL);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(create(test, DRM_SYNCOBJ_CREATE_SIGNALED),
						DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 0ULL);
}

static void query_stops_before_what_is_pending(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct dma_fence *fence = pending(test);

	KUNIT_ASSERT_EQ(test, signal(object, 3), 0);
	add_point(test, object, fence, 5);
	KUNIT_ASSERT_EQ(test, signal(object, 10), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, 0), 3ULL);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED),
			10ULL);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, 0), 10ULL);
}

static void signal_of_point_0_leaves_a_pending_object_pending(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct dma_fence *fence = pending(test);

	drm_syncobj_replace_fence(object, fence);
	KUNIT_ASSERT_EQ(test, signal(object, 0), 0);
	KUNIT_EXPECT_EQ(test, wait(object, 0, 0), -ETIME);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, wait(object, 0, 0), 0);
}

static void signal_of_a_lower_point_does_not_rewind(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);

	KUNIT_ASSERT_EQ(test, signal(object, 10), 0);
	KUNIT_ASSERT_EQ(test, signal(object, 3), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, 0), 10ULL);
}

static void signal_takes_the_same_object_twice(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	struct drm_syncobj *objects[] = { object, object };

	KUNIT_ASSERT_EQ(test, drm_syncobj_timeline_signal(objects, (u64[]){ 1, 2 }, 2), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, 0), 2ULL);
}

/* ---- transfer ----------------------------------------------------------- */

static void transfer_to_a_timeline_is_flat(struct kunit *test)
{
	struct drm_syncobj *src = create(test, 0), *dst = create(test, 0);
	struct dma_fence *fence = pending(test), *got;

	add_point(test, src, fence, 5);
	KUNIT_ASSERT_EQ(test, drm_syncobj_transfer(src, 5, dst, 7, 0), 0);

	KUNIT_ASSERT_EQ(test, drm_syncobj_fence_lookup(dst, 7, 0, &got), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(got), fence);
	dma_fence_put(got);
}

static void transfer_to_a_binary_object_takes_the_fence_as_it_is(struct kunit *test)
{
	struct drm_syncobj *src = create(test, 0), *dst = create(test, 0);

	KUNIT_ASSERT_EQ(test, signal(src, 5), 0);
	KUNIT_ASSERT_EQ(test, drm_syncobj_transfer(src, 5, dst, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(dst, 0), 5ULL);
}

static void transfer_within_an_object(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);

	KUNIT_ASSERT_EQ(test, signal(object, 2), 0);
	KUNIT_ASSERT_EQ(test, drm_syncobj_transfer(object, 2, object, 3, 0), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(object, 0), 3ULL);
}

static void transfer_of_a_missing_point_changes_nothing(struct kunit *test)
{
	struct drm_syncobj *src = create(test, 0), *dst = create(test, 0);

	KUNIT_ASSERT_EQ(test, signal(dst, 2), 0);
	KUNIT_EXPECT_EQ(test, drm_syncobj_transfer(src, 1, dst, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, drm_syncobj_query(dst, 0), 2ULL);
}

/* ---- sync_files --------------------------------------------------------- */

static void import_refuses_other_files(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	int fd = install(test, drm_syncobj_get_file(object));

	KUNIT_EXPECT_EQ(test, drm_syncobj_import_sync_file(object, fd, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, drm_syncobj_import_sync_file(object, -1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, lookup(object, 0, 0), -EINVAL);
}

/* dma_fence_chain_init() would warn, which makes a test run fail. */
static void import_of_a_timeline_at_a_point_is_flat(struct kunit *test)
{
	struct drm_syncobj *src = create(test, 0), *dst = create(test, 0);
	struct dma_fence *fence = pending(test), *got;

	add_point(test, src, fence, 5);
	KUNIT_ASSERT_EQ(test, drm_syncobj_import_sync_file(dst, export(test, src, 5), 7), 0);

	KUNIT_ASSERT_EQ(test, drm_syncobj_fence_lookup(dst, 7, 0, &got), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(got), fence);
	dma_fence_put(got);
}

static void import_keeps_the_error_of_a_binary_object(struct kunit *test)
{
	struct drm_syncobj *src = create(test, 0), *dst = create(test, 0);
	struct dma_fence *fence = pending(test), *got;

	dma_fence_set_error(fence, -EIO);
	dma_fence_signal(fence);
	drm_syncobj_replace_fence(src, fence);
	KUNIT_ASSERT_EQ(test, drm_syncobj_import_sync_file(dst, export(test, src, 0), 7), 0);

	got = drm_syncobj_fence_get(dst);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(dma_fence_chain_contained(got)), -EIO);
	dma_fence_put(got);
}

static void import_at_0_replaces(struct kunit *test)
{
	struct drm_syncobj *src = create(test, DRM_SYNCOBJ_CREATE_SIGNALED);
	struct drm_syncobj *dst = create(test, 0);

	drm_syncobj_replace_fence(dst, pending(test));
	KUNIT_EXPECT_EQ(test, wait(dst, 0, 0), -ETIME);
	KUNIT_ASSERT_EQ(test, drm_syncobj_import_sync_file(dst, export(test, src, 0), 0), 0);
	KUNIT_EXPECT_EQ(test, wait(dst, 0, 0), 0);
}

static void export_of_a_missing_point_fails(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);

	KUNIT_ASSERT_EQ(test, signal(object, 2), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(drm_syncobj_export_sync_file(object, 3)), -EINVAL);
}

static void eventfd_of_other_files_is_refused(struct kunit *test)
{
	struct drm_syncobj *object = create(test, 0);
	int fd = install(test, drm_syncobj_get_file(object));

	KUNIT_EXPECT_EQ(test, drm_syncobj_register_eventfd(object, fd, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, drm_syncobj_register_eventfd(object, -1, 1, 0), -EBADF);
	KUNIT_EXPECT_TRUE(test, list_empty(&object->ev_fd_list));
}

static struct kunit_case drm_syncobj_cases[] = {
	KUNIT_CASE(from_fd_finds_the_object),
	KUNIT_CASE(from_fd_finds_nothing_in_other_files),
	KUNIT_CASE(from_fd_finds_nothing_in_closed_descriptors),
	KUNIT_CASE(file_keeps_the_object),
	KUNIT_CASE(lookup_in_an_empty_object_fails),
	KUNIT_CASE(lookup_refuses_other_flags),
	KUNIT_CASE(lookup_of_a_binary_object_has_point_0_only),
	KUNIT_CASE(lookup_of_a_collected_point_is_signaled),
	KUNIT_CASE(lookup_of_a_skipped_point_finds_the_next),
	KUNIT_CASE(lookup_waits_for_submission),
	KUNIT_CASE_SLOW(lookup_for_a_point_that_never_comes_times_out),
	KUNIT_CASE(wait_matrix),
	KUNIT_CASE(wait_without_points_is_for_the_whole_fence),
	KUNIT_CASE(wait_any_tells_which),
	KUNIT_CASE(wait_wakes_up_on_submission),
	KUNIT_CASE(wait_for_too_many_fails_without_a_warning),
	KUNIT_CASE(query_of_objects_without_a_timeline_is_0),
	KUNIT_CASE(query_stops_before_what_is_pending),
	KUNIT_CASE(signal_of_point_0_leaves_a_pending_object_pending),
	KUNIT_CASE(signal_of_a_lower_point_does_not_rewind),
	KUNIT_CASE(signal_takes_the_same_object_twice),
	KUNIT_CASE(transfer_to_a_timeline_is_flat),
	KUNIT_CASE(transfer_to_a_binary_object_takes_the_fence_as_it_is),
	KUNIT_CASE(transfer_within_an_object),
	KUNIT_CASE(transfer_of_a_missing_point_changes_nothing),
	KUNIT_CASE(import_refuses_other_files),
	KUNIT_CASE(import_of_a_timeline_at_a_point_is_flat),
	KUNIT_CASE(import_keeps_the_error_of_a_binary_object),
	KUNIT_CASE(import_at_0_replaces),
	KUNIT_CASE(export_of_a_missing_point_fails),
	KUNIT_CASE(eventfd_of_other_files_is_refused),
	{}
};

static struct kunit_suite drm_syncobj_suite = {
	.name = "drm_syncobj",
	.test_cases = drm_syncobj_cases,
};

kunit_test_suite(drm_syncobj_suite);

MODULE_DESCRIPTION("KUnit tests of sync objects");
MODULE_LICENSE("GPL");
