/* SPDX-License-Identifier: Apache-2.0 */
/* Which flavors are offered. See the header. */
#include "job/flavor_catalogue.h"

int flavor_choose(const struct configuration *configuration, const char *name,
                  const char *user_name, const char *namespace_name, const struct flavor **ret,
                  struct error *err)
{
	*ret = configuration_flavor(configuration, name);
	return *ret ? 0 : fail(err, E_INVALID, "flavor \"%s\" is not known", name);
}
