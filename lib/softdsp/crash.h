/* SPDX-License-Identifier: MIT */
/* Why a DSP's process ends. */
#ifndef SOFTDSP_CRASH_H
#define SOFTDSP_CRASH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * When a signal of a crash or exit() ends the process, say why in @text, then set
 * @set. Return: 0 or a negative errno.
 */
int softdsp_catch_crashes(char *text, size_t size, _Atomic uint32_t *set);

/* Give the thread a stack for the handler, so that an overflow can be reported. */
void softdsp_give_signal_stack(void);

#endif
