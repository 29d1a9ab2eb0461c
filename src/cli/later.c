/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of `hf` that Hearth does not have yet: they say so instead of being unknown. */
#include "cli/commands.h"

int later_command(struct invocation *in)
{
	return output_error("`hearth %s` is not built yet.", in->command->name);
}
