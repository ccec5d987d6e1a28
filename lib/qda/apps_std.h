/* SPDX-License-Identifier: MIT */
/*
 * Services for reverse calls: apps_remotectl, and of apps_std what a DSP needs
 * to load modules. Read-only, and confined to a session's directories.
 */
#ifndef APPS_STD_H
#define APPS_STD_H

#include "reverse.h"

struct qda;
struct apps_std;

/* What apps_remotectl's open gives for "apps_std". */
#define APPS_STD_HANDLE 1
/* Files a session's process may have open. */
#define APPS_STD_MAX_FILES 256

/* @dirs: what may be read, in order; NULL-terminated, must outlive the object. @qda: for its log.
 */
int apps_std_new(const struct qda *qda, char *const *dirs, struct apps_std **ret_services);

/*
 * Carry out a reverse call. @bufs are FASTRPC_BUFS(@sc) buffers, of which
 * nothing is trusted but that they are there.
 *
 * Return: an AEE status for the DSP.
 */
uint32_t apps_std_invoke(struct apps_std *services, uint32_t handle, uint32_t sc,
			 const struct reverse_buf *bufs);

/* Closes the files. NULL is accepted. Return: NULL. */
struct apps_std *apps_std_free(struct apps_std *services);

#endif
