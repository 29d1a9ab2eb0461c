/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spawner without hearthd, for test_spawner.py: makes the folders of STATE and serves the link
 * on descriptor 3. Ends when the link is closed.
 *
 *   spawner_alone CONFIG_FILE
 */
#include "base/configuration.h"
#include "base/log.h"
#include "container/network.h"
#include "server/spawner.h"

#include <string.h>

int main(int argc, char **argv)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	int status;

	log_open("spawner_alone", LOG_LEVEL_DEBUG);
	if (argc != 2 || configuration_read_file(c, argv[1], &err) < 0 ||
	    configuration_finish(c, &err) < 0 || spawner_prepare(c, &err) < 0 ||
	    network_host_setup(c, &err) < 0) {
		log_error("%s", argc != 2 ? "usage: spawner_alone CONFIG_FILE" : err.text);
		configuration_free(c);
		return 2;
	}
	status = spawner_run(3, c, -1);
	if (strcmp(c->network_mode, "bridge") == 0)
		network_host_teardown(c);
	configuration_free(c);
	return status;
}
