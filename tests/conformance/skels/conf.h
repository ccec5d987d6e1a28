/* SPDX-License-Identifier: MIT */
/* Methods of the conformance suite's skels, and what they take. */
#ifndef CONF_SKEL_METHODS_H
#define CONF_SKEL_METHODS_H

#include <stdint.h>

/*
 * libconf_skel.so. An argument named below is the first in buffer (in) or the
 * first out buffer (out) unless it says more.
 */
enum conf_method {
	CONF_NOTHING = 2,      /* any arguments, none is touched */
	CONF_ECHO = 3,         /* in buffer i is copied to out buffer i */
	CONF_SUM = 4,          /* out u64: sum of all bytes of all in buffers */
	CONF_FILL = 5,         /* in u32: value; every byte of every out buffer is set to it */
	CONF_STATUS = 6,       /* in u32: what to return */
	CONF_REPORT = 7,       /* last out buffer: struct conf_report */
	CONF_SLEEP = 8,        /* in u32: milliseconds */
	CONF_RENDEZVOUS = 9,   /* in u32: returns once as many calls are inside */
	CONF_COUNT = 10,       /* one more on the counter */
	CONF_COUNTED = 11,     /* out u32: the counter */
	CONF_HAP_SUM = 12,     /* in s32 cookie, u32 bytes; out u64: sum of the buffer's bytes */
	CONF_HAP_FILL = 13,    /* in s32 cookie, u32 bytes, u32 value */
	CONF_LOG = 14,         /* in: text for FARF */
	CONF_PID = 15,         /* out u32: process id */
	CONF_HANDLE_COPY = 16, /* in handle i is copied to out handle i */
	CONF_HANDSHAKE = 17,   /* out: u32[3] in a buffer, see the skel */
	CONF_GATE = 18,        /* in: struct conf_gate in a buffer, also as out */
	CONF_INVERT = 19,      /* out buffer i is the complement of in buffer i, byte by byte */
	CONF_TYPED_STRUCT = 20,
	CONF_TYPED_SEQUENCE = 21,
	CONF_TYPED_STRING = 22,
	CONF_TYPED_WSTRING = 23,
	CONF_TYPED_INROUT = 24,
	CONF_TYPED_DMAHANDLE = 25,
	CONF_OPENED = 26,   /* out u32: handles of the skel that are open */
	CONF_FORK = 27,     /* out u32: errno of the ways to start a process, 0 if one worked */
	CONF_EXTENDED = 40, /* sent as 31; out u32: the number that arrived */
	CONF_EXTENDED_MAX = 1000,
};

#define CONF_REPORT_MAX 600

/* What the skel saw; addresses are its own. */
struct conf_report {
	uint64_t handle; /* what open stored */
	uint32_t sc;
	uint32_t n; /* arguments, but for the report itself */
	struct {
		uint64_t address;
		uint64_t length;
	} args[CONF_REPORT_MAX];
};

/* In memory that both sides see. */
struct conf_gate {
	uint32_t arrived;
	uint32_t open;
};

/* IDL: struct pair { octet tag; long long big; short three[3]; } */
struct conf_pair {
	uint8_t tag;
	int64_t big;
	int16_t three[3];
};

/* libcrash_skel.so */
enum crash_method {
	CRASH_NOTHING = 2,
	CRASH_SEGV = 3,
	CRASH_ABORT = 4,
	CRASH_EXIT = 5,
	CRASH_UNDERSCORE_EXIT = 6,
	CRASH_HANG = 7,
	CRASH_STACK = 8,
	CRASH_OVERRUN = 9, /* in u32: bytes to write behind the out buffer */
	CRASH_KILL = 10,
	CRASH_CLOSE_FDS = 11,
	CRASH_FPE = 12,
	CRASH_TRUNCATE = 13, /* every file the process has open */
	CRASH_STOP = 14,     /* stops the process, which the application is to outlive */
};

#endif
