/* SPDX-License-Identifier: MIT */
/*
 * What the soft transport and the software DSP's process share: memory with the
 * message slots, and the messages on the socket between them. Either side may
 * be killed at any instruction, and the application trusts nothing it reads
 * here.
 */
#ifndef SOFTDSP_CHANNEL_H
#define SOFTDSP_CHANNEL_H

#include <stdatomic.h>
#include <stdint.h>

#include "fastrpc.h"

#define SOFTDSP_MAGIC 0x50534451U /* "QDSP" */
#define SOFTDSP_VERSION 1
#define SOFTDSP_SLOTS 256 /* a slot's number is the context id; 0 is not used */

/* File descriptors the process starts with. */
#define SOFTDSP_FD_CHANNEL 3
#define SOFTDSP_FD_SOCKET 4

enum softdsp_slot_state {
	SOFTDSP_SLOT_IDLE = 0,
	SOFTDSP_SLOT_POSTED = 1, /* set by the application */
	SOFTDSP_SLOT_DONE = 2,   /* set by the DSP, rsp is valid */
};

struct softdsp_slot {
	_Alignas(128) _Atomic uint32_t state; /* futex: the caller sleeps on it */
	struct fastrpc_msg msg;
	struct fastrpc_rsp rsp;
};

struct softdsp_channel {
	uint32_t magic;
	uint32_t version;
	/* Messages posted and not yet taken; futex: idle workers sleep on it. */
	_Alignas(128) _Atomic uint32_t avail;
	_Atomic uint32_t idle; /* workers asleep or about to be */
	_Atomic uint64_t posted[SOFTDSP_SLOTS / 64];
	/* Memory messages sent and carried out; the DSP waits for them before it calls an address
	 * wrong. */
	_Alignas(128) _Atomic uint32_t memory_sent;
	_Atomic uint32_t memory_done; /* futex */
	_Atomic uint32_t logs;        /* lines sent */
	/* Why the process ended, written by itself; ended is set last. */
	_Alignas(128) _Atomic uint32_t ended;
	char reason[252];
	struct softdsp_slot slots[SOFTDSP_SLOTS];
};

/* One packet on the socket (SOCK_SEQPACKET). */
enum softdsp_packet_type {
	SOFTDSP_PACKET_HELLO = 1, /* DSP: ready; carries a pidfd of the process */
	SOFTDSP_PACKET_MAP = 2,   /* application: memory at an address; carries its fd */
	SOFTDSP_PACKET_UNMAP = 3, /* application: it is gone */
	SOFTDSP_PACKET_LOG = 4,   /* DSP: a line of text follows */
};

struct softdsp_packet {
	uint32_t type;
	uint32_t level; /* LOG: syslog level */
	uint64_t address;
	uint64_t size;
};

#define SOFTDSP_LOG_MAX 512

#endif
