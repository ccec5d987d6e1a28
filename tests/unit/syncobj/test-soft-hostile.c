/* SPDX-License-Identifier: MIT */
/* The soft backend against peers that are hostile: their files and what they write. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "soft-scribble.h"
#include "soft.h"

#define FILLINGS 20000

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void random_page(void **state)
{
	uint64_t seed = 0x5eed5eed;
	struct scribble s;

	assert_int_equal(scribble_begin(&s), 0);
	for (int i = 0; i < FILLINGS; i++) {
		uint64_t r;

		for (size_t at = 0; at < sizeof(struct soft_page); at += sizeof(r)) {
			r = next_random(&seed);
			memcpy(s.page + at, &r, sizeof(r));
		}
		/* Half of them look like objects. */
		if (i & 1) {
			struct soft_page *page = (void *)s.page;

			page->magic = SOFT_MAGIC;
			page->version = SOFT_VERSION;
		}
		scribble_try(&s, i & 2 ? next_random(&seed) : (uint64_t)i & 7,
			     i % 256 ? 0 : 1000000);
	}
	scribble_end(&s);
}

/* Every state of the page may change between two looks at it. */
static void page_that_changes_meanwhile(void **state)
{
	uint64_t seed = 0x5eed;
	struct scribble s;
	pid_t pid, parent = getpid();

	assert_int_equal(scribble_begin(&s), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		volatile uint64_t *words = (void *)s.page;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			for (int i = 0; i < 1000; i++) {
				uint64_t r = next_random(&seed);

				words[r % (sizeof(struct soft_page) / sizeof(r))] = seed;
				words[offsetof(struct soft_page, state) / sizeof(r) + (r >> 63)] =
					seed;
			}
		_exit(0);
	}
	for (uint64_t i = 0; i < 500; i++)
		scribble_try(&s, i & 3, 10000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	/* And the object is of use again when that ends. */
	assert_int_equal(syncobj_reset(&s.syncobj, 1), 0);
	assert_int_equal(syncobj_signal(&s.syncobj, (uint64_t[]){4}, 1), 0);
	assert_int_equal(syncobj_wait(&s.syncobj, (uint64_t[]){4}, 1, 0, 0, 0, NULL), 0);
	scribble_end(&s);
}

/* A memfd with what an object has, but for what the caller changes. */
static int make_file(int seals, off_t size, uint32_t magic, uint32_t version)
{
	uint32_t head[] = {magic, version};
	int fd = memfd_create("syncobj", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int try_import(int fd)
{
	struct syncobj_device *device;
	struct syncobj *syncobj = NULL;
	int r;

	assert_int_equal(syncobj_device_open("soft", &device), 0);
	r = syncobj_import(device, fd, &syncobj);
	syncobj_unref(syncobj);
	syncobj_device_unref(device);
	close(fd);
	return r;
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void import_takes_what_is_right(void **state)
{
	assert_int_equal(try_import(
				 make_file(SEALS, sysconf(_SC_PAGESIZE), SOFT_MAGIC, SOFT_VERSION)),
			 0);
}

static void import_refuses_missing_seals(void **state)
{
	const int wrong[] = {0, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL,
			     F_SEAL_SHRINK | F_SEAL_SEAL, SEALS | F_SEAL_WRITE};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(try_import(make_file(wrong[i], sysconf(_SC_PAGESIZE), SOFT_MAGIC,
						      SOFT_VERSION)),
				 -EBADF);
}

static void import_refuses_other_sizes(void **state)
{
	assert_int_equal(try_import(make_file(SEALS, sysconf(_SC_PAGESIZE) * 2, SOFT_MAGIC,
					      SOFT_VERSION)),
			 -EBADF);
	assert_int_equal(try_import(make_file(SEALS, 8, SOFT_MAGIC, SOFT_VERSION)), -EBADF);
}

static void import_refuses_other_magic(void **state)
{
	assert_int_equal(try_import(make_file(SEALS, sysconf(_SC_PAGESIZE), 1, SOFT_VERSION)),
			 -EBADF);
}

static void import_refuses_other_version(void **state)
{
	assert_int_equal(try_import(make_file(SEALS, sysconf(_SC_PAGESIZE), SOFT_MAGIC,
					      SOFT_VERSION + 1)),
			 -EBADF);
}

static void import_refuses_other_files(void **state)
{
	assert_int_equal(try_import(open("/dev/null", O_RDWR | O_CLOEXEC)), -EBADF);
	assert_int_equal(try_import(eventfd(0, EFD_CLOEXEC)), -EBADF);
}

static void import_refuses_read_only(void **state)
{
	int fd = make_file(SEALS, sysconf(_SC_PAGESIZE), SOFT_MAGIC, SOFT_VERSION);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(try_import(open(path, O_RDONLY | O_CLOEXEC)), -EBADF);
	close(fd);
}

/* Nobody may shrink the file under those who have it mapped. */
static void object_cannot_be_resized(void **state)
{
	struct scribble s;

	assert_int_equal(scribble_begin(&s), 0);
	assert_int_equal(ftruncate(syncobj_fd(s.syncobj), 0), -1);
	assert_int_equal(ftruncate(syncobj_fd(s.syncobj), (off_t)s.size * 2), -1);
	scribble_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_that_changes_meanwhile),
		cmocka_unit_test(random_page),
		cmocka_unit_test(import_takes_what_is_right),
		cmocka_unit_test(import_refuses_missing_seals),
		cmocka_unit_test(import_refuses_other_sizes),
		cmocka_unit_test(import_refuses_other_magic),
		cmocka_unit_test(import_refuses_other_version),
		cmocka_unit_test(import_refuses_other_files),
		cmocka_unit_test(import_refuses_read_only),
		cmocka_unit_test(object_cannot_be_resized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
