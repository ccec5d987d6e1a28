// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the address space of a context bank
 */

#include <kunit/test.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "qda_sim_priv.h"

/* The last pages below 4 GiB, where iommu-dma begins. */
#define IOVA	(SZ_4G - SZ_64K)
#define PADDR	0x12345000

static int qda_sim_test_init(struct kunit *test)
{
	struct qda_sim_space *space = kunit_kzalloc(test, sizeof(*space),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, space);
	qda_sim_space_init(space);
	test->priv = space;
	return 0;
}

static void qda_sim_test_exit(struct kunit *test)
{
	if (test->priv)
		qda_sim_space_destroy(test->priv);
}

static void map(struct kunit *test, u64 iova, size_t count, bool is_writable)
{
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, 0,
			qda_sim_space_map(test->priv, iova, PADDR, count,
					  is_writable, GFP_KERNEL, &mapped));
	KUNIT_ASSERT_EQ(test, mapped, count * PAGE_SIZE);
}

static int find(struct kunit *test, u64 iova, bool is_write, unsigned long *pfn)
{
	bool is_writable;

	return qda_sim_space_find(test->priv, iova, is_write, pfn, &is_writable);
}

static void pages_follow_each_other(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 4, true);
	for (size_t i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, 0, find(test, IOVA + i * PAGE_SIZE, true, &pfn));
		KUNIT_EXPECT_EQ(test, pfn, PHYS_PFN(PADDR) + i);
	}
}

static void the_last_byte_of_a_page_is_in_it(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 1, true);
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA + PAGE_SIZE - 1, false, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, PHYS_PFN(PADDR));
}

static void beside_the_pages_is_nothing(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 2, true);
	KUNIT_EXPECT_EQ(test, -EFAULT, find(test, IOVA - 1, false, &pfn));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			find(test, IOVA + 2 * PAGE_SIZE, false, &pfn));
}

static void the_upper_half_of_an_address_counts(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 1, true);
	KUNIT_EXPECT_EQ(test, -EFAULT, find(test, IOVA + SZ_4G, false, &pfn));
	map(test, IOVA + SZ_4G, 1, true);
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA + SZ_4G, false, &pfn));
}

static void what_is_read_only_is_not_written(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 1, false);
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA, false, &pfn));
	KUNIT_EXPECT_EQ(test, -EFAULT, find(test, IOVA, true, &pfn));
}

static void an_address_has_one_page(struct kunit *test)
{
	unsigned long pfn;
	size_t mapped = 0;

	map(test, IOVA + 2 * PAGE_SIZE, 1, true);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			qda_sim_space_map(test->priv, IOVA, 0, 4, true,
					  GFP_KERNEL, &mapped));
	/* So that the caller can undo it. */
	KUNIT_EXPECT_EQ(test, mapped, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA + 2 * PAGE_SIZE, true, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, PHYS_PFN(PADDR));
}

static void unmapping_stops_at_a_hole(struct kunit *test)
{
	unsigned long pfn;

	map(test, IOVA, 2, true);
	map(test, IOVA + 3 * PAGE_SIZE, 1, true);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE,
			qda_sim_space_unmap(test->priv, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -EFAULT, find(test, IOVA, false, &pfn));
	KUNIT_EXPECT_EQ(test, -EFAULT, find(test, IOVA + PAGE_SIZE, false, &pfn));
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA + 3 * PAGE_SIZE, false, &pfn));
}

static void page_0_of_memory_is_a_page(struct kunit *test)
{
	unsigned long pfn = 1;
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, 0,
			qda_sim_space_map(test->priv, IOVA, 0, 1, false,
					  GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 0, find(test, IOVA, false, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, 0);
}

static struct kunit_case qda_sim_test_cases[] = {
	KUNIT_CASE(pages_follow_each_other),
	KUNIT_CASE(the_last_byte_of_a_page_is_in_it),
	KUNIT_CASE(beside_the_pages_is_nothing),
	KUNIT_CASE(the_upper_half_of_an_address_counts),
	KUNIT_CASE(what_is_read_only_is_not_written),
	KUNIT_CASE(an_address_has_one_page),
	KUNIT_CASE(unmapping_stops_at_a_hole),
	KUNIT_CASE(page_0_of_memory_is_a_page),
	{}
};

static struct kunit_suite qda_sim_test_suite = {
	.name = "qda_sim_space",
	.init = qda_sim_test_init,
	.exit = qda_sim_test_exit,
	.test_cases = qda_sim_test_cases,
};

kunit_test_suite(qda_sim_test_suite);

MODULE_DESCRIPTION("KUnit tests of the simulated Qualcomm DSPs");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_LICENSE("GPL");
