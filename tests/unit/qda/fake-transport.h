/* SPDX-License-Identifier: MIT */
/* A transport that a test looks into, for what the core does above every transport. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "internal.h"

#define FAKE_EVENTS 64

/* What the core asked for, in order. */
enum fake_event {
	FAKE_OPEN = 1,
	FAKE_INTERRUPT,
	FAKE_CLOSE,
	FAKE_ALLOC,
	FAKE_IMPORT,
	FAKE_RELEASE,
	FAKE_SYNC,
	FAKE_MAP,
	FAKE_UNMAP,
	FAKE_INVOKE,
};

struct fake {
	struct qda *qda;
	struct qda_device device;
	struct qda_session *session;

	/* answers: a negative errno of any function by its event, and the DSP's status */
	int error[FAKE_INVOKE + 1];
	uint32_t status;
	int (*on_invoke)(uint32_t handle, uint32_t sc, const struct qda_arg *args,
			 uint32_t *ret_status);

	/* what came */
	enum fake_event events[FAKE_EVENTS];
	size_t n_events;
	struct qda_session_params params;
	uint32_t handle, sc, flags;
	int timeout_ms;
	uint64_t sync;
	size_t map_offset, map_size;
	uint32_t map_flags;
	int32_t map_cookie;
	const char *reason;
};

extern struct fake fake;

/* How often an event came. */
unsigned int fake_count(enum fake_event event);

/* cmocka set-up and tear-down: a device, and fake.session on it. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* Only the device: the test creates its sessions. */
int fake_setup_device(void **state);

/* Close fake.session before the tear-down does. */
void fake_close_session(void);

#define fake_test(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)
#define fake_device_test(fn) cmocka_unit_test_setup_teardown(fn, fake_setup_device, fake_teardown)

#endif
