/* SPDX-License-Identifier: MIT */
/*
 * A skel as generated ones declare things: own types, no header of ours, the
 * method table's checks spelled out. Proves that such skels load and run as
 * they are. Interface: sum(in sequence<long> vec, rout long long res),
 * max(in sequence<long> vec, rout long res), deriving from remote_handle64.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t remote_handle;
typedef uint64_t remote_handle64;
typedef int AEEResult;

typedef struct {
	void *pv;
	size_t nLen;
} remote_buf;

typedef struct {
	int32_t fd;
	uint32_t offset;
} remote_dma_handle;

typedef union {
	remote_buf buf;
	remote_handle h;
	remote_handle64 h64;
	remote_dma_handle dma;
} remote_arg;

#define REMOTE_SCALARS_MAKEX(attr, method, in, out, hin, hout)                \
	((((uint32_t)(attr)&0x7) << 29) | (((uint32_t)(method)&0x1f) << 24) | \
	 (((uint32_t)(in)&0xff) << 16) | (((uint32_t)(out)&0xff) << 8) |      \
	 (((uint32_t)(hin)&0x0f) << 4) | ((uint32_t)(hout)&0x0f))
#define REMOTE_SCALARS_METHOD(dwScalars) (((dwScalars) >> 24) & 0x1f)
#define REMOTE_SCALARS_INBUFS(dwScalars) (((dwScalars) >> 16) & 0x0ff)
#define REMOTE_SCALARS_OUTBUFS(dwScalars) (((dwScalars) >> 8) & 0x0ff)
#define REMOTE_SCALARS_INHANDLES(dwScalars) (((dwScalars) >> 4) & 0x0f)
#define REMOTE_SCALARS_OUTHANDLES(dwScalars) ((dwScalars)&0x0f)

#define AEE_SUCCESS 0
#define AEE_EBADPARM 14
#define AEE_EUNSUPPORTED 20

#define _TRY(ee, func)                              \
	do {                                        \
		if (AEE_SUCCESS != ((ee) = (func))) \
			goto bail;                  \
	} while (0)
#define _ASSERT(ee, cond) _TRY(ee, (cond) ? AEE_SUCCESS : AEE_EBADPARM)

int qaicstyle_skel_handle_invoke(remote_handle64 _h, uint32_t _sc, remote_arg *_pra)
	__attribute__((visibility("default")));
extern const char qaicstyle_skel_handle_invoke_uri[];

__attribute__((visibility("default"))) const char qaicstyle_skel_handle_invoke_uri[] =
	"file:///libqaicstyle_skel.so?qaicstyle_skel_handle_invoke&_modver=1.0&_idlver=1.0.0";

static AEEResult qaicstyle_open(const char *uri, remote_handle64 *handle)
{
	int *object = malloc(sizeof(*object));

	if (!object)
		return 2;
	*object = 42;
	*handle = (remote_handle64)(uintptr_t)object;
	return uri[0] ? AEE_SUCCESS : AEE_EBADPARM;
}

static AEEResult qaicstyle_close(remote_handle64 handle)
{
	free((void *)(uintptr_t)handle);
	return AEE_SUCCESS;
}

static AEEResult qaicstyle_sum(remote_handle64 _h, const int *vec, int vecLen, int64_t *res)
{
	*res = 0;
	for (int i = 0; i < vecLen; i++)
		*res += vec[i];
	return *(int *)(uintptr_t)_h == 42 ? AEE_SUCCESS : AEE_EBADPARM;
}

static AEEResult qaicstyle_max(remote_handle64 _h, const int *vec, int vecLen, int *res)
{
	if (!vecLen)
		return AEE_EBADPARM;
	*res = vec[0];
	for (int i = 1; i < vecLen; i++)
		if (vec[i] > *res)
			*res = vec[i];
	return *(int *)(uintptr_t)_h == 42 ? AEE_SUCCESS : AEE_EBADPARM;
}

static int _skel_method_open(remote_arg *_pra, uint32_t _sc)
{
	uint32_t _in1Len[1];
	remote_handle64 _out[1] = {0};
	int _nErr = 0;

	_ASSERT(_nErr, REMOTE_SCALARS_INBUFS(_sc) == 2);
	_ASSERT(_nErr, REMOTE_SCALARS_OUTHANDLES(_sc) == 1);
	_ASSERT(_nErr, _pra[0].buf.nLen >= 4);
	memcpy(_in1Len, _pra[0].buf.pv, 4);
	_ASSERT(_nErr, _in1Len[0] == _pra[1].buf.nLen);
	_ASSERT(_nErr, _in1Len[0] > 0 && ((const char *)_pra[1].buf.pv)[_in1Len[0] - 1] == 0);
	_TRY(_nErr, qaicstyle_open(_pra[1].buf.pv, _out));
	_pra[2].h64 = _out[0];
bail:
	return _nErr;
}

static int _skel_method_close(remote_arg *_pra, uint32_t _sc)
{
	int _nErr = 0;

	_ASSERT(_nErr, REMOTE_SCALARS_INHANDLES(_sc) == 1);
	_TRY(_nErr, qaicstyle_close(_pra[0].h64));
bail:
	return _nErr;
}

static int _skel_method_sum(remote_handle64 _h, uint32_t _sc, remote_arg *_pra)
{
	uint32_t _primIn[1];
	uint64_t _primROut[1];
	int64_t _rout[1];
	int _nErr = 0;

	_ASSERT(_nErr, _sc == REMOTE_SCALARS_MAKEX(0, 2, 2, 1, 0, 0));
	_ASSERT(_nErr, _pra[0].buf.nLen >= 4 && _pra[2].buf.nLen >= 8);
	memcpy(_primIn, _pra[0].buf.pv, 4);
	_ASSERT(_nErr, _pra[1].buf.nLen / 4 >= _primIn[0]);
	_TRY(_nErr, qaicstyle_sum(_h, _pra[1].buf.pv, (int)_primIn[0], _rout));
	memcpy(_primROut, _rout, 8);
	memcpy(_pra[2].buf.pv, _primROut, 8);
bail:
	return _nErr;
}

static int _skel_method_max(remote_handle64 _h, uint32_t _sc, remote_arg *_pra)
{
	uint32_t _primIn[1];
	int _rout[1];
	int _nErr = 0;

	_ASSERT(_nErr, _sc == REMOTE_SCALARS_MAKEX(0, 3, 2, 1, 0, 0));
	_ASSERT(_nErr, _pra[0].buf.nLen >= 4 && _pra[2].buf.nLen >= 4);
	memcpy(_primIn, _pra[0].buf.pv, 4);
	_ASSERT(_nErr, _pra[1].buf.nLen / 4 >= _primIn[0]);
	_TRY(_nErr, qaicstyle_max(_h, _pra[1].buf.pv, (int)_primIn[0], _rout));
	memcpy(_pra[2].buf.pv, _rout, 4);
bail:
	return _nErr;
}

int qaicstyle_skel_handle_invoke(remote_handle64 _h, uint32_t _sc, remote_arg *_pra)
{
	switch (REMOTE_SCALARS_METHOD(_sc)) {
	case 0:
		return _skel_method_open(_pra, _sc);
	case 1:
		return _skel_method_close(_pra, _sc);
	case 2:
		return _skel_method_sum(_h, _sc, _pra);
	case 3:
		return _skel_method_max(_h, _sc, _pra);
	}
	return AEE_EUNSUPPORTED;
}
