// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the guards of dma-resv.h, on reservation objects that others hold, too. */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

/* A thread that holds the lock until it is told to let go. */
struct holder {
	struct dma_resv *resv;
	struct completion holds;
	struct completion let_go;
	struct task_struct *task;
};

static int hold(void *data)
{
	struct holder *holder = data;

	scoped_guard(dma_resv, holder->resv) {
		complete(&holder->holds);
		wait_for_completion(&holder->let_go);
	}

	return 0;
}

static void start_holder(struct kunit *test, struct holder *holder, struct dma_resv *resv)
{
	holder->resv = resv;
	init_completion(&holder->holds);
	init_completion(&holder->let_go);
	holder->task = kthread_create(hold, holder, "dma-resv-guard");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, holder->task);
	get_task_struct(holder->task);
	wake_up_process(holder->task);
	wait_for_completion(&holder->holds);
}

static void end_holder(struct holder *holder)
{
	complete(&holder->let_go);
	kthread_stop_put(holder->task);
}

static int resv_guard_test_init(struct kunit *test)
{
	struct dma_resv *resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	test->priv = resv;

	return 0;
}

static void resv_guard_test_exit(struct kunit *test)
{
	if (!test->priv)
		return;

	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(test->priv));
	dma_resv_fini(test->priv);
}

static void expect_held(struct kunit *test, struct dma_resv *resv)
{
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(resv));
#ifdef CONFIG_LOCKDEP
	KUNIT_EXPECT_TRUE(test, !debug_locks || dma_resv_held(resv));
#endif
}

static void expect_not_held(struct kunit *test, struct dma_resv *resv)
{
#ifdef CONFIG_LOCKDEP
	KUNIT_EXPECT_TRUE(test, !debug_locks || !dma_resv_held(resv));
#endif
}

static void test_guard_holds_to_end_of_scope(struct kunit *test)
{
	struct dma_resv *resv = test->priv;

	{
		guard(dma_resv)(resv);
		expect_held(test, resv);
	}

	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
	expect_not_held(test, resv);
}

static int leave_early(struct kunit *test, struct dma_resv *resv, bool early)
{
	guard(dma_resv)(resv);
	expect_held(test, resv);
	if (early)
		return 1;

	return 0;
}

static void test_guard_ends_with_early_return(struct kunit *test)
{
	struct dma_resv *resv = test->priv;

	KUNIT_EXPECT_EQ(test, leave_early(test, resv, true), 1);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
	KUNIT_EXPECT_EQ(test, leave_early(test, resv, false), 0);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
}

static void test_scoped_guard_ends_with_goto(struct kunit *test)
{
	struct dma_resv *resv = test->priv;
	bool reached = false;

	scoped_guard(dma_resv, resv) {
		expect_held(test, resv);
		reached = true;
		goto out;
	}
	KUNIT_FAIL(test, "the goto did not leave the scope");
out:
	KUNIT_EXPECT_TRUE(test, reached);
	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
}

static void test_try_takes_a_free_lock(struct kunit *test)
{
	struct dma_resv *resv = test->priv;

	{
		ACQUIRE(dma_resv_try, lock)(resv);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(dma_resv_try, &lock), 0);
		expect_held(test, resv);
	}

	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
}

static void test_try_leaves_a_lock_of_another(struct kunit *test)
{
	struct dma_resv *resv = test->priv;
	bool entered = false, failed = false;
	struct holder holder;

	start_holder(test, &holder, resv);
	{
		ACQUIRE(dma_resv_try, lock)(resv);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(dma_resv_try, &lock), -EBUSY);
		expect_not_held(test, resv);
	}
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(resv));

	scoped_guard(dma_resv_try, resv)
		entered = true;
	KUNIT_EXPECT_FALSE(test, entered);

	scoped_cond_guard(dma_resv_try, failed = true, resv)
		entered = true;
	KUNIT_EXPECT_FALSE(test, entered);
	KUNIT_EXPECT_TRUE(test, failed);
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(resv));
	end_holder(&holder);
}

static void test_intr_takes_a_free_lock(struct kunit *test)
{
	struct dma_resv *resv = test->priv;

	{
		ACQUIRE(dma_resv_intr, lock)(resv);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(dma_resv_intr, &lock), 0);
		expect_held(test, resv);
	}

	KUNIT_EXPECT_FALSE(test, dma_resv_is_locked(resv));
}

static void test_intr_ends_with_a_signal(struct kunit *test)
{
	struct dma_resv *resv = test->priv;
	struct holder holder;
	bool entered = false;

	start_holder(test, &holder, resv);
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	{
		ACQUIRE(dma_resv_intr, lock)(resv);
		KUNIT_EXPECT_EQ(test, ACQUIRE_ERR(dma_resv_intr, &lock), -EINTR);
		expect_not_held(test, resv);
	}
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(resv));

	scoped_guard(dma_resv_intr, resv)
		entered = true;
	KUNIT_EXPECT_FALSE(test, entered);
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(resv));

	flush_signals(current);
	disallow_signal(SIGUSR1);
	end_holder(&holder);
}

static struct kunit_case resv_guard_cases[] = {
	KUNIT_CASE(test_guard_holds_to_end_of_scope),
	KUNIT_CASE(test_guard_ends_with_early_return),
	KUNIT_CASE(test_scoped_guard_ends_with_goto),
	KUNIT_CASE(test_try_takes_a_free_lock),
	KUNIT_CASE(test_try_leaves_a_lock_of_another),
	KUNIT_CASE(test_intr_takes_a_free_lock),
	KUNIT_CASE(test_intr_ends_with_a_signal),
	{}
};

static struct kunit_suite resv_guard_suite = {
	.name = "dma-buf-resv-guard",
	.init = resv_guard_test_init,
	.exit = resv_guard_test_exit,
	.test_cases = resv_guard_cases,
};

kunit_test_suite(resv_guard_suite);
