/* SPDX-License-Identifier: MIT */
/* Buffers on memfds and on scripted descriptors, and the count of descriptors around a test. */
#ifndef DMABUF_FIXTURE_H
#define DMABUF_FIXTURE_H

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <uapimock.h>

#include "../fds.h"
#include "internal.h"

#define PAGE 4096U

/* setup begins a script, teardown ends it, and counts descriptors. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A memfd of @size bytes, O_CLOEXEC. */
int memfd(uint64_t size);

/* A buffer whose descriptor is a memfd. */
struct dmabuf *memfd_buffer(uint64_t size);

/* A buffer whose descriptor is the script's. */
struct dmabuf *scripted_buffer(uint64_t size);

#define with_script(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

#endif
