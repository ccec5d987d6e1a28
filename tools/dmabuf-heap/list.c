/* SPDX-License-Identifier: MIT */
/* dmabuf-heap list: which heaps there are, what they are, and why one cannot be used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "heap-tool.h"
#include "json.h"
#include "tool.h"

const struct bit property_bits[] = {
	{DMABUF_HEAP_CONTIGUOUS, "contiguous"}, {DMABUF_HEAP_PROTECTED, "protected"},
	{DMABUF_HEAP_UNCACHED, "uncached"},     {DMABUF_HEAP_CC_SHARED, "cc-shared"},
	{DMABUF_HEAP_SYSTEM, "system"},         {DMABUF_HEAP_UNKNOWN, "unknown"},
	{DMABUF_HEAP_NO_DEVICE, "no-device"},   {0, NULL},
};

const struct bit charging_bits[] = {
	{DMABUF_CHARGING_PIDFD, "process"},
	{DMABUF_CHARGING_CGROUP, "cgroup"},
	{DMABUF_CHARGING_CALLER, "caller"},
	{0, NULL},
};

void json_bits(struct json *json, const char *key, const struct bit *bits, uint32_t set)
{
	json_open(json, key, '[');
	for (; bits->name; bits++)
		if (set & bits->bit)
			json_text(json, NULL, bits->name);
	json_close(json, ']');
}

static const char *bits_text(char *text, size_t size, const struct bit *bits, uint32_t set)
{
	size_t used = 0;

	snprintf(text, size, "-");
	for (; bits->name && used < size; bits++)
		if (set & bits->bit)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "",
						 bits->name);
	return text;
}

/* Return: 0, or a negative errno: it is not known. */
static int find_charging(const struct dmabuf_heap_info *info, uint32_t *ret_charging)
{
	struct dmabuf_heap *heap;
	int r;

	if (info->error)
		return info->error;
	r = dmabuf_heap_open(info->name, &heap);
	if (r < 0)
		return r;
	r = dmabuf_heap_charging(heap, ret_charging);
	dmabuf_heap_unref(heap);
	return r;
}

static bool has_name(const struct dmabuf_heap_info *info, const char *name)
{
	return strcmp(name, info->name) == 0 || (info->path && strcmp(name, info->path) == 0);
}

static bool is_wanted(const struct heap_tool *tool, const struct dmabuf_heap_info *info)
{
	bool named = tool->n_heaps == 0;

	for (size_t i = 0; i < tool->n_heaps; i++)
		named = named || has_name(info, tool->heaps[i]);
	return named && (info->properties & tool->required) == tool->required;
}

static void print_json(const struct heap_tool *tool, const struct dmabuf_heap_info *heaps,
		       size_t count)
{
	struct json json = {.file = stdout};

	json_open(&json, NULL, '{');
	json_open(&json, "heaps", '[');
	for (size_t i = 0; i < count; i++) {
		uint32_t charging = 0;

		if (!is_wanted(tool, &heaps[i]))
			continue;
		json_open(&json, NULL, '{');
		json_text(&json, "name", heaps[i].name);
		json_text(&json, "path", heaps[i].path);
		json_text(&json, "alias", heaps[i].alias);
		json_bits(&json, "properties", property_bits, heaps[i].properties);
		json_bool(&json, "usable", heaps[i].error == 0);
		json_text(&json, "reason", heaps[i].reason);
		if (tool->charging && find_charging(&heaps[i], &charging) == 0)
			json_bits(&json, "charging", charging_bits, charging);
		else
			json_text(&json, "charging", NULL);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
}

static void print_heap(const struct heap_tool *tool, const struct dmabuf_heap_info *heap)
{
	_cleanup_free_ char *name = format_text("%s%s%s", heap->name, heap->alias ? " -> " : "",
						heap->alias ? heap->alias : "");
	char properties[80], charging[32] = "";
	uint32_t set = 0;

	if (tool->charging && find_charging(heap, &set) == 0)
		bits_text(charging, sizeof(charging), charging_bits, set);
	else if (tool->charging)
		snprintf(charging, sizeof(charging), "?");
	if (name)
		make_printable(name);
	printf("%-24s %-20s ", name ? name : "",
	       bits_text(properties, sizeof(properties), property_bits, heap->properties));
	if (tool->charging)
		printf("%-22s ", charging);
	printf("%s\n", heap->reason ? heap->reason : "usable");
}

/* Say what is wrong with those that were named and are not there. Return: EXIT_*. */
static int explain_missing(const struct heap_tool *tool, const struct dmabuf_heap_info *heaps,
			   size_t count)
{
	int status = EXIT_FINE;
	char text[512];

	for (size_t i = 0; i < tool->n_heaps; i++) {
		bool listed = false;

		for (size_t n = 0; n < count; n++)
			listed = listed || has_name(&heaps[n], tool->heaps[i]);
		if (listed)
			continue;
		dmabuf_heap_explain(tool->heaps[i], text, sizeof(text));
		tool_error_line(text);
		status = EXIT_FAILED;
	}
	return status;
}

int tool_list(const struct heap_tool *tool)
{
	_cleanup_free_ struct dmabuf_heap_info *heaps = NULL;
	size_t count;
	int r = dmabuf_heap_list(&heaps, &count), status;

	if (r < 0) {
		tool_error("%s", dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	status = explain_missing(tool, heaps, count);
	if (tool->json) {
		print_json(tool, heaps, count);
		return status;
	}
	printf("%-24s %-20s ", "NAME", "PROPERTIES");
	if (tool->charging)
		printf("%-22s ", "CHARGES");
	printf("STATE\n");
	for (size_t i = 0; i < count; i++)
		if (is_wanted(tool, &heaps[i]))
			print_heap(tool, &heaps[i]);
	return status;
}
