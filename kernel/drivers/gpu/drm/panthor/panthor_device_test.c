// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the guard panthor_device_active, on a device that resumes or does not as told. */

#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/module.h>
#include <linux/pm_runtime.h>

#include "panthor_device.h"

/* What the callbacks of the device do, and how often they were called. */
static int resume_error;
static int resumes;

static int test_resume(struct device *dev)
{
	struct panthor_device *ptdev = dev_get_drvdata(dev);

	resumes++;
	/* As panthor_device_resume() does. */
	if (resume_error)
		atomic_set(&ptdev->pm.recovery_needed, 1);

	return resume_error;
}

static int test_suspend(struct device *dev)
{
	return 0;
}

static const struct dev_pm_ops test_pm_ops = {
	RUNTIME_PM_OPS(test_suspend, test_resume, NULL)
};

static int active_test_init(struct kunit *test)
{
	struct panthor_device *ptdev = kunit_kzalloc(test, sizeof(*ptdev), GFP_KERNEL);
	struct device_driver *driver;
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, ptdev);
	driver = kunit_driver_create(test, "panthor-device-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, driver);
	driver->pm = pm_ptr(&test_pm_ops);
	dev = kunit_device_register_with_driver(test, "panthor-device-test", driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);

	ptdev->base.dev = dev;
	dev_set_drvdata(dev, ptdev);
	resume_error = 0;
	resumes = 0;
	/* No test lasts that long. */
	pm_runtime_set_autosuspend_delay(dev, 600 * MSEC_PER_SEC);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_enable(dev);
	test->priv = ptdev;

	return 0;
}

static void active_test_exit(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;

	if (!ptdev)
		return;

	pm_runtime_dont_use_autosuspend(ptdev->base.dev);
	pm_runtime_disable(ptdev->base.dev);
}

static int references(struct panthor_device *ptdev)
{
	return atomic_read(&ptdev->base.dev->power.usage_count);
}

static void test_device_is_active_to_end_of_scope(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;
	int before = references(ptdev);

	{
		ACQUIRE(panthor_device_active, active)(ptdev);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(panthor_device_active, &active), 0);
		KUNIT_EXPECT_TRUE(test, pm_runtime_active(ptdev->base.dev));
		KUNIT_EXPECT_EQ(test, references(ptdev), before + 1);
	}

	KUNIT_EXPECT_EQ(test, references(ptdev), before);
	KUNIT_EXPECT_EQ(test, resumes, 1);
}

/* The put is neither one that suspends at once nor one that leaves the device on. */
static void test_device_is_left_to_autosuspend(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;
	struct device *dev = ptdev->base.dev;

	{
		ACQUIRE(panthor_device_active, active)(ptdev);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(panthor_device_active, &active), 0);
		KUNIT_EXPECT_EQ(test, dev->power.timer_expires, 0);
	}

	KUNIT_EXPECT_TRUE(test, pm_runtime_active(dev));
	KUNIT_EXPECT_NE(test, dev->power.timer_expires, 0);
	KUNIT_EXPECT_TRUE(test, dev->power.timer_autosuspends);
}

static int leave_early(struct panthor_device *ptdev, bool early)
{
	int ret;

	ACQUIRE(panthor_device_active, active)(ptdev);
	ret = ACQUIRE_ERR(panthor_device_active, &active);
	if (ret)
		return ret;
	if (early)
		return 1;

	return 0;
}

static void test_reference_is_dropped_on_early_return(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;
	int before = references(ptdev);

	KUNIT_EXPECT_EQ(test, leave_early(ptdev, true), 1);
	KUNIT_EXPECT_EQ(test, references(ptdev), before);
	KUNIT_EXPECT_EQ(test, leave_early(ptdev, false), 0);
	KUNIT_EXPECT_EQ(test, references(ptdev), before);
}

static void test_failed_resume_gives_its_error(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;
	int before = references(ptdev);

	resume_error = -EIO;
	{
		ACQUIRE(panthor_device_active, active)(ptdev);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(panthor_device_active, &active), -EIO);
		KUNIT_EXPECT_EQ(test, references(ptdev), before);
	}

	KUNIT_EXPECT_EQ(test, references(ptdev), before);
	KUNIT_EXPECT_FALSE(test, pm_runtime_active(ptdev->base.dev));
}

/* The next attempt is one: the error of the one before is not what it gets. */
static void test_failed_resume_is_recovered_from(struct kunit *test)
{
	struct panthor_device *ptdev = test->priv;

	resume_error = -EIO;
	KUNIT_EXPECT_EQ(test, leave_early(ptdev, false), -EIO);
	KUNIT_EXPECT_EQ(test, atomic_read(&ptdev->pm.recovery_needed), 0);

	resume_error = 0;
	KUNIT_EXPECT_EQ(test, leave_early(ptdev, false), 0);
	KUNIT_EXPECT_EQ(test, resumes, 2);
}

static struct kunit_case active_cases[] = {
	KUNIT_CASE(test_device_is_active_to_end_of_scope),
	KUNIT_CASE(test_device_is_left_to_autosuspend),
	KUNIT_CASE(test_reference_is_dropped_on_early_return),
	KUNIT_CASE(test_failed_resume_gives_its_error),
	KUNIT_CASE(test_failed_resume_is_recovered_from),
	{}
};

static struct kunit_suite active_suite = {
	.name = "panthor_device_active",
	.init = active_test_init,
	.exit = active_test_exit,
	.test_cases = active_cases,
};

kunit_test_suite(active_suite);

MODULE_DESCRIPTION("KUnit tests of the guard panthor_device_active");
MODULE_LICENSE("GPL");
