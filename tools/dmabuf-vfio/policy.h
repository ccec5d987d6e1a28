/* SPDX-License-Identifier: MIT */
/* The policy file of dmabuf-vfio serve: which ranges there are, and who may have them. */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_NAME_SIZE 32 /* with the end */
#define POLICY_CLIENTS 16   /* most in a line */
#define POLICY_LINES 256    /* most in a file */
#define POLICY_MAX 65536    /* bytes of a file */

enum policy_kind { POLICY_ANY, POLICY_USER, POLICY_GROUP };

struct policy_client {
	enum policy_kind kind;
	uint32_t id;
};

/* One range. */
struct policy_line {
	unsigned int number; /* in the file */
	bool reserved;       /* nobody may have it, and there is no name */
	char name[POLICY_NAME_SIZE];
	uint32_t bar;
	uint64_t offset; /* DMABUF_LEASE_ANYWHERE for any */
	uint64_t length;
	struct policy_client clients[POLICY_CLIENTS];
	size_t n_clients;
	uint32_t attr;  /* DMABUF_VFIO_ATTR_* */
	uint32_t flags; /* DMABUF_VFIO_READ_ONLY, DMABUF_LEASE_SHARED */
};

struct policy {
	struct policy_line *lines;
	size_t count;
};

/* Who is at the other end of a socket. */
struct peer {
	pid_t pid; /* 0 if it is not visible here */
	uid_t uid;
	gid_t *groups; /* with the effective one */
	size_t n_groups;
};

/*
 * Read what a policy file has.
 *
 * Return: 0; -EINVAL and one line about it in @problem; -ENOMEM.
 */
int policy_parse(const char *text, size_t size, struct policy *ret_policy, char *problem,
		 size_t problem_size);
void policy_finish(struct policy *policy);

/* The line with this name, or NULL. */
const struct policy_line *policy_find(const struct policy *policy, const char *name);
bool policy_allows(const struct policy_line *line, const struct peer *peer);

/* "0+64K", "any+4K" if @any is not NULL. Return: 0; -EINVAL; -ERANGE. */
int parse_range(const char *text, bool may_be_any, uint64_t *ret_offset, uint64_t *ret_length);

#endif
