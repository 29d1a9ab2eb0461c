/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that programs reading bytes of strangers have no use for, taken away. */
#ifndef HEARTH_BASE_SANDBOX_FILTER_H
#define HEARTH_BASE_SANDBOX_FILTER_H

#include "base/error.h"

/* For this process, for ever; needs no_new_privs. Does nothing on processors that it does not know.
 */
int sandbox_filter_install(struct error *err);
/* The same for one that connects to others, but serves nobody; it may have threads and copies. */
int sandbox_filter_install_client(struct error *err);

#endif
