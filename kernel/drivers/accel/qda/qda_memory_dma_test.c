// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of which mappings the DSP can be told: one range of whole pages.
 */
#include <kunit/test.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "qda_drv.h"

struct qda_test_part {
	dma_addr_t addr;
	unsigned int len;
};

/* The range of what an exporter could have mapped as these parts. */
static int qda_test_range(struct kunit *test, const struct qda_test_part *parts, unsigned int n,
			  size_t size, dma_addr_t *addr)
{
	struct sg_table sgt;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, n, GFP_KERNEL), 0);
	for_each_sgtable_dma_sg(&sgt, sg, i) {
		sg_dma_address(sg) = parts[i].addr;
		sg_dma_len(sg) = parts[i].len;
	}
	ret = qda_dma_range(&sgt, size, addr);
	sg_free_table(&sgt);
	return ret;
}

static void qda_test_one_part(struct kunit *test)
{
	const struct qda_test_part part = { 0x12340000, SZ_64K };
	dma_addr_t addr = 0;

	KUNIT_EXPECT_EQ(test, qda_test_range(test, &part, 1, SZ_64K, &addr), 0);
	KUNIT_EXPECT_EQ(test, addr, 0x12340000);
	KUNIT_EXPECT_EQ(test, qda_test_range(test, &part, 1, SZ_64K + 1, &addr), -EINVAL);
}

static void qda_test_parts_without_a_gap(struct kunit *test)
{
	const struct qda_test_part parts[] = {
		{ 0x1000, SZ_4K }, { 0x2000, SZ_64K }, { 0x12000, SZ_4K },
	};
	dma_addr_t addr = 0;

	KUNIT_EXPECT_EQ(test, qda_test_range(test, parts, 3, SZ_64K + 2 * SZ_4K, &addr), 0);
	KUNIT_EXPECT_EQ(test, addr, 0x1000);
}

static void qda_test_parts_with_a_gap_are_refused(struct kunit *test)
{
	const struct qda_test_part gap[] = { { 0x1000, SZ_4K }, { 0x3000, SZ_4K } };
	const struct qda_test_part back[] = { { 0x2000, SZ_4K }, { 0x1000, SZ_4K } };
	const struct qda_test_part over[] = { { 0x1000, SZ_8K }, { 0x2000, SZ_4K } };
	dma_addr_t addr;

	KUNIT_EXPECT_EQ(test, qda_test_range(test, gap, 2, SZ_8K, &addr), -EINVAL);
	KUNIT_EXPECT_EQ(test, qda_test_range(test, back, 2, SZ_8K, &addr), -EINVAL);
	KUNIT_EXPECT_EQ(test, qda_test_range(test, over, 2, SZ_8K + SZ_4K, &addr), -EINVAL);
	/* What is behind the buffer does not matter. */
	KUNIT_EXPECT_EQ(test, qda_test_range(test, gap, 2, SZ_4K, &addr), 0);
}

static void qda_test_start_within_a_page_is_refused(struct kunit *test)
{
	const struct qda_test_part part = { 0x1800, SZ_4K };
	dma_addr_t addr;

	KUNIT_EXPECT_EQ(test, qda_test_range(test, &part, 1, SZ_2K, &addr), -EINVAL);
}

static struct kunit_case qda_memory_dma_test_cases[] = {
	KUNIT_CASE(qda_test_one_part),
	KUNIT_CASE(qda_test_parts_without_a_gap),
	KUNIT_CASE(qda_test_parts_with_a_gap_are_refused),
	KUNIT_CASE(qda_test_start_within_a_page_is_refused),
	{ }
};

static struct kunit_suite qda_memory_dma_test_suite = {
	.name = "qda_memory_dma",
	.test_cases = qda_memory_dma_test_cases,
};

kunit_test_suite(qda_memory_dma_test_suite);

MODULE_DESCRIPTION("Tests of the QDA driver's mappings");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
