/* SPDX-License-Identifier: Apache-2.0 */
/* Up to 256 bytes getrandom() never gives less than was asked for. */
#include "base/random.h"

#include "base/error.h"

#include <sys/random.h>
#include <sys/types.h>

void random_fill(void *data, size_t len)
{
	if (getrandom(data, len, 0) != (ssize_t)len)
		BUG("no random numbers");
}
