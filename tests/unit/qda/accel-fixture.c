/* SPDX-License-Identifier: MIT */
/* Sessions of the accel transport on scripted ioctls. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accel-fixture.h"

struct accel_fixture fx;

static int write_shell(void)
{
	int fd;
	bool ok;

	for (size_t i = 0; i < SHELL_SIZE; i++)
		fx.shell_bytes[i] = (unsigned char)(i * 7 + i / 256);
	snprintf(fx.shell, sizeof(fx.shell), "/tmp/qda-test-shell-XXXXXX");
	fd = mkstemp(fx.shell);
	if (fd < 0)
		return -1;
	ok = write(fd, fx.shell_bytes, SHELL_SIZE) == SHELL_SIZE;
	close(fd);
	return ok ? 0 : -1;
}

int accel_setup(void **state)
{
	memset(&fx, 0, sizeof(fx));
	if (write_shell() || qda_new(&fx.qda) < 0)
		return -1;
	fx.device = (struct qda_device){
		.refs = 1,
		.qda = fx.qda,
		.transport = &qda_transport_accel,
		.dsp = "cdsp",
		.node = (char *)(uintptr_t)NODE,
	};
	fx.params = (struct qda_session_params){
		.size = sizeof(fx.params),
		.flags = QDA_SESSION_NO_LISTENER,
		.shell = fx.shell,
	};
	fx.fds = count_fds();
	uapimock_begin();
	return 0;
}

int accel_teardown(void **state)
{
	unlink(fx.shell);
	if (fx.device.refs != 1 || count_fds() != fx.fds) {
		print_error("left: %u references, %u fds instead of %u\n", fx.device.refs,
			    count_fds(), fx.fds);
		return -1;
	}
	qda_unref(fx.qda);
	return 0;
}

struct uapimock_ioctl *expect_gem_create(uint64_t size, uint32_t handle)
{
	const struct drm_qda_gem_create in = {.size = size};
	const struct drm_qda_gem_create out = {.size = size, .handle = handle};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_GEM_CREATE);

	uapimock_in(e, &in, sizeof(in));
	return uapimock_out(e, &out, sizeof(out));
}

uint64_t mmap_offset(uint32_t handle)
{
	return 0x100000000ULL + handle * 0x1000000ULL;
}

struct uapimock_ioctl *expect_mmap_offset(uint32_t handle)
{
	const struct drm_qda_gem_mmap_offset in = {.handle = handle};
	const uint64_t offset = mmap_offset(handle);
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_GEM_MMAP_OFFSET);

	uapimock_in(e, &in, sizeof(in));
	return uapimock_out_at(e, 0, &offset, sizeof(offset));
}

struct uapimock_ioctl *expect_prime_export(uint32_t handle)
{
	const uint32_t in[] = {handle, DRM_CLOEXEC | DRM_RDWR};
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_PRIME_HANDLE_TO_FD);

	return uapimock_in(e, in, sizeof(in));
}

struct uapimock_ioctl *expect_prime_import(int32_t fd, uint32_t handle)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fx.node, DRM_IOCTL_PRIME_FD_TO_HANDLE);

	if (fd >= 0)
		uapimock_in_at(e, offsetof(struct drm_prime_handle, fd), &fd, sizeof(fd));
	return uapimock_out_at(e, 0, &handle, sizeof(handle));
}

struct uapimock_ioctl *expect_gem_close(uint32_t handle)
{
	const struct drm_gem_close in = {.handle = handle};

	return uapimock_in(uapimock_expect_ioctl(fx.node, DRM_IOCTL_GEM_CLOSE), &in, sizeof(in));
}

int expect_alloc(uint64_t size, uint32_t handle)
{
	expect_gem_create(size, handle);
	expect_mmap_offset(handle);
	uapimock_expect_mmap(fx.node, mmap_offset(handle), size, 0);
	return uapimock_out_fd(expect_prime_export(handle), offsetof(struct drm_prime_handle, fd));
}

void open_session(uint32_t flags)
{
	fx.node = uapimock_expect_open(NODE, 0);
	expect_alloc(2 * PAGE, SHELL_HANDLE);
	uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE);
	expect_gem_close(SHELL_HANDLE);
	fx.params.flags |= flags;
	assert_int_equal(qda_session_create(&fx.device, &fx.params, &fx.session), 0);
}

void close_session(void)
{
	fx.session = qda_session_close(fx.session);
}

struct qda_buffer *alloc_buffer(uint32_t handle, size_t pages)
{
	struct qda_buffer *buffer = NULL;

	expect_alloc(pages * PAGE, handle);
	assert_int_equal(qda_buffer_alloc(fx.session, pages * PAGE, &buffer), 0);
	return buffer;
}

void free_buffer(struct qda_buffer *buffer)
{
	expect_gem_close(buffer->handle);
	qda_buffer_free(buffer);
}

struct uapimock_ioctl *expect_invoke(void)
{
	const struct drm_qda_invoke_args in = {.handle = HANDLE, .sc = 0x02000000};

	return uapimock_in(uapimock_expect_ioctl(fx.node, DRM_IOCTL_QDA_REMOTE_INVOKE), &in,
			   sizeof(in));
}

int invoke(uint32_t *ret_status)
{
	return qda_session_invoke(fx.session, HANDLE, 0x02000000, NULL, QDA_NO_TIMEOUT, ret_status);
}
