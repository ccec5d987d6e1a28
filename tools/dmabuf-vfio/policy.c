/* SPDX-License-Identifier: MIT */
/* The policy file of dmabuf-vfio serve: which ranges there are, and who may have them. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dmabuf.h>

#include "policy.h"
#include "tool.h"

#define MAX_WORDS 12
#define LINE_SIZE 1024
#define WORD_SHOWN 40 /* bytes of a word in a message */

struct parser {
	struct policy *policy;
	unsigned int line;
	char *problem;
	size_t problem_size;
};

static int refuse(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int refuse(struct parser *parser, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_printable(text);
	snprintf(parser->problem, parser->problem_size, "line %u: %s", parser->line, text);
	return -EINVAL;
}

/* ---- words -------------------------------------------------------------- */

int parse_range(const char *text, bool may_be_any, uint64_t *ret_offset, uint64_t *ret_length)
{
	const char *plus = strchr(text, '+');
	uint64_t offset = DMABUF_LEASE_ANYWHERE, length;
	char first[32];
	int r;

	if (!plus || (size_t)(plus - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(plus - text));
	first[plus - text] = '\0';
	if (!may_be_any || strcmp(first, "any") != 0) {
		r = parse_size(first, INT64_MAX, &offset);
		if (r < 0)
			return r;
	}
	r = parse_size(plus + 1, INT64_MAX, &length);
	if (r < 0)
		return r;
	if (length == 0)
		return -EINVAL;
	*ret_offset = offset;
	*ret_length = length;
	return 0;
}

static bool is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t length = strlen(text);

	return length > 0 && length < POLICY_NAME_SIZE && strspn(text, allowed) == length;
}

/* A number without a suffix, or a name of the system's. */
static int parse_id(const char *text, enum policy_kind kind, uint32_t *ret_id)
{
	uint64_t number;

	if (*text && strspn(text, "0123456789") == strlen(text)) {
		/* The highest is nobody's: it means "no change" in calls. */
		if (parse_size(text, UINT32_MAX - 1, &number) < 0)
			return -EINVAL;
		*ret_id = (uint32_t)number;
		return 0;
	}
	if (kind == POLICY_USER) {
		const struct passwd *user = getpwnam(text);

		if (!user)
			return -ENOENT;
		*ret_id = user->pw_uid;
	} else {
		const struct group *group = getgrnam(text);

		if (!group)
			return -ENOENT;
		*ret_id = group->gr_gid;
	}
	return 0;
}

static int parse_client(struct parser *parser, const char *text, struct policy_client *client)
{
	const char *id = text;
	int r;

	if (strcmp(text, "any") == 0) {
		*client = (struct policy_client){.kind = POLICY_ANY};
		return 0;
	}
	if (strncmp(text, "user:", 5) == 0) {
		client->kind = POLICY_USER;
		id += 5;
	} else if (strncmp(text, "group:", 6) == 0) {
		client->kind = POLICY_GROUP;
		id += 6;
	} else {
		return refuse(parser, "client '%.*s' is not user:NAME, group:NAME or any",
			      WORD_SHOWN, text);
	}
	r = parse_id(id, client->kind, &client->id);
	if (r < 0)
		return refuse(parser, "there is no %s '%.*s'",
			      client->kind == POLICY_USER ? "user" : "group", WORD_SHOWN, id);
	return 0;
}

static int parse_clients(struct parser *parser, char *text, struct policy_line *line)
{
	char *rest = text, *word;
	int r;

	while ((word = strsep(&rest, ","))) {
		if (line->n_clients == POLICY_CLIENTS)
			return refuse(parser, "more than %d clients", POLICY_CLIENTS);
		r = parse_client(parser, word, &line->clients[line->n_clients]);
		if (r < 0)
			return r;
		line->n_clients++;
	}
	return 0;
}

static int parse_option(struct parser *parser, const char *text, struct policy_line *line)
{
	if (strcmp(text, "read-only") == 0)
		line->flags |= DMABUF_VFIO_READ_ONLY;
	else if (strcmp(text, "shared") == 0)
		line->flags |= DMABUF_LEASE_SHARED;
	else if (strcmp(text, "write-combining") == 0)
		line->attr = DMABUF_VFIO_ATTR_WC;
	else
		return refuse(parser, "option '%.*s' is not read-only, shared or write-combining",
			      WORD_SHOWN, text);
	return 0;
}

/* ---- lines -------------------------------------------------------------- */

static int parse_bar_and_range(struct parser *parser, const char *bar, const char *range,
			       struct policy_line *line)
{
	if (bar[0] < '0' || bar[0] >= '0' + (int)DMABUF_VFIO_BARS || bar[1])
		return refuse(parser, "BAR '%.*s' is not 0 to %u", WORD_SHOWN, bar,
			      DMABUF_VFIO_BARS - 1);
	line->bar = (uint32_t)(bar[0] - '0');
	if (parse_range(range, !line->reserved, &line->offset, &line->length) < 0)
		return refuse(parser, "range '%.*s' is not OFFSET+LENGTH, such as 64K+4K",
			      WORD_SHOWN, range);
	return 0;
}

static int parse_words(struct parser *parser, char **words, size_t count, struct policy_line *line)
{
	int r;

	if (strcmp(words[0], "reserve") == 0) {
		if (count != 3)
			return refuse(parser, "not 'reserve BAR OFFSET+LENGTH'");
		line->reserved = true;
		return parse_bar_and_range(parser, words[1], words[2], line);
	}
	if (count < 4)
		return refuse(parser, "not 'NAME BAR OFFSET+LENGTH CLIENTS [OPTION]...'");
	if (!is_name(words[0]))
		return refuse(parser, "name '%.*s' is not 1 to %d letters, digits, '.', '_' or '-'",
			      WORD_SHOWN, words[0], POLICY_NAME_SIZE - 1);
	if (policy_find(parser->policy, words[0]))
		return refuse(parser, "a second range '%s'", words[0]);
	strcpy(line->name, words[0]);
	r = parse_bar_and_range(parser, words[1], words[2], line);
	if (r < 0)
		return r;
	r = parse_clients(parser, words[3], line);
	for (size_t i = 4; r == 0 && i < count; i++)
		r = parse_option(parser, words[i], line);
	return r;
}

static int parse_line(struct parser *parser, const char *text, size_t size)
{
	struct policy *policy = parser->policy;
	char copy[LINE_SIZE], *words[MAX_WORDS], *rest = copy, *word;
	struct policy_line *line;
	size_t count = 0;

	if (memchr(text, '\0', size))
		return refuse(parser, "a zero byte: this is no text");
	if (size >= sizeof(copy))
		return refuse(parser, "longer than %d bytes", LINE_SIZE - 1);
	memcpy(copy, text, size);
	copy[size] = '\0';
	copy[strcspn(copy, "#")] = '\0';
	while ((word = strsep(&rest, " \t\r"))) {
		if (!*word)
			continue;
		if (count == MAX_WORDS)
			return refuse(parser, "more than %d words", MAX_WORDS);
		words[count++] = word;
	}
	if (count == 0)
		return 0;
	if (policy->count == POLICY_LINES)
		return refuse(parser, "more than %d ranges", POLICY_LINES);
	line = &policy->lines[policy->count];
	*line = (struct policy_line){.number = parser->line};
	if (parse_words(parser, words, count, line) < 0)
		return -EINVAL;
	policy->count++;
	return 0;
}

int policy_parse(const char *text, size_t size, struct policy *ret_policy, char *problem,
		 size_t problem_size)
{
	struct policy policy = {.lines = calloc(POLICY_LINES, sizeof(*policy.lines))};
	struct parser parser = {.policy = &policy,
				.problem = problem,
				.problem_size = problem_size};

	if (!policy.lines)
		return -ENOMEM;
	while (size) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline ? (size_t)(newline - text) : size;

		parser.line++;
		if (parse_line(&parser, text, length) < 0) {
			policy_finish(&policy);
			return -EINVAL;
		}
		length += newline != NULL;
		text += length;
		size -= length;
	}
	*ret_policy = policy;
	return 0;
}

void policy_finish(struct policy *policy)
{
	free(policy->lines);
	*policy = (struct policy){0};
}

/* ---- asking ------------------------------------------------------------- */

const struct policy_line *policy_find(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->count; i++)
		if (!policy->lines[i].reserved && strcmp(policy->lines[i].name, name) == 0)
			return &policy->lines[i];
	return NULL;
}

static bool is_in_group(const struct peer *peer, uint32_t gid)
{
	for (size_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

bool policy_allows(const struct policy_line *line, const struct peer *peer)
{
	for (size_t i = 0; i < line->n_clients; i++) {
		const struct policy_client *client = &line->clients[i];

		if (client->kind == POLICY_ANY ||
		    (client->kind == POLICY_USER && client->id == peer->uid) ||
		    (client->kind == POLICY_GROUP && is_in_group(peer, client->id)))
			return true;
	}
	return false;
}
