/* SPDX-License-Identifier: MIT */
/* Allocations: the exact bytes, the probe, every way to charge, and every error. */
#include "fixture.h"

#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "heap.h"
#include "uapi.h"

#define RDWR_CLOEXEC (O_RDWR | O_CLOEXEC)

static struct {
	int node;
	struct dmabuf_heap *heap;
	pid_t child; /* a process to charge */
	struct dmabuf_charge *target;
} fx;

static int open_heap(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	fx.node = uapimock_expect_open(path, 0);
	return dmabuf_heap_open(name, &fx.heap);
}

static int setup(void **state)
{
	memset(&fx, 0, sizeof(fx));
	fixture_setup(state);
	return open_heap("system");
}

static void end_child(void)
{
	if (fx.child) {
		kill(fx.child, SIGKILL);
		waitpid(fx.child, NULL, 0);
	}
	fx.child = 0;
}

static int teardown(void **state)
{
	end_child();
	dmabuf_charge_unref(fx.target);
	dmabuf_heap_unref(fx.heap);
	return fixture_teardown(state);
}

/* A heap that is known to charge in these ways. */
static void set_charging(uint32_t charging)
{
	fx.heap->charging = charging | CHARGING_KNOWN;
}

/* Another process as the target. */
static void charge_child(void)
{
	fx.child = fork();
	if (fx.child == 0)
		for (;;)
			pause();
	assert_int_equal(dmabuf_charge_pid(fx.child, &fx.target), 0);
}

/* The caller's own cgroup as the target; skips the test if there is none. */
static void charge_cgroup_of_caller(void)
{
	int own = cgroup_of_process(0);

	if (own < 0)
		skip();
	assert_int_equal(dmabuf_charge_cgroup_fd(own, &fx.target), 0);
	close(own);
}

/* Exactly the 24 bytes of kernels before charging. */
static struct uapimock_ioctl *expect_plain(uint64_t len, uint32_t fd_flags)
{
	const struct dma_heap_allocation_data in = {.len = len, .fd_flags = fd_flags};

	return uapimock_in(uapimock_expect_ioctl(fx.node, 0xc0184800), &in, sizeof(in));
}

/* Exactly the 32 bytes with a charge. */
static struct uapimock_ioctl *expect_charged(uint64_t len, uint32_t fd_flags, int charge)
{
	const struct heap_charged_args in = {
		.len = len,
		.fd_flags = fd_flags,
		.charge_pid_fd = (uint32_t)charge,
	};

	return uapimock_in(uapimock_expect_ioctl(fx.node, 0xc0204800), &in, sizeof(in));
}

static int give_buffer(struct uapimock_ioctl *e)
{
	return uapimock_out_fd(e, offsetof(struct heap_charged_args, fd));
}

static int check_name(void *argument, void *expected)
{
	return strcmp(argument, expected) == 0 ? 0 : EPROTO;
}

static struct uapimock_ioctl *expect_name(int fd, const char *name)
{
	return uapimock_check(uapimock_expect_ioctl(fd, DMA_BUF_SET_NAME_B), check_name,
			      (void *)(uintptr_t)name);
}

static struct dmabuf *alloc(uint32_t flags)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, NULL, fx.target, flags, &buffer), 0);
	return buffer;
}

static void assert_refused(uint32_t flags, int error)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, NULL, fx.target, flags, &buffer), error);
	assert_null(buffer);
}

static void drop_charged(struct dmabuf *buffer, enum dmabuf_charged charged)
{
	assert_int_equal(dmabuf_charged(buffer), charged);
	dmabuf_unref(buffer);
}

/* ---- without a charge --------------------------------------------------- */

static void layout_is_that_of_the_interface(void **state)
{
	assert_int_equal(DMA_HEAP_IOCTL_ALLOC, 0xc0184800);
	assert_int_equal(sizeof(struct heap_charged_args), 32);
	assert_int_equal(offsetof(struct heap_charged_args, fd), 8);
	assert_int_equal(offsetof(struct heap_charged_args, fd_flags), 12);
	assert_int_equal(offsetof(struct heap_charged_args, heap_flags), 16);
	assert_int_equal(offsetof(struct heap_charged_args, charge_pid_fd), 24);
	assert_int_equal(offsetof(struct heap_charged_args, reserved), 28);
	assert_int_equal(HEAP_IOCTL_ALLOC_CHARGED, 0xc0204800);
}

static void allocation_that_charges_nobody_sends_24_bytes(void **state)
{
	struct dmabuf *buffer;
	int fd = give_buffer(expect_plain(2 * PAGE, RDWR_CLOEXEC));

	expect_name(fd, "frame");
	assert_int_equal(dmabuf_alloc(fx.heap, 2 * PAGE, "frame", NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_fd(buffer), fd);
	assert_int_equal(dmabuf_size(buffer), 2 * PAGE);
	uapimock_expect_close(fd);
	drop_charged(buffer, DMABUF_CHARGED_NOT);
}

static void size_is_rounded_up_to_pages(void **state)
{
	struct dmabuf *buffer;

	expect_name(give_buffer(expect_plain(3 * PAGE, RDWR_CLOEXEC)), "system");
	assert_int_equal(dmabuf_alloc(fx.heap, 2 * PAGE + 1, NULL, NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_size(buffer), 3 * PAGE);
	dmabuf_unref(buffer);
}

static void bad_arguments_are_refused_before_the_kernel(void **state)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_alloc(fx.heap, 0, NULL, NULL, 0, &buffer), -EINVAL);
	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_MAX, NULL, NULL, 0, &buffer), -EINVAL);
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, NULL, NULL, 4, &buffer), -EINVAL);
	assert_null(buffer);
}

/* The system heap would end other processes before it fails. */
static void more_than_the_machine_has_is_enomem_without_an_ioctl(void **state)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_C(1) << 50, NULL, NULL, 0, &buffer), -ENOMEM);
	assert_null(buffer);
}

/* What was set aside for a heap is none of the memory that the system counts. */
static void memory_that_was_set_aside_has_no_such_limit(void **state)
{
	struct dmabuf *buffer;

	dmabuf_heap_unref(fx.heap);
	assert_int_equal(open_heap("carveout"), 0);
	expect_name(give_buffer(expect_plain(UINT64_C(1) << 50, RDWR_CLOEXEC)), "carveout");
	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_C(1) << 50, NULL, NULL, 0, &buffer), 0);
	dmabuf_unref(buffer);
}

/* The kernel is not asked to map: that would fail the test, as nothing expects it. */
static void protected_memory_is_allocated_and_not_mapped(void **state)
{
	void *address = NULL;
	struct dmabuf *buffer;

	dmabuf_heap_unref(fx.heap);
	assert_int_equal(open_heap("protected,secure-video"), 0);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "protected,secure-video");
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, NULL, NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), -EPERM);
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, DMABUF_READ | DMABUF_WRITE, NULL,
					  &address),
			 -EPERM);
	assert_null(address);
	assert_int_equal(dmabuf_unmap(buffer), -EINVAL);
	dmabuf_unref(buffer);
}

static void read_only_is_a_flag_of_the_descriptor(void **state)
{
	struct dmabuf *buffer;

	expect_name(give_buffer(expect_plain(PAGE, O_RDONLY | O_CLOEXEC)), "system");
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, NULL, NULL, DMABUF_ALLOC_READ_ONLY, &buffer),
			 0);
	dmabuf_unref(buffer);
}

static void name_that_cannot_be_set_is_no_error(void **state)
{
	struct dmabuf *buffer;

	uapimock_fails(expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "n"), ENOTTY);
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, "n", NULL, 0, &buffer), 0);
	dmabuf_unref(buffer);
}

static void errors_of_the_heap_are_told(void **state)
{
	static const int errors[] = {EINVAL, EFAULT, ENOMEM, EMFILE, ENFILE, EACCES, ENOTTY};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(expect_plain(PAGE, RDWR_CLOEXEC), errors[i]);
		assert_refused(0, -errors[i]);
	}
}

static void interrupted_allocation_is_sent_again(void **state)
{
	uapimock_fails(uapimock_times(expect_plain(PAGE, RDWR_CLOEXEC), 3), EINTR);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	dmabuf_unref(alloc(0));
}

static void accounted_allocation_is_charged_to_the_caller(void **state)
{
	fx.heap->accounting = true;
	set_charging(DMABUF_CHARGING_CALLER);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_CALLER);
}

/* ---- the probe ---------------------------------------------------------- */

static int check_null(void *argument, void *data)
{
	const struct heap_charged_args *args = argument;
	struct stat a, b;

	return args->len == PAGE && args->charge_pid_fd > 0 && args->reserved == 0 &&
			       fstat((int)args->charge_pid_fd, &a) == 0 &&
			       stat("/dev/null", &b) == 0 && a.st_rdev == b.st_rdev
		       ? 0
		       : EPROTO;
}

static int check_cgroup(void *argument, void *data)
{
	const struct heap_charged_args *args = argument;
	struct statfs fs;

	return args->len == PAGE && args->charge_pid_fd > 0 && args->reserved == 0 &&
			       fstatfs((int)args->charge_pid_fd, &fs) == 0 &&
			       fs.f_type == CGROUP2_SUPER_MAGIC
		       ? 0
		       : EPROTO;
}

static struct uapimock_ioctl *expect_probe(void)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, HEAP_IOCTL_ALLOC_CHARGED);

	return uapimock_check(e, check_null, NULL);
}

/* The second half, of which there is none without a cgroup; @error or a buffer. */
static bool expect_cgroup_probe(int error)
{
	int own = cgroup_of_process(0);
	struct uapimock_ioctl *e;

	if (own < 0)
		return false;
	close(own);
	e = uapimock_expect_ioctl(fx.node, HEAP_IOCTL_ALLOC_CHARGED);
	uapimock_check(e, check_cgroup, NULL);
	if (error)
		uapimock_fails(e, error);
	else
		uapimock_expect_close(give_buffer(e));
	return true;
}

static uint32_t charging(void)
{
	uint32_t found = 0xff;

	assert_int_equal(dmabuf_heap_charging(fx.heap, &found), 0);
	return found;
}

static void kernel_that_ignores_the_field_cannot_charge(void **state)
{
	uapimock_expect_close(give_buffer(expect_probe()));
	assert_int_equal(charging(), 0);
}

static void kernel_that_refuses_dev_null_charges_processes(void **state)
{
	uapimock_fails(expect_probe(), EBADF);
	expect_cgroup_probe(EBADF);
	assert_int_equal(charging(), DMABUF_CHARGING_PIDFD);
}

static void kernel_that_charges_the_own_cgroup_charges_cgroups(void **state)
{
	uapimock_fails(expect_probe(), EBADF);
	if (!expect_cgroup_probe(0)) {
		charging();
		skip();
	}
	assert_int_equal(charging(), DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CGROUP);
}

static void cgroup_that_may_not_be_charged_or_is_full_was_understood(void **state)
{
	static const int errors[] = {EACCES, EPERM, ENOMEM};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		fx.heap->charging = 0;
		uapimock_fails(expect_probe(), EBADF);
		if (!expect_cgroup_probe(errors[i])) {
			charging();
			skip();
		}
		assert_int_equal(charging(), DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CGROUP);
	}
}

static void cgroup_that_cannot_be_charged_is_none(void **state)
{
	uapimock_fails(expect_probe(), EBADF);
	expect_cgroup_probe(EOPNOTSUPP);
	assert_int_equal(charging(), DMABUF_CHARGING_PIDFD);
}

static void answer_of_the_probe_is_kept(void **state)
{
	uapimock_expect_close(give_buffer(expect_probe()));
	assert_int_equal(charging(), 0);
	assert_int_equal(charging(), 0);
}

static void probe_that_failed_is_made_again(void **state)
{
	static const int errors[] = {ENOMEM, EMFILE, EINVAL};
	uint32_t found = 0xff;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(expect_probe(), errors[i]);
		assert_int_equal(dmabuf_heap_charging(fx.heap, &found), -errors[i]);
		assert_int_equal(found, 0xff);
	}
	uapimock_fails(expect_probe(), EBADF);
	if (expect_cgroup_probe(EMFILE)) {
		assert_int_equal(dmabuf_heap_charging(fx.heap, &found), -EMFILE);
		assert_int_equal(found, 0xff);
	} else {
		charging();
		fx.heap->charging = 0;
	}
	uapimock_expect_close(give_buffer(expect_probe()));
	assert_int_equal(charging(), 0);
}

static void old_kernel_accounts_for_the_system_heap_only(void **state)
{
	fx.heap->accounting = true;
	uapimock_expect_close(give_buffer(expect_probe()));
	assert_int_equal(charging(), DMABUF_CHARGING_CALLER);
	dmabuf_heap_unref(fx.heap);
	assert_int_equal(open_heap("linux,cma"), 0);
	fx.heap->accounting = true;
	uapimock_expect_close(give_buffer(expect_probe()));
	assert_int_equal(charging(), 0);
}

static void new_kernel_accounts_for_all_heaps(void **state)
{
	dmabuf_heap_unref(fx.heap);
	assert_int_equal(open_heap("linux,cma"), 0);
	fx.heap->accounting = true;
	uapimock_fails(expect_probe(), EBADF);
	expect_cgroup_probe(EBADF);
	assert_int_equal(charging(), DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CALLER);
}

static void first_charged_allocation_probes(void **state)
{
	charge_child();
	uapimock_fails(expect_probe(), EBADF);
	expect_cgroup_probe(EBADF);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_KERNEL);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_KERNEL);
}

static void error_of_the_probe_is_told(void **state)
{
	charge_child();
	uapimock_fails(expect_probe(), ENOMEM);
	assert_refused(0, -ENOMEM);
}

/* ---- charged by the kernel ---------------------------------------------- */

static void process_is_charged_with_32_bytes(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(DMABUF_ALLOC_STRICT), DMABUF_CHARGED_KERNEL);
}

static void caller_is_charged_by_its_pidfd(void **state)
{
	assert_int_equal(dmabuf_charge_self(&fx.target), 0);
	set_charging(DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CALLER);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(DMABUF_ALLOC_STRICT), DMABUF_CHARGED_KERNEL);
}

static void cgroup_is_charged_by_its_directory(void **state)
{
	charge_cgroup_of_caller();
	set_charging(DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CGROUP);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(DMABUF_ALLOC_STRICT), DMABUF_CHARGED_KERNEL);
}

static void assert_error_in_both_modes(int kernel, int error)
{
	uapimock_fails(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), kernel);
	assert_refused(0, error);
	uapimock_fails(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), kernel);
	assert_refused(DMABUF_ALLOC_STRICT, error);
}

static void policy_that_forbids_the_charge_is_eperm(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	assert_error_in_both_modes(EACCES, -EPERM);
	assert_error_in_both_modes(EPERM, -EPERM);
}

static void other_errors_of_a_charge_are_told(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	assert_error_in_both_modes(ESRCH, -ESRCH);
	assert_error_in_both_modes(EINVAL, -EINVAL);
	assert_error_in_both_modes(EMFILE, -EMFILE);
	assert_error_in_both_modes(EFAULT, -EFAULT);
}

/* Once more, to see whether a limit counts it; no limit is reached by a script. */
static void want_of_memory_is_enomem_after_a_second_try(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	uapimock_fails(uapimock_times(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), 2),
		       ENOMEM);
	assert_refused(0, -ENOMEM);
}

static void second_try_may_succeed(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	uapimock_fails(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), ENOMEM);
	expect_name(give_buffer(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_KERNEL);
}

static void process_that_is_gone_is_esrch_without_an_ioctl(void **state)
{
	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	kill(fx.child, SIGKILL);
	waitid(P_PID, (id_t)fx.child, &(siginfo_t){0}, WEXITED | WNOWAIT);
	assert_refused(0, -ESRCH);
	assert_refused(DMABUF_ALLOC_STRICT, -ESRCH);
	end_child();
	assert_refused(0, -ESRCH);
}

static int kill_child(void *argument, void *data)
{
	end_child();
	return 0;
}

static void process_that_ends_meanwhile_is_esrch(void **state)
{
	struct uapimock_ioctl *e;

	charge_child();
	set_charging(DMABUF_CHARGING_PIDFD);
	e = expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd);
	uapimock_check(e, kill_child, NULL);
	uapimock_expect_close(give_buffer(e));
	assert_refused(0, -ESRCH);
}

/* A cgroup that the kernel refuses: strict callers learn why, others get an uncharged buffer. */
static void assert_refused_cgroup(int kernel, int error)
{
	uapimock_fails(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), kernel);
	assert_refused(DMABUF_ALLOC_STRICT, error);
	uapimock_fails(expect_charged(PAGE, RDWR_CLOEXEC, fx.target->fd), kernel);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_NOT);
}

static void cgroup_that_the_caller_may_not_charge_is_eacces(void **state)
{
	charge_cgroup_of_caller();
	set_charging(DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CGROUP);
	assert_refused_cgroup(EACCES, -EACCES);
	assert_refused_cgroup(EPERM, -EACCES);
	assert_refused_cgroup(ENOENT, -EACCES); /* another namespace's: it is there */
}

static void cgroup_that_cannot_be_charged_is_eopnotsupp(void **state)
{
	charge_cgroup_of_caller();
	set_charging(DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CGROUP);
	assert_refused_cgroup(EBUSY, -EOPNOTSUPP);
	assert_refused_cgroup(EOPNOTSUPP, -EOPNOTSUPP);
	assert_refused_cgroup(EBADF, -EOPNOTSUPP);
}

/* ---- charged in another way, or not ------------------------------------- */

static void strict_charge_is_eopnotsupp_where_there_is_no_way(void **state)
{
	charge_child();
	set_charging(0);
	assert_refused(DMABUF_ALLOC_STRICT, -EOPNOTSUPP);
}

static void best_effort_charges_nobody_where_there_is_no_way(void **state)
{
	charge_child();
	set_charging(0);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_NOT);
}

static void caller_is_charged_by_accounting(void **state)
{
	assert_int_equal(dmabuf_charge_self(&fx.target), 0);
	set_charging(DMABUF_CHARGING_CALLER);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	drop_charged(alloc(DMABUF_ALLOC_STRICT), DMABUF_CHARGED_CALLER);
}

/* Its accounting does not make the target the one that is charged, and the answer says so. */
static void best_effort_with_accounting_says_that_the_caller_was_charged(void **state)
{
	int own = cgroup_of_process(0);
	bool counts = own >= 0 && cgroup_counts_memory(own);

	if (own >= 0)
		close(own);
	if (counts)
		skip(); /* a child can do it there */
	charge_child();
	fx.heap->accounting = true;
	set_charging(DMABUF_CHARGING_CALLER);
	expect_name(give_buffer(expect_plain(PAGE, RDWR_CLOEXEC)), "system");
	drop_charged(alloc(0), DMABUF_CHARGED_CALLER);
}

/* ---- udmabuf and memfd -------------------------------------------------- */

static void open_udmabuf(void)
{
	dmabuf_heap_unref(fx.heap);
	fx.node = uapimock_expect_open("/dev/udmabuf", 0);
	assert_int_equal(dmabuf_heap_open("udmabuf", &fx.heap), 0);
}

static int check_udmabuf(void *argument, void *data)
{
	const struct udmabuf_create *args = argument;
	struct stat st;

	return args->flags == UDMABUF_FLAGS_CLOEXEC && args->offset == 0 &&
			       args->size == 2 * PAGE && fstat((int)args->memfd, &st) == 0 &&
			       st.st_size == 2 * PAGE &&
			       (fcntl((int)args->memfd, F_GET_SEALS) & ~0x20 /* exec */) ==
				       F_SEAL_SHRINK
		       ? 0
		       : EPROTO;
}

static void udmabuf_is_made_of_a_sealed_memfd(void **state)
{
	struct uapimock_ioctl *e;
	struct dmabuf *buffer;
	int fd;

	open_udmabuf();
	e = uapimock_expect_ioctl(fx.node, 0x40187542);
	uapimock_check(e, check_udmabuf, NULL);
	fd = uapimock_returns_fd(e);
	expect_name(fd, "frame");
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE + 1, "frame", NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_fd(buffer), fd);
	drop_charged(buffer, DMABUF_CHARGED_CALLER);
}

static void udmabuf_above_its_limit_is_efbig(void **state)
{
	open_udmabuf();
	uapimock_fails(uapimock_expect_ioctl(fx.node, UDMABUF_CREATE), EINVAL);
	assert_refused(0, -EFBIG);
}

static void errors_of_udmabuf_are_told(void **state)
{
	static const int errors[] = {ENOMEM, EMFILE, ENODEV};

	open_udmabuf();
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_fails(uapimock_expect_ioctl(fx.node, UDMABUF_CREATE), errors[i]);
		assert_refused(0, -errors[i]);
	}
	assert_refused(DMABUF_ALLOC_READ_ONLY, -EOPNOTSUPP);
}

static void open_memfd(void)
{
	dmabuf_heap_unref(fx.heap);
	assert_int_equal(dmabuf_heap_open("memfd", &fx.heap), 0);
}

static void memfd_has_its_size_for_good(void **state)
{
	struct dmabuf *buffer;

	open_memfd();
	buffer = alloc(0);
	assert_int_equal(ftruncate(dmabuf_fd(buffer), 0), -1);
	assert_int_equal(ftruncate(dmabuf_fd(buffer), 2 * PAGE), -1);
	assert_int_equal(fcntl(dmabuf_fd(buffer), F_ADD_SEALS, F_SEAL_WRITE), -1);
	drop_charged(buffer, DMABUF_CHARGED_NOT);
}

static void memfd_has_the_name(void **state)
{
	struct dmabuf_info info;
	struct dmabuf *buffer;

	open_memfd();
	assert_int_equal(dmabuf_alloc(fx.heap, PAGE, "frame", NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_info(dmabuf_fd(buffer), &info), 0);
	assert_string_equal(info.name, "frame");
	dmabuf_unref(buffer);
}

static void read_only_memfd_cannot_be_written(void **state)
{
	struct dmabuf *buffer;
	void *address;

	open_memfd();
	/* Descriptors of one, two and three digits. */
	for (int number = 3; number < 300; number *= 10) {
		int fds[301], n = 0;

		while ((fds[n] = fcntl(0, F_DUPFD_CLOEXEC, 0)) < number)
			n++;
		buffer = alloc(DMABUF_ALLOC_READ_ONLY);
		for (; n >= 0; n--)
			close(fds[n]);
		assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, &address), -EACCES);
		assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), 0);
		dmabuf_unref(buffer);
	}
}

static void memfd_that_is_too_large_is_enomem(void **state)
{
	struct dmabuf *buffer = NULL;

	open_memfd();
	assert_int_equal(dmabuf_charge_self(&fx.target), 0);
	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_C(1) << 62, NULL, fx.target, 0, &buffer),
			 -ENOMEM);
	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_C(1) << 62, NULL, NULL, 0, &buffer), -ENOMEM);
	assert_int_equal(dmabuf_alloc(fx.heap, UINT64_C(1) << 63, NULL, NULL, 0, &buffer), -ENOMEM);
	assert_null(buffer);
}

static void memory_of_files_is_charged_to_the_caller_at_once(void **state)
{
	struct dmabuf *buffer;
	struct stat st;

	open_memfd();
	assert_int_equal(charging(), DMABUF_CHARGING_CALLER);
	assert_int_equal(dmabuf_charge_self(&fx.target), 0);
	buffer = alloc(DMABUF_ALLOC_STRICT);
	fstat(dmabuf_fd(buffer), &st);
	assert_int_equal(st.st_blocks * 512, PAGE);
	drop_charged(buffer, DMABUF_CHARGED_CALLER);
}

/* ---- real nodes --------------------------------------------------------- */

/* A buffer of a node that the machine has, written through one mapping and read by another. */
static void use_real_heap(const char *name)
{
	struct dmabuf *buffer, *imported;
	struct dmabuf_info info;
	char *written;
	void *read;
	int r;

	dmabuf_heap_unref(fx.heap);
	fx.heap = NULL;
	uapimock_end(); /* no script: the descriptors are real */
	uapimock_begin();
	r = dmabuf_heap_open(name, &fx.heap);
	if (r < 0)
		skip();
	assert_int_equal(dmabuf_alloc(fx.heap, 3 * PAGE, "real", NULL, 0, &buffer), 0);
	assert_int_equal(dmabuf_info(dmabuf_fd(buffer), &info), 0);
	assert_int_equal(info.size, 3 * PAGE);
	assert_string_equal(info.name, "real");
	assert_int_equal(info.references, 1);
	assert_int_equal(dmabuf_import(dmabuf_fd(buffer), &imported), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, (void **)&written), 0);
	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_WRITE), 0);
	strcpy(written, "hello");
	assert_int_equal(dmabuf_end_access(buffer, DMABUF_WRITE), 0);
	assert_int_equal(dmabuf_map(imported, DMABUF_READ, &read), 0);
	assert_int_equal(dmabuf_begin_access(imported, DMABUF_READ), 0);
	assert_string_equal(read, "hello");
	assert_int_equal(dmabuf_end_access(imported, DMABUF_READ), 0);
	dmabuf_unref(buffer);
	dmabuf_unref(imported);
}

static void real_system_heap_allocates(void **state)
{
	use_real_heap("system");
}

static void real_udmabuf_allocates(void **state)
{
	use_real_heap("udmabuf");
}

#define with_heap(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_that_of_the_interface),
		with_heap(allocation_that_charges_nobody_sends_24_bytes),
		with_heap(size_is_rounded_up_to_pages),
		with_heap(bad_arguments_are_refused_before_the_kernel),
		with_heap(more_than_the_machine_has_is_enomem_without_an_ioctl),
		with_heap(memory_that_was_set_aside_has_no_such_limit),
		with_heap(protected_memory_is_allocated_and_not_mapped),
		with_heap(read_only_is_a_flag_of_the_descriptor),
		with_heap(name_that_cannot_be_set_is_no_error),
		with_heap(errors_of_the_heap_are_told),
		with_heap(interrupted_allocation_is_sent_again),
		with_heap(accounted_allocation_is_charged_to_the_caller),
		with_heap(kernel_that_ignores_the_field_cannot_charge),
		with_heap(kernel_that_refuses_dev_null_charges_processes),
		with_heap(kernel_that_charges_the_own_cgroup_charges_cgroups),
		with_heap(cgroup_that_may_not_be_charged_or_is_full_was_understood),
		with_heap(cgroup_that_cannot_be_charged_is_none),
		with_heap(answer_of_the_probe_is_kept),
		with_heap(probe_that_failed_is_made_again),
		with_heap(old_kernel_accounts_for_the_system_heap_only),
		with_heap(new_kernel_accounts_for_all_heaps),
		with_heap(first_charged_allocation_probes),
		with_heap(error_of_the_probe_is_told),
		with_heap(process_is_charged_with_32_bytes),
		with_heap(caller_is_charged_by_its_pidfd),
		with_heap(cgroup_is_charged_by_its_directory),
		with_heap(policy_that_forbids_the_charge_is_eperm),
		with_heap(other_errors_of_a_charge_are_told),
		with_heap(want_of_memory_is_enomem_after_a_second_try),
		with_heap(second_try_may_succeed),
		with_heap(process_that_is_gone_is_esrch_without_an_ioctl),
		with_heap(process_that_ends_meanwhile_is_esrch),
		with_heap(cgroup_that_the_caller_may_not_charge_is_eacces),
		with_heap(cgroup_that_cannot_be_charged_is_eopnotsupp),
		with_heap(strict_charge_is_eopnotsupp_where_there_is_no_way),
		with_heap(best_effort_charges_nobody_where_there_is_no_way),
		with_heap(caller_is_charged_by_accounting),
		with_heap(best_effort_with_accounting_says_that_the_caller_was_charged),
		with_heap(udmabuf_is_made_of_a_sealed_memfd),
		with_heap(udmabuf_above_its_limit_is_efbig),
		with_heap(errors_of_udmabuf_are_told),
		with_heap(memfd_has_its_size_for_good),
		with_heap(memfd_has_the_name),
		with_heap(read_only_memfd_cannot_be_written),
		with_heap(memfd_that_is_too_large_is_enomem),
		with_heap(memory_of_files_is_charged_to_the_caller_at_once),
		with_heap(real_system_heap_allocates),
		with_heap(real_udmabuf_allocates),
	};

	return cmocka_run_group_tests_name("dmabuf-alloc", tests, NULL, NULL);
}
