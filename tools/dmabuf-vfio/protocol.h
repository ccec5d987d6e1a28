/* SPDX-License-Identifier: MIT */
/*
 * What dmabuf-vfio serve and its clients say to each other: messages of dmabuf_send()
 * over a SOCK_SEQPACKET Unix socket, whose data is one of these structs.
 *
 * A client sends a request and gets one reply; LIST gets one for each lease and one
 * more, with no name. The reply that grants an ATTACH has the buffer. A lease lasts
 * as long as the connection and the process that made it; when it ends before, a
 * reply with operation VEND_REVOKED comes unasked.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

#include "policy.h"

#define VEND_VERSION 1

enum vend_operation {
	VEND_ATTACH = 1,
	VEND_REVOKE, /* of who serves only */
	VEND_LIST,   /* the same */
	VEND_REVOKED,
};

struct vend_request {
	uint32_t version;
	uint32_t operation;
	char name[POLICY_NAME_SIZE];
	uint32_t pid; /* REVOKE: whose lease; 0 for all */
	uint32_t zero;
};

struct vend_reply {
	uint32_t version;
	uint32_t operation;
	int32_t status; /* 0 or a negative errno */
	uint32_t count; /* REVOKE: leases that were ended */
	/* A lease. */
	char name[POLICY_NAME_SIZE];
	uint64_t offset;
	uint64_t length;
	uint32_t bar;
	uint32_t flags;
	uint32_t attr;
	uint32_t pid;
	uint32_t uid;
	uint32_t zero;
	char text[128]; /* why not, for people */
};

#endif
