/* SPDX-License-Identifier: MIT */
/* A transport that a test looks into; buffers are memfds. */
#include <string.h>
#include <sys/mman.h>

#include "fake-transport.h"

struct fake fake;

static int came(enum fake_event event)
{
	assert_true(fake.n_events < FAKE_EVENTS);
	fake.events[fake.n_events++] = event;
	return fake.error[event];
}

unsigned int fake_count(enum fake_event event)
{
	unsigned int n = 0;

	for (size_t i = 0; i < fake.n_events; i++)
		n += fake.events[i] == event;
	return n;
}

static int fake_open(struct qda_session *session, const struct qda_session_params *params)
{
	fake.params = *params;
	assert_non_null(session->dirs);
	return came(FAKE_OPEN);
}

static void fake_close(struct qda_session *session)
{
	came(FAKE_CLOSE);
}

static void fake_interrupt(struct qda_session *session)
{
	came(FAKE_INTERRUPT);
}

static const char *fake_end_reason(struct qda_session *session)
{
	return fake.reason;
}

static int fake_alloc(struct qda_buffer *buffer)
{
	int r = came(FAKE_ALLOC);

	if (r < 0)
		return r;
	buffer->fd = memfd_create("fake", MFD_CLOEXEC);
	assert_true(buffer->fd > 2);
	assert_int_equal(ftruncate(buffer->fd, (off_t)buffer->size), 0);
	buffer->data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	assert_ptr_not_equal(buffer->data, MAP_FAILED);
	return 0;
}

static int fake_import(struct qda_buffer *buffer, int fd)
{
	int r = came(FAKE_IMPORT);

	if (r < 0)
		return r;
	buffer->size = 4096;
	buffer->fd = dup(fd);
	buffer->data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(buffer->data, MAP_FAILED);
	return 0;
}

static void fake_release(struct qda_buffer *buffer)
{
	came(FAKE_RELEASE);
	close(steal_fd(&buffer->fd));
}

static int fake_sync(struct qda_buffer *buffer, uint64_t sync)
{
	fake.sync = sync;
	return came(FAKE_SYNC);
}

static int fake_map(struct qda_buffer *buffer, size_t offset, size_t size, uint32_t flags,
		    int32_t cookie, uint32_t *ret_status)
{
	int r = came(FAKE_MAP);

	fake.map_offset = offset;
	fake.map_size = size;
	fake.map_flags = flags;
	fake.map_cookie = cookie;
	*ret_status = fake.status;
	buffer->cookie = cookie == QDA_COOKIE_AUTO ? 77 : cookie;
	buffer->map_address = 0x12345000;
	return r;
}

static int fake_unmap(struct qda_buffer *buffer, uint32_t *ret_status)
{
	*ret_status = fake.status;
	return came(FAKE_UNMAP);
}

static int fake_invoke(struct qda_session *session, uint32_t handle, uint32_t sc,
		       const struct qda_arg *args, int timeout_ms, uint32_t flags,
		       uint32_t *ret_status)
{
	int r = qda_args_check(session, sc, args);

	if (r < 0)
		return r;
	r = came(FAKE_INVOKE);
	fake.handle = handle;
	fake.sc = sc;
	fake.timeout_ms = timeout_ms;
	fake.flags = flags;
	if (fake.on_invoke)
		return fake.on_invoke(handle, sc, args, ret_status);
	if (!r)
		*ret_status = fake.status;
	return r;
}

static const struct qda_transport fake_transport = {
	.name = "fake",
	.session_open = fake_open,
	.session_close = fake_close,
	.session_interrupt = fake_interrupt,
	.end_reason = fake_end_reason,
	.buffer_alloc = fake_alloc,
	.buffer_import = fake_import,
	.buffer_release = fake_release,
	.buffer_sync = fake_sync,
	.buffer_map = fake_map,
	.buffer_unmap = fake_unmap,
	.invoke = fake_invoke,
};

int fake_setup_device(void **state)
{
	memset(&fake, 0, sizeof(fake));
	if (qda_new(&fake.qda) < 0)
		return -1;
	fake.device = (struct qda_device){
		.refs = 1,
		.qda = fake.qda,
		.transport = &fake_transport,
		.dsp = "cdsp",
	};
	return 0;
}

int fake_setup(void **state)
{
	const struct qda_session_params params = {
		.size = sizeof(params),
		.flags = QDA_SESSION_NO_LISTENER,
	};

	if (fake_setup_device(state))
		return -1;
	return qda_session_create(&fake.device, &params, &fake.session);
}

void fake_close_session(void)
{
	fake.session = qda_session_close(fake.session);
}

int fake_teardown(void **state)
{
	memset(fake.error, 0, sizeof(fake.error));
	fake_close_session();
	/* Sessions, buffers and modules of the test gave back their references. */
	if (fake.device.refs != 1)
		return -1;
	qda_unref(fake.qda);
	return 0;
}
