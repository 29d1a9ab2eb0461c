/* SPDX-License-Identifier: Apache-2.0 */
/* Files that cannot leave their folder, children, sealing, the link to the spawner. */
#include "../unit.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/seal.h"
#include "base/spawner_link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[] = "/tmp/hearth-test-XXXXXX";
static int root_fd = -1;

static int make_root(void **state)
{
	struct error err;
	if (!mkdtemp(root))
		return -1;
	return file_open_dir(root, 0700, &root_fd, &err);
}

static int drop_root(void **state)
{
	struct error err;
	(void)close(root_fd);
	return file_remove_tree(AT_FDCWD, root, &err);
}

static void write_file(const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	if (file_write_atomic(root_fd, name, text, strlen(text), 0600, false, &err) < 0)
		fail_msg("%s", err.text);
}

static void writes_and_reads(void **state)
{
	struct error err = ERROR_INIT;
	assert_int_equal(file_write_atomic(root_fd, "f", "one", 3, 0640, true, &err), 0);
	assert_int_equal(file_write_atomic(root_fd, "f", "second", 6, 0640, false, &err), 0);
	autobuffer struct buffer text = BUFFER_INIT(6);
	assert_int_equal(file_read(root_fd, "f", &text, &err), 0);
	assert_string_equal(text.data, "second");
	autobuffer struct buffer small = BUFFER_INIT(5);
	assert_int_equal(file_read(root_fd, "f", &small, &err), -1);
	assert_int_equal(err.code, E_TOO_LARGE);
	assert_int_equal(small.len, 0);
	assert_int_equal(file_read(root_fd, "none", &text, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	struct stat st;
	assert_int_equal(fstatat(root_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void replacing_leaves_nothing_behind(void **state)
{
	struct error err = ERROR_INIT;
	autoclose int fd = -1;
	assert_int_equal(file_open_subdir(root_fd, "clean", 0700, &fd, &err), 0);
	assert_int_equal(mkdirat(fd, "taken", 0700), 0);
	assert_int_equal(file_write_atomic(fd, "taken", "x", 1, 0600, true, &err), -1);
	assert_int_equal(file_write_atomic(fd, "fine", "x", 1, 0600, true, &err), 0);
	autodir DIR *dir = fdopendir(dup(fd));
	int count = 0;
	while (readdir(dir))
		count++;
	assert_int_equal(count, 4); /* ".", "..", taken, fine */
}

static void names_do_not_follow_links(void **state)
{
	struct error err = ERROR_INIT;
	autobuffer struct buffer text = BUFFER_INIT(10000);
	autoclose int fd = -1;
	assert_int_equal(symlinkat("/etc/passwd", root_fd, "link"), 0);
	assert_int_equal(file_read(root_fd, "link", &text, &err), -1);
	assert_int_equal(symlinkat("/etc", root_fd, "linkdir"), 0);
	assert_int_equal(file_open_subdir(root_fd, "linkdir", 0700, &fd, &err), -1);
	assert_int_equal(file_lock(root_fd, "link", &fd, &err), -1);
	/* Replacing replaces the link, not what it points to. */
	assert_int_equal(file_write_atomic(root_fd, "link", "x", 1, 0600, false, &err), 0);
	assert_int_equal(file_read(root_fd, "link", &text, &err), 0);
	assert_string_equal(text.data, "x");
}

static void cannot_leave_the_root(void **state)
{
	static const char *const escapes[] = {
	        "../outside",  "/outside",   "in/../../outside",          "up/outside",
	        "abs/outside", "in/absfile", "/../../../../../../outside"};
	struct error err = ERROR_INIT;
	autoclose int jail = -1, in = -1;
	write_file("outside", "secret");
	assert_int_equal(file_open_subdir(root_fd, "jail", 0700, &jail, &err), 0);
	assert_int_equal(file_open_subdir(jail, "in", 0700, &in, &err), 0);
	autofree char *outside = xasprintf("%s/outside", root);
	assert_int_equal(symlinkat("..", jail, "up"), 0);
	assert_int_equal(symlinkat(root, jail, "abs"), 0);
	assert_int_equal(symlinkat(outside, in, "absfile"), 0);
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		autoclose int fd = -1;
		assert_int_equal(file_open_in_root(jail, escapes[i], O_RDONLY, 0, &fd, &err), -1);
		assert_int_equal(err.code, E_NOT_FOUND);
	}
	/* ".." and links inside are fine; an absolute path begins at the root. */
	autoclose int made = -1, again = -1, dir = -1;
	assert_int_equal(file_open_in_root(jail, "/in/../in/new", O_WRONLY | O_CREAT | O_EXCL, 0600,
	                                   &made, &err),
	                 0);
	assert_int_equal(faccessat(in, "new", F_OK, 0), 0);
	assert_int_equal(symlinkat("/in/new", in, "inner"), 0);
	assert_int_equal(file_open_in_root(jail, "in/inner", O_RDONLY, 0, &again, &err), 0);
	assert_int_equal(file_open_in_root(jail, "in", O_RDONLY | O_DIRECTORY, 0, &dir, &err), 0);
}

static void removes_trees(void **state)
{
	struct error err = ERROR_INIT;
	write_file("keep", "x");
	autofree char *deep = xasprintf("%s/tree/a/b/c", root);
	autofree char *keep = xasprintf("%s/keep", root);
	autoclose int fd = -1;
	assert_int_equal(file_open_dir(deep, 0700, &fd, &err), 0);
	assert_int_equal(file_write_atomic(fd, "f", "x", 1, 0400, false, &err), 0);
	assert_int_equal(symlinkat("../../..", fd, "up"), 0);
	assert_int_equal(symlinkat(keep, fd, "keep"), 0);
	assert_int_equal(file_remove_tree(root_fd, "tree", &err), 0);
	assert_int_equal(faccessat(root_fd, "tree", F_OK, 0), -1);
	assert_int_equal(faccessat(root_fd, "keep", F_OK, 0), 0);
	assert_int_equal(file_remove_tree(root_fd, "tree", &err), 0);
}

static void locks_once(void **state)
{
	struct error err = ERROR_INIT;
	int first = -1, second = -1;
	assert_int_equal(file_lock(root_fd, "lock", &first, &err), 0);
	assert_int_equal(file_lock(root_fd, "lock", &second, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	(void)close(first);
	assert_int_equal(file_lock(root_fd, "lock", &second, &err), 0);
	(void)close(second);
}

static void children_speak_through_errors(void **state)
{
	struct error err = ERROR_INIT;
	const char *const good[] = {"sh", "-c", "cat; echo err >&2", NULL};
	autobuffer struct buffer output = BUFFER_INIT(1000);
	assert_int_equal(child_run(good, "in\n", &output, &err), 0);
	assert_string_equal(output.data, "in\nerr\n");
	const char *const bad[] = {"sh", "-c", "echo why it failed >&2; exit 3", NULL};
	assert_int_equal(child_run(bad, NULL, NULL, &err), -1);
	assert_int_equal(err.code, E_INTERNAL);
	assert_string_equal(err.text, "sh: why it failed");
	const char *const silent[] = {"false", NULL};
	assert_int_equal(child_run(silent, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "false failed with exit code 1");
	const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
	assert_int_equal(child_run(killed, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "sh was killed by signal 9");
	const char *const missing[] = {"no-such-program-here", NULL};
	assert_int_equal(child_run(missing, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "the program no-such-program-here is not installed");
}

static void children_with_much_to_say(void **state)
{
	struct error err = ERROR_INIT;
	autobuffer struct buffer input = BUFFER_INIT(1 << 20);
	autobuffer struct buffer output = BUFFER_INIT(1 << 19);
	for (int i = 0; i < 1 << 20; i++)
		(void)buffer_add_byte(&input, 'x');
	const char *const cat[] = {"cat", NULL};
	assert_int_equal(child_run(cat, input.data, &output, &err), 0);
	assert_int_equal(output.len, 1 << 19); /* cut at its maximum, and the child did not hang */
	const char *const deaf[] = {"true", NULL};
	assert_int_equal(child_run(deaf, input.data, NULL, &err), 0);
}

static void children_inherit_nothing(void **state)
{
	struct error err = ERROR_INIT;
	int leaked = fcntl(root_fd, F_DUPFD, 50); /* not close-on-exec on purpose */
	autobuffer struct buffer output = BUFFER_INIT(1000);
	const char *const list[] = {"sh", "-c", "cd /proc/self/fd; echo *", NULL};
	assert_int_equal(child_run(list, NULL, &output, &err), 0);
	assert_null(strstr(output.data, "50"));
	(void)close(leaked);

	int pair[2];
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	const char *const say[] = {"sh", "-c", "echo hi >&3", NULL};
	struct child_spec spec = CHILD_SPEC(say);
	spec.extra_fd = pair[1];
	pid_t pid;
	assert_int_equal(child_start(&spec, &pid, &err), 0);
	(void)close(pair[1]);
	char text[8] = "";
	assert_int_equal(read(pair[0], text, 7), 3);
	assert_string_equal(text, "hi\n");
	(void)close(pair[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void seals(void **state)
{
	struct error err = ERROR_INIT;
	struct seal_key *key, *same;
	assert_int_equal(seal_key_load(root_fd, "key", &key, &err), 0);
	assert_int_equal(seal_key_load(root_fd, "key", &same, &err), 0);
	struct stat st;
	assert_int_equal(fstatat(root_fd, "key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	autobuffer struct buffer sealed = BUFFER_INIT(1000), again = BUFFER_INIT(1000);
	autobuffer struct buffer plain = BUFFER_INIT(1000);
	seal(key, "hf_secret", 9, &sealed);
	seal(key, "hf_secret", 9, &again);
	assert_int_equal(sealed.len, again.len);
	assert_memory_not_equal(sealed.data, again.data, sealed.len);
	assert_null(memmem(sealed.data, sealed.len, "secret", 6));
	assert_int_equal(unseal(same, sealed.data, sealed.len, &plain, &err), 0);
	assert_string_equal(plain.data, "hf_secret");
	buffer_reset(&plain);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.data[i] ^= 1;
		assert_int_equal(unseal(key, sealed.data, sealed.len, &plain, &err), -1);
		assert_int_equal(err.code, E_INTERNAL);
		assert_int_equal(plain.len, 0);
		sealed.data[i] ^= 1;
	}
	assert_int_equal(unseal(key, sealed.data, 12, &plain, &err), -1);
	seal_key_free(key);
	seal_key_free(same);
	write_file("badkey", "short");
	assert_int_equal(seal_key_load(root_fd, "badkey", &key, &err), -1);
	assert_non_null(strstr(err.text, "badkey"));
}

static void tokens(void **state)
{
	char a[TOKEN_SIZE], b[TOKEN_SIZE], hash[TOKEN_HASH_SIZE];
	token_new(a);
	token_new(b);
	assert_int_equal(strlen(a), 37);
	assert_memory_equal(a, "hf_", 3);
	assert_string_not_equal(a, b);
	/* BLAKE2b-256 of "abc", from b2sum -l 256. */
	token_hash("abc", hash);
	assert_string_equal(hash,
	                    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	assert_true(seal_equal("abc", "abc"));
	assert_false(seal_equal("abc", "abd"));
	assert_false(seal_equal("abc", "abcd"));
	assert_false(seal_equal("", "a"));
}

static void spawn_names(void **state)
{
	static const char *const bad[] = {"",
	                                  "687fb701029421ae5549d998",
	                                  "687fb701029421ae5549d998.",
	                                  "687fb701029421ae5549d998.0",
	                                  "687fb701029421ae5549d998.01",
	                                  "687fb701029421ae5549d998.10000",
	                                  "687FB701029421ae5549d998.1",
	                                  "../7fb701029421ae5549d998.1",
	                                  "687fb701029421ae5549d998.1/",
	                                  "687fb701029421ae5549d998.-1",
	                                  "687fb701029421ae5549d998/1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(spawn_name_is_valid(bad[i]));
	char name[SPAWN_NAME_MAX];
	spawn_name_format(name, "687fb701029421ae5549d998", 9999);
	assert_string_equal(name, "687fb701029421ae5549d998.9999");
	assert_true(spawn_name_is_valid(name));
	char unended[SPAWN_NAME_MAX];
	memset(unended, '1', sizeof(unended));
	assert_false(spawn_name_is_valid(unended));
}

static void asks_the_spawner(void **state)
{
	int link[2];
	struct error err = ERROR_INIT;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	autoclose int ours = -1;
	const char *name = "687fb701029421ae5549d998.1";
	assert_int_equal(spawner_link_send(link[0], SPAWN_PULL, name, root_fd, &ours, &err), 0);
	struct spawn_message message;
	char space[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = {&message, sizeof(message)};
	struct msghdr head = {.msg_iov = &iov,
	                      .msg_iovlen = 1,
	                      .msg_control = space,
	                      .msg_controllen = sizeof(space)};
	assert_int_equal(recvmsg(link[1], &head, MSG_CMSG_CLOEXEC), sizeof(message));
	assert_int_equal(message.kind, SPAWN_PULL);
	assert_string_equal(message.name, name);
	struct cmsghdr *part = CMSG_FIRSTHDR(&head);
	assert_int_equal(part->cmsg_len, CMSG_LEN(2 * sizeof(int)));
	int fds[2];
	memcpy(fds, CMSG_DATA(part), sizeof(fds));
	assert_int_equal(send(fds[0], "hello", 5, 0), 5);
	char text[16] = "";
	assert_int_equal(recv(ours, text, sizeof(text), 0), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(recv(ours, text, sizeof(text), 0), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(recv(ours, text, sizeof(text), 0), 0);
	(void)close(link[1]);
	int fd;
	assert_int_equal(spawner_link_send(link[0], SPAWN_CLEAN, name, -1, &fd, &err), -1);
	assert_int_equal(err.code, E_UNAVAILABLE);
	(void)close(link[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(writes_and_reads),
	        cmocka_unit_test(replacing_leaves_nothing_behind),
	        cmocka_unit_test(names_do_not_follow_links),
	        cmocka_unit_test(cannot_leave_the_root),
	        cmocka_unit_test(removes_trees),
	        cmocka_unit_test(locks_once),
	        cmocka_unit_test(children_speak_through_errors),
	        cmocka_unit_test(children_with_much_to_say),
	        cmocka_unit_test(children_inherit_nothing),
	        cmocka_unit_test(seals),
	        cmocka_unit_test(tokens),
	        cmocka_unit_test(spawn_names),
	        cmocka_unit_test(asks_the_spawner),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, drop_root);
}
