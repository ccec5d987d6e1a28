/* SPDX-License-Identifier: MIT */
/*
 * What client and compositor say to each other, the explicit sync of Wayland's
 * linux-drm-syncobj-v1 in small.
 *
 * Over a SOCK_SEQPACKET Unix socket; each message is one struct message, whose
 * unused members are 0, with the file descriptor that is named below by
 * SCM_RIGHTS. Ids are chosen by the client, below MAX_IDS, one number space each
 * for timelines and buffers, and stay as long as the connection.
 *
 * client:
 *	SURFACE   text: a name. First of all, once.
 *	TIMELINE  id; fd: a syncobj
 *	BUFFER    id, size; fd: a memfd of this size or more with F_SEAL_SHRINK
 *	COMMIT    id: a buffer; show it once acquire_point of acquire_timeline is
 *		  signalled, then signal release_point of release_timeline. Neither
 *		  need be submitted. On one timeline acquire must be below release.
 *		  No more than MAX_PENDING commits are waiting at a time.
 * compositor:
 *	ERROR     id: enum message_error, text: what is wrong; the connection ends
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

#define MAX_IDS 8
#define MAX_PENDING 16
#define MAX_BUFFER_SIZE (64U << 20)

enum message_type {
	MESSAGE_SURFACE = 1,
	MESSAGE_TIMELINE,
	MESSAGE_BUFFER,
	MESSAGE_COMMIT,
	MESSAGE_ERROR,
};

enum message_error {
	ERROR_BAD_MESSAGE = 1,
	ERROR_INVALID_TIMELINE,
	ERROR_INVALID_BUFFER,
	ERROR_CONFLICTING_POINTS,
	ERROR_NO_RESOURCES,
};

struct message {
	uint32_t type;
	uint32_t id;
	uint32_t acquire_timeline;
	uint32_t release_timeline;
	uint64_t acquire_point;
	uint64_t release_point;
	uint64_t size;
	char text[152];
};

#endif
