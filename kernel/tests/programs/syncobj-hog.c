/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the kernel keep more and more for syncobjs, until something stops it. */
#include <stdio.h>
#include <sys/eventfd.h>

#include "node.h"

/* Far above the limit that the test sets. */
#define ENOUGH 4000000

static int node, object;

/* A point whose own fence is pending cannot be collected. */
static int add_points(int timeline)
{
	int fence = sw_sync_fence(timeline, 1), pending = node_create(node, 0), r = 0;

	if (fence < 0 || pending < 0 || node_import(node, pending, 0, fence) < 0)
		return 2;
	for (uint64_t point = 1; point <= ENOUGH && r == 0; point++)
		r = node_transfer(node, object, point, pending, 0, 0);
	return r == -ENOMEM ? 0 : 1;
}

/* There is no way to take one back, and none fires. */
static int register_eventfds(void)
{
	int event = eventfd(0, EFD_CLOEXEC), r = 0;

	for (int done = 0; done < ENOUGH && r == 0; done++)
		r = node_eventfd(node, object, 1, event, 0);
	return r == -ENOMEM ? 0 : 1;
}

/* Exit status: 0 if the kernel refused, 1 if nothing stopped it, 2 if it does not run. */
int main(int argc, char **argv)
{
	int timeline = sw_sync_open();

	node = open(node_path(), O_RDWR | O_CLOEXEC);
	object = node == -1 ? -1 : node_create(node, 0);
	if (object < 0 || timeline == -1 || argc != 2) {
		fprintf(stderr, "usage: syncobj-hog points|eventfds (needs %s and %s)\n",
			node_path(), SW_SYNC);
		return 2;
	}
	return strcmp(argv[1], "points") == 0 ? add_points(timeline) : register_eventfds();
}
