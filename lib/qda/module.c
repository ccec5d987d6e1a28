/* SPDX-License-Identifier: MIT */
/* Modules: skels that the session's process has loaded, by way of remotectl. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define DLERROR_SIZE 1024

struct qda_module {
	struct qda_session *session;
	char *uri;
	uint32_t handle;
	uint32_t service; /* FASTRPC_HANDLE_REMOTECTL1 or ..._REMOTECTL: where it was opened */
};

/* primIn and primROut of remotectl's methods. */
struct open_in {
	uint32_t name_len;
	uint32_t dlerror_len;
};

struct open_out {
	int32_t handle;
	int32_t error;
};

struct close_in {
	int32_t handle;
	uint32_t dlerror_len;
};

struct close_out {
	int32_t error;
};

/* "libcalculator_skel.so" has the interface "calculator". */
static int build_uri(const char *library, const char *dsp, char **ret_uri)
{
	const char *iface = library;
	size_t len;

	if (!*library || strpbrk(library, "/?&"))
		return -EINVAL;
	if (!strncmp(iface, "lib", 3))
		iface += 3;
	len = strlen(iface);
	if (len >= 8 && !strcmp(iface + len - 8, "_skel.so"))
		len -= 8;
	else if (len >= 3 && !strcmp(iface + len - 3, ".so"))
		len -= 3;
	if (!len)
		return -EINVAL;
	if (asprintf(ret_uri, "file:///%s?%.*s_skel_handle_invoke&_modver=1.0&_dom=%s", library,
		     (int)len, iface, dsp) == -1)
		return -ENOMEM;
	return 0;
}

static int make_uri(const char *name, const char *dsp, char **ret_uri)
{
	if (strncmp(name, "file:", 5) != 0)
		return build_uri(name, dsp, ret_uri);
	*ret_uri = strdup(name);
	return *ret_uri ? 0 : -ENOMEM;
}

/* open1 or, on the older service, open. @dlerror has DLERROR_SIZE bytes. */
static int call_open(struct qda_module *module, uint32_t *ret_status, struct open_out *ret_out,
		     char *dlerror)
{
	struct open_in in = {
		.name_len = (uint32_t)strlen(module->uri) + 1,
		.dlerror_len = DLERROR_SIZE,
	};
	const struct qda_arg args[] = {
		{.ptr = &in, .length = sizeof(in)},
		{.ptr = module->uri, .length = in.name_len},
		{.ptr = ret_out, .length = sizeof(*ret_out)},
		{.ptr = dlerror, .length = DLERROR_SIZE},
	};
	uint32_t method =
		module->service == FASTRPC_HANDLE_REMOTECTL1 ? REMOTECTL1_OPEN1 : REMOTECTL_OPEN;

	return qda_session_invoke(module->session, module->service,
				  FASTRPC_SCALARS(method, 2, 2, 0, 0), args,
				  module->session->timeout_ms, ret_status);
}

/* Whether the DSP does not know the service, rather than the module. */
static bool service_missing(uint32_t status)
{
	switch (status) {
	case AEE_EUNSUPPORTED:
	case AEE_ENOSUCHHANDLE:
	case AEE_EINVHANDLE:
	case AEE_DSP_OFFSET + AEE_EUNSUPPORTED:
	case AEE_DSP_OFFSET + AEE_ENOSUCHHANDLE:
	case AEE_DSP_OFFSET + AEE_EINVHANDLE:
		return true;
	default:
		return false;
	}
}

static int open_remote(struct qda_module *module, uint32_t *ret_status, char *dlerror)
{
	struct open_out out = {0};
	int r;

	module->service = FASTRPC_HANDLE_REMOTECTL1;
	r = call_open(module, ret_status, &out, dlerror);
	if (r == -EREMOTEIO && service_missing(*ret_status)) {
		module->service = FASTRPC_HANDLE_REMOTECTL;
		r = call_open(module, ret_status, &out, dlerror);
	}
	if (r < 0) {
		dlerror[0] = '\0'; /* a refused call returns no values */
		return r;
	}
	qda_clean_text(dlerror, DLERROR_SIZE);
	*ret_status = (uint32_t)out.error;
	module->handle = (uint32_t)out.handle;
	return out.error ? -EREMOTEIO : 0;
}

static void module_delete(struct qda_module *module)
{
	free(module->uri);
	qda_session_unref(module->session);
	free(module);
}

QDA_EXPORT int qda_module_open(struct qda_session *session, const char *name, uint32_t *ret_status,
			       char *ret_dlerror, size_t dlerror_size,
			       struct qda_module **ret_module)
{
	char dlerror[DLERROR_SIZE] = "";
	struct qda_module *module;
	uint32_t status;
	int r;

	module = calloc(1, sizeof(*module));
	if (!module)
		return -ENOMEM;
	module->session = qda_session_ref(session);
	r = make_uri(name, session->device->dsp, &module->uri);
	if (r < 0)
		goto fail;
	r = open_remote(module, &status, dlerror);
	if (r == 0 || r == -EREMOTEIO) {
		if (ret_status)
			*ret_status = status;
		if (ret_dlerror && dlerror_size)
			snprintf(ret_dlerror, dlerror_size, "%s", dlerror);
	}
	if (r < 0)
		goto fail;
	*ret_module = module;
	return 0;
fail:
	module_delete(module);
	return r;
}

QDA_EXPORT uint32_t qda_module_handle(const struct qda_module *module)
{
	return module->handle;
}

QDA_EXPORT const char *qda_module_uri(const struct qda_module *module)
{
	return module->uri;
}

QDA_EXPORT struct qda_module *qda_module_close(struct qda_module *module)
{
	char dlerror[DLERROR_SIZE] = "";
	struct close_out out = {0};
	struct close_in in;
	const struct qda_arg args[] = {
		{.ptr = &in, .length = sizeof(in)},
		{.ptr = &out, .length = sizeof(out)},
		{.ptr = dlerror, .length = sizeof(dlerror)},
	};
	uint32_t method, status = 0;
	int r;

	if (!module)
		return NULL;
	in = (struct close_in){.handle = (int32_t)module->handle, .dlerror_len = sizeof(dlerror)};
	method = module->service == FASTRPC_HANDLE_REMOTECTL1 ? REMOTECTL1_CLOSE1 : REMOTECTL_CLOSE;
	r = qda_session_invoke(module->session, module->service,
			       FASTRPC_SCALARS(method, 1, 2, 0, 0), args,
			       module->session->timeout_ms, &status);
	if (!r && out.error) {
		status = (uint32_t)out.error;
		r = -EREMOTEIO;
	}
	qda_clean_text(dlerror, sizeof(dlerror));
	/* A session that ended unloaded the module with the process. */
	if (r == -EREMOTEIO)
		qda_log(module->session->device->qda, LOG_WARNING, "closing %s: %s (0x%x) %s",
			module->uri, qda_status_text(status), status, dlerror);
	module_delete(module);
	return NULL;
}

QDA_EXPORT int qda_invoke(struct qda_module *module, uint32_t sc, const struct qda_arg *args,
			  uint32_t *ret_status)
{
	return qda_session_invoke(module->session, module->handle, sc, args, QDA_NO_TIMEOUT,
				  ret_status);
}

QDA_EXPORT int qda_invoke_timeout(struct qda_module *module, uint32_t sc,
				  const struct qda_arg *args, int timeout_ms, uint32_t *ret_status)
{
	return qda_session_invoke(module->session, module->handle, sc, args, timeout_ms,
				  ret_status);
}
