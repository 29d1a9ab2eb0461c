/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's devices. See the header. */
#include "job/device_service.h"

const struct device *device_service_get(const struct device_service *service, size_t *ret_count)
{
	*ret_count = 0;
	return NULL;
}
