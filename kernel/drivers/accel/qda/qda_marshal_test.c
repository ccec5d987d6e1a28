// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of how the arguments of a call are laid out.
 */
#include <kunit/test.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "qda_marshal.h"

#define QDA_TEST_PAYLOAD	0x100001000ULL
#define QDA_TEST_META(n)	(40 * (n) + 16 * 8 + 64 * 4 + 4)

static struct qda_arg qda_test_user(u64 ptr, u64 len)
{
	return (struct qda_arg) { .kind = QDA_ARG_USER, .ptr = ptr, .len = len };
}

/* Lay out and write what is in front into memory of the test's. */
static void *qda_test_payload(struct kunit *test, struct qda_arg *args, u32 sc, size_t *size)
{
	u16 *order = kunit_kcalloc(test, 511, sizeof(*order), GFP_KERNEL);
	void *payload;

	KUNIT_ASSERT_NOT_NULL(test, order);
	KUNIT_ASSERT_EQ(test, qda_marshal_layout(args, order, sc, size), 0);
	payload = kunit_kzalloc(test, *size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payload);
	memset(payload, 0xff, *size);
	qda_marshal_meta(args, sc, payload, QDA_TEST_PAYLOAD);
	return payload;
}

static void qda_test_scalars(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, qda_sc(2, 2, 1), 0x02020100);
	KUNIT_EXPECT_EQ(test, qda_sc(6, 4, 0), 0x06040000);
	KUNIT_EXPECT_EQ(test, qda_sc_inbufs(0xff123456), 0x12);
	KUNIT_EXPECT_EQ(test, qda_sc_bufs(0xff123456), 0x12 + 0x34);
	KUNIT_EXPECT_EQ(test, qda_sc_args(0xff123456), 0x12 + 0x34 + 5 + 6);
	KUNIT_EXPECT_EQ(test, qda_sc_args(0xffffffff), 540);
}

static void qda_test_context(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, qda_ctx(QDA_PD_ROOT, 1, 0), 0x100);
	KUNIT_EXPECT_EQ(test, qda_ctx(QDA_PD_USER, 0xab, 0x1234), 0x1234ab01);
	KUNIT_EXPECT_EQ(test, qda_ctx(QDA_PD_SENSORS, 255, (1ULL << 48) - 1),
			0xffffffffffffff02);
	/* The sequence wraps and leaves id and PD alone. */
	KUNIT_EXPECT_EQ(test, qda_ctx(QDA_PD_USER, 7, (1ULL << 48) + 5), 0x50701);
}

static void qda_test_ids_go_round(struct kunit *test)
{
	const void **ids = kunit_kcalloc(test, QDA_CTX_IDS, sizeof(*ids), GFP_KERNEL);
	unsigned int last = 0;

	KUNIT_ASSERT_NOT_NULL(test, ids);
	for (unsigned int i = 1; i <= 255; i++) {
		last = qda_marshal_next_id(ids, last, 255);
		KUNIT_EXPECT_EQ(test, last, i);
	}
	/* 1 was free all the time and comes again only now. */
	KUNIT_EXPECT_EQ(test, qda_marshal_next_id(ids, last, 255), 1);
}

static void qda_test_ids_are_unique_and_end(struct kunit *test)
{
	const void **ids = kunit_kcalloc(test, QDA_CTX_IDS, sizeof(*ids), GFP_KERNEL);
	unsigned int last = 200;

	KUNIT_ASSERT_NOT_NULL(test, ids);
	for (unsigned int i = 0; i < 254; i++) {
		last = qda_marshal_next_id(ids, last, 254);
		KUNIT_ASSERT_NE(test, last, 0);
		KUNIT_ASSERT_LE(test, last, 254);
		KUNIT_EXPECT_NULL(test, ids[last]);
		ids[last] = test;
	}
	KUNIT_EXPECT_EQ(test, qda_marshal_next_id(ids, last, 254), 0);
	/* The one that is kept for the kernel. */
	KUNIT_EXPECT_EQ(test, qda_marshal_next_id(ids, last, 255), 255);
	ids[17] = NULL;
	KUNIT_EXPECT_EQ(test, qda_marshal_next_id(ids, last, 254), 17);
	KUNIT_EXPECT_EQ(test, qda_marshal_next_id(ids, 255, 254), 17);
}

static void qda_test_no_arguments(struct kunit *test)
{
	size_t size;
	u8 *payload = qda_test_payload(test, NULL, 0, &size);

	KUNIT_EXPECT_EQ(test, size, QDA_TEST_META(0));
	KUNIT_EXPECT_NULL(test, memchr_inv(payload, 0, size));
	KUNIT_EXPECT_PTR_EQ(test, qda_marshal_fd_list(payload, 0), (__le64 *)payload);
}

static void qda_test_inline_arguments(struct kunit *test)
{
	struct qda_arg args[] = {
		qda_test_user(0x10000, 5),
		qda_test_user(0, 0),
		qda_test_user(0x30000, 200),
		qda_test_user(0x20000, 1),
	};
	u32 sc = qda_sc(3, 2, 2);
	union qda_remote_arg *remote;
	struct qda_buf_list *list;
	struct qda_page *pages;
	size_t size;

	remote = qda_test_payload(test, args, sc, &size);
	list = (void *)&remote[4];
	pages = (void *)&list[4];
	/* Behind the 548 bytes in front, in the order of their addresses. */
	KUNIT_EXPECT_EQ(test, args[0].offset, 640);
	KUNIT_EXPECT_EQ(test, args[3].offset, 768);
	KUNIT_EXPECT_EQ(test, args[2].offset, 896);
	KUNIT_EXPECT_EQ(test, size, 896 + 200);

	for (unsigned int i = 0; i < ARRAY_SIZE(args); i++) {
		KUNIT_EXPECT_EQ(test, le32_to_cpu(list[i].num), args[i].len ? 1 : 0);
		KUNIT_EXPECT_EQ(test, le32_to_cpu(list[i].pgidx), i);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(remote[i].buf.len), args[i].len);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[i].addr),
				args[i].len ? QDA_TEST_PAYLOAD : 0);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[i].size), args[i].len ? SZ_4K : 0);
		/* No address of the kernel's or of the program's. */
		KUNIT_EXPECT_EQ(test, le64_to_cpu(remote[i].buf.pv),
				args[i].len ? QDA_TEST_PAYLOAD + args[i].offset : 0);
	}
	/* The lists behind the pages are zeros. */
	KUNIT_EXPECT_PTR_EQ(test, qda_marshal_fd_list(remote, 4), (__le64 *)&pages[4]);
	KUNIT_EXPECT_NULL(test, memchr_inv(&pages[4], 0, 16 * 8 + 64 * 4 + 4));
}

static void qda_test_inline_argument_over_pages(struct kunit *test)
{
	struct qda_arg args[] = { qda_test_user(0x10000, 4000), qda_test_user(0x20000, 300) };
	struct qda_page *pages;
	size_t size;
	void *payload = qda_test_payload(test, args, qda_sc(0, 2, 0), &size);

	pages = payload + 2 * 24;
	KUNIT_EXPECT_EQ(test, args[0].offset, 512);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[0].addr), QDA_TEST_PAYLOAD);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[0].size), 2 * SZ_4K);
	KUNIT_EXPECT_EQ(test, args[1].offset, 4608);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[1].addr), QDA_TEST_PAYLOAD + SZ_4K);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[1].size), SZ_4K);
}

static void qda_test_overlaps_share_a_copy(struct kunit *test)
{
	struct qda_arg args[] = {
		qda_test_user(0x10080, 0x100),	/* goes on behind the next one */
		qda_test_user(0x10000, 0x100),
		qda_test_user(0x10040, 0x10),	/* inside */
		qda_test_user(0x10180, 0x10),	/* touches, but does not overlap */
		qda_test_user(0x10000, 0x80),	/* same start, shorter */
	};
	size_t size, base = round_up(QDA_TEST_META(5), 128);

	qda_test_payload(test, args, qda_sc(0, 3, 2), &size);
	KUNIT_EXPECT_EQ(test, args[1].offset, base);
	KUNIT_EXPECT_EQ(test, args[4].offset, base);
	KUNIT_EXPECT_EQ(test, args[2].offset, base + 0x40);
	KUNIT_EXPECT_EQ(test, args[0].offset, base + 0x80);
	KUNIT_EXPECT_EQ(test, args[3].offset, base + 0x180);
	KUNIT_EXPECT_EQ(test, size, base + 0x190);
}

static void qda_test_only_the_same_memory_overlaps(struct kunit *test)
{
	struct qda_arg args[] = {
		qda_test_user(0x10000, 0x100),
		{ .kind = QDA_ARG_KERNEL, .ptr = 0x10000, .len = 0x100 },
		{ .kind = QDA_ARG_MAPPED, .ptr = 0x10000, .len = 0x100, .addr = 0x5000 },
	};
	size_t size, base = round_up(QDA_TEST_META(3), 128);

	qda_test_payload(test, args, qda_sc(0, 3, 0), &size);
	KUNIT_EXPECT_EQ(test, args[0].offset, base);
	KUNIT_EXPECT_EQ(test, args[1].offset, base + 0x100);
	KUNIT_EXPECT_EQ(test, size, base + 0x200);
}

static void qda_test_mapped_argument(struct kunit *test)
{
	struct qda_arg args[] = {
		{ .kind = QDA_ARG_MAPPED, .len = 0x1000, .addr = 0x700000ff0, .pv = 0x7fff0ff0 },
	};
	union qda_remote_arg *remote;
	struct qda_page *page;
	size_t size;

	remote = qda_test_payload(test, args, qda_sc(0, 0, 1), &size);
	page = (void *)remote + 24;
	KUNIT_EXPECT_EQ(test, size, QDA_TEST_META(1));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(remote->buf.pv), 0x7fff0ff0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(remote->buf.len), 0x1000);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(page->addr), 0x700000000);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(page->size), 2 * SZ_4K);
}

static void qda_test_handle_argument(struct kunit *test)
{
	struct qda_arg args[] = {
		{
			.kind = QDA_ARG_HANDLE, .fd = 42, .ptr = 0x123, .len = 0x45,
			.addr = 0x700000000, .size = SZ_64K,
		},
		{ .kind = QDA_ARG_HANDLE, .fd = -1 },
	};
	union qda_remote_arg *remote;
	struct qda_page *pages;
	size_t size;

	remote = qda_test_payload(test, args, 0x11, &size);
	pages = (void *)remote + 2 * 24;
	KUNIT_EXPECT_EQ(test, le32_to_cpu(remote[0].dma.fd), 42);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(remote[0].dma.offset), 0x123);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(remote[0].dma.len), 0x45);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[0].addr), 0x700000000);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(pages[0].size), SZ_64K);
	KUNIT_EXPECT_NULL(test, memchr_inv(&remote[1], 0, sizeof(remote[1])));
	KUNIT_EXPECT_NULL(test, memchr_inv(&pages[1], 0, sizeof(pages[1])));
}

static void qda_test_bad_ranges_are_refused(struct kunit *test)
{
	u16 order[4];
	size_t size = 77;
	struct qda_arg beyond[] = { qda_test_user(U64_MAX - 3, 5) };
	struct qda_arg large[] = { qda_test_user(0, QDA_PAYLOAD_MAX + 1) };
	struct qda_arg many[] = {
		qda_test_user(0, QDA_PAYLOAD_MAX / 2),
		qda_test_user(1ULL << 40, QDA_PAYLOAD_MAX / 2),
	};

	KUNIT_EXPECT_EQ(test, qda_marshal_layout(beyond, order, qda_sc(0, 1, 0), &size), -EFAULT);
	KUNIT_EXPECT_EQ(test, qda_marshal_layout(large, order, qda_sc(0, 1, 0), &size), -E2BIG);
	KUNIT_EXPECT_EQ(test, qda_marshal_layout(many, order, qda_sc(0, 1, 1), &size), -E2BIG);
	KUNIT_EXPECT_EQ(test, size, 77);
}

static void qda_test_most_arguments(struct kunit *test)
{
	struct qda_arg *args = kunit_kcalloc(test, 540, sizeof(*args), GFP_KERNEL);
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, args);
	for (unsigned int i = 0; i < 510; i++)
		args[i] = qda_test_user(0x10000000 - i * 0x100, 0x100);
	for (unsigned int i = 510; i < 540; i++)
		args[i].kind = QDA_ARG_HANDLE;
	qda_test_payload(test, args, 0x00ffffff, &size);
	/* Each touches the next one and none overlaps, so each has a place of its own. */
	for (unsigned int i = 0; i < 510; i++)
		KUNIT_EXPECT_EQ(test, args[i].offset,
				round_up(QDA_TEST_META(540), 128) + (509 - i) * 0x100);
	KUNIT_EXPECT_EQ(test, size, round_up(QDA_TEST_META(540), 128) + 510 * 0x100);
}

static struct kunit_case qda_marshal_test_cases[] = {
	KUNIT_CASE(qda_test_scalars),
	KUNIT_CASE(qda_test_context),
	KUNIT_CASE(qda_test_ids_go_round),
	KUNIT_CASE(qda_test_ids_are_unique_and_end),
	KUNIT_CASE(qda_test_no_arguments),
	KUNIT_CASE(qda_test_inline_arguments),
	KUNIT_CASE(qda_test_inline_argument_over_pages),
	KUNIT_CASE(qda_test_overlaps_share_a_copy),
	KUNIT_CASE(qda_test_only_the_same_memory_overlaps),
	KUNIT_CASE(qda_test_mapped_argument),
	KUNIT_CASE(qda_test_handle_argument),
	KUNIT_CASE(qda_test_bad_ranges_are_refused),
	KUNIT_CASE(qda_test_most_arguments),
	{ }
};

static struct kunit_suite qda_marshal_test_suite = {
	.name = "qda_marshal",
	.test_cases = qda_marshal_test_cases,
};

kunit_test_suite(qda_marshal_test_suite);

MODULE_DESCRIPTION("Tests of the QDA driver's marshalling");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
