/* SPDX-License-Identifier: MIT */
/*
 * The DSP's side of calculator.idl. A skel gets a call as scalars and an array
 * of memory ranges: it knows nothing else of the caller, so it checks that the
 * arguments are as many and as long as the method's declaration makes them.
 */
#include <string.h>

#include <qda_skel.h>

enum {
	METHOD_OPEN = 0,
	METHOD_CLOSE = 1,
	METHOD_SUM = 2, /* the first own method of a remote_handle64 interface */
	METHOD_MAX = 3,
};

/*
 * The arguments of both methods: the fixed-size in values { u32 count }, the
 * elements, and the fixed-size out values, here one number of result_size bytes.
 */
static AEEResult check(const remote_arg *pra, size_t result_size, const int32_t **ret_vec,
		       uint32_t *ret_count)
{
	uint32_t count;

	if (pra[0].buf.nLen < sizeof(count) || pra[2].buf.nLen < result_size)
		return AEE_EBADPARM;
	memcpy(&count, pra[0].buf.pv, sizeof(count));
	if (pra[1].buf.nLen != (uint64_t)count * sizeof(**ret_vec))
		return AEE_EBADPARM;
	/* Memory of a call is aligned for its type by the caller's packing rules. Still checked. */
	if (count && (uintptr_t)pra[1].buf.pv % sizeof(**ret_vec))
		return AEE_EBADPARM;
	*ret_vec = pra[1].buf.pv;
	*ret_count = count;
	return AEE_SUCCESS;
}

static AEEResult sum(remote_arg *pra)
{
	const int32_t *vec;
	uint32_t count;
	int64_t res = 0; /* 2^32 - 1 elements of 32 bits cannot overflow it */
	AEEResult status;

	status = check(pra, sizeof(res), &vec, &count);
	if (status)
		return status;
	for (uint32_t i = 0; i < count; i++)
		res += vec[i];
	memcpy(pra[2].buf.pv, &res, sizeof(res));
	return AEE_SUCCESS;
}

static AEEResult max(remote_arg *pra)
{
	const int32_t *vec;
	uint32_t count;
	int32_t res;
	AEEResult status;

	status = check(pra, sizeof(res), &vec, &count);
	if (status)
		return status;
	if (!count) {
		FARF(ERROR, "max: the list is empty");
		return AEE_EBADPARM;
	}
	res = vec[0];
	for (uint32_t i = 1; i < count; i++) {
		if (vec[i] > res)
			res = vec[i];
	}
	memcpy(pra[2].buf.pv, &res, sizeof(res));
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT AEEResult calculator_skel_handle_invoke(remote_handle64 h, uint32_t sc,
							remote_arg *pra);

AEEResult calculator_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	(void)h; /* the calculator keeps nothing between calls */

	switch (sc) {
	case REMOTE_SCALARS_MAKEX(0, METHOD_OPEN, 2, 0, 0, 1):
		pra[2].h64 = 1;
		return AEE_SUCCESS;
	case REMOTE_SCALARS_MAKEX(0, METHOD_CLOSE, 0, 0, 1, 0):
		return AEE_SUCCESS;
	case REMOTE_SCALARS_MAKE(METHOD_SUM, 2, 1):
		return sum(pra);
	case REMOTE_SCALARS_MAKE(METHOD_MAX, 2, 1):
		return max(pra);
	}
	/* A number this interface does not have, or the wrong number of arguments. */
	return REMOTE_SCALARS_METHOD(sc) > METHOD_MAX ? AEE_EUNSUPPORTED : AEE_EBADPARM;
}
