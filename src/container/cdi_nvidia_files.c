/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries of a driver carry its version in their names (libcuda.so.535.183.01). They are looked
 * for where distributions put libraries and where /etc/ld.so.conf says.
 */
#include "container/cdi_nvidia_files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/cdi_nvidia.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX (64 * 1024)
#define FOLDERS_MAX 64
#define FILES_MAX 256
#define CONF_DEPTH_MAX 2

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#else
#define NATIVE_MACHINE EM_AARCH64
#endif

static const char *const usual_folders[] = {
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib/x86_64-linux-gnu/nvidia/current",
        "/usr/lib/aarch64-linux-gnu/nvidia/current",
        "/usr/local/nvidia/lib64",
        "/run/opengl-driver/lib",
};

static const char *const program_folders[] = {
        "/usr/bin",
        "/usr/local/bin",
        "/usr/local/nvidia/bin",
        "/opt/bin",
        "/run/current-system/sw/bin",
};

static const char *const programs[] = {
        "nvidia-smi",
        "nvidia-debugdump",
        "nvidia-cuda-mps-control",
        "nvidia-cuda-mps-server",
};

struct folders {
	char *paths[FOLDERS_MAX];
	size_t count;
};

static int open_below(int root_fd, const char *path, int flags)
{
	struct error unused = ERROR_INIT;
	int fd;

	return file_open_in_root(root_fd, path, flags | O_CLOEXEC, 0, &fd, &unused) ? -1 : fd;
}

char *nvidia_read_text(int root_fd, const char *path)
{
	autobuffer struct buffer text = BUFFER_INIT(TEXT_MAX);
	autoclose int fd = open_below(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char chunk[4096];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0 &&
	       buffer_add(&text, chunk, (size_t)n) == 0)
		;
	return xstrdup(buffer_text(&text));
}

bool nvidia_exists(int root_fd, const char *path)
{
	autoclose int fd = open_below(root_fd, path, O_PATH);

	return fd >= 0;
}

bool nvidia_find_value(const char *text, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		const char *value = line + len + 1;
		value += strspn(value, " \t");
		(void)snprintf(ret, size, "%.*s", (int)strcspn(value, " \t\r\n"), value);
		return ret[0] != '\0';
	}
	return false;
}

/* Digits and dots, beginning with a digit and with a dot in between. */
static bool is_version(const char *word, size_t len)
{
	return len > 2 && len < NVIDIA_VERSION_SIZE && word[0] >= '0' && word[0] <= '9' &&
	       strspn(word, "0123456789.") >= len && memchr(word, '.', len) && word[len - 1] != '.';
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May …" */
bool nvidia_read_version(int root_fd, char ret[NVIDIA_VERSION_SIZE])
{
	autofree char *text = nvidia_read_text(root_fd, "/proc/driver/nvidia/version");
	size_t line = strcspn(text, "\n");

	text[line] = '\0';
	for (const char *word = text; *word;) {
		size_t len = strcspn(word, " \t");
		if (is_version(word, len)) {
			(void)snprintf(ret, NVIDIA_VERSION_SIZE, "%.*s", (int)len, word);
			return true;
		}
		word += len;
		word += strspn(word, " \t");
	}
	return false;
}

static void add_folder(struct folders *folders, const char *path, size_t len)
{
	for (size_t i = 0; i < folders->count; i++) {
		if (strlen(folders->paths[i]) == len && memcmp(folders->paths[i], path, len) == 0)
			return;
	}
	if (folders->count < FOLDERS_MAX && path[0] == '/')
		folders->paths[folders->count++] = xstrndup(path, len);
}

static void read_conf(int root_fd, const char *path, int depth, struct folders *folders);

/* "include /etc/ld.so.conf.d/<anything>.conf": all of the folder. */
static void read_included(int root_fd, int depth, struct folders *folders)
{
	int fd = open_below(root_fd, "/etc/ld.so.conf.d", O_RDONLY | O_DIRECTORY);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		autofree char *path = xasprintf("/etc/ld.so.conf.d/%s", entry->d_name);
		if (entry->d_name[0] != '.' && strlen(entry->d_name) > 5 &&
		    strcmp(entry->d_name + strlen(entry->d_name) - 5, ".conf") == 0)
			read_conf(root_fd, path, depth + 1, folders);
	}
}

static void read_conf(int root_fd, const char *path, int depth, struct folders *folders)
{
	autofree char *text = nvidia_read_text(root_fd, path);
	char *rest = text;

	for (char *line; depth <= CONF_DEPTH_MAX && (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		if (strncmp(line, "include", 7) == 0 && depth == 0)
			read_included(root_fd, depth, folders);
		else
			add_folder(folders, line, strcspn(line, " \t\r#="));
	}
}

/* A program or library for this kind of machine: some folders hold those of 32 bits. */
static bool is_native(int root_fd, const char *path)
{
	autoclose int fd = open_below(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	unsigned char head[EI_NIDENT + 4];
	Elf64_Half machine;

	if (fd < 0 || read(fd, head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	return machine == NATIVE_MACHINE;
}

static void add_mount(json_t *mounts, const char *from, const char *to_folder, const char *name)
{
	(void)json_array_append_new(mounts, json_pack("{s:s, s:o, s:[s,s,s,s]}", "hostPath", from,
	                                              "containerPath",
	                                              json_sprintf("%s/%s", to_folder, name),
	                                              "options", "ro", "nosuid", "nodev", "bind"));
}

static bool has_name(char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* lib….so.VERSION, but none of the settings program's. */
static bool is_library(const char *name, const char *version)
{
	autofree char *end = xasprintf(".so.%s", version);
	size_t len = strlen(name), end_len = strlen(end);

	return strncmp(name, "lib", 3) == 0 && len > end_len + 3 &&
	       strcmp(name + len - end_len, end) == 0 && strncmp(name, "libnvidia-gtk", 13) != 0 &&
	       strncmp(name, "libnvidia-wayland-client", 24) != 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their names, so that the specification is the same each time. */
static size_t add_libraries(int root_fd, const char *folder, const char *version, char **found,
                            size_t count, json_t *mounts)
{
	int fd = open_below(root_fd, folder, O_RDONLY | O_DIRECTORY);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t before = count;

	while (dir && count < FILES_MAX && (entry = readdir(dir))) {
		autofree char *path = xasprintf("%s/%s", folder, entry->d_name);
		if (is_library(entry->d_name, version) && !has_name(found, count, entry->d_name) &&
		    is_native(root_fd, path))
			found[count++] = xstrdup(entry->d_name);
	}
	if (count > before)
		qsort(found + before, count - before, sizeof(*found), compare_names);
	for (size_t i = before; i < count; i++) {
		autofree char *path = xasprintf("%s/%s", folder, found[i]);
		add_mount(mounts, path, CDI_NVIDIA_LIBRARIES, found[i]);
	}
	return count;
}

static void add_all_libraries(int root_fd, const char *version, json_t *mounts)
{
	struct folders folders = {.count = 0};
	autofree char **found = xcalloc(FILES_MAX, sizeof(*found));
	size_t count = 0;

	for (size_t i = 0; i < sizeof(usual_folders) / sizeof(usual_folders[0]); i++)
		add_folder(&folders, usual_folders[i], strlen(usual_folders[i]));
	read_conf(root_fd, "/etc/ld.so.conf", 0, &folders);
	for (size_t i = 0; i < folders.count; i++) {
		count = add_libraries(root_fd, folders.paths[i], version, found, count, mounts);
		free(folders.paths[i]);
	}
	for (size_t i = 0; i < count; i++)
		free(found[i]);
}

static void add_programs(int root_fd, json_t *mounts)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		for (size_t k = 0; k < sizeof(program_folders) / sizeof(program_folders[0]); k++) {
			autofree char *path = xasprintf("%s/%s", program_folders[k], programs[i]);
			if (!is_native(root_fd, path))
				continue;
			add_mount(mounts, path, CDI_NVIDIA_PROGRAMS, programs[i]);
			break;
		}
	}
}

static void add_firmware(int root_fd, const char *version, json_t *mounts)
{
	autofree char *folder = xasprintf("/lib/firmware/nvidia/%s", version);
	int fd = open_below(root_fd, folder, O_RDONLY | O_DIRECTORY);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && json_array_size(mounts) < 2 * FILES_MAX && (entry = readdir(dir))) {
		autofree char *path = xasprintf("%s/%s", folder, entry->d_name);
		if (strncmp(entry->d_name, "gsp", 3) == 0)
			add_mount(mounts, path, folder, entry->d_name);
	}
}

void nvidia_add_mounts(int root_fd, const char *version, json_t *mounts)
{
	add_all_libraries(root_fd, version, mounts);
	add_programs(root_fd, mounts);
	add_firmware(root_fd, version, mounts);
	if (nvidia_exists(root_fd, "/run/nvidia-persistenced/socket"))
		add_mount(mounts, "/run/nvidia-persistenced/socket", "/run/nvidia-persistenced",
		          "socket");
}
