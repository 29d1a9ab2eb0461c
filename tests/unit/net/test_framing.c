/* SPDX-License-Identifier: Apache-2.0 */
/* Heads that two parties could read in two ways are refused. */
#include "../unit.h"

#include "net/http_framing.h"

#include <string.h>

#define FIELDS_MAX 8

struct built {
	struct http_field fields[FIELDS_MAX];
	struct http_head head;
};

/* "Name: value" texts, up to a NULL. */
static void build(struct built *b, const char *version, const char *const *lines)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; lines[i]; i++) {
		const char *colon = strstr(lines[i], ": ");

		b->fields[i].name = lines[i];
		b->fields[i].name_len = (size_t)(colon - lines[i]);
		b->fields[i].value = colon + 2;
		b->fields[i].value_len = strlen(colon + 2);
		b->head.n_fields++;
	}
	b->head.fields = b->fields;
	b->head.method = "POST";
	b->head.path = "/api";
	b->head.query = "a=b";
	b->head.target_len = 8;
	b->head.version = version;
}

static void expect(const char *version, const char *const *lines, const char *sentence)
{
	struct http_framing framing;
	struct error err = ERROR_INIT;
	struct built b;

	build(&b, version, lines);
	int result = http_framing_check(&b.head, &framing, &err);
	if (!sentence) {
		if (result < 0)
			fail_msg("refused: %s", err.text);
		return;
	}
	if (result == 0)
		fail_msg("accepted, should be: %s", sentence);
	assert_int_equal(err.code, E_INVALID);
	assert_string_equal(err.text, sentence);
}

#define OK(...) expect("HTTP/1.1", (const char *const[]){__VA_ARGS__, NULL}, NULL)
#define BAD(sentence, ...) expect("HTTP/1.1", (const char *const[]){__VA_ARGS__, NULL}, sentence)

static void good_heads(void **state)
{
	OK("Host: x");
	OK("Host: [::1]:7440", "Content-Length: 0");
	OK("Host: a.b:1", "content-length: 12 ", "X: \tq\xff");
	OK("Host: x", "transfer-encoding: Chunked");
	expect("HTTP/1.0", (const char *const[]){NULL}, NULL);
}

static void lengths(void **state)
{
	BAD("Content-Length is given twice", "Host: x", "Content-Length: 5", "Content-Length: 5");
	BAD("Content-Length is given twice", "Host: x", "Content-Length: 5", "content-LENGTH: 6");
	BAD("Content-Length must be a number", "Host: x", "Content-Length: 5, 5");
	BAD("Content-Length must be a number", "Host: x", "Content-Length: +5");
	BAD("Content-Length must be a number", "Host: x", "Content-Length: 0x5");
	BAD("Content-Length must be a number", "Host: x", "Content-Length: ");
	BAD("Content-Length must be a number", "Host: x", "Content-Length: 99999999999999999999");
	BAD("Content-Length and Transfer-Encoding contradict", "Host: x", "Content-Length: 5",
	    "Transfer-Encoding: chunked");
}

static void codings(void **state)
{
	BAD("Transfer-Encoding must be \"chunked\"", "Host: x", "Transfer-Encoding: gzip");
	BAD("Transfer-Encoding must be \"chunked\"", "Host: x", "Transfer-Encoding: gzip, chunked");
	BAD("Transfer-Encoding must be \"chunked\"", "Host: x", "Transfer-Encoding: identity");
	BAD("Transfer-Encoding must be \"chunked\"", "Host: x", "Transfer-Encoding: xchunked");
	BAD("Transfer-Encoding has spaces after \"chunked\"", "Host: x",
	    "Transfer-Encoding: chunked ");
	BAD("Transfer-Encoding is given twice", "Host: x", "Transfer-Encoding: chunked",
	    "Transfer-Encoding: chunked");
	expect("HTTP/1.0", (const char *const[]){"Transfer-Encoding: chunked", NULL},
	       "HTTP/1.0 has no Transfer-Encoding");
}

static void hosts_and_names(void **state)
{
	BAD("header Host is missing", "A: b");
	BAD("header Host is given twice", "Host: x", "Host: x");
	BAD("header Host must be a host name and a port", "Host: ");
	BAD("header Host must be a host name and a port", "Host: a b");
	BAD("header Host must be a host name and a port", "Host: a/b");
	BAD("header Host must be a host name and a port", "Host: evil@x");
	BAD("a header's name has a character that is not allowed", "Host: x", "A b: c");
	BAD("a header's name has a character that is not allowed", "Host: x", "A\x01: c");
	BAD("a header's name has a character that is not allowed", "Host: x", "A : c");
	BAD("header A has a control character", "Host: x", "A: b\rc");
	BAD("header A has a control character", "Host: x", "A: b\x7f");
}

/* A head as libmicrohttpd leaves it: separators are NUL. Returns its size. */
static size_t lay_out(char *text, struct built *b)
{
	static const char head[] = "GET\0/x?a=b\0HTTP/1.1\0\0Host\0 y\0\0A\0b \0\0\0";
	static const char *const none[] = {NULL};

	memcpy(text, head, sizeof(head));
	build(b, text + 11, none);
	b->head.method = text;
	b->head.target = text + 4;
	b->head.target_len = 6;
	b->fields[0] = (struct http_field){text + 21, text + 27, 4, 1};
	b->fields[1] = (struct http_field){text + 30, text + 32, 1, 2};
	b->head.n_fields = 2;
	b->head.size = 38;
	return sizeof(head);
}

static void pieces_must_touch(void **state)
{
	struct error err = ERROR_INIT;
	struct built b;
	char text[100];

	(void)lay_out(text, &b);
	if (http_framing_check_layout(&b.head, &err) < 0)
		fail_msg("refused: %s", err.text);
	/* A NUL hides bytes behind a value. */
	b.fields[1].value_len = 1;
	assert_int_equal(http_framing_check_layout(&b.head, &err), -1);
	(void)lay_out(text, &b);
	b.head.size = 39;
	assert_int_equal(http_framing_check_layout(&b.head, &err), -1);
	(void)lay_out(text, &b);
	b.head.target_len = 2;
	assert_int_equal(http_framing_check_layout(&b.head, &err), -1);
	(void)lay_out(text, &b);
	text[26] = 'z'; /* between colon and value */
	assert_int_equal(http_framing_check_layout(&b.head, &err), -1);
	(void)lay_out(text, &b);
	b.fields[1].name--; /* a bare line feed */
	assert_int_equal(http_framing_check_layout(&b.head, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_heads),        cmocka_unit_test(lengths),
	        cmocka_unit_test(codings),           cmocka_unit_test(hosts_and_names),
	        cmocka_unit_test(pieces_must_touch),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
