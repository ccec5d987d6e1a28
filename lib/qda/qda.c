/* SPDX-License-Identifier: MIT */
/* The context: environment, log callback, search path. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "internal.h"

static const struct {
	const char *name;
	int priority;
} log_levels[] = {
	{"err", LOG_ERR},       {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"warn", LOG_WARNING},
	{"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG},
};

/* What QDA_LOG says; a text that is no level changes nothing. */
static int parse_log_level(const char *text)
{
	char *end;
	long number;

	for (size_t i = 0; i < ARRAY_SIZE(log_levels); i++)
		if (!strcasecmp(text, log_levels[i].name))
			return log_levels[i].priority;
	number = strtol(text, &end, 10);
	if (end == text || *end)
		return LOG_ERR;
	return (int)MAX(LOG_ERR, MIN(number, LOG_DEBUG));
}

/* Copy a variable of the environment; an empty one counts as not set. */
static int copy_env(const char *name, char **ret_value)
{
	const char *value = secure_getenv(name);

	if (!value || !*value)
		return 0;
	*ret_value = strdup(value);
	return *ret_value ? 0 : -ENOMEM;
}

static void context_free(struct qda *qda)
{
	free(qda->env_path);
	free(qda->search_path);
	free(qda->env_softdsp);
	free(qda->softdsp);
	free(qda);
}

QDA_EXPORT int qda_new(struct qda **ret_qda)
{
	struct qda *qda = calloc(1, sizeof(*qda));
	const char *level;
	int r;

	if (!qda)
		return -ENOMEM;
	qda->refs = 1;
	qda->log_priority = LOG_ERR;

	r = copy_env("DSP_LIBRARY_PATH", &qda->env_path);
	if (!r && !qda->env_path)
		r = copy_env("ADSP_LIBRARY_PATH", &qda->env_path);
	if (!r)
		r = copy_env("QDA_SOFTDSP", &qda->env_softdsp);
	if (r < 0) {
		context_free(qda);
		return r;
	}
	level = secure_getenv("QDA_LOG");
	if (level)
		qda->log_priority = parse_log_level(level);

	*ret_qda = qda;
	return 0;
}

QDA_EXPORT struct qda *qda_ref(struct qda *qda)
{
	atomic_fetch_add(&qda->refs, 1);
	return qda;
}

QDA_EXPORT struct qda *qda_unref(struct qda *qda)
{
	if (qda && atomic_fetch_sub(&qda->refs, 1) == 1)
		context_free(qda);
	return NULL;
}

QDA_EXPORT void qda_set_log_fn(struct qda *qda, qda_log_fn fn, void *data)
{
	qda->log_fn = fn;
	qda->log_data = data;
}

QDA_EXPORT void qda_set_log_priority(struct qda *qda, int priority)
{
	qda->log_priority = priority;
}

void qda_log_line(const struct qda *qda, int priority, const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	qda->log_fn(qda->log_data, priority, line);
}

/* Replace a setting; NULL clears it. */
static int set_string(char **setting, const char *value)
{
	char *copy = NULL;

	if (value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*setting);
	*setting = copy;
	return 0;
}

QDA_EXPORT int qda_set_search_path(struct qda *qda, const char *path)
{
	return set_string(&qda->search_path, path);
}

QDA_EXPORT const char *qda_get_search_path(const struct qda *qda)
{
	if (qda->search_path)
		return qda->search_path;
	return qda->env_path ? qda->env_path : "";
}

QDA_EXPORT int qda_set_softdsp(struct qda *qda, const char *path)
{
	if (path && path[0] != '/')
		return -EINVAL;
	return set_string(&qda->softdsp, path);
}

void qda_clean_text(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ')
			*c = ' ';
		else if (*c > '~')
			*c = '?';
	}
}

const char *qda_softdsp_path(const struct qda *qda)
{
	if (qda->softdsp)
		return qda->softdsp;
	return qda->env_softdsp ? qda->env_softdsp : QDA_SOFTDSP_DEFAULT;
}
