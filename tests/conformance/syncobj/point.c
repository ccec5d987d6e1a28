/* SPDX-License-Identifier: MIT */
/* Cases: signal, query, reset and transfer, and bad input to calls that take arrays. */
#include "conformance.h"

static void create_signaled_is_signaled(struct conf *c)
{
	struct syncobj *s;

	CHECK_OK(syncobj_create(c->device, SYNCOBJ_CREATE_SIGNALED, &s));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 1, 0), -EINVAL); /* as a binary object: no timeline */
	CHECK_ERROR(poll_one(s, 1, SYNCOBJ_WAIT_FOR_SUBMIT), -ETIME);
	syncobj_unref(s);
}

static void create_unsignaled_has_no_fence(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK_ERROR(poll_one(s, 0, 0), -EINVAL);
	CHECK_EQ(query_one(s), 0);
	CHECK_EQ(submitted_one(s), 0);
	syncobj_unref(s);
}

static void create_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s = (struct syncobj *)c;

	for (unsigned int bit = 1; bit < 32; bit++)
		CHECK_ERROR(syncobj_create(c->device, 1U << bit, &s), -EINVAL);
	CHECK_ERROR(syncobj_create(c->device, 0xdeadbeef, &s), -EINVAL);
	CHECK(s == (struct syncobj *)c);
}

static void wait_for_no_objects_succeeds(struct conf *c)
{
	size_t first = 77;

	for (uint32_t flags = 0; flags < 8; flags++)
		CHECK_ERROR(syncobj_wait(NULL, NULL, 0, FOREVER, flags, 0, &first), 0);
	CHECK_EQ(first, 77);
}

static void wait_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	size_t first = 77;

	for (unsigned int bit = 4; bit < 32; bit++) {
		CHECK_ERROR(syncobj_wait(&s, NULL, 1, 0, 1U << bit, 0, &first), -EINVAL);
		CHECK_ERROR(syncobj_wait(NULL, NULL, 0, 0, 1U << bit, 0, &first), -EINVAL);
	}
	CHECK_ERROR(syncobj_wait(&s, NULL, 1, 0, 0xdeadbeef, 0, &first), -EINVAL);
	CHECK_EQ(first, 77);
	syncobj_unref(s);
}

static void wait_with_deadline_is_a_wait(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	uint64_t point = 5;

	CHECK_ERROR(syncobj_wait(&s, &point, 1, 0, SYNCOBJ_WAIT_DEADLINE, 0, NULL), 0);
	CHECK_ERROR(syncobj_wait(&s, &point, 1, 0, SYNCOBJ_WAIT_DEADLINE, UINT64_MAX, NULL), 0);
	point = 6;
	CHECK_ERROR(syncobj_wait(&s, &point, 1, 0, SYNCOBJ_WAIT_DEADLINE | SYNCOBJ_WAIT_FOR_SUBMIT,
				 (uint64_t)now_ns(), NULL),
		    -ETIME);
	syncobj_unref(s);
}

static void negative_timeout_polls(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK_ERROR(syncobj_wait(&s, NULL, 1, -1, SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL), -ETIME);
	CHECK_ERROR(syncobj_wait(&s, NULL, 1, INT64_MIN, SYNCOBJ_WAIT_FOR_SUBMIT, 0, NULL), -ETIME);
	syncobj_unref(s);
}

static void wait_any_tells_the_only_ready_object(struct conf *c)
{
	struct syncobj *s[4];
	size_t first = 77;

	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = make(c);
	CHECK_OK(signal_one(s[2], 0));
	CHECK_ERROR(syncobj_wait(s, NULL, 4, FOREVER, SYNCOBJ_WAIT_FOR_SUBMIT, 0, &first), 0);
	CHECK_EQ(first, 2);
	drop(s, ARRAY_SIZE(s));
}

static void more_than_the_maximum_is_too_big(struct conf *c)
{
	size_t n = SYNCOBJ_MAX + 1;
	struct syncobj **s = calloc(n, sizeof(*s));
	uint64_t *points = calloc(n, sizeof(*points));
	struct syncobj *one = make_at(c, 3);
	const size_t counts[] = {n, (size_t)UINT32_MAX + 2, SIZE_MAX};

	CHECK(s && points);
	for (size_t i = 0; i < n; i++)
		s[i] = one;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		CHECK_ERROR(syncobj_wait(s, points, counts[i], 0, 0, 0, NULL), -E2BIG);
		CHECK_ERROR(syncobj_reset(s, counts[i]), -E2BIG);
		CHECK_ERROR(syncobj_signal(s, points, counts[i]), -E2BIG);
		CHECK_ERROR(syncobj_query(s, counts[i], 0, points), -E2BIG);
	}
	CHECK_EQ(points[0], 0);
	CHECK_EQ(query_one(one), 3);
	syncobj_unref(one);
	free(points);
	free(s);
}

static void the_maximum_is_accepted(struct conf *c)
{
	struct syncobj **s = calloc(SYNCOBJ_MAX, sizeof(*s));
	struct syncobj *one = make_at(c, 3);
	int r;

	CHECK(s);
	for (size_t i = 0; i < SYNCOBJ_MAX; i++)
		s[i] = one;
	r = syncobj_wait(s, NULL, SYNCOBJ_MAX, FOREVER, SYNCOBJ_WAIT_ALL, 0, NULL);
	/* The kernel needs so much in one piece, and does not always have it. */
	if (r != -ENOMEM || conf_is_soft())
		CHECK_ERROR(r, 0);
	syncobj_unref(one);
	free(s);
}

static void reset_signal_and_query_of_nothing_are_invalid(struct conf *c)
{
	uint64_t point = 77;

	CHECK_ERROR(syncobj_reset(NULL, 0), -EINVAL);
	CHECK_ERROR(syncobj_signal(NULL, NULL, 0), -EINVAL);
	CHECK_ERROR(syncobj_query(NULL, 0, 0, &point), -EINVAL);
	CHECK_EQ(point, 77);
}

static void query_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s = make_at(c, 5);
	uint64_t point = 77;

	for (unsigned int bit = 1; bit < 32; bit++)
		CHECK_ERROR(syncobj_query(&s, 1, 1U << bit, &point), -EINVAL);
	CHECK_EQ(point, 77);
	syncobj_unref(s);
}

static void query_of_a_timeline_gives_its_point(struct conf *c)
{
	struct syncobj *s[] = {make(c), make_at(c, 0), make_at(c, 9)};
	uint64_t points[] = {77, 77, 77};

	CHECK_OK(syncobj_query(s, ARRAY_SIZE(s), 0, points));
	CHECK(points[0] == 0 && points[1] == 0 && points[2] == 9);
	memset(points, 0xff, sizeof(points));
	CHECK_OK(syncobj_query(s, ARRAY_SIZE(s), SYNCOBJ_QUERY_LAST_SUBMITTED, points));
	CHECK(points[0] == 0 && points[1] == 0 && points[2] == 9);
	drop(s, ARRAY_SIZE(s));
}

static void query_of_pending_points_tells_both(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 5);
	CHECK_EQ(query_one(s), 0);
	CHECK_EQ(submitted_one(s), 5);
	CHECK_OK(signal_one(s, 10));
	CHECK_EQ(query_one(s), 0);
	CHECK_EQ(submitted_one(s), 10);
	CHECK_ERROR(poll_one(s, 10, 0), -ETIME);
	pending_signal(&pending, 1);
	CHECK_EQ(query_one(s), 10);
	CHECK_ERROR(poll_one(s, 10, 0), 0);
	CHECK_OK(reset_one(s));
	CHECK_EQ(query_one(s), 0);
	pending_end(&pending);
	syncobj_unref(s);
}

static void pending_points_are_signaled_in_order(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	for (uint64_t point = 1; point <= 5; point++)
		pending_submit(&pending, s, point);
	pending_signal(&pending, 3);
	CHECK_EQ(query_one(s), 3);
	CHECK_OK(signal_one(s, 8));
	CHECK_EQ(query_one(s), 3);
	CHECK_EQ(submitted_one(s), 8);
	pending_signal(&pending, 2);
	CHECK_EQ(query_one(s), 8);
	pending_end(&pending);
	syncobj_unref(s);
}

static void fences_signaled_out_of_order_count_in_order(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending[3];

	for (unsigned int i = 0; i < 3; i++) {
		pending_init(&pending[i]);
		pending_submit(&pending[i], s, i + 1);
	}
	pending_signal(&pending[1], 1);
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 2, 0), -ETIME);
	pending_signal(&pending[0], 1);
	CHECK_EQ(query_one(s), 2);
	pending_signal(&pending[2], 1);
	CHECK_EQ(query_one(s), 3);
	for (unsigned int i = 0; i < 3; i++)
		pending_end(&pending[i]);
	syncobj_unref(s);
}

/* One that lies below another has no fence of its own order: it is done with the one above. */
static void points_submitted_out_of_order(struct conf *c)
{
	static const uint64_t points[] = {1, 5, 3, 6, 7};
	struct syncobj *s = make(c);
	uint64_t last = 0, point;
	struct pending pending;

	pending_init(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++)
		pending_submit(&pending, s, points[i]);
	CHECK_EQ(submitted_one(s), 7);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		CHECK_ERROR(poll_one(s, 7, 0), -ETIME);
		pending_signal(&pending, 1);
		point = query_one(s);
		CHECK(point >= last);
		last = point;
		if (i >= 2)
			CHECK_EQ(point, i == 2 ? 5 : points[i]);
	}
	CHECK_ERROR(poll_one(s, 7, 0), 0);
	pending_end(&pending);
	syncobj_unref(s);
}

static void pending_binary_object_has_no_points(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 0);
	CHECK_ERROR(poll_one(s, 1, 0), -EINVAL);
	CHECK_ERROR(poll_one(s, 1, SYNCOBJ_WAIT_AVAILABLE), -ETIME);
	CHECK_ERROR(poll_one(s, 0, SYNCOBJ_WAIT_AVAILABLE), 0);
	CHECK_EQ(query_one(s), 0);
	CHECK_EQ(submitted_one(s), 0);
	pending_end(&pending);
	syncobj_unref(s);
}

static void reset_of_pending_objects_takes_their_fences(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s[0], 0);
	pending_submit(&pending, s[1], 5);
	CHECK_OK(syncobj_reset(s, 2));
	for (size_t i = 0; i < 2; i++) {
		CHECK_ERROR(poll_one(s[i], 0, 0), -EINVAL);
		CHECK_ERROR(poll_one(s[i], 5, 0), -EINVAL);
	}
	pending_signal(&pending, 2);
	CHECK_ERROR(poll_one(s[1], 5, 0), -EINVAL);
	CHECK_EQ(query_one(s[1]), 0);
	pending_end(&pending);
	drop(s, 2);
}

static void deadline_reaches_the_fence(struct conf *c)
{
	static const uint64_t points[] = {0, 5};

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		uint64_t deadline = (uint64_t)now_ns() + 123456789, got = 0;
		struct syncobj *s = make(c);
		struct pending pending;
		int fence;

		pending_init(&pending);
		fence = pending_fence(&pending);
		CHECK_OK(syncobj_import_sync_file(s, points[i], fence));
		CHECK_ERROR(poll_one(s, points[i], 0), -ETIME);
		CHECK(!pending_deadline(&pending, fence, &got));
		CHECK_ERROR(syncobj_wait(&s, &points[i], 1, 0, SYNCOBJ_WAIT_DEADLINE, deadline,
					 NULL),
			    -ETIME);
		CHECK(pending_deadline(&pending, fence, &got));
		CHECK_EQ(got, deadline);
		close(fence);
		pending_end(&pending);
		syncobj_unref(s);
	}
}

static void signal_of_point_0_signals_an_empty_object(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK_OK(syncobj_signal(&s, NULL, 1));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	CHECK_ERROR(syncobj_wait(&s, NULL, 1, FOREVER, 0, 0, NULL), 0);
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 1, 0), -EINVAL);
	syncobj_unref(s);
}

static void signal_of_point_0_leaves_a_pending_object_pending(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 0);
	CHECK_OK(signal_one(s, 0));
	CHECK_ERROR(poll_one(s, 0, 0), -ETIME);
	pending_signal(&pending, 1);
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	pending_end(&pending);
	syncobj_unref(s);
}

static void signal_of_point_0_moves_no_timeline(struct conf *c)
{
	struct syncobj *s = make_at(c, 7);

	CHECK_OK(signal_one(s, 0));
	CHECK_EQ(query_one(s), 7);
	CHECK_ERROR(poll_one(s, 7, 0), 0);
	syncobj_unref(s);
}

static void signal_of_lower_points_moves_nothing(struct conf *c)
{
	struct syncobj *s = make_at(c, 10);

	CHECK_OK(signal_one(s, 3));
	CHECK_OK(signal_one(s, 10));
	CHECK_OK(signal_one(s, 9));
	CHECK_EQ(query_one(s), 10);
	CHECK_EQ(submitted_one(s), 10);
	CHECK_ERROR(poll_one(s, 11, 0), -EINVAL);
	CHECK_OK(signal_one(s, 11));
	CHECK_EQ(query_one(s), 11);
	syncobj_unref(s);
}

static void points_between_are_signaled_too(struct conf *c)
{
	struct syncobj *s = make_at(c, 10);

	for (uint64_t point = 0; point <= 10; point++)
		CHECK_ERROR(poll_one(s, point, 0), 0);
	syncobj_unref(s);
}

static void largest_point_ends_a_timeline_until_reset(struct conf *c)
{
	struct syncobj *s = make_at(c, UINT64_MAX);

	CHECK_EQ(query_one(s), UINT64_MAX);
	CHECK_ERROR(poll_one(s, UINT64_MAX, 0), 0);
	CHECK_OK(signal_one(s, 5));
	CHECK_OK(signal_one(s, UINT64_MAX));
	CHECK_EQ(query_one(s), UINT64_MAX);
	CHECK_OK(reset_one(s));
	CHECK_EQ(query_one(s), 0);
	CHECK_OK(signal_one(s, 1));
	CHECK_EQ(query_one(s), 1);
	syncobj_unref(s);
}

static void points_may_be_lower_after_reset(struct conf *c)
{
	struct syncobj *s = make_at(c, 100);

	CHECK_OK(reset_one(s));
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 0, 0), -EINVAL);
	CHECK_ERROR(poll_one(s, 3, 0), -EINVAL);
	CHECK_OK(signal_one(s, 3));
	CHECK_EQ(query_one(s), 3);
	CHECK_ERROR(poll_one(s, 4, 0), -EINVAL);
	syncobj_unref(s);
}

static void reset_of_unsubmitted_objects_succeeds(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK_OK(reset_one(s));
	CHECK_OK(reset_one(s));
	CHECK_ERROR(poll_one(s, 0, 0), -EINVAL);
	syncobj_unref(s);
}

static void reset_takes_many(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 0), make(c), make_at(c, 8)};

	CHECK_OK(syncobj_reset(s, ARRAY_SIZE(s)));
	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		CHECK_ERROR(poll_one(s[i], 0, 0), -EINVAL);
	drop(s, ARRAY_SIZE(s));
}

static void signal_takes_many_with_a_point_each(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c), make(c), make(c)};
	const uint64_t points[] = {1, 1, 1, 0}, all = SYNCOBJ_WAIT_ALL;

	CHECK_OK(syncobj_signal(s, points, ARRAY_SIZE(s)));
	CHECK_ERROR(syncobj_wait(s, points, ARRAY_SIZE(s), 0, (uint32_t)all, 0, NULL), 0);
	CHECK_ERROR(poll_one(s[3], 1, 0), -EINVAL);
	drop(s, ARRAY_SIZE(s));
}

static void points_around_32_bits(struct conf *c)
{
	static const uint64_t points[] = {
		1, 5, 0x80000004, 0x80000005, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001,
	};
	struct syncobj *s = make(c);

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		CHECK_ERROR(poll_one(s, points[i], 0), -EINVAL);
		CHECK_OK(signal_one(s, points[i]));
		CHECK_EQ(query_one(s), points[i]);
		CHECK_ERROR(poll_one(s, points[i], 0), 0);
		CHECK_ERROR(poll_one(s, points[i] + 1, SYNCOBJ_WAIT_FOR_SUBMIT), -ETIME);
	}
	syncobj_unref(s);
}

struct watch {
	struct syncobj *syncobj;
	atomic_bool end;
	bool decreased;
};

static void *watch_query(void *arg)
{
	struct watch *watch = arg;
	uint64_t last = 0;

	while (!atomic_load(&watch->end)) {
		uint64_t point = query_one(watch->syncobj);

		if (point < last)
			watch->decreased = true;
		last = point;
	}
	return NULL;
}

static void query_never_decreases_while_points_grow(struct conf *c)
{
	struct watch watch = {.syncobj = make(c)};
	pthread_t thread;
	uint64_t point = 0;

	CHECK_EQ(pthread_create(&thread, NULL, watch_query, &watch), 0);
	for (int i = 0; i < 5000; i++) {
		/* Steps that carry between the halves of the number again and again. */
		point += i % 2 ? 0x7fffffff : 0x80000002;
		CHECK_OK(signal_one(watch.syncobj, point));
	}
	atomic_store(&watch.end, true);
	pthread_join(thread, NULL);
	CHECK(!watch.decreased);
	CHECK_EQ(query_one(watch.syncobj), point);
	syncobj_unref(watch.syncobj);
}

static void pending_points_around_32_bits(struct conf *c)
{
	static const uint64_t points[] = {
		1, 5, 0x80000004, 0x80000005, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001,
	};
	struct watch watch = {.syncobj = make(c)};
	struct pending pending;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, watch_query, &watch), 0);
	pending_init(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		pending_submit(&pending, watch.syncobj, points[i]);
		CHECK_EQ(submitted_one(watch.syncobj), points[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		CHECK_ERROR(poll_one(watch.syncobj, points[i], 0), -ETIME);
		pending_signal(&pending, 1);
		CHECK_EQ(query_one(watch.syncobj), points[i]);
		CHECK_ERROR(poll_one(watch.syncobj, points[i], 0), 0);
	}
	atomic_store(&watch.end, true);
	pthread_join(thread, NULL);
	CHECK(!watch.decreased);
	pending_end(&pending);
	syncobj_unref(watch.syncobj);
}

static void a_hundred_growing_points(struct conf *c)
{
	struct syncobj *s = make(c);
	uint64_t point = 0;
	uint32_t seed = 12345;

	for (int i = 0; i < 100; i++) {
		seed = seed * 1103515245 + 12345;
		point += 1 + (seed >> 8);
		CHECK_OK(signal_one(s, point));
		CHECK_EQ(query_one(s), point);
		CHECK_ERROR(poll_one(s, point, 0), 0);
		CHECK_ERROR(poll_one(s, point - 1, 0), 0);
		CHECK_ERROR(poll_one(s, point + 1, 0), -EINVAL);
	}
	syncobj_unref(s);
}

static void duplicates_in_arrays_are_fine(struct conf *c)
{
	struct syncobj *a = make(c), *b = make(c);
	struct syncobj *const s[] = {a, b, a, a, b};
	const uint64_t points[] = {3, 1, 7, 5, 2};
	uint64_t got[ARRAY_SIZE(s)];

	CHECK_OK(syncobj_signal(s, points, ARRAY_SIZE(s)));
	CHECK_EQ(query_one(a), 7);
	CHECK_EQ(query_one(b), 2);
	CHECK_ERROR(syncobj_wait(s, points, ARRAY_SIZE(s), 0, SYNCOBJ_WAIT_ALL, 0, NULL), 0);
	CHECK_OK(syncobj_query(s, ARRAY_SIZE(s), 0, got));
	CHECK(got[0] == 7 && got[1] == 2 && got[2] == 7 && got[3] == 7 && got[4] == 2);
	CHECK_OK(syncobj_reset(s, ARRAY_SIZE(s)));
	CHECK_EQ(query_one(a), 0);
	syncobj_unref(a);
	syncobj_unref(b);
}

static void objects_of_two_devices_are_refused(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s[] = {make_at(c, 4), make(&other), make_at(c, 4)};
	uint64_t points[] = {77, 77, 77};
	size_t first = 77;

	CHECK_ERROR(syncobj_wait(s, NULL, 3, 0, SYNCOBJ_WAIT_FOR_SUBMIT, 0, &first), -EXDEV);
	CHECK_ERROR(syncobj_wait(s + 1, NULL, 2, 0, SYNCOBJ_WAIT_FOR_SUBMIT, 0, &first), -EXDEV);
	CHECK_EQ(first, 77);
	CHECK_ERROR(syncobj_query(s, 3, 0, points), -EXDEV);
	CHECK(points[0] == 77 && points[1] == 77 && points[2] == 77);
	CHECK_ERROR(syncobj_transfer(s[1], 5, s[0], 4, 0), -EXDEV);
	CHECK_EQ(query_one(s[1]), 0);
	drop(s, 3);
	syncobj_device_unref(other.device);
}

static void one_bad_object_leaves_the_others_untouched(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s[] = {make_at(c, 4), make_at(&other, 4), make_at(c, 4)};
	const uint64_t points[] = {9, 9, 9};

	for (size_t from = 0; from < 2; from++) {
		CHECK_ERROR(syncobj_signal(s + from, points, 3 - from), -EXDEV);
		CHECK_ERROR(syncobj_reset(s + from, 3 - from), -EXDEV);
		for (size_t i = 0; i < 3; i++)
			CHECK_EQ(query_one(s[i]), 4);
	}
	drop(s, 3);
	syncobj_device_unref(other.device);
}

/* ---- transfer ----------------------------------------------------------- */

static void transfer_binary_to_timeline(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 0), make(c)};

	CHECK_OK(syncobj_transfer(s[1], 6, s[0], 0, 0));
	CHECK_EQ(query_one(s[1]), 6);
	CHECK_ERROR(poll_one(s[1], 6, 0), 0);
	drop(s, 2);
}

static void transfer_timeline_to_binary(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 6), make(c)};

	CHECK_OK(syncobj_transfer(s[1], 0, s[0], 6, 0));
	CHECK_ERROR(poll_one(s[1], 0, 0), 0);
	drop(s, 2);
}

static void transfer_binary_to_binary(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 0), make(c)};

	CHECK_OK(syncobj_transfer(s[1], 0, s[0], 0, 0));
	CHECK_ERROR(poll_one(s[1], 0, 0), 0);
	CHECK_EQ(query_one(s[1]), 0);
	CHECK_ERROR(poll_one(s[1], 1, 0), -EINVAL);
	drop(s, 2);
}

static void transfer_timeline_to_timeline(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 10), make_at(c, 2)};

	CHECK_OK(syncobj_transfer(s[1], 7, s[0], 4, 0)); /* a point between is submitted */
	CHECK_EQ(query_one(s[1]), 7);
	CHECK_EQ(query_one(s[0]), 10);
	CHECK_OK(syncobj_transfer(s[1], 5, s[0], 4, 0)); /* one below moves nothing */
	CHECK_EQ(query_one(s[1]), 7);
	drop(s, 2);
}

static void transfer_to_point_0_replaces_the_timeline(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 0), make_at(c, 50)};

	CHECK_OK(syncobj_transfer(s[1], 0, s[0], 0, 0));
	CHECK_EQ(query_one(s[1]), 0);
	CHECK_ERROR(poll_one(s[1], 50, 0), -EINVAL);
	drop(s, 2);
}

static void transfer_within_an_object(struct conf *c)
{
	struct syncobj *s = make_at(c, 63);

	CHECK_OK(syncobj_transfer(s, 74, s, 63, 0));
	CHECK_EQ(query_one(s), 74);
	syncobj_unref(s);
}

static void transfer_of_a_missing_source_is_invalid(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 6), make_at(c, 3), make(c)};

	CHECK_ERROR(syncobj_transfer(s[1], 9, s[0], 7, 0), -EINVAL);
	CHECK_ERROR(syncobj_transfer(s[1], 0, s[0], 7, 0), -EINVAL);
	CHECK_ERROR(syncobj_transfer(s[1], 9, s[2], 0, 0), -EINVAL);
	CHECK_ERROR(syncobj_transfer(s[1], 0, s[2], 0, 0), -EINVAL);
	CHECK_EQ(query_one(s[1]), 3);
	drop(s, 3);
}

static void transfer_with_unknown_flags_is_invalid(struct conf *c)
{
	struct syncobj *s[] = {make_at(c, 6), make(c)};

	for (unsigned int bit = 0; bit < 32; bit++)
		if (1U << bit != SYNCOBJ_WAIT_FOR_SUBMIT)
			CHECK_ERROR(syncobj_transfer(s[1], 9, s[0], 6, 1U << bit), -EINVAL);
	CHECK_EQ(query_one(s[1]), 0);
	drop(s, 2);
}

static void transfer_keeps_pending_points_pending(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s[0], 4);
	CHECK_OK(syncobj_transfer(s[1], 9, s[0], 4, 0));
	CHECK_EQ(query_one(s[1]), 0);
	CHECK_EQ(submitted_one(s[1]), 9);
	CHECK_ERROR(poll_one(s[1], 9, 0), -ETIME);
	pending_signal(&pending, 1);
	CHECK_ERROR(poll_one(s[1], 9, 0), 0);
	CHECK_EQ(query_one(s[1]), 9);
	pending_end(&pending);
	drop(s, 2);
}

static void transferred_points_count_in_order(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s[0], 1);
	CHECK_OK(syncobj_transfer(s[1], 1, s[0], 1, 0));
	CHECK_EQ(query_one(s[1]), 0);
	pending_signal(&pending, 1);
	CHECK_EQ(query_one(s[1]), 1);
	CHECK_OK(signal_one(s[1], 2));
	pending_submit(&pending, s[0], 2);
	CHECK_OK(syncobj_transfer(s[1], 3, s[0], 2, 0));
	CHECK_EQ(query_one(s[1]), 2);
	CHECK_ERROR(poll_one(s[1], 3, 0), -ETIME);
	pending_signal(&pending, 1);
	CHECK_EQ(query_one(s[1]), 3);
	CHECK_ERROR(poll_one(s[1], 3, 0), 0);
	pending_end(&pending);
	drop(s, 2);
}

static void transfer_for_submit_gives_up(struct conf *c)
{
	struct syncobj *s[] = {make(c), make_at(c, 3)};

	CHECK_ERROR(syncobj_transfer(s[1], 9, s[0], 1, SYNCOBJ_WAIT_FOR_SUBMIT), -ETIME);
	CHECK_EQ(query_one(s[1]), 3);
	drop(s, 2);
}

struct later {
	struct syncobj *syncobj;
	uint64_t point;
};

static void *signal_later(void *arg)
{
	struct later *later = arg;

	sleep_ms(30);
	CHECK_OK(signal_one(later->syncobj, later->point));
	return NULL;
}

static void transfer_for_submit_waits_for_the_source(struct conf *c)
{
	struct syncobj *s[] = {make(c), make(c)};
	struct later later = {s[0], 4};
	pthread_t thread;
	int r;

	CHECK_EQ(pthread_create(&thread, NULL, signal_later, &later), 0);
	/* The limit is the interface's: a machine may be too busy for it. */
	for (int i = 0; i < 10; i++) {
		r = syncobj_transfer(s[1], 9, s[0], 4, SYNCOBJ_WAIT_FOR_SUBMIT);
		if (r != -ETIME)
			break;
	}
	CHECK_OK(r);
	CHECK_EQ(query_one(s[1]), 9);
	pthread_join(thread, NULL);
	drop(s, 2);
}

/* ---- single calls ------------------------------------------------------- */

static void relative_waits_poll_and_time_out(struct conf *c)
{
	struct syncobj *s = make_at(c, 4);
	int64_t start = now_ns();

	CHECK_ERROR(syncobj_wait_signaled(s, 4, 0), 0);
	CHECK_ERROR(syncobj_wait_available(s, 4, 0), 0);
	CHECK_ERROR(syncobj_wait_signaled(s, 5, 0), -ETIME);
	CHECK_ERROR(syncobj_wait_available(s, 5, 0), -ETIME);
	CHECK_ERROR(syncobj_wait_signaled(s, 5, 20000000), -ETIME);
	CHECK_ERROR(syncobj_wait_available(s, 5, 20000000), -ETIME);
	CHECK(now_ns() - start >= 40000000);
	syncobj_unref(s);
}

static void relative_waits_for_ever(struct conf *c)
{
	static const int64_t times[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX - 1};
	struct syncobj *s = make(c);

	for (size_t i = 0; i < 2 * ARRAY_SIZE(times); i++) {
		struct later later = {s, i + 1};
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, signal_later, &later), 0);
		if (i % 2)
			CHECK_ERROR(syncobj_wait_signaled(s, i + 1, times[i / 2]), 0);
		else
			CHECK_ERROR(syncobj_wait_available(s, i + 1, times[i / 2]), 0);
		pthread_join(thread, NULL);
	}
	syncobj_unref(s);
}

static void signal_binary_replaces_a_timeline(struct conf *c)
{
	struct syncobj *s = make_at(c, 40);

	CHECK_OK(syncobj_signal_binary(s));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	CHECK_EQ(query_one(s), 0);
	CHECK_ERROR(poll_one(s, 40, 0), -EINVAL);
	CHECK_OK(signal_one(s, 2));
	CHECK_EQ(query_one(s), 2);
	syncobj_unref(s);
}

static void signal_binary_signals_an_empty_object(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK_OK(syncobj_signal_binary(s));
	CHECK_OK(syncobj_signal_binary(s));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	CHECK_EQ(query_one(s), 0);
	syncobj_unref(s);
}

static void signal_binary_replaces_a_pending_fence(struct conf *c)
{
	struct syncobj *s = make(c);
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, s, 0);
	CHECK_ERROR(poll_one(s, 0, 0), -ETIME);
	CHECK_OK(syncobj_signal_binary(s));
	CHECK_ERROR(poll_one(s, 0, 0), 0);
	pending_end(&pending);
	syncobj_unref(s);
}

const struct conf_case point_cases[] = {
	CASE(create_signaled_is_signaled, 0),
	CASE(create_unsignaled_has_no_fence, 0),
	CASE(create_with_unknown_flags_is_invalid, 0),
	CASE(wait_for_no_objects_succeeds, 0),
	CASE(wait_with_unknown_flags_is_invalid, 0),
	CASE(wait_with_deadline_is_a_wait, 0),
	CASE(negative_timeout_polls, 0),
	CASE(wait_any_tells_the_only_ready_object, 0),
	CASE(more_than_the_maximum_is_too_big, 0),
	CASE(the_maximum_is_accepted, 0),
	CASE(reset_signal_and_query_of_nothing_are_invalid, 0),
	CASE(query_with_unknown_flags_is_invalid, 0),
	CASE(query_of_a_timeline_gives_its_point, 0),
	CASE(query_of_pending_points_tells_both, CONF_PENDING),
	CASE(pending_points_are_signaled_in_order, CONF_PENDING),
	CASE(fences_signaled_out_of_order_count_in_order, CONF_PENDING),
	CASE(points_submitted_out_of_order, CONF_PENDING),
	CASE(pending_binary_object_has_no_points, CONF_PENDING),
	CASE(reset_of_pending_objects_takes_their_fences, CONF_PENDING),
	CASE(deadline_reaches_the_fence, CONF_PENDING | CONF_DEADLINE),
	CASE(signal_of_point_0_signals_an_empty_object, 0),
	CASE(signal_of_point_0_leaves_a_pending_object_pending, CONF_PENDING),
	CASE(signal_of_point_0_moves_no_timeline, 0),
	CASE(signal_of_lower_points_moves_nothing, 0),
	CASE(points_between_are_signaled_too, 0),
	CASE(largest_point_ends_a_timeline_until_reset, 0),
	CASE(points_may_be_lower_after_reset, 0),
	CASE(reset_of_unsubmitted_objects_succeeds, 0),
	CASE(reset_takes_many, 0),
	CASE(signal_takes_many_with_a_point_each, 0),
	CASE(points_around_32_bits, 0),
	CASE(query_never_decreases_while_points_grow, 0),
	CASE(pending_points_around_32_bits, CONF_PENDING),
	CASE(a_hundred_growing_points, 0),
	CASE(duplicates_in_arrays_are_fine, 0),
	CASE(objects_of_two_devices_are_refused, CONF_SECOND),
	CASE(one_bad_object_leaves_the_others_untouched, CONF_SECOND),
	CASE(transfer_binary_to_timeline, 0),
	CASE(transfer_timeline_to_binary, 0),
	CASE(transfer_binary_to_binary, 0),
	CASE(transfer_timeline_to_timeline, 0),
	CASE(transfer_to_point_0_replaces_the_timeline, 0),
	CASE(transfer_within_an_object, 0),
	CASE(transfer_of_a_missing_source_is_invalid, 0),
	CASE(transfer_with_unknown_flags_is_invalid, 0),
	CASE(transfer_keeps_pending_points_pending, CONF_PENDING),
	CASE(transferred_points_count_in_order, CONF_PENDING),
	CASE(transfer_for_submit_gives_up, 0),
	CASE(transfer_for_submit_waits_for_the_source, 0),
	CASE(relative_waits_poll_and_time_out, 0),
	CASE(relative_waits_for_ever, 0),
	CASE(signal_binary_replaces_a_timeline, 0),
	CASE(signal_binary_signals_an_empty_object, 0),
	CASE(signal_binary_replaces_a_pending_fence, CONF_PENDING),
	{NULL, NULL, 0, 0},
};
