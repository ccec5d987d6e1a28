// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the guard drm_dev_access, on a registered device that gets unplugged. */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/module.h>

#include <drm/drm_drv.h>
#include <drm/drm_kunit_helpers.h>

/* Far more than anything here takes. */
#define PATIENCE (60 * HZ)

static const struct drm_driver access_driver = {
	.name = "drm-dev-access-test",
	.driver_features = DRIVER_GEM,
};

static int access_test_init(struct kunit *test)
{
	struct drm_device *drm;
	struct device *dev;

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	drm = __drm_kunit_helper_alloc_drm_device_with_driver(test, dev, sizeof(*drm), 0,
							      &access_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, drm);
	KUNIT_ASSERT_EQ(test, drm_dev_register(drm, 0), 0);
	test->priv = drm;

	return 0;
}

static void access_test_exit(struct kunit *test)
{
	struct drm_device *drm = test->priv;

	if (drm && !drm_dev_is_unplugged(drm))
		drm_dev_unplug(drm);
}

/* What lockdep counts as held by this task: its locks, and the sections that it is in. */
static int depth(void)
{
#ifdef CONFIG_LOCKDEP
	return current->lockdep_depth;
#else
	return 0;
#endif
}

static void expect_depth(struct kunit *test, int before, int sections)
{
#ifdef CONFIG_LOCKDEP
	if (debug_locks)
		KUNIT_EXPECT_EQ(test, depth(), before + sections);
#endif
}

static void test_section_lasts_to_end_of_scope(struct kunit *test)
{
	struct drm_device *drm = test->priv;
	int before = depth();

	{
		ACQUIRE(drm_dev_access, access)(drm);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(drm_dev_access, &access), 0);
		expect_depth(test, before, 1);
	}

	expect_depth(test, before, 0);
}

static int leave_early(struct kunit *test, struct drm_device *drm, bool early)
{
	ACQUIRE(drm_dev_access, access)(drm);
	if (ACQUIRE_ERR(drm_dev_access, &access))
		return -ENODEV;
	if (early)
		return 1;

	return 0;
}

static void test_section_ends_with_early_return(struct kunit *test)
{
	struct drm_device *drm = test->priv;
	int before = depth();

	KUNIT_EXPECT_EQ(test, leave_early(test, drm, true), 1);
	expect_depth(test, before, 0);
	KUNIT_EXPECT_EQ(test, leave_early(test, drm, false), 0);
	expect_depth(test, before, 0);
}

static void test_sections_nest(struct kunit *test)
{
	struct drm_device *drm = test->priv;
	int before = depth(), entered = 0;

	scoped_guard(drm_dev_access, drm) {
		scoped_guard(drm_dev_access, drm) {
			entered++;
			expect_depth(test, before, 2);
		}
		expect_depth(test, before, 1);
	}

	KUNIT_EXPECT_EQ(test, entered, 1);
	expect_depth(test, before, 0);
}

static void test_unplugged_device_is_not_entered(struct kunit *test)
{
	struct drm_device *drm = test->priv;
	bool entered = false, failed = false;
	int before = depth();

	drm_dev_unplug(drm);

	{
		ACQUIRE(drm_dev_access, access)(drm);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(drm_dev_access, &access), -EBUSY);
		expect_depth(test, before, 0);
	}
	expect_depth(test, before, 0);

	scoped_guard(drm_dev_access, drm)
		entered = true;
	KUNIT_EXPECT_FALSE(test, entered);

	scoped_cond_guard(drm_dev_access, failed = true, drm)
		entered = true;
	KUNIT_EXPECT_FALSE(test, entered);
	KUNIT_EXPECT_TRUE(test, failed);

	KUNIT_EXPECT_EQ(test, leave_early(test, drm, false), -ENODEV);
	expect_depth(test, before, 0);
}

struct unplug {
	struct drm_device *drm;
	struct completion begun;
	struct completion done;
};

static int unplug(void *data)
{
	struct unplug *work = data;

	complete(&work->begun);
	drm_dev_unplug(work->drm);
	complete(&work->done);

	return 0;
}

/* drm_dev_unplug() cannot return before the guard ends, and does once it has. */
static void test_unplug_waits_for_guard(struct kunit *test)
{
	struct unplug work = { .drm = test->priv };
	struct task_struct *task;

	init_completion(&work.begun);
	init_completion(&work.done);
	task = kthread_create(unplug, &work, "drm-dev-access");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);

	scoped_guard(drm_dev_access, work.drm) {
		wake_up_process(task);
		wait_for_completion(&work.begun);
		schedule_timeout_uninterruptible(HZ / 10);
		KUNIT_EXPECT_FALSE(test, completion_done(&work.done));
	}

	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&work.done, PATIENCE), 0);
	kthread_stop_put(task);
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(test_section_lasts_to_end_of_scope),
	KUNIT_CASE(test_section_ends_with_early_return),
	KUNIT_CASE(test_sections_nest),
	KUNIT_CASE(test_unplugged_device_is_not_entered),
	KUNIT_CASE(test_unplug_waits_for_guard),
	{}
};

static struct kunit_suite access_suite = {
	.name = "drm_dev_access",
	.init = access_test_init,
	.exit = access_test_exit,
	.test_cases = access_cases,
};

kunit_test_suite(access_suite);

MODULE_DESCRIPTION("KUnit tests of the guard drm_dev_access");
MODULE_LICENSE("GPL");
