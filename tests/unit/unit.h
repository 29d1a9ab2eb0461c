/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka for our tests: its headers in the order that they need, without its macro fail(), which is
 * the name of a function of ours (base/error.h). Include this before everything else. */
#ifndef HEARTH_TESTS_UNIT_H
#define HEARTH_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#undef fail
#undef fail_msg
#define fail_msg(...)                                                                              \
	do {                                                                                       \
		print_error(__VA_ARGS__);                                                          \
		print_error("\n");                                                                 \
		_fail(__FILE__, __LINE__);                                                         \
	} while (0)

/* Instead of skip(), which this cmocka prints as a failure ("not ok … # SKIP") and Meson counts as one. */
#define SKIP_TEST(why)                                                                             \
	do {                                                                                       \
		print_message("# skipped: " why "\n");                                             \
		return;                                                                            \
	} while (0)

#endif
