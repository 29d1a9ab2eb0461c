/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of jobs. See the header. */
#include "job/array.h"

void array_element_changed(struct job_service *service, const struct job_record *job)
{
}
