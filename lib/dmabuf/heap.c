/* SPDX-License-Identifier: MIT */
/* Heaps: which there are, what they are, and why one cannot be used. */
#include "heap.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>

#include "proc.h"

#define UDMABUF "udmabuf"
#define MEMFD "memfd"
#define UDMABUF_NODE "/dev/udmabuf"
#define EXPLANATION_SIZE 512

static const char *heap_directory(void)
{
	const char *path = secure_getenv("DMABUF_HEAP_PATH");

	return path && *path ? path : "/dev/dma_heap";
}

/* ---- what a name says --------------------------------------------------- */

/* The heap of the default CMA area, as it was called over time. */
static const char *const cma_names[] = {"default_cma_region", "linux,cma", "reserved",
					"default-pool"};

static bool is_cma_name(const char *name)
{
	size_t length = strcspn(name, "@"); /* a device tree's node may have its address */

	for (size_t i = 0; i < ARRAY_SIZE(cma_names); i++)
		if (strlen(cma_names[i]) == length && strncmp(name, cma_names[i], length) == 0)
			return true;
	return false;
}

static bool has_word(const char *name, const char *word)
{
	static const char between[] = ",-_@ .:";
	size_t length = strlen(word);

	for (const char *at = name; (at = strstr(at, word)); at++)
		if ((at == name || strchr(between, at[-1])) && strchr(between, at[length]))
			return true; /* strchr() finds the end, too */
	return false;
}

static uint32_t classify(const char *name)
{
	uint32_t properties = 0;

	if (strcmp(name, "system") == 0)
		return DMABUF_HEAP_SYSTEM;
	if (is_cma_name(name) || has_word(name, "cma") || has_word(name, "contiguous"))
		properties |= DMABUF_HEAP_CONTIGUOUS;
	if (has_word(name, "protected") || has_word(name, "secure") || has_word(name, "restricted"))
		properties |= DMABUF_HEAP_PROTECTED;
	if (has_word(name, "uncached"))
		properties |= DMABUF_HEAP_UNCACHED;
	if (has_word(name, "cc_shared"))
		properties |= DMABUF_HEAP_CC_SHARED;
	return properties ? properties : DMABUF_HEAP_UNKNOWN;
}

/*
 * The name that the kernel gave to a heap: that of what a symbolic link leads to, if it is in
 * the same directory.
 */
static char *kernel_name(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *directory = strndup(path, (size_t)(name - path));
	_cleanup_free_ char *real_directory = NULL, *real = NULL;
	size_t length;

	if (!directory)
		return NULL;
	real_directory = realpath(directory, NULL);
	real = realpath(path, NULL);
	if (real && real_directory) {
		length = strlen(real_directory);
		if (strncmp(real, real_directory, length) == 0 && real[length] == '/' &&
		    !strchr(real + length + 1, '/'))
			name = real + length + 1;
	}
	return strdup(name);
}

/* ---- nodes -------------------------------------------------------------- */

/* What a name of dmabuf_heap_open() stands for. */
struct node {
	enum heap_kind kind;
	char *path;     /* NULL for a memfd */
	bool is_listed; /* in the directory of heaps */
};

static void node_clear(struct node *node)
{
	free(node->path);
}

static int find_node(const char *name, struct node *ret_node)
{
	struct node node = {.kind = HEAP_NODE};
	const char *directory = heap_directory();
	size_t length = strlen(directory);
	int n;

	if (!name || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (strcmp(name, MEMFD) == 0) {
		ret_node->kind = HEAP_MEMFD;
		return 0;
	}
	if (strcmp(name, UDMABUF) == 0)
		name = UDMABUF_NODE;
	if (strcmp(name, UDMABUF_NODE) == 0)
		node.kind = HEAP_UDMABUF;
	node.is_listed =
		!strchr(name, '/') || (strncmp(name, directory, length) == 0 &&
				       name[length] == '/' && !strchr(name + length + 1, '/'));
	n = strchr(name, '/') ? asprintf(&node.path, "%s", name)
			      : asprintf(&node.path, "%s/%s", directory, name);
	if (n == -1)
		return -ENOMEM;
	*ret_node = node;
	return 0;
}

/* Whether a character device is one of dma-heaps, which have no ioctl that only tells. */
static bool is_heap_device(dev_t device)
{
	char path[64], link[256];
	const char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/subsystem", major(device), minor(device));
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return false;
	link[n] = '\0';
	slash = strrchr(link, '/');
	return slash && strcmp(slash, "/dma_heap") == 0;
}

/* Return: a descriptor, or a negative errno. */
static int open_node(const struct node *node)
{
	int mode = node->kind == HEAP_UDMABUF ? O_RDWR : O_RDONLY;
	struct stat st;
	int fd = open(node->path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return errno == ENOTDIR ? -ENOENT : errno == EPERM ? -EACCES : -errno;
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    (node->is_listed || node->kind == HEAP_UDMABUF || is_heap_device(st.st_rdev)))
		return fd;
	close(fd);
	return -ENODEV;
}

static bool accounts(void)
{
	char text[4];

	proc_read(AT_FDCWD, "/sys/module/dma_heap/parameters/mem_accounting", text, sizeof(text));
	return text[0] == 'Y';
}

/*
 * Bytes of all memory, for heaps that have no memory set aside: to ask these for more does not
 * fail, but first ends other processes.
 */
static uint64_t max_size(uint32_t properties)
{
	struct sysinfo info;

	if (!(properties & (DMABUF_HEAP_SYSTEM | DMABUF_HEAP_UNCACHED | DMABUF_HEAP_CC_SHARED)) ||
	    sysinfo(&info) == -1)
		return UINT64_MAX;
	return (uint64_t)info.totalram * info.mem_unit;
}

/* ---- heaps -------------------------------------------------------------- */

static int heap_new(const struct node *node, int fd, struct dmabuf_heap **ret_heap)
{
	struct dmabuf_heap *heap = calloc(1, sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	heap->kind = node->kind;
	heap->name = node->kind == HEAP_MEMFD     ? strdup(MEMFD)
		     : node->kind == HEAP_UDMABUF ? strdup(UDMABUF)
						  : kernel_name(node->path);
	if (!heap->name) {
		free(heap);
		return -ENOMEM;
	}
	heap->refs = 1;
	heap->fd = fd;
	pthread_mutex_init(&heap->lock, NULL);
	if (node->kind == HEAP_NODE) {
		heap->properties = classify(heap->name);
		heap->accounting = accounts();
	} else {
		heap->accounting = true;
		heap->properties = DMABUF_HEAP_SYSTEM;
		if (node->kind == HEAP_MEMFD)
			heap->properties |= DMABUF_HEAP_NO_DEVICE;
	}
	heap->page = page_size();
	heap->max_size = max_size(heap->properties);
	*ret_heap = heap;
	return 0;
}

DMABUF_EXPORT int dmabuf_heap_open(const char *name, struct dmabuf_heap **ret_heap)
{
	_cleanup_(node_clear) struct node node = {0};
	int fd = -1, r;

	r = find_node(name, &node);
	if (r < 0)
		return r;
	if (node.path) {
		fd = open_node(&node);
		if (fd < 0)
			return fd;
	}
	r = heap_new(&node, fd, ret_heap);
	if (r < 0 && fd >= 0)
		close(fd);
	return r;
}

DMABUF_EXPORT struct dmabuf_heap *dmabuf_heap_ref(struct dmabuf_heap *heap)
{
	atomic_fetch_add_explicit(&heap->refs, 1, memory_order_relaxed);
	return heap;
}

DMABUF_EXPORT struct dmabuf_heap *dmabuf_heap_unref(struct dmabuf_heap *heap)
{
	if (!heap || atomic_fetch_sub_explicit(&heap->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	if (heap->fd >= 0)
		close(heap->fd);
	pthread_mutex_destroy(&heap->lock);
	free(heap->name);
	free(heap);
	return NULL;
}

DMABUF_EXPORT const char *dmabuf_heap_name(const struct dmabuf_heap *heap)
{
	return heap->name;
}

DMABUF_EXPORT uint32_t dmabuf_heap_properties(const struct dmabuf_heap *heap)
{
	return heap->properties;
}

/* ---- why not ------------------------------------------------------------ */

static void explain_missing(const struct node *node, char *text, size_t size)
{
	if (node->kind == HEAP_UDMABUF)
		snprintf(text, size,
			 "%s does not exist: load the module udmabuf (CONFIG_UDMABUF), or let it "
			 "into this container",
			 node->path);
	else if (node->is_listed && access(heap_directory(), F_OK) == -1)
		snprintf(text, size,
			 "%s does not exist: the kernel has no dma-heaps (CONFIG_DMABUF_HEAPS), or "
			 "they were not let into this container",
			 heap_directory());
	else
		snprintf(text, size, "%s does not exist: look which heaps there are", node->path);
}

/* Texts of an owner: the name, or the number if it has none. */
struct owner {
	char user[64], group[64];
};

static void look_up_owner(const struct stat *st, struct owner *owner)
{
	struct passwd pwd, *found_user = NULL;
	struct group grp, *found_group = NULL;
	char buffer[4096];

	snprintf(owner->user, sizeof(owner->user), "%u", st->st_uid);
	snprintf(owner->group, sizeof(owner->group), "%u", st->st_gid);
	if (getpwuid_r(st->st_uid, &pwd, buffer, sizeof(buffer), &found_user) == 0 && found_user)
		snprintf(owner->user, sizeof(owner->user), "%s", pwd.pw_name);
	if (getgrgid_r(st->st_gid, &grp, buffer, sizeof(buffer), &found_group) == 0 && found_group)
		snprintf(owner->group, sizeof(owner->group), "%s", grp.gr_name);
}

static void explain_permission(const struct node *node, char *text, size_t size)
{
	mode_t others = node->kind == HEAP_UDMABUF ? S_IROTH | S_IWOTH : S_IROTH;
	mode_t group = others << 3;
	struct owner owner;
	struct stat st;
	int n;

	if (stat(node->path, &st) == -1) {
		snprintf(text, size, "%s: its directory may not be searched", node->path);
		return;
	}
	look_up_owner(&st, &owner);
	n = snprintf(text, size, "%s: owned by %s:%s, mode %04o: ", node->path, owner.user,
		     owner.group, st.st_mode & 07777);
	if (n < 0 || (size_t)n >= size)
		return;
	text += n;
	size -= (size_t)n;
	if ((st.st_mode & others) == others)
		snprintf(text, size, "forbidden by a policy, such as that of the container");
	else if ((st.st_mode & group) == group && st.st_gid != 0)
		snprintf(text, size, "add the user to the group %s", owner.group);
	else
		snprintf(text, size, "let a udev rule give it a group that may open it");
}

/* Why opening it gave @error, in @size bytes. */
static void explain(const struct node *node, int error, char *text, size_t size)
{
	switch (error) {
	case -ENOENT:
		explain_missing(node, text, size);
		break;
	case -EACCES:
		explain_permission(node, text, size);
		break;
	case -ENODEV:
		snprintf(text, size, "%s: no dma-heap", node->path);
		break;
	default:
		snprintf(text, size, "%s: %s", node->path, dmabuf_strerror(error));
	}
}

DMABUF_EXPORT int dmabuf_heap_explain(const char *name, char *text, size_t size)
{
	_cleanup_(node_clear) struct node node = {0};
	char full[EXPLANATION_SIZE] = "";
	int r;

	r = find_node(name, &node);
	if (r == -EINVAL)
		snprintf(full, sizeof(full), "this is no name of a heap");
	if (r == 0 && node.path) {
		r = open_node(&node);
		if (r >= 0)
			close(r);
		else
			explain(&node, r, full, sizeof(full));
	}
	if (r >= 0)
		snprintf(full, sizeof(full), "%s: can be used", node.path ? node.path : MEMFD);
	snprintf(text, size, "%s", full);
	return MIN(r, 0);
}

/* ---- the list ----------------------------------------------------------- */

/* Heaps found so far; their strings are pieces of memory of their own. */
struct list {
	struct dmabuf_heap_info *heaps;
	size_t count, room;
	size_t text; /* bytes of all strings */
};

static void list_clear(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)list->heaps[i].name);
		free((char *)list->heaps[i].path);
		free((char *)list->heaps[i].alias);
		free((char *)list->heaps[i].reason);
	}
	free(list->heaps);
}

static char *list_text(struct list *list, const char *text)
{
	list->text += strlen(text) + 1;
	return strdup(text);
}

static struct dmabuf_heap_info *list_grow(struct list *list)
{
	struct dmabuf_heap_info *heaps;

	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 8;
		heaps = reallocarray(list->heaps, list->room, sizeof(*heaps));
		if (!heaps)
			return NULL;
		list->heaps = heaps;
	}
	heaps = &list->heaps[list->count++];
	*heaps = (struct dmabuf_heap_info){0};
	return heaps;
}

/* What it is, and the other heap of the directory that it leads to if it is a symbolic link. */
static int add_alias(struct list *list, struct dmabuf_heap_info *info)
{
	_cleanup_free_ char *target = kernel_name(info->path);

	if (!target)
		return -ENOMEM;
	info->properties = classify(target);
	if (strcmp(target, info->name) == 0)
		return 0;
	info->alias = list_text(list, target);
	return info->alias ? 0 : -ENOMEM;
}

static int list_add(struct list *list, const char *name)
{
	_cleanup_(node_clear) struct node node = {0};
	struct dmabuf_heap_info *info = list_grow(list);
	char reason[EXPLANATION_SIZE];
	int r;

	r = info ? find_node(name, &node) : -ENOMEM;
	if (r < 0)
		return r;
	info->name = list_text(list, name);
	if (!info->name)
		return -ENOMEM;
	info->properties = DMABUF_HEAP_SYSTEM | (node.path ? 0 : DMABUF_HEAP_NO_DEVICE);
	if (!node.path)
		return 0;
	info->path = list_text(list, node.path);
	if (!info->path)
		return -ENOMEM;
	r = node.kind == HEAP_NODE ? add_alias(list, info) : 0;
	if (r < 0)
		return r;
	r = open_node(&node);
	if (r >= 0) {
		close(r);
		return 0;
	}
	explain(&node, r, reason, sizeof(reason));
	info->error = r;
	info->reason = list_text(list, reason);
	return info->reason ? 0 : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dmabuf_heap_info *)a)->name,
		      ((const struct dmabuf_heap_info *)b)->name);
}

static int list_directory(struct list *list)
{
	DIR *directory = opendir(heap_directory());
	struct dirent *entry;
	int r = 0;

	if (!directory)
		return errno == ENOMEM ? -ENOMEM : 0;
	while (r == 0 && (entry = readdir(directory)))
		/* Names that stand for something else are of no use here. */
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, MEMFD) != 0 &&
		    strcmp(entry->d_name, UDMABUF) != 0)
			r = list_add(list, entry->d_name);
	closedir(directory);
	if (r == 0 && list->count)
		qsort(list->heaps, list->count, sizeof(*list->heaps), by_name);
	return r;
}

static const char *pack(char **to, const char *text)
{
	char *packed = *to;

	if (!text)
		return NULL;
	*to = stpcpy(packed, text) + 1;
	return packed;
}

/* All in one piece of memory. */
static struct dmabuf_heap_info *list_pack(const struct list *list)
{
	struct dmabuf_heap_info *heaps = malloc(list->count * sizeof(*heaps) + list->text);
	char *text;

	if (!heaps)
		return NULL;
	text = (char *)(heaps + list->count);
	for (size_t i = 0; i < list->count; i++) {
		heaps[i] = list->heaps[i];
		heaps[i].name = pack(&text, heaps[i].name);
		heaps[i].path = pack(&text, heaps[i].path);
		heaps[i].alias = pack(&text, heaps[i].alias);
		heaps[i].reason = pack(&text, heaps[i].reason);
	}
	return heaps;
}

DMABUF_EXPORT int dmabuf_heap_list(struct dmabuf_heap_info **ret_heaps, size_t *ret_count)
{
	_cleanup_(list_clear) struct list list = {0};
	struct dmabuf_heap_info *heaps;
	int r;

	r = list_directory(&list);
	if (r == 0 && access(UDMABUF_NODE, F_OK) == 0)
		r = list_add(&list, UDMABUF);
	if (r == 0)
		r = list_add(&list, MEMFD);
	if (r < 0)
		return r;
	heaps = list_pack(&list);
	if (!heaps)
		return -ENOMEM;
	*ret_heaps = heaps;
	*ret_count = list.count;
	return 0;
}

/* ---- the best one ------------------------------------------------------- */

/* @error: -ENOENT, or that of the best heap that could not be opened. */
struct search {
	uint32_t required, refused;
	struct dmabuf_heap *found;
	int error;
};

static bool suits(const struct search *search, uint32_t properties)
{
	return (properties & search->required) == search->required &&
	       !(properties & search->refused);
}

static void search_name(struct search *search, const char *name)
{
	struct dmabuf_heap *heap;
	int r;

	if (search->found)
		return;
	r = dmabuf_heap_open(name, &heap);
	if (r < 0) {
		if (r != -ENOENT && search->error == -ENOENT)
			search->error = r;
		return;
	}
	if (suits(search, heap->properties))
		search->found = heap;
	else
		dmabuf_heap_unref(heap);
}

static void search_names(struct search *search, const char *const *names)
{
	for (; *names; names++) {
		search_name(search, *names);
		for (size_t i = 0; is_cma_name(*names) && i < ARRAY_SIZE(cma_names); i++)
			if (strcmp(cma_names[i], *names) != 0)
				search_name(search, cma_names[i]);
	}
}

/* A heap that was asked for by no name: not what is used only when it is named. */
static void search_listed(struct search *search, const struct dmabuf_heap_info *heap)
{
	if (!heap->alias && strcmp(heap->name, UDMABUF) != 0 && strcmp(heap->name, MEMFD) != 0 &&
	    suits(search, heap->properties))
		search_name(search, heap->name);
}

/* Plain memory before what there is little of. */
static void search_all(struct search *search)
{
	_cleanup_free_ struct dmabuf_heap_info *heaps = NULL;
	size_t count = 0;
	int r = dmabuf_heap_list(&heaps, &count);

	if (r < 0) {
		search->error = r;
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (heaps[i].properties & DMABUF_HEAP_SYSTEM)
			search_listed(search, &heaps[i]);
	for (size_t i = 0; i < count; i++)
		if (!(heaps[i].properties & DMABUF_HEAP_SYSTEM))
			search_listed(search, &heaps[i]);
}

DMABUF_EXPORT int dmabuf_heap_find(const char *const *names, uint32_t required, uint32_t refused,
				   struct dmabuf_heap **ret_heap)
{
	struct search search = {.required = required, .refused = refused, .error = -ENOENT};

	if (names)
		search_names(&search, names);
	else
		search_all(&search);
	if (!search.found)
		return search.error;
	*ret_heap = search.found;
	return 0;
}
