/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the command as execvp() in the job will, and reads its first bytes. */
#include "container/command_check.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HEAD_SIZE 256

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#define COMPAT_MACHINE EM_386
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#define COMPAT_MACHINE EM_ARM
#else
#define NATIVE_MACHINE EM_NONE
#define COMPAT_MACHINE EM_NONE
#endif

bool command_check_emulators(void)
{
	autodir DIR *dir = opendir("/proc/sys/fs/binfmt_misc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "register") != 0 &&
		    strcmp(entry->d_name, "status") != 0)
			return true;
	}
	return false;
}

static const char *find_path(const json_t *env)
{
	size_t i;
	json_t *item;

	json_array_foreach(env, i, item)
	{
		if (strncmp(json_string_value(item), "PATH=", 5) == 0)
			return json_string_value(item) + 5;
	}
	return DEFAULT_PATH;
}

static bool is_file(int root_fd, const char *path, struct stat *ret)
{
	struct error unused = ERROR_INIT;
	autoclose int fd = -1;

	return file_open_in_root(root_fd, path, O_PATH, 0, &fd, &unused) == 0 &&
	       fstat(fd, ret) == 0;
}

/* The path of the command in the root, yours to free; NULL when there is none. */
static char *find_command(int root_fd, const char *command, const char *path, const char *cwd)
{
	struct stat st;

	if (strchr(command, '/')) {
		autofree char *whole = xasprintf("%s/%s", command[0] == '/' ? "" : cwd, command);
		return is_file(root_fd, whole, &st) ? take_ptr(&whole) : NULL;
	}
	for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int len = (int)strcspn(at, ":");
		autofree char *whole = len > 0 && at[0] == '/'
		                               ? xasprintf("%.*s/%s", len, at, command)
		                               : xasprintf("%s/%.*s/%s", cwd, len, at, command);
		if (is_file(root_fd, whole, &st) && S_ISREG(st.st_mode))
			return take_ptr(&whole);
	}
	return NULL;
}

static int check_script(int root_fd, const char *command, char *line, struct error *err)
{
	struct stat st;

	line[strcspn(line, "\n")] = '\0';
	line += strspn(line, " \t");
	line[strcspn(line, " \t\r")] = '\0';
	if (line[0] != '/' || is_file(root_fd, line, &st))
		return 0;
	return fail(err, E_INVALID,
	            "Command cannot run: %.120s wants the interpreter %.120s, "
	            "which the image does not have",
	            command, line);
}

static int check_program(const char *command, const unsigned char *head, size_t len,
                         bool has_emulators, struct error *err)
{
	Elf32_Half machine; /* at the same place in both classes */

	if (len < sizeof(Elf32_Ehdr) || has_emulators || NATIVE_MACHINE == EM_NONE)
		return 0;
	memcpy(&machine, head + offsetof(Elf32_Ehdr, e_machine), sizeof(machine));
	if (machine == NATIVE_MACHINE || machine == COMPAT_MACHINE)
		return 0;
	return fail(err, E_INVALID,
	            "Command cannot run: %.200s is a program for another architecture%s", command,
	            machine == EM_AARCH64  ? " (arm64)"
	            : machine == EM_X86_64 ? " (amd64)"
	                                   : "");
}

static int check_head(int root_fd, const char *command, const char *path, bool has_emulators,
                      struct error *err)
{
	struct error unused = ERROR_INIT;
	autoclose int fd = -1;
	char head[HEAD_SIZE + 1];

	if (file_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, &unused))
		return 0;
	ssize_t len = read(fd, head, HEAD_SIZE);
	if (len < 0)
		return 0;
	head[len] = '\0';
	if (strncmp(head, "#!", 2) == 0)
		return check_script(root_fd, command, head + 2, err);
	if (len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return check_program(command, (unsigned char *)head, (size_t)len, has_emulators,
		                     err);
	if (has_emulators)
		return 0;
	return fail(err, E_INVALID,
	            "Command cannot run: %.200s is neither a program nor a script with a #! line",
	            command);
}

int command_check(int root_fd, const char *command, const json_t *env, const char *cwd,
                  bool has_emulators, struct error *err)
{
	const char *search = find_path(env);
	autofree char *path = find_command(root_fd, command, search, cwd);
	struct stat st;

	/* Not in the image, but perhaps in the job. */
	if (strncmp(command, "/proc/", 6) == 0 || strncmp(command, "/dev/", 5) == 0)
		return 0;
	if (!path && strchr(command, '/'))
		return fail(err, E_INVALID, "Command not found: %.300s", command);
	if (!path && strchr(command, ' '))
		return fail(err, E_INVALID,
		            "Command not found: \"%.200s\" is one word with spaces in it; give the "
		            "command and its arguments as words of their own, or to a shell: sh -c "
		            "'...'",
		            command);
	if (!path)
		return fail(err, E_INVALID, "Command not found: %.200s (PATH is %.200s)", command,
		            search);
	if (!is_file(root_fd, path, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		return fail(err, E_INVALID, "Command cannot run: %.300s is a folder", command);
	if (S_ISREG(st.st_mode) && !(st.st_mode & 0111))
		return fail(err, E_INVALID,
		            "Command cannot run: %.300s is not executable "
		            "(permission denied)",
		            command);
	return S_ISREG(st.st_mode) ? check_head(root_fd, command, path, has_emulators, err) : 0;
}
