/* SPDX-License-Identifier: MIT */
/* A session whose transport is the test's, with memory of this process as its buffers. */
#ifndef FAKE_SESSION_H
#define FAKE_SESSION_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../fds.h"
#include "internal.h"

struct fake {
	struct qda qda;
	struct qda_device device;
	struct qda_transport transport;
	struct qda_session session;
};

static inline int fake_buffer_alloc(struct qda_buffer *buffer)
{
	buffer->data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	assert_ptr_not_equal(buffer->data, MAP_FAILED);
	buffer->fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	return 0;
}

static inline void fake_buffer_release(struct qda_buffer *buffer)
{
	close(buffer->fd);
	buffer->fd = -1;
}

/* References are one too many, so that nothing of it is ever freed. */
static inline void fake_init(struct fake *fake, __typeof__(fake->transport.invoke) invoke)
{
	memset(fake, 0, sizeof(*fake));
	fake->qda.refs = 2;
	fake->device = (struct qda_device){.refs = 2,
					   .qda = &fake->qda,
					   .transport = &fake->transport,
					   .dsp = "cdsp"};
	fake->transport.name = "fake";
	fake->transport.buffer_alloc = fake_buffer_alloc;
	fake->transport.buffer_release = fake_buffer_release;
	fake->transport.invoke = invoke;
	fake->session.device = &fake->device;
	fake->session.transport = &fake->transport;
	fake->session.refs = 2;
	fake->session.timeout_ms = QDA_NO_TIMEOUT;
	pthread_mutex_init(&fake->session.lock, NULL);
}

#endif
