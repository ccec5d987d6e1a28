/* SPDX-License-Identifier: MIT */
/*
 * The software DSP: FastRPC's remote side for one session. The engine takes
 * messages, finds their memory, and carries them out: control messages, the
 * static services, and calls of skels it has loaded. How messages and memory
 * reach it is the front end's business (struct softdsp_ops).
 */
#ifndef SOFTDSP_H
#define SOFTDSP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common.h"
#include "fastrpc.h" /* before qda_skel.h, whose macros have the same names */
#include "reverse.h"

#include <qda_skel.h>

struct softdsp_ops {
	/* Wait for a message. Called by any number of workers at once. A negative errno ends the
	 * worker. */
	int (*receive)(void *data, struct fastrpc_msg *ret_msg);
	void (*reply)(void *data, uint64_t ctx, int32_t retval);
	/*
	 * No memory is known at the address. Make it known with
	 * softdsp_memory_add() and return 0, or return -EFAULT. @attempt counts
	 * from 0.
	 */
	int (*fault)(void *data, uint64_t address, uint64_t size, int attempt);
	/*
	 * A library that the DSP has itself. Return: a file descriptor for the engine,
	 * or a negative errno if the application is to be asked. NULL: it has none.
	 */
	int (*library)(void *data, const char *name);
	void (*log)(void *data, int level, const char *text);
	/* The process was released; does not return. */
	void (*release)(void *data) __attribute__((noreturn));
};

/* Memory of the session: a range of DMA addresses and where it is mapped here. */
struct softdsp_region {
	uint64_t address;
	uint64_t size;
	void *data;
};

/* A buffer that skels find by its cookie. */
struct softdsp_cookie {
	int32_t cookie;
	uint32_t users;  /* HAP_mmap_get() and calls with it as handle argument */
	uint32_t passed; /* handle arguments that were it since it was not used */
	bool mapped;     /* by MEM_MAP; else it lives as long as its users */
	uint64_t address;
	uint64_t size;
	void *data;
};

struct softdsp_skel; /* a loaded library */
struct softdsp_module;

#define SOFTDSP_MODULES 1024
#define SOFTDSP_MODULE_HANDLE 0x100U /* remote handle of the first module */
#define SOFTDSP_WORKERS 256

struct softdsp {
	const struct softdsp_ops *ops;
	void *data;

	atomic_bool created;
	atomic_uint idle; /* workers in receive() or about to be */
	atomic_uint workers;

	pthread_rwlock_t memory_lock;   /* the six below */
	struct softdsp_region *regions; /* sorted by address */
	size_t n_regions;
	struct softdsp_cookie *cookies;
	size_t n_cookies;
	int32_t *unused; /* of handle arguments, to be told to the driver */
	size_t n_unused;

	pthread_mutex_t module_lock;
	struct softdsp_module *modules[SOFTDSP_MODULES];
	pthread_mutex_t load_lock; /* one library at a time; the two below */
	struct softdsp_skel *skels;
	uint32_t apps_std; /* remote handle of the application's file service, 0: not opened */

	pthread_mutex_t reverse_lock; /* all below */
	pthread_cond_t reverse_changed;
	struct reverse_call *reverse_calls;
	bool listening;             /* a listener has called */
	unsigned int listener_wait; /* seconds a reverse call waits for the first listener */
	uint32_t reverse_ctx;
};

/* Which skel a thread is in, for the report when it crashes. */
struct softdsp_place {
	const char *name; /* the library, or NULL outside skels */
	uint32_t method;  /* or SOFTDSP_LOADING */
};
#define SOFTDSP_LOADING UINT32_MAX
extern __thread struct softdsp_place softdsp_place;

/* Status as DSPs report their own failures. */
#define DSP_STATUS(aee) ((int)(AEE_DSP_OFFSET + (uint32_t)(aee)))

/* engine.c */
void softdsp_init(struct softdsp *dsp, const struct softdsp_ops *ops, void *data);
void softdsp_finish(struct softdsp *dsp);
/* Carry out one message; returns what to answer. The front end's receive() feeds it through
 * workers. */
int32_t softdsp_handle(struct softdsp *dsp, const struct fastrpc_msg *msg, bool *ret_release);
/* Start the first worker; more follow as calls need them. Return: 0 or a negative errno. */
int softdsp_start(struct softdsp *dsp);
void softdsp_log(struct softdsp *dsp, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* memory.c */
int softdsp_memory_add(struct softdsp *dsp, uint64_t address, uint64_t size, void *data);
/* Forget the region at @address and give it back for unmapping. Return: 0 or -ENOENT. */
int softdsp_memory_remove(struct softdsp *dsp, uint64_t address, struct softdsp_region *ret_region);
/* Where @size bytes at @address are, or NULL if they do not lie in one region. */
void *softdsp_memory_find(struct softdsp *dsp, uint64_t address, uint64_t size);
/* Whether @data points into a region. */
bool softdsp_memory_contains(struct softdsp *dsp, const void *data, uint64_t size);
int softdsp_cookie_map(struct softdsp *dsp, int32_t cookie, uint64_t address, uint64_t size,
		       void *data);
int softdsp_cookie_unmap(struct softdsp *dsp, int32_t cookie, uint64_t address);
/*
 * Use a cookie; with @data it comes to life if it is unknown. Return: 0; -ENOENT;
 * -EEXIST if it stands for other memory; -ENOMEM.
 */
int softdsp_cookie_get(struct softdsp *dsp, int32_t cookie, uint64_t address, uint64_t size,
		       void *data, struct softdsp_cookie *ret_cookie);
int softdsp_cookie_put(struct softdsp *dsp, int32_t cookie);
/*
 * Take cookies of handle arguments that are not used any more, each as often as it
 * was passed. Return: how many, at most @max.
 */
size_t softdsp_unused_take(struct softdsp *dsp, uint64_t *cookies, size_t max);

/* modules.c */
int softdsp_remotectl(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args);
int softdsp_module_invoke(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args);

/* listener.c */
int softdsp_listener(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args);
/* Call the application. Return: its status, or DSP_STATUS(AEE_EBADSTATE) without a listener. */
int softdsp_reverse(struct softdsp *dsp, uint32_t handle, uint32_t sc,
		    const struct reverse_buf *bufs);

/* hap.c: the engine that HAP_mmap_get() and HAP_debug_v2() of this process belong to. */
void softdsp_hap_set(struct softdsp *dsp);

#endif
