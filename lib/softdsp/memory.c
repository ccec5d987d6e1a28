/* SPDX-License-Identifier: MIT */
/* The session's memory as the DSP sees it: regions by DMA address, buffers by cookie. */
#include <string.h>

#include "softdsp.h"

/* First region that ends above @address; the lock is held. */
static size_t region_at(const struct softdsp *dsp, uint64_t address)
{
	size_t low = 0, high = dsp->n_regions;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct softdsp_region *region = &dsp->regions[mid];

		if (region->address + region->size <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int softdsp_memory_add(struct softdsp *dsp, uint64_t address, uint64_t size, void *data)
{
	struct softdsp_region *regions;
	size_t at;
	int r = 0;

	if (!size || address + size < address)
		return -EINVAL;
	pthread_rwlock_wrlock(&dsp->memory_lock);
	at = region_at(dsp, address);
	if (at < dsp->n_regions && dsp->regions[at].address < address + size) {
		r = -EEXIST;
		goto out;
	}
	regions = realloc(dsp->regions, (dsp->n_regions + 1) * sizeof(*regions));
	if (!regions) {
		r = -ENOMEM;
		goto out;
	}
	dsp->regions = regions;
	memmove(&regions[at + 1], &regions[at], (dsp->n_regions - at) * sizeof(*regions));
	regions[at] = (struct softdsp_region){address, size, data};
	dsp->n_regions++;
out:
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}

int softdsp_memory_remove(struct softdsp *dsp, uint64_t address, struct softdsp_region *ret_region)
{
	size_t at;
	int r = -ENOENT;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	at = region_at(dsp, address);
	if (at < dsp->n_regions && dsp->regions[at].address == address) {
		*ret_region = dsp->regions[at];
		dsp->n_regions--;
		memmove(&dsp->regions[at], &dsp->regions[at + 1],
			(dsp->n_regions - at) * sizeof(*dsp->regions));
		r = 0;
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}

static void *find_once(struct softdsp *dsp, uint64_t address, uint64_t size)
{
	void *found = NULL;
	size_t at;

	pthread_rwlock_rdlock(&dsp->memory_lock);
	at = region_at(dsp, address);
	if (at < dsp->n_regions) {
		const struct softdsp_region *region = &dsp->regions[at];

		if (region->address <= address &&
		    size <= region->size - (address - region->address))
			found = (char *)region->data + (address - region->address);
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return found;
}

void *softdsp_memory_find(struct softdsp *dsp, uint64_t address, uint64_t size)
{
	for (int attempt = 0;; attempt++) {
		void *found = find_once(dsp, address, size);

		if (found)
			return found;
		if (dsp->ops->fault(dsp->data, address, size, attempt) < 0)
			return NULL;
	}
}

bool softdsp_memory_contains(struct softdsp *dsp, const void *data, uint64_t size)
{
	uintptr_t start = (uintptr_t)data;
	bool found = false;

	pthread_rwlock_rdlock(&dsp->memory_lock);
	for (size_t i = 0; i < dsp->n_regions && !found; i++) {
		uintptr_t base = (uintptr_t)dsp->regions[i].data;

		found = start >= base && start - base < dsp->regions[i].size &&
			size <= dsp->regions[i].size - (start - base);
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return found;
}

/* The lock is held. */
static struct softdsp_cookie *cookie_find(const struct softdsp *dsp, int32_t cookie)
{
	for (size_t i = 0; i < dsp->n_cookies; i++)
		if (dsp->cookies[i].cookie == cookie)
			return &dsp->cookies[i];
	return NULL;
}

static struct softdsp_cookie *cookie_add(struct softdsp *dsp, int32_t cookie, uint64_t address,
					 uint64_t size, void *data)
{
	struct softdsp_cookie *cookies =
		realloc(dsp->cookies, (dsp->n_cookies + 1) * sizeof(*cookies));

	if (!cookies)
		return NULL;
	dsp->cookies = cookies;
	cookies[dsp->n_cookies] = (struct softdsp_cookie){.cookie = cookie,
							  .address = address,
							  .size = size,
							  .data = data};
	return &cookies[dsp->n_cookies++];
}

static void cookie_drop_unused(struct softdsp *dsp, struct softdsp_cookie *entry)
{
	if (!entry->users && !entry->mapped)
		*entry = dsp->cookies[--dsp->n_cookies];
}

int softdsp_cookie_map(struct softdsp *dsp, int32_t cookie, uint64_t address, uint64_t size,
		       void *data)
{
	struct softdsp_cookie *entry;
	int r = 0;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	if (cookie_find(dsp, cookie)) {
		r = -EEXIST;
	} else {
		entry = cookie_add(dsp, cookie, address, size, data);
		if (entry)
			entry->mapped = true;
		else
			r = -ENOMEM;
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}

int softdsp_cookie_unmap(struct softdsp *dsp, int32_t cookie, uint64_t address)
{
	struct softdsp_cookie *entry = NULL;
	int r = -ENOENT;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	for (size_t i = 0; i < dsp->n_cookies && !entry; i++)
		if (dsp->cookies[i].mapped && (uintptr_t)dsp->cookies[i].data == address &&
		    (cookie < 0 || dsp->cookies[i].cookie == cookie))
			entry = &dsp->cookies[i];
	if (entry) {
		entry->mapped = false;
		cookie_drop_unused(dsp, entry);
		r = 0;
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}

int softdsp_cookie_get(struct softdsp *dsp, int32_t cookie, uint64_t address, uint64_t size,
		       void *data, struct softdsp_cookie *ret_cookie)
{
	struct softdsp_cookie *entry;
	int r = 0;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	entry = cookie_find(dsp, cookie);
	if (!entry && !data) {
		r = -ENOENT;
		goto out;
	}
	/* The number is another buffer's cookie: skels would get the wrong memory. */
	if (entry && data && (entry->address != address || entry->size != size)) {
		r = -EEXIST;
		goto out;
	}
	if (!entry)
		entry = cookie_add(dsp, cookie, address, size, data);
	if (!entry) {
		r = -ENOMEM;
		goto out;
	}
	entry->users++;
	if (data)
		entry->passed++;
	if (ret_cookie)
		*ret_cookie = *entry;
out:
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}

/* Nobody uses it: the driver need not keep it for those who passed it. The lock is held. */
static void add_unused(struct softdsp *dsp, struct softdsp_cookie *entry)
{
	int32_t *unused = reallocarray(dsp->unused, dsp->n_unused + entry->passed, sizeof(*unused));

	/* Without memory for it, the driver keeps it until the session ends. */
	if (!unused)
		return;
	dsp->unused = unused;
	while (entry->passed) {
		unused[dsp->n_unused++] = entry->cookie;
		entry->passed--;
	}
}

size_t softdsp_unused_take(struct softdsp *dsp, uint64_t *cookies, size_t max)
{
	size_t n = 0;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	while (n < max && dsp->n_unused)
		cookies[n++] = (uint64_t)dsp->unused[--dsp->n_unused];
	pthread_rwlock_unlock(&dsp->memory_lock);
	return n;
}

int softdsp_cookie_put(struct softdsp *dsp, int32_t cookie)
{
	struct softdsp_cookie *entry;
	int r = -ENOENT;

	pthread_rwlock_wrlock(&dsp->memory_lock);
	entry = cookie_find(dsp, cookie);
	if (entry && entry->users) {
		entry->users--;
		if (!entry->users && entry->passed)
			add_unused(dsp, entry);
		cookie_drop_unused(dsp, entry);
		r = 0;
	}
	pthread_rwlock_unlock(&dsp->memory_lock);
	return r;
}
