/* SPDX-License-Identifier: MIT */
/* Leases: grants and revokes against a plain model, policies, clients that end. */
/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../fds.h"
#include "internal.h"

#define PAGES 24
#define STEPS 20000
#define SHARED DMABUF_LEASE_SHARED

static uint64_t page;

struct fixture {
	unsigned int fds;
	struct dmabuf_vfio *vfio;
	struct dmabuf_leases *leases;
};

static struct fixture fx;

static int open_soft(uint32_t policy)
{
	char name[32];

	fx = (struct fixture){.fds = count_fds()};
	snprintf(name, sizeof(name), "soft:%u,0", (unsigned int)(PAGES * page));
	if (dmabuf_vfio_open(name, &fx.vfio) < 0)
		return -1;
	return dmabuf_leases_new(fx.vfio, 0, policy, &fx.leases);
}

static int setup_exclusive(void **state)
{
	return open_soft(DMABUF_LEASES_EXCLUSIVE);
}

static int setup_shared(void **state)
{
	return open_soft(DMABUF_LEASES_SHARED);
}

static int teardown(void **state)
{
	dmabuf_leases_free(fx.leases);
	dmabuf_vfio_unref(fx.vfio);
	if (count_fds() != fx.fds) {
		print_error("%u file descriptors instead of %u\n", count_fds(), fx.fds);
		return -1;
	}
	return 0;
}

static int grant(uint64_t offset, uint64_t length, uint32_t flags, struct dmabuf_lease **ret_lease)
{
	const struct dmabuf_lease_request request = {
		.offset = offset,
		.length = length,
		.flags = flags,
		.pidfd = -1,
	};

	return dmabuf_lease_grant(fx.leases, &request, ret_lease);
}

static struct dmabuf_lease *must_grant(uint64_t first, uint64_t pages, uint32_t flags)
{
	struct dmabuf_lease *lease;

	assert_int_equal(grant(first * page, pages * page, flags, &lease), 0);
	return lease;
}

static bool is_revoked(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size == 0;
}

/* ---- ranges ------------------------------------------------------------- */

static void lease_is_a_named_buffer_of_its_range(void **state)
{
	const struct dmabuf_lease_request request = {
		.offset = 3 * page,
		.length = page + 1,
		.flags = DMABUF_VFIO_READ_ONLY,
		.attr = DMABUF_VFIO_ATTR_WC,
		.name = "frame 3",
		.pidfd = -1,
	};
	struct dmabuf_lease *lease;
	struct dmabuf_range range;

	assert_int_equal(dmabuf_lease_grant(fx.leases, &request, &lease), 0);
	dmabuf_lease_range(lease, &range);
	assert_int_equal(range.offset, 3 * page);
	assert_int_equal(range.length, 2 * page);
	assert_int_equal(dmabuf_size(dmabuf_lease_buffer(lease)), 2 * page);
	assert_int_equal(fcntl(dmabuf_fd(dmabuf_lease_buffer(lease)), F_GETFL) & O_ACCMODE,
			 O_RDONLY);
	assert_int_equal(dmabuf_lease_revoke(lease), 0);
}

static void bad_requests_are_invalid(void **state)
{
	struct dmabuf_lease *lease = NULL;

	assert_int_equal(grant(0, 0, 0, &lease), -EINVAL);
	assert_int_equal(grant(1, page, 0, &lease), -EINVAL);
	assert_int_equal(grant(0, (PAGES + 1) * page, 0, &lease), -EINVAL);
	assert_int_equal(grant(PAGES * page, page, 0, &lease), -EINVAL);
	assert_int_equal(grant((PAGES - 1) * page, page + 1, 0, &lease), -EINVAL);
	assert_int_equal(grant(0 - page, page, 0, &lease), -EINVAL);
	assert_int_equal(grant(0, UINT64_MAX, 0, &lease), -EINVAL);
	assert_int_equal(grant(DMABUF_LEASE_ANYWHERE, 0, 0, &lease), -EINVAL);
	assert_int_equal(grant(DMABUF_LEASE_ANYWHERE, UINT64_MAX, 0, &lease), -EINVAL);
	assert_int_equal(grant(0, page, 4, &lease), -EINVAL);
	assert_null(lease);
}

static void bad_accounts_are_refused(void **state)
{
	struct dmabuf_leases *leases = NULL;

	assert_int_equal(dmabuf_leases_new(fx.vfio, 0, 2, &leases), -EINVAL);
	assert_int_equal(dmabuf_leases_new(fx.vfio, 6, 0, &leases), -EINVAL);
	assert_int_equal(dmabuf_leases_new(fx.vfio, 1, 0, &leases), -ENODEV);
	assert_null(leases);
	assert_null(dmabuf_leases_free(NULL));
}

static void exclusive_leases_have_no_page_in_common(void **state)
{
	struct dmabuf_lease *lease = NULL;

	must_grant(4, 4, 0);
	assert_int_equal(grant(7 * page, page, 0, &lease), -EBUSY);
	assert_int_equal(grant(0, 5 * page, 0, &lease), -EBUSY);
	/* Not even if both ask for it. */
	must_grant(12, 1, SHARED);
	assert_int_equal(grant(12 * page, page, SHARED, &lease), -EBUSY);
	must_grant(8, 1, 0);
	must_grant(3, 1, 0);
}

static void shared_leases_overlap_if_both_ask_for_it(void **state)
{
	struct dmabuf_lease *lease = NULL;

	must_grant(0, 4, SHARED);
	must_grant(2, 4, SHARED);
	must_grant(2, 4, SHARED);
	assert_int_equal(grant(3 * page, page, 0, &lease), -EBUSY);
	must_grant(8, 1, 0);
	assert_int_equal(grant(8 * page, page, SHARED, &lease), -EBUSY);
	/* Anywhere is where nobody is. */
	assert_int_equal(grant(DMABUF_LEASE_ANYWHERE, 2 * page, SHARED, &lease), 0);
	dmabuf_lease_revoke(lease);
	assert_int_equal(grant(DMABUF_LEASE_ANYWHERE, 16 * page, SHARED, &lease), -ENOSPC);
}

static void reserved_pages_are_not_leased(void **state)
{
	struct dmabuf_lease *lease = NULL;
	struct dmabuf_range range;

	assert_int_equal(dmabuf_leases_reserve(fx.leases, 100, 2), 0);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, 0, page), 0); /* again */
	assert_int_equal(dmabuf_leases_reserve(fx.leases, 2 * page - 1, 2), 0);
	assert_int_equal(grant(0, page, SHARED, &lease), -EBUSY);
	assert_int_equal(grant(2 * page, page, 0, &lease), -EBUSY);
	assert_int_equal(grant(DMABUF_LEASE_ANYWHERE, page, 0, &lease), 0);
	dmabuf_lease_range(lease, &range);
	assert_int_equal(range.offset, 3 * page);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, 3 * page, 1), -EBUSY);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, 3 * page, 0), -EINVAL);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, PAGES * page, 1), -EINVAL);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(dmabuf_leases_reserve(fx.leases, PAGES * page - 1, 1), 0);
}

/* ---- ends --------------------------------------------------------------- */

static void revoke_ends_the_buffer_and_frees_the_range(void **state)
{
	struct dmabuf_lease *lease = must_grant(1, 1, 0), *other = must_grant(2, 1, 0);
	int fd = dmabuf_export(dmabuf_lease_buffer(lease));

	assert_int_equal(dmabuf_lease_revoke(lease), 0);
	assert_true(is_revoked(fd));
	assert_false(is_revoked(dmabuf_fd(dmabuf_lease_buffer(other))));
	close(fd);
	must_grant(1, 1, 0);
}

static void lease_whose_buffer_was_revoked_before_ends_all_the_same(void **state)
{
	struct dmabuf_lease *lease = must_grant(1, 1, 0);

	assert_int_equal(dmabuf_vfio_revoke(fx.vfio, dmabuf_lease_buffer(lease)), 0);
	assert_int_equal(dmabuf_lease_revoke(lease), 0);
	must_grant(1, 1, 0);
}

static void free_revokes_everything(void **state)
{
	int fds[3];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dmabuf_export(dmabuf_lease_buffer(must_grant(i, 1, 0)));
	fx.leases = dmabuf_leases_free(fx.leases);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_true(is_revoked(fds[i]));
		close(fds[i]);
	}
}

/* ---- clients ------------------------------------------------------------ */

struct client {
	pid_t pid;
	int pidfd;
};

static struct client start_client(void)
{
	struct client client = {.pid = fork()};

	assert_true(client.pid >= 0);
	if (client.pid == 0)
		for (;;)
			pause();
	client.pidfd = (int)syscall(SYS_pidfd_open, client.pid, 0);
	assert_true(client.pidfd >= 0);
	return client;
}

/* It has ended, and is not waited for yet. */
static void end_client(struct client *client)
{
	siginfo_t info;

	assert_int_equal(kill(client->pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)client->pid, &info, WEXITED | WNOWAIT), 0);
}

static void forget_client(struct client *client)
{
	assert_int_equal(waitpid(client->pid, NULL, 0), client->pid);
	close(client->pidfd);
}

static int grant_to(const struct client *client, uint64_t first, struct dmabuf_lease **ret_lease)
{
	const struct dmabuf_lease_request request = {
		.offset = first * page,
		.length = page,
		.pidfd = client->pidfd,
	};

	return dmabuf_lease_grant(fx.leases, &request, ret_lease);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

struct seen {
	struct dmabuf_lease *leases[4];
	size_t count;
};

static void see(struct dmabuf_lease *lease, void *data)
{
	struct seen *seen = data;

	/* It is still whole. */
	assert_true(is_revoked(dmabuf_fd(dmabuf_lease_buffer(lease))));
	seen->leases[seen->count++] = lease;
}

static void leases_end_with_their_client(void **state)
{
	struct client client = start_client(), other = start_client();
	struct dmabuf_lease *first, *second, *third;
	struct seen seen = {.count = 0};

	assert_int_equal(grant_to(&client, 0, &first), 0);
	assert_int_equal(grant_to(&client, 1, &second), 0);
	assert_int_equal(grant_to(&other, 2, &third), 0);
	assert_false(is_readable(dmabuf_leases_fd(fx.leases)));
	assert_int_equal(dmabuf_leases_dispatch(fx.leases, see, &seen), 0);

	end_client(&client);
	assert_true(is_readable(dmabuf_leases_fd(fx.leases)));
	assert_int_equal(dmabuf_leases_dispatch(fx.leases, see, &seen), 2);
	assert_int_equal(seen.count, 2);
	assert_true((seen.leases[0] == first && seen.leases[1] == second) ||
		    (seen.leases[0] == second && seen.leases[1] == first));
	assert_false(is_readable(dmabuf_leases_fd(fx.leases)));
	assert_false(is_revoked(dmabuf_fd(dmabuf_lease_buffer(third))));
	must_grant(0, 2, 0);

	forget_client(&client);
	end_client(&other);
	forget_client(&other);
	assert_int_equal(dmabuf_leases_dispatch(fx.leases, NULL, NULL), 1);
}

static void client_that_has_ended_gets_no_lease(void **state)
{
	struct client client = start_client();
	struct dmabuf_lease *lease = NULL;

	end_client(&client);
	assert_int_equal(grant_to(&client, 0, &lease), -ESRCH);
	forget_client(&client);
	assert_null(lease);
	must_grant(0, 1, 0);
}

static void client_is_a_pidfd(void **state)
{
	struct client client = {.pidfd = memfd_create("x", MFD_CLOEXEC)};
	struct dmabuf_lease *lease = NULL;

	assert_int_equal(grant_to(&client, 0, &lease), -EBADF);
	close(client.pidfd);
	assert_int_equal(grant_to(&client, 0, &lease), -EBADF);
	client.pidfd = -2;
	assert_int_equal(grant_to(&client, 0, &lease), -EBADF);
	assert_null(lease);
}

/* The kernel has a limit for the ways in which one file wakes others. */
static void too_many_leases_of_a_client_are_eusers(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), loop = epoll_create1(EPOLL_CLOEXEC);
	const struct dmabuf_lease_request request = {
		.length = page,
		.flags = SHARED,
		.pidfd = pidfd,
	};
	struct dmabuf_lease *lease;
	struct rlimit limit;
	int count = 0, r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, 4096);
	if (limit.rlim_cur < 4096) {
		close(pidfd);
		close(loop);
		skip();
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, dmabuf_leases_fd(fx.leases), &event), 0);
	while ((r = dmabuf_lease_grant(fx.leases, &request, &lease)) == 0 && count < 1000)
		count++;
	assert_int_equal(r, -EUSERS);
	assert_int_equal(count, 500);
	close(loop);
	close(pidfd);
}

static void ended_clients_whose_lease_is_revoked_are_no_event(void **state)
{
	struct client client = start_client();
	struct dmabuf_lease *lease;

	assert_int_equal(grant_to(&client, 0, &lease), 0);
	assert_int_equal(dmabuf_lease_revoke(lease), 0);
	end_client(&client);
	assert_false(is_readable(dmabuf_leases_fd(fx.leases)));
	assert_int_equal(dmabuf_leases_dispatch(fx.leases, NULL, NULL), 0);
	forget_client(&client);
}

/* ---- against a model ---------------------------------------------------- */

/* Which lease has which page: a plain table. */
static struct {
	struct dmabuf_lease *lease;
	uint64_t first, pages;
	bool shared;
	int fd;
} model[64];

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % end;
}

static bool model_taken(uint64_t first, uint64_t pages, bool shared)
{
	for (uint64_t p = first; p < first + pages; p++)
		for (size_t i = 0; i < ARRAY_SIZE(model); i++)
			if (model[i].lease && p >= model[i].first &&
			    p < model[i].first + model[i].pages && !(shared && model[i].shared))
				return true;
	return false;
}

/* Return: the lowest free place; PAGES if there is none. */
static uint64_t model_space(uint64_t pages)
{
	for (uint64_t first = 0; first + pages <= PAGES; first++)
		if (!model_taken(first, pages, false))
			return first;
	return PAGES;
}

static void step_grant(size_t slot, bool sharing)
{
	bool anywhere = random_below(3) == 0, shared = random_below(2);
	uint64_t pages = 1 + random_below(random_below(4) ? 3 : PAGES + 2);
	uint64_t first = anywhere ? model_space(pages) : random_below(PAGES);
	int expected = 0, r;
	struct dmabuf_range range;

	if (pages > PAGES || (!anywhere && first + pages > PAGES))
		expected = -EINVAL;
	else if (anywhere && first == PAGES)
		expected = -ENOSPC;
	else if (!anywhere && model_taken(first, pages, sharing && shared))
		expected = -EBUSY;
	r = grant(anywhere ? DMABUF_LEASE_ANYWHERE : first * page,
		  pages * page - random_below((uint32_t)page), shared ? SHARED : 0,
		  &model[slot].lease);
	assert_int_equal(r, expected);
	if (r < 0)
		return;
	model[slot].first = first;
	model[slot].pages = pages;
	model[slot].shared = sharing && shared;
	model[slot].fd = dmabuf_export(dmabuf_lease_buffer(model[slot].lease));
	dmabuf_lease_range(model[slot].lease, &range);
	assert_int_equal(range.offset, first * page);
	assert_int_equal(range.length, pages * page);
}

static void step_revoke(size_t slot)
{
	assert_false(is_revoked(model[slot].fd));
	assert_int_equal(dmabuf_lease_revoke(model[slot].lease), 0);
	assert_true(is_revoked(model[slot].fd));
	close(model[slot].fd);
	model[slot].lease = NULL;
}

static void random_steps(bool sharing)
{
	memset(model, 0, sizeof(model));
	random_state = sharing ? 77 : 78;
	for (int step = 0; step < STEPS; step++) {
		size_t slot = random_below(ARRAY_SIZE(model));

		if (model[slot].lease)
			step_revoke(slot);
		else
			step_grant(slot, sharing);
	}
	for (size_t slot = 0; slot < ARRAY_SIZE(model); slot++)
		if (model[slot].lease)
			step_revoke(slot);
}

static void exclusive_leases_do_as_the_model(void **state)
{
	random_steps(false);
}

static void shared_leases_do_as_the_model(void **state)
{
	random_steps(true);
}

#define exclusive(test) cmocka_unit_test_setup_teardown(test, setup_exclusive, teardown)
#define shared(test) cmocka_unit_test_setup_teardown(test, setup_shared, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		exclusive(lease_is_a_named_buffer_of_its_range),
		exclusive(bad_requests_are_invalid),
		exclusive(bad_accounts_are_refused),
		exclusive(exclusive_leases_have_no_page_in_common),
		shared(shared_leases_overlap_if_both_ask_for_it),
		shared(reserved_pages_are_not_leased),
		exclusive(revoke_ends_the_buffer_and_frees_the_range),
		exclusive(lease_whose_buffer_was_revoked_before_ends_all_the_same),
		exclusive(free_revokes_everything),
		exclusive(leases_end_with_their_client),
		exclusive(client_that_has_ended_gets_no_lease),
		exclusive(client_is_a_pidfd),
		shared(too_many_leases_of_a_client_are_eusers),
		exclusive(ended_clients_whose_lease_is_revoked_are_no_event),
		exclusive(exclusive_leases_do_as_the_model),
		shared(shared_leases_do_as_the_model),
	};

	page = (uint64_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests_name("dmabuf-leases", tests, NULL, NULL);
}
