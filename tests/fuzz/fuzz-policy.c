/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the policy file of dmabuf-vfio serve. What is refused has one line
 * about it; what is accepted keeps to the limits, and grants nothing by accident.
 */
#include <stdlib.h>
#include <string.h>

#include <dmabuf.h>

#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check_line(const struct policy *policy, const struct policy_line *line)
{
	const struct peer nobody = {.pid = 1, .uid = UINT32_MAX};

	require(line->bar < DMABUF_VFIO_BARS && line->length > 0 && line->length <= INT64_MAX);
	require(line->offset <= INT64_MAX || line->offset == DMABUF_LEASE_ANYWHERE);
	if (line->reserved) {
		require(line->n_clients == 0 && line->offset <= INT64_MAX);
		return;
	}
	require(memchr(line->name, '\0', sizeof(line->name)) && line->name[0]);
	require(policy_find(policy, line->name) == line);
	require(line->n_clients >= 1 && line->n_clients <= POLICY_CLIENTS);
	require(!(line->flags & ~(DMABUF_VFIO_READ_ONLY | DMABUF_LEASE_SHARED)));
	require(line->attr <= DMABUF_VFIO_ATTR_WC);
	for (size_t i = 0; i < line->n_clients; i++)
		if (line->clients[i].kind == POLICY_ANY)
			return;
	require(!policy_allows(line, &nobody));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy;
	char problem[256] = "";
	/* No byte after the text belongs to it. */
	char *text = malloc(size ? size : 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	if (policy_parse(text, size, &policy, problem, sizeof(problem)) == 0) {
		require(policy.count <= POLICY_LINES);
		for (size_t i = 0; i < policy.count; i++)
			check_line(&policy, &policy.lines[i]);
		policy_finish(&policy);
	} else {
		require(strncmp(problem, "line ", 5) == 0 && !strchr(problem, '\n'));
	}
	free(text);
	return 0;
}
