// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of where memory of protected groups comes from, with a heap that comes and goes. */

#include <kunit/device.h>
#include <kunit/test.h>
#include <kunit/visibility.h>

#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "panthor_device.h"
#include "panthor_gem.h"
#include "panthor_mmu.h"

#define TEST_HEAP "protected,kunit-panthor"

struct protected_test {
	struct panthor_device *ptdev;
	/* It is not looked at before there is memory to map. */
	struct panthor_vm *vm;
	struct dma_heap *heap;
	char *name;
	/* What the heap was asked for. */
	unsigned long asked;
};

/* There is no GPU that could map what a heap gives, so this one has none left. */
static struct dma_buf *test_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				     u64 heap_flags)
{
	struct protected_test *priv = dma_heap_get_drvdata(heap);

	priv->asked = len;

	return ERR_PTR(-ENOMEM);
}

static const struct dma_heap_ops test_heap_ops = {
	.allocate = test_allocate,
};

static void add_heap(struct kunit *test)
{
	struct protected_test *priv = test->priv;
	struct dma_heap_export_info info = {
		.name = TEST_HEAP,
		.ops = &test_heap_ops,
		.priv = priv,
	};

	priv->heap = dma_heap_add(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, priv->heap);
}

static void remove_heap(struct kunit *test)
{
	struct protected_test *priv = test->priv;

	dma_heap_remove(priv->heap);
	priv->heap = NULL;
}

static int protected_test_init(struct kunit *test)
{
	struct protected_test *priv = kunit_kzalloc(test, sizeof(*priv), GFP_KERNEL);
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, priv);
	priv->ptdev = kunit_kzalloc(test, sizeof(*priv->ptdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, priv->ptdev);
	priv->vm = kunit_kzalloc(test, 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, priv->vm);
	dev = kunit_device_register(test, "panthor-gem-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	priv->ptdev->base.dev = dev;
	priv->name = panthor_protected_heap_name;
	test->priv = priv;

	return 0;
}

static void protected_test_exit(struct kunit *test)
{
	struct protected_test *priv = test->priv;

	if (!priv)
		return;
	panthor_protected_heap_name = priv->name;
	if (!IS_ERR_OR_NULL(priv->heap))
		dma_heap_remove(priv->heap);
}

static int create(struct kunit *test)
{
	struct protected_test *priv = test->priv;

	return PTR_ERR_OR_ZERO(panthor_kernel_bo_create_protected(priv->ptdev, priv->vm,
								  SZ_4K + 1, 0,
								  PANTHOR_VM_KERNEL_AUTO_VA,
								  "test"));
}

static void test_empty_name_means_none(struct kunit *test)
{
	panthor_protected_heap_name = "";
	KUNIT_EXPECT_FALSE(test, panthor_gem_has_protected_heap());
	KUNIT_EXPECT_EQ(test, create(test), -EOPNOTSUPP);
}

static void test_heap_that_is_not_there_is_an_error(struct kunit *test)
{
	panthor_protected_heap_name = TEST_HEAP;
	KUNIT_EXPECT_FALSE(test, panthor_gem_has_protected_heap());
	KUNIT_EXPECT_EQ(test, create(test), -ENODEV);
}

static void test_heap_is_looked_up_again(struct kunit *test)
{
	struct protected_test *priv = test->priv;

	panthor_protected_heap_name = TEST_HEAP;
	KUNIT_EXPECT_EQ(test, create(test), -ENODEV);

	add_heap(test);
	KUNIT_EXPECT_TRUE(test, panthor_gem_has_protected_heap());
	KUNIT_EXPECT_EQ(test, create(test), -ENOMEM);
	KUNIT_EXPECT_EQ(test, priv->asked, PAGE_ALIGN(SZ_4K + 1));

	remove_heap(test);
	KUNIT_EXPECT_FALSE(test, panthor_gem_has_protected_heap());
	KUNIT_EXPECT_EQ(test, create(test), -ENODEV);
}

static void test_no_reference_is_kept(struct kunit *test)
{
#ifdef MODULE
	int before;

	panthor_protected_heap_name = TEST_HEAP;
	add_heap(test);
	before = module_refcount(THIS_MODULE);
	KUNIT_EXPECT_TRUE(test, panthor_gem_has_protected_heap());
	KUNIT_EXPECT_EQ(test, create(test), -ENOMEM);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before);
	remove_heap(test);
#else
	kunit_skip(test, "these tests are no module");
#endif
}

static struct kunit_case protected_cases[] = {
	KUNIT_CASE(test_empty_name_means_none),
	KUNIT_CASE(test_heap_that_is_not_there_is_an_error),
	KUNIT_CASE(test_heap_is_looked_up_again),
	KUNIT_CASE(test_no_reference_is_kept),
	{}
};

static struct kunit_suite protected_suite = {
	.name = "panthor_protected_memory",
	.init = protected_test_init,
	.exit = protected_test_exit,
	.test_cases = protected_cases,
};

kunit_test_suite(protected_suite);

MODULE_DESCRIPTION("KUnit tests of Panthor's use of protected memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
