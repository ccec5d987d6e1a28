/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A skel for tests of the path to the DSP: methods that copy, that look where they
 * must not, that do not return. See enum qda_sim_method for the arguments.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qda_skel.h>

#include "qda-sim-skel.h"

static AEEResult copy(const remote_buf *in, const remote_buf *out)
{
	if (in->nLen != out->nLen)
		return AEE_EBADPARM;
	if (in->nLen)
		memcpy(out->pv, in->pv, in->nLen);
	return AEE_SUCCESS;
}

/* The byte at a distance from the buffer. */
static volatile uint8_t *at_distance(const remote_buf *distance, const remote_buf *buf)
{
	int64_t bytes;

	if (distance->nLen != sizeof(bytes))
		return NULL;
	memcpy(&bytes, distance->pv, sizeof(bytes));
	return (volatile uint8_t *)buf->pv + bytes;
}

static AEEResult peek(remote_arg *args)
{
	const volatile uint8_t *byte = at_distance(&args[0].buf, &args[1].buf);

	if (!byte || args[2].buf.nLen != 1)
		return AEE_EBADPARM;
	*(uint8_t *)args[2].buf.pv = *byte;
	return AEE_SUCCESS;
}

static AEEResult poke(remote_arg *args)
{
	volatile uint8_t *byte = at_distance(&args[0].buf, &args[1].buf);

	if (!byte)
		return AEE_EBADPARM;
	*byte = 1;
	return AEE_SUCCESS;
}

/* Add 1 to the first byte of a buffer that is passed by its number. */
static AEEResult count(const remote_dma_handle *handle)
{
	void *data;

	if (HAP_mmap_get(handle->fd, &data, NULL) != AEE_SUCCESS)
		return AEE_EBADPARM;
	((uint8_t *)data)[handle->offset]++;
	HAP_mmap_put(handle->fd);
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT AEEResult qda_sim_skel_invoke(uint32_t sc, remote_arg *args);

AEEResult qda_sim_skel_invoke(uint32_t sc, remote_arg *args)
{
	switch (sc) {
	case QDA_SIM_NOTHING:
		return AEE_SUCCESS;
	case QDA_SIM_COPY:
		return copy(&args[0].buf, &args[1].buf);
	case QDA_SIM_COPY2:
		return copy(&args[0].buf, &args[2].buf) ?: copy(&args[1].buf, &args[3].buf);
	case QDA_SIM_TOUCH4:
		return AEE_SUCCESS;
	case QDA_SIM_PEEK:
		return peek(args);
	case QDA_SIM_POKE:
		return poke(args);
	case QDA_SIM_COUNT:
		return count(&args[0].dma);
	case QDA_SIM_WAIT:
		for (;;)
			pause();
	case QDA_SIM_ABORT:
		abort();
	}
	return AEE_EUNSUPPORTED;
}
