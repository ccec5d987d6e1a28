/* SPDX-License-Identifier: MIT */
/* Cases: objects made on one device, on which every operation is carried out by another. */
#include "conformance.h"

/* An object as both devices have it. */
struct shared {
	struct syncobj *made; /* by the one it was made on */
	struct syncobj *used;
};

static struct shared share(struct conf *maker, struct conf *user)
{
	struct syncobj *made = make(maker);

	return (struct shared){made, again(user, made)};
}

static void drop_shared(struct shared *shared)
{
	syncobj_unref(shared->made);
	syncobj_unref(shared->used);
}

/* With each of the devices as the maker. */
static void both_ways(struct conf *c, void (*fn)(struct conf *maker, struct conf *user))
{
	struct conf second = open_second();

	fn(c, &second);
	fn(&second, c);
	syncobj_device_unref(second.device);
}

static void creating(struct conf *maker, struct conf *user)
{
	struct syncobj *made, *used;

	CHECK_OK(syncobj_create(maker->device, SYNCOBJ_CREATE_SIGNALED, &made));
	used = again(user, made);
	CHECK_ERROR(poll_one(used, 0, 0), 0);
	CHECK_EQ(query_one(used), 0);
	CHECK_ERROR(poll_one(used, 1, 0), -EINVAL);
	syncobj_unref(made);
	syncobj_unref(used);
}

static void second_device_has_what_was_created(struct conf *c)
{
	both_ways(c, creating);
}

static void signaling(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user), b = share(maker, user);
	struct syncobj *used[] = {a.used, b.used};

	CHECK_OK(syncobj_signal(used, (const uint64_t[]){5, 0}, 2));
	CHECK_EQ(query_one(a.made), 5);
	CHECK_ERROR(poll_one(a.made, 5, 0), 0);
	CHECK_ERROR(poll_one(a.made, 6, 0), -EINVAL);
	CHECK_ERROR(poll_one(b.made, 0, 0), 0);
	CHECK_OK(syncobj_signal_binary(a.used));
	CHECK_ERROR(poll_one(a.made, 0, 0), 0);
	CHECK_EQ(query_one(a.made), 0);
	drop_shared(&a);
	drop_shared(&b);
}

static void second_device_signals(struct conf *c)
{
	both_ways(c, signaling);
}

static void querying(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user), b = share(maker, user);
	struct syncobj *used[] = {a.used, b.used, a.used};
	uint64_t points[] = {77, 77, 77};

	CHECK_OK(signal_one(a.made, 7));
	CHECK_OK(syncobj_query(used, 3, 0, points));
	CHECK(points[0] == 7 && points[1] == 0 && points[2] == 7);
	CHECK_EQ(submitted_one(a.used), 7);
	drop_shared(&a);
	drop_shared(&b);
}

static void second_device_queries(struct conf *c)
{
	both_ways(c, querying);
}

static void waiting(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user), b = share(maker, user);
	struct syncobj *used[] = {a.used, b.used};
	const uint64_t points[] = {5, 0};
	struct waiting any = {used, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};
	struct waiting all = {used, points, 2, .flags = SYNCOBJ_WAIT_AVAILABLE | SYNCOBJ_WAIT_ALL};

	CHECK_ERROR(syncobj_wait(used, points, 2, 0, 0, 0, NULL), -EINVAL);
	start_waiting(&any);
	start_waiting(&all);
	CHECK_OK(signal_one(b.made, 0));
	CHECK_OK(end_waiting(&any));
	CHECK_EQ(any.first, 1);
	CHECK(!atomic_load(&all.done));
	CHECK_OK(signal_one(a.made, 5));
	CHECK_OK(end_waiting(&all));
	drop_shared(&a);
	drop_shared(&b);
}

static void second_device_waits(struct conf *c)
{
	both_ways(c, waiting);
}

static void waking(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user), b = share(maker, user);
	struct syncobj *made[] = {a.made, b.made};
	const uint64_t points[] = {5, 0};
	struct waiting any = {made, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT};
	struct waiting all = {made, points, 2, .flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL};

	start_waiting(&any);
	start_waiting(&all);
	CHECK_OK(syncobj_signal_binary(b.used));
	CHECK_OK(end_waiting(&any));
	CHECK_EQ(any.first, 1);
	CHECK(!atomic_load(&all.done));
	CHECK_OK(signal_one(a.used, 5));
	CHECK_OK(end_waiting(&all));
	drop_shared(&a);
	drop_shared(&b);
}

static void second_device_wakes_who_waits_on_the_first(struct conf *c)
{
	both_ways(c, waking);
}

static void resetting(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user), b = share(maker, user);
	struct syncobj *used[] = {a.used, b.used};

	CHECK_OK(signal_one(a.made, 5));
	CHECK_OK(signal_one(b.made, 0));
	CHECK_OK(syncobj_reset(used, 2));
	CHECK_ERROR(poll_one(a.made, 0, 0), -EINVAL);
	CHECK_ERROR(poll_one(b.made, 0, 0), -EINVAL);
	CHECK_OK(signal_one(a.made, 2));
	CHECK_EQ(query_one(a.used), 2);
	drop_shared(&a);
	drop_shared(&b);
}

static void second_device_resets(struct conf *c)
{
	both_ways(c, resetting);
}

static void transferring(struct conf *maker, struct conf *user)
{
	struct shared from = share(maker, user), to = share(maker, user);
	struct syncobj *own = make(user);

	CHECK_OK(signal_one(from.made, 5));
	CHECK_OK(syncobj_transfer(to.used, 8, from.used, 5, 0));
	CHECK_EQ(query_one(to.made), 8);
	CHECK_ERROR(syncobj_transfer(to.used, 9, from.used, 6, 0), -EINVAL);
	CHECK_EQ(query_one(to.made), 8);
	CHECK_OK(syncobj_transfer(own, 0, from.used, 5, 0));
	CHECK_ERROR(poll_one(own, 0, 0), 0);
	CHECK_OK(signal_one(own, 20));
	CHECK_OK(syncobj_transfer(to.used, 0, own, 20, 0));
	CHECK_ERROR(poll_one(to.made, 0, 0), 0);
	CHECK_ERROR(poll_one(to.made, 21, 0), -EINVAL);
	syncobj_unref(own);
	drop_shared(&from);
	drop_shared(&to);
}

static void second_device_transfers(struct conf *c)
{
	both_ways(c, transferring);
}

static void registering(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user);
	struct syncobj_waiter *waiter;
	int fd = make_eventfd();

	CHECK_OK(syncobj_eventfd(a.used, 5, fd, 0));
	CHECK_OK(syncobj_waiter_new(a.used, 5, SYNCOBJ_WAIT_AVAILABLE, &waiter));
	CHECK_OK(signal_one(a.made, 4));
	CHECK_ERROR(syncobj_waiter_result(waiter), -EAGAIN);
	check_eventfd(fd, 0);
	CHECK_OK(signal_one(a.made, 5));
	await_eventfd(fd, 1);
	await_readable(syncobj_waiter_fd(waiter));
	CHECK_ERROR(syncobj_waiter_result(waiter), 0);
	syncobj_waiter_free(waiter);
	close(fd);
	drop_shared(&a);
}

static void second_device_fires_eventfds(struct conf *c)
{
	both_ways(c, registering);
}

static void exporting(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user);
	int fd, status = 77;

	CHECK_ERROR(syncobj_export_sync_file(a.used, 5), -EINVAL);
	CHECK_OK(signal_one(a.made, 5));
	fd = CHECK_OK(syncobj_export_sync_file(a.used, 5));
	CHECK_OK(syncobj_sync_file_status(fd, &status));
	CHECK_EQ(status, 1);
	CHECK_ERROR(syncobj_export_sync_file(a.used, 6), -EINVAL);
	close(fd);
	drop_shared(&a);
}

static void second_device_exports_sync_files(struct conf *c)
{
	both_ways(c, exporting);
}

static void importing(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user);
	int fd = CHECK_OK(syncobj_signaled_sync_file(maker->device));

	CHECK_OK(syncobj_import_sync_file(a.used, 6, fd));
	CHECK_EQ(query_one(a.made), 6);
	CHECK_OK(syncobj_import_sync_file(a.used, 0, fd));
	CHECK_EQ(query_one(a.made), 0);
	CHECK_ERROR(poll_one(a.made, 0, 0), 0);
	close(fd);
	drop_shared(&a);
}

static void second_device_imports_sync_files(struct conf *c)
{
	both_ways(c, importing);
}

static void submitting(struct conf *maker, struct conf *user)
{
	struct shared a = share(maker, user);
	struct syncobj *copy = make(user);
	const uint64_t point = 5;
	struct waiting w = {&a.used, &point, 1, .flags = 0};
	struct pending pending;

	pending_init(&pending);
	pending_submit(&pending, a.made, 5);
	CHECK_EQ(query_one(a.used), 0);
	CHECK_EQ(submitted_one(a.used), 5);
	CHECK_ERROR(poll_one(a.used, 5, SYNCOBJ_WAIT_AVAILABLE), 0);
	CHECK_OK(syncobj_copy(copy, 9, a.made, 5));
	CHECK_EQ(submitted_one(copy), 9);
	start_waiting(&w);
	CHECK_EQ(query_one(copy), 0);
	CHECK(!atomic_load(&w.done));
	pending_signal(&pending, 1);
	CHECK_OK(end_waiting(&w));
	CHECK_EQ(query_one(copy), 9);
	pending_end(&pending);
	syncobj_unref(copy);
	drop_shared(&a);
}

static void second_device_has_what_is_pending(struct conf *c)
{
	both_ways(c, submitting);
}

static void outliving(struct conf *maker, struct conf *user)
{
	struct syncobj *made = make_at(maker, 3), *used = again(user, made);
	struct syncobj *back;

	syncobj_unref(made); /* on a node of DRM its handle goes with it */
	CHECK_EQ(query_one(used), 3);
	CHECK_OK(signal_one(used, 5));
	back = again(maker, used);
	CHECK_EQ(query_one(back), 5);
	syncobj_unref(used);
	CHECK_OK(signal_one(back, 6));
	CHECK_EQ(query_one(back), 6);
	syncobj_unref(back);
}

static void object_outlives_the_one_it_was_made_as(struct conf *c)
{
	both_ways(c, outliving);
}

static void object_outlives_the_device_it_was_made_on(struct conf *c)
{
	struct conf second = open_second();
	struct syncobj *made = make_at(&second, 3), *used = again(c, made);

	syncobj_unref(made);
	syncobj_device_unref(second.device);
	CHECK_OK(signal_one(used, 5));
	CHECK_EQ(query_one(used), 5);
	syncobj_unref(used);
}

const struct conf_case second_cases[] = {
	CASE(second_device_has_what_was_created, CONF_SHARED),
	CASE(second_device_signals, CONF_SHARED),
	CASE(second_device_queries, CONF_SHARED),
	CASE(second_device_waits, CONF_SHARED),
	CASE(second_device_wakes_who_waits_on_the_first, CONF_SHARED),
	CASE(second_device_resets, CONF_SHARED),
	CASE(second_device_transfers, CONF_SHARED),
	CASE(second_device_fires_eventfds, CONF_SHARED | CONF_EVENTFD),
	CASE(second_device_exports_sync_files, CONF_SHARED | CONF_SIGNALED_SYNC_FILE),
	CASE(second_device_imports_sync_files, CONF_SHARED | CONF_SIGNALED_SYNC_FILE),
	CASE(second_device_has_what_is_pending, CONF_SHARED | CONF_PENDING),
	CASE(object_outlives_the_one_it_was_made_as, CONF_SHARED),
	CASE(object_outlives_the_device_it_was_made_on, CONF_SHARED),
	{NULL, NULL, 0, 0},
};
