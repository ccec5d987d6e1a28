/* SPDX-License-Identifier: MIT */
/* Sessions of the accel transport on scripted ioctls. */
#ifndef ACCEL_FIXTURE_H
#define ACCEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <drm.h>

#include <drm/qda_accel.h>

#include "../fds.h"
#include "internal.h"
#include "uapimock.h"

#define NODE "/dev/accel/accel0"
#define PAGE 4096UL
#define SHELL_SIZE 5000U /* bytes of the fixture's process shell */
#define SHELL_HANDLE 1U
#define HANDLE 0x1234U /* of a module that was opened before the test */

struct accel_fixture {
	struct qda *qda;
	struct qda_device device;
	struct qda_session_params params;
	char shell[64]; /* path of the process shell */
	unsigned char shell_bytes[SHELL_SIZE];
	unsigned int fds; /* when the test began */

	int node; /* mock file descriptor of the session's node */
	struct qda_session *session;
};

extern struct accel_fixture fx;

/* cmocka set-up and tear-down: a device and a script without sessions. */
int accel_setup(void **state);
int accel_teardown(void **state);
#define accel_test(fn) cmocka_unit_test_setup_teardown(fn, accel_setup, accel_teardown)

/* What alloc does: GEM_CREATE, GEM_MMAP_OFFSET, mmap, PRIME_HANDLE_TO_FD. Return: the dma-buf. */
int expect_alloc(uint64_t size, uint32_t handle);

/* The steps of it, for those that fail. */
struct uapimock_ioctl *expect_gem_create(uint64_t size, uint32_t handle);
struct uapimock_ioctl *expect_mmap_offset(uint32_t handle);
uint64_t mmap_offset(uint32_t handle);
struct uapimock_ioctl *expect_prime_export(uint32_t handle);
struct uapimock_ioctl *expect_prime_import(int32_t fd, uint32_t handle);
struct uapimock_ioctl *expect_gem_close(uint32_t handle);

/* Script and carry out: a session, a buffer of pages, the end of either. */
void open_session(uint32_t flags);
void close_session(void);
struct qda_buffer *alloc_buffer(uint32_t handle, size_t pages);
void free_buffer(struct qda_buffer *buffer);

/* The INVOKE of a call without arguments, and the call. */
struct uapimock_ioctl *expect_invoke(void);
int invoke(uint32_t *ret_status);

#endif
