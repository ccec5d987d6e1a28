/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the shared page of a soft syncobj. The first eight bytes are the
 * point that operations use, the rest fills the page from its beginning.
 */
#include "soft-scribble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scribble scribble;
	uint64_t point;

	if (!scribble.device && scribble_begin(&scribble) < 0)
		abort();
	if (size < sizeof(point))
		return 0;
	memcpy(&point, data, sizeof(point));
	size -= sizeof(point);
	memset(scribble.page, 0, scribble.size);
	memcpy(scribble.page, data + sizeof(point), size < scribble.size ? size : scribble.size);
	scribble_try(&scribble, point, 0);
	return 0;
}
