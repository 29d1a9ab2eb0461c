/* SPDX-License-Identifier: Apache-2.0 */
/* Turns, deferred functions, timers and watches of the loop; encoding of addresses. */
#include "../unit.h"

#include "net/loop.h"
#include "net/uri.h"

#include <string.h>
#include <unistd.h>

struct trace {
	struct loop *loop;
	char text[200];
	int again;
};

static void note(struct trace *t, const char *what)
{
	strncat(t->text, what, sizeof(t->text) - strlen(t->text) - 1);
}

static void on_end(void *arg)
{
	note(arg, "end ");
}

static void second(void *arg)
{
	note(arg, "second ");
}

static void first(void *arg)
{
	struct trace *t = arg;

	note(t, "first ");
	loop_defer(t->loop, second, t);
}

static void stop(void *arg)
{
	struct trace *t = arg;

	loop_stop(t->loop);
}

static void on_timer(void *arg)
{
	struct trace *t = arg;

	note(t, "timer ");
	loop_defer(t->loop, first, t);
	loop_defer(t->loop, stop, t);
}

static void turns_end_after_all_work(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct loop_timer *timer = loop_timer_new(t.loop, on_timer, &t);

	loop_timer_start(timer, 1, 0);
	loop_run(t.loop);
	loop_set_turn_end(t.loop, on_end, &t);
	/* `first` defers `second`: the turn ends once more after it. */
	assert_non_null(strstr(t.text, "timer first "));
	t.text[0] = '\0';
	loop_timer_start(timer, 1, 0);
	loop_run(t.loop);
	assert_non_null(strstr(t.text, "timer first end second end "));
	loop_timer_free(timer);
	loop_free(t.loop);
}

static void defer_again(void *arg)
{
	struct trace *t = arg;

	if (++t->again == 1000)
		loop_stop(t->loop);
	loop_defer(t->loop, defer_again, t);
}

static void on_readable(void *arg, int events)
{
	struct trace *t = arg;

	note(t, events & UV_READABLE ? "readable " : "broken ");
}

/* Work that goes on for ever does not keep sockets from being looked at, and the loop never sleeps
 * on it. */
static void endless_work_lets_others_in(void **state)
{
	struct trace t = {.loop = loop_new()};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	struct loop_watch *watch = loop_watch_new(t.loop, fds[0], UV_READABLE, on_readable, &t);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_defer(t.loop, defer_again, &t);
	loop_run(t.loop);
	assert_true(t.again >= 1000);
	assert_non_null(strstr(t.text, "readable "));
	loop_watch_free(watch);
	loop_free(t.loop);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

struct slices {
	struct loop *loop;
	struct loop_timer *timer;
	int count, count_when_heard;
};

static void slice(void *arg)
{
	struct slices *s = arg;

	if (++s->count == 100)
		loop_stop(s->loop);
	else
		loop_timer_start(s->timer, 0, 0);
}

static void hear(void *arg, int events)
{
	struct slices *s = arg;

	if (s->count_when_heard == 0)
		s->count_when_heard = s->count + 1;
}

static void timers_that_go_on_at_once_let_sockets_in(void **state)
{
	struct slices s = {.loop = loop_new()};
	struct loop_watch *watch;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	s.timer = loop_timer_new(s.loop, slice, &s);
	watch = loop_watch_new(s.loop, fds[0], UV_READABLE, hear, &s);
	loop_timer_start(s.timer, 0, 0);
	loop_run(s.loop);
	assert_in_range(s.count_when_heard, 1, 10);
	loop_watch_free(watch);
	loop_timer_free(s.timer);
	loop_free(s.loop);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void encoding(void **state)
{
	struct buffer text = BUFFER_INIT(100);
	struct uri_pair pair;
	char out[64];

	assert_int_equal(uri_encode(&text, "a b/\xc3\xa9~"), 0);
	assert_string_equal(buffer_text(&text), "a%20b%2F%C3%A9~");
	assert_int_equal(uri_decode(buffer_text(&text), text.len, false, out), 7);
	assert_string_equal(out, "a b/\xc3\xa9~");
	buffer_clear(&text);
	assert_int_equal(uri_decode("a+b", 3, true, out), 3);
	assert_string_equal(out, "a b");
	assert_int_equal(uri_decode("%e2%82", 6, false, out), -1);
	assert_int_equal(uri_decode("%ed%a0%80", 9, false, out), -1);
	assert_int_equal(uri_decode("%4", 2, false, out), -1);
	const char *at = uri_next_pair("&&a=b=c&d&=e", &pair);
	assert_memory_equal(pair.value, "b=c", 3);
	assert_int_equal(pair.value_len, 3);
	at = uri_next_pair(at, &pair);
	assert_int_equal(pair.name_len, 1);
	assert_int_equal(pair.value_len, 0);
	at = uri_next_pair(at, &pair);
	assert_int_equal(pair.name_len, 0);
	assert_null(uri_next_pair(at, &pair));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(turns_end_after_all_work),
	        cmocka_unit_test(endless_work_lets_others_in),
	        cmocka_unit_test(timers_that_go_on_at_once_let_sockets_in),
	        cmocka_unit_test(encoding),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
