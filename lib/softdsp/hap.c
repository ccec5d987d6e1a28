/* SPDX-License-Identifier: MIT */
/* What skels call in the process that loaded them (include/qda_skel.h). */
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "channel.h"
#include "softdsp.h"

static struct softdsp *hap_dsp;

void softdsp_hap_set(struct softdsp *dsp)
{
	hap_dsp = dsp;
}

QDA_SKEL_EXPORT int HAP_mmap_get(int fd, void **vaddr, uint64_t *paddr)
{
	struct softdsp_cookie cookie;

	if (!hap_dsp || softdsp_cookie_get(hap_dsp, fd, 0, 0, NULL, &cookie) < 0)
		return AEE_EFAILED;
	if (vaddr)
		*vaddr = cookie.data;
	if (paddr)
		*paddr = cookie.address;
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT int HAP_mmap_put(int fd)
{
	if (!hap_dsp || softdsp_cookie_put(hap_dsp, fd) < 0)
		return AEE_EFAILED;
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT void HAP_debug_v2(int level, const char *file, int line, const char *format, ...)
{
	static const int priority[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_ERR, LOG_CRIT};
	char text[SOFTDSP_LOG_MAX / 2];
	va_list ap;

	if (!hap_dsp)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (level < 0 || (size_t)level >= ARRAY_SIZE(priority))
		level = FARF_LEVEL_ERROR;
	softdsp_log(hap_dsp, priority[level], "%s:%d: %s", file, line, text);
}
