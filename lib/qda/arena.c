/* SPDX-License-Identifier: MIT */
/* Arenas: one buffer of a session, handed out piece by piece as arguments of calls. */
#include "internal.h"

struct qda_arena {
	struct qda_buffer *buffer;
	size_t used;
};

QDA_EXPORT int qda_arena_new(struct qda_session *session, size_t size, struct qda_arena **ret_arena)
{
	struct qda_arena *arena = calloc(1, sizeof(*arena));
	int r;

	if (!arena)
		return -ENOMEM;
	r = qda_buffer_alloc(session, size, &arena->buffer);
	if (r < 0) {
		free(arena);
		return r;
	}
	*ret_arena = arena;
	return 0;
}

QDA_EXPORT int qda_arena_alloc(struct qda_arena *arena, size_t size, size_t align,
			       struct qda_arg *ret_arg)
{
	size_t total = arena->buffer->size, start;

	if (!align || (align & (align - 1)) || align > (size_t)sysconf(_SC_PAGESIZE))
		return -EINVAL;
	/* The buffer is whole pages, so rounding up cannot pass its end. */
	start = ALIGN_UP(arena->used, align);
	if (size > total - start)
		return -ENOSPC;
	arena->used = start + size;
	*ret_arg = (struct qda_arg){
		.buffer = arena->buffer,
		.ptr = (char *)arena->buffer->data + start,
		.offset = start,
		.length = size,
	};
	return 0;
}

QDA_EXPORT void qda_arena_reset(struct qda_arena *arena)
{
	arena->used = 0;
}

QDA_EXPORT struct qda_arena *qda_arena_free(struct qda_arena *arena)
{
	if (arena) {
		qda_buffer_free(arena->buffer);
		free(arena);
	}
	return NULL;
}
