/* SPDX-License-Identifier: MIT */
/* The DSP's side of most conformance cases: small methods that show what arrived. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <qda_skel.h>

#include "conf.h"

/* Longest wait for something that is sure to come, so that a broken test ends. */
#define PATIENCE_S 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static uint32_t inside, round_;
static atomic_uint counter, opened;

AEEResult conf_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);

static remote_arg *out_args(uint32_t sc, remote_arg *pra)
{
	return pra + REMOTE_SCALARS_INBUFS(sc);
}

static remote_arg *handle_args(uint32_t sc, remote_arg *pra)
{
	return out_args(sc, pra) + REMOTE_SCALARS_OUTBUFS(sc);
}

static uint32_t length(uint32_t sc)
{
	return REMOTE_SCALARS_INBUFS(sc) + REMOTE_SCALARS_OUTBUFS(sc) +
	       REMOTE_SCALARS_INHANDLES(sc) + REMOTE_SCALARS_OUTHANDLES(sc);
}

/* Word @index of the first in buffer, or 0 when it is not there. */
static uint32_t word(uint32_t sc, const remote_arg *pra, size_t index)
{
	uint32_t value = 0;

	if (REMOTE_SCALARS_INBUFS(sc) && pra[0].buf.nLen >= (index + 1) * sizeof(value))
		memcpy(&value, (char *)pra[0].buf.pv + index * sizeof(value), sizeof(value));
	return value;
}

/* Store into the first out buffer. */
static int answer(uint32_t sc, remote_arg *pra, const void *data, size_t size)
{
	const remote_arg *out = out_args(sc, pra);

	if (!REMOTE_SCALARS_OUTBUFS(sc) || out->buf.nLen < size)
		return AEE_EBUFFERTOOSMALL;
	memcpy(out->buf.pv, data, size);
	return AEE_SUCCESS;
}

static int answer_u32(uint32_t sc, remote_arg *pra, uint32_t value)
{
	return answer(sc, pra, &value, sizeof(value));
}

static int answer_u64(uint32_t sc, remote_arg *pra, uint64_t value)
{
	return answer(sc, pra, &value, sizeof(value));
}

static uint64_t sum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += bytes[i];
	return total;
}

/* The child ends at once where there is one. */
static uint32_t start_process(void)
{
	static char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0 || posix_spawnp(&pid, "true", NULL, NULL, argv, NULL) == 0)
		return 0;
	return (uint32_t)errno;
}

static int echo(uint32_t sc, remote_arg *pra)
{
	remote_arg *out = out_args(sc, pra);

	for (uint32_t i = 0; i < REMOTE_SCALARS_INBUFS(sc); i++) {
		if (i >= REMOTE_SCALARS_OUTBUFS(sc) || out[i].buf.nLen != pra[i].buf.nLen)
			return AEE_EBADPARM;
		if (pra[i].buf.nLen)
			memmove(out[i].buf.pv, pra[i].buf.pv, pra[i].buf.nLen);
	}
	return AEE_SUCCESS;
}

static int invert(uint32_t sc, remote_arg *pra)
{
	remote_arg *out = out_args(sc, pra);

	for (uint32_t i = 0; i < REMOTE_SCALARS_INBUFS(sc); i++) {
		const volatile uint8_t *from = pra[i].buf.pv;
		volatile uint8_t *to = out[i].buf.pv;

		for (size_t k = 0; k < pra[i].buf.nLen; k++)
			to[k] = (uint8_t)~from[k];
	}
	return AEE_SUCCESS;
}

static int report(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	uint32_t last = REMOTE_SCALARS_INBUFS(sc) + REMOTE_SCALARS_OUTBUFS(sc) - 1;
	struct conf_report *seen = pra[last].buf.pv;

	if (!REMOTE_SCALARS_OUTBUFS(sc) || pra[last].buf.nLen != sizeof(*seen))
		return AEE_EBUFFERTOOSMALL;
	seen->handle = h;
	seen->sc = sc;
	seen->n = last;
	for (uint32_t i = 0; i < last; i++) {
		seen->args[i].address = (uintptr_t)pra[i].buf.pv;
		seen->args[i].length = pra[i].buf.nLen;
	}
	return AEE_SUCCESS;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

static int rendezvous(uint32_t parties)
{
	struct timespec limit;
	uint32_t mine;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	mine = round_;
	if (++inside == parties) {
		inside = 0;
		round_++;
		pthread_cond_broadcast(&arrived);
	}
	while (mine == round_ && !r)
		r = pthread_cond_timedwait(&arrived, &lock, &limit);
	pthread_mutex_unlock(&lock);
	return r ? AEE_EFAILED : AEE_SUCCESS;
}

/* Sleep until *@value is @wanted; the other side may or may not wake the futex. */
static int wait_word(_Atomic uint32_t *value, uint32_t wanted)
{
	const struct timespec step = {.tv_nsec = 100000000};

	for (int i = 0; i < PATIENCE_S * 10; i++) {
		uint32_t now = atomic_load(value);

		if (now == wanted)
			return AEE_SUCCESS;
		/* Memory behind a simulated IOMMU has no futexes. */
		if (syscall(SYS_futex, value, FUTEX_WAIT, now, &step, NULL, 0) == -1 &&
		    errno == EFAULT)
			nanosleep(&step, NULL);
	}
	return AEE_EFAILED;
}

static int hap(uint32_t sc, remote_arg *pra, uint32_t method)
{
	int cookie = (int)word(sc, pra, 0);
	uint32_t size = word(sc, pra, 1);
	uint64_t total = 0;
	void *data;

	if (HAP_mmap_get(cookie, &data, NULL) != AEE_SUCCESS)
		return AEE_EBADPARM;
	if (method == CONF_HAP_FILL)
		memset(data, (int)word(sc, pra, 2), size);
	else
		total = sum(data, size);
	HAP_mmap_put(cookie);
	return method == CONF_HAP_FILL ? AEE_SUCCESS : answer_u64(sc, pra, total);
}

static int handle_copy(const remote_arg *in, const remote_arg *out)
{
	void *from, *to;
	int r = AEE_EBADPARM;

	if (in->dma.len != out->dma.len)
		return AEE_EBADPARM;
	if (HAP_mmap_get(in->dma.fd, &from, NULL) != AEE_SUCCESS)
		return AEE_EBADPARM;
	if (HAP_mmap_get(out->dma.fd, &to, NULL) == AEE_SUCCESS) {
		memcpy((char *)to + out->dma.offset, (char *)from + in->dma.offset, in->dma.len);
		HAP_mmap_put(out->dma.fd);
		r = AEE_SUCCESS;
	}
	HAP_mmap_put(in->dma.fd);
	return r;
}

/* Says 1, waits for 2, says 3: works only while both look at the same memory. */
static int handshake(uint32_t sc, remote_arg *pra)
{
	_Atomic uint32_t *words = out_args(sc, pra)->buf.pv;

	atomic_store(&words[0], 1);
	if (wait_word(&words[1], 2) != AEE_SUCCESS)
		return AEE_EFAILED;
	atomic_store(&words[2], 3);
	return AEE_SUCCESS;
}

static int gate(uint32_t sc, remote_arg *pra)
{
	_Atomic uint32_t *words = out_args(sc, pra)->buf.pv;

	atomic_fetch_add(&words[0], 1);
	return wait_word(&words[1], 1);
}

/* long pair(in pair p, in octet add, rout pair q, rout long long twice) */
static int typed_struct(uint32_t sc, remote_arg *pra)
{
	struct prim_in {
		struct conf_pair p;
		uint8_t add;
	} in;
	struct prim_rout {
		struct conf_pair q;
		int64_t twice;
	} rout;
	const remote_arg *out = out_args(sc, pra);

	if (sc != REMOTE_SCALARS_MAKE(CONF_TYPED_STRUCT, 1, 1) ||
	    pra[0].buf.nLen < offsetof(struct prim_in, add) + 1 || out->buf.nLen != sizeof(rout))
		return AEE_EBADPARM;
	memcpy(&in, pra[0].buf.pv, offsetof(struct prim_in, add) + 1);
	memset(&rout, 0, sizeof(rout));
	rout.q = in.p;
	rout.q.tag = (uint8_t)(in.p.tag + in.add);
	rout.q.three[0] = in.p.three[2];
	rout.q.three[2] = in.p.three[0];
	rout.twice = 2 * in.p.big;
	memcpy(out->buf.pv, &rout, sizeof(rout));
	return AEE_SUCCESS;
}

/* long twice(in sequence<long> v, rout sequence<long> w) */
static int typed_sequence(uint32_t sc, remote_arg *pra)
{
	const remote_arg *out = out_args(sc, pra);
	const int32_t *v = pra[1].buf.pv;
	int32_t *w = out->buf.pv;
	uint32_t n = word(sc, pra, 0);

	if (sc != REMOTE_SCALARS_MAKE(CONF_TYPED_SEQUENCE, 2, 1) || pra[0].buf.nLen != 8 ||
	    word(sc, pra, 1) < n || pra[1].buf.nLen != n * sizeof(*v))
		return AEE_EBADPARM;
	for (uint32_t i = 0; i < n; i++)
		w[i] = 2 * v[i];
	return AEE_SUCCESS;
}

/* long upper(in string s, rout string t) */
static int typed_string(uint32_t sc, remote_arg *pra)
{
	const remote_arg *out = out_args(sc, pra);
	const char *s = pra[1].buf.pv;
	char *t = out->buf.pv;
	uint32_t n = word(sc, pra, 0);

	if (sc != REMOTE_SCALARS_MAKE(CONF_TYPED_STRING, 2, 1) || pra[1].buf.nLen != n ||
	    out->buf.nLen != word(sc, pra, 1) || !n || s[n - 1] || out->buf.nLen < n)
		return AEE_EBADPARM;
	for (uint32_t i = 0; i < n; i++)
		t[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 'a' + 'A' : s[i]);
	return AEE_SUCCESS;
}

/* long reverse(in wstring s, rout wstring t) */
static int typed_wstring(uint32_t sc, remote_arg *pra)
{
	const remote_arg *out = out_args(sc, pra);
	const uint16_t *s = pra[1].buf.pv;
	uint16_t *t = out->buf.pv;
	uint32_t n = word(sc, pra, 0);

	if (sc != REMOTE_SCALARS_MAKE(CONF_TYPED_WSTRING, 2, 1) || pra[1].buf.nLen != 2 * n || !n ||
	    s[n - 1] || out->buf.nLen != 2 * word(sc, pra, 1) || word(sc, pra, 1) < n)
		return AEE_EBADPARM;
	for (uint32_t i = 0; i + 1 < n; i++)
		t[i] = s[n - 2 - i];
	t[n - 1] = 0;
	return AEE_SUCCESS;
}

/* long next(inrout long x, inrout sequence<octet> v) */
static int typed_inrout(uint32_t sc, remote_arg *pra)
{
	const remote_arg *out = out_args(sc, pra);
	const uint8_t *v = pra[1].buf.pv;
	uint8_t *w = out[1].buf.pv;

	if (sc != REMOTE_SCALARS_MAKE(CONF_TYPED_INROUT, 2, 2) ||
	    pra[1].buf.nLen != word(sc, pra, 1) || out[1].buf.nLen != pra[1].buf.nLen)
		return AEE_EBADPARM;
	for (size_t i = 0; i < pra[1].buf.nLen; i++)
		w[i] = (uint8_t)(v[i] + 1);
	return answer_u32(sc, pra, word(sc, pra, 0) + 1);
}

/* long copy(in long add, in dmahandle from, rout dmahandle to) */
static int typed_dmahandle(uint32_t sc, remote_arg *pra)
{
	if (sc != REMOTE_SCALARS_MAKEX(0, CONF_TYPED_DMAHANDLE, 1, 0, 1, 1))
		return AEE_EBADPARM;
	return handle_copy(&pra[1], &pra[2]);
}

static int open_handle(uint32_t sc, remote_arg *pra)
{
	uint32_t *instance = malloc(sizeof(*instance));

	if (!instance)
		return AEE_ENOMEMORY;
	*instance = sc;
	atomic_fetch_add(&opened, 1);
	handle_args(sc, pra)->h64 = (uintptr_t)instance;
	return AEE_SUCCESS;
}

static int close_handle(remote_handle64 h)
{
	free((void *)(uintptr_t)h);
	atomic_fetch_sub(&opened, 1);
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT AEEResult conf_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	uint32_t method = REMOTE_SCALARS_METHOD(sc);
	uint64_t total = 0;

	if (method == 31) {
		method = word(sc, pra, 0);
		if (method < CONF_EXTENDED || method > CONF_EXTENDED_MAX)
			return AEE_EUNSUPPORTED;
		return answer_u32(sc, pra, method);
	}
	switch (method) {
	case 0:
		return open_handle(sc, pra);
	case 1:
		return close_handle(h);
	case CONF_NOTHING:
		return AEE_SUCCESS;
	case CONF_ECHO:
		return echo(sc, pra);
	case CONF_SUM:
		for (uint32_t i = 0; i < REMOTE_SCALARS_INBUFS(sc); i++)
			total += sum(pra[i].buf.pv, pra[i].buf.nLen);
		return answer_u64(sc, pra, total);
	case CONF_FILL:
		for (uint32_t i = REMOTE_SCALARS_INBUFS(sc); i < length(sc); i++)
			if (pra[i].buf.nLen)
				memset(pra[i].buf.pv, (int)word(sc, pra, 0), pra[i].buf.nLen);
		return AEE_SUCCESS;
	case CONF_STATUS:
		return (int)word(sc, pra, 0);
	case CONF_REPORT:
		return report(h, sc, pra);
	case CONF_SLEEP:
		sleep_ms(word(sc, pra, 0));
		return AEE_SUCCESS;
	case CONF_RENDEZVOUS:
		return rendezvous(word(sc, pra, 0));
	case CONF_COUNT:
		atomic_fetch_add(&counter, 1);
		return AEE_SUCCESS;
	case CONF_COUNTED:
		return answer_u32(sc, pra, atomic_load(&counter));
	case CONF_HAP_SUM:
	case CONF_HAP_FILL:
		return hap(sc, pra, method);
	case CONF_LOG:
		FARF(HIGH, "%.*s", (int)pra[0].buf.nLen, (char *)pra[0].buf.pv);
		return AEE_SUCCESS;
	case CONF_PID:
		return answer_u32(sc, pra, (uint32_t)getpid());
	case CONF_FORK:
		return answer_u32(sc, pra, start_process());
	case CONF_HANDLE_COPY:
		for (uint32_t i = 0; i < REMOTE_SCALARS_INHANDLES(sc); i++) {
			const remote_arg *in = handle_args(sc, pra) + i;
			int r = handle_copy(in, in + REMOTE_SCALARS_INHANDLES(sc));

			if (r != AEE_SUCCESS)
				return r;
		}
		return AEE_SUCCESS;
	case CONF_HANDSHAKE:
		return handshake(sc, pra);
	case CONF_GATE:
		return gate(sc, pra);
	case CONF_INVERT:
		return invert(sc, pra);
	case CONF_TYPED_STRUCT:
		return typed_struct(sc, pra);
	case CONF_TYPED_SEQUENCE:
		return typed_sequence(sc, pra);
	case CONF_TYPED_STRING:
		return typed_string(sc, pra);
	case CONF_TYPED_WSTRING:
		return typed_wstring(sc, pra);
	case CONF_TYPED_INROUT:
		return typed_inrout(sc, pra);
	case CONF_TYPED_DMAHANDLE:
		return typed_dmahandle(sc, pra);
	case CONF_OPENED:
		return answer_u32(sc, pra, atomic_load(&opened));
	default:
		return AEE_EUNSUPPORTED;
	}
}
