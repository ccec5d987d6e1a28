/* SPDX-License-Identifier: MIT */
/* Keeps the software DSP's process to itself. */
#ifndef SOFTDSP_CONFINE_H
#define SOFTDSP_CONFINE_H

#include "common.h"

/*
 * From now on this process cannot start others; threads it can. Return: 0, or a
 * negative errno where the kernel or the architecture has no filter for it.
 */
int softdsp_forbid_processes(void);

#endif
