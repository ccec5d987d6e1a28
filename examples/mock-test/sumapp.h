/* SPDX-License-Identifier: MIT */
/* The part of an application that talks to the DSP, small enough to be tested alone. */
#ifndef SUMAPP_H
#define SUMAPP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Sum on the DSP called @device, and in here if there is no such DSP: the
 * application works without one.
 *
 * @ret_on_dsp: where it was computed
 * @message: what went wrong, for the user; "" if nothing did
 *
 * Return: 0, or a negative errno if the DSP is there and failed.
 */
int sumapp_sum(const char *device, const int32_t *vec, uint32_t count, int64_t *ret_sum,
	       int *ret_on_dsp, char *message, size_t message_size);

#endif
