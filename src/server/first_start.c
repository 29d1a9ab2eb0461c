/* SPDX-License-Identifier: Apache-2.0 */
/* The first start: the operator's account, and the two lines that a client needs. */
#include "server/first_start.h"

#include "store/accounts.h"

#include <stdio.h>
#include <stdlib.h>

/* The one who typed the command; a name that cannot be an account becomes "operator". */
static int make_operator(struct database *db, const char *name, struct account *ret,
                         struct error *err)
{
	const char *guesses[] = {getenv("SUDO_USER"), getenv("USER"), "operator"};

	if (name)
		return accounts_create(db, name, ACCOUNT_USER, ret, err);
	for (size_t i = 0; i < 3; i++) {
		if (!guesses[i] || !*guesses[i])
			continue;
		*err = ERROR_INIT;
		if (accounts_create(db, guesses[i], ACCOUNT_USER, ret, err) == 0)
			return 0;
	}
	return -1;
}

static int make_organization(struct database *db, const char *name, const char *operator_name,
                             struct error *err)
{
	struct account organization;

	if (accounts_create(db, name, ACCOUNT_ORG, &organization, err) < 0)
		return error_prefix(err, "server.organization");
	return accounts_set_member(db, name, operator_name, ROLE_ADMIN, err);
}

int first_start(struct database *db, const char *operator_name, const char *organization,
                const char *endpoint, struct error *err)
{
	char text[TOKEN_SIZE];
	struct account account;
	struct token token;

	if (accounts_count(db) > 0)
		return 0;
	if (make_operator(db, operator_name, &account, err) < 0)
		return error_prefix(err, "server.operator");
	if (organization && make_organization(db, organization, account.name, err) < 0)
		return -1;
	if (tokens_create(db, account.name, "first", ROLE_WRITE, text, &token, err) < 0)
		return -1;
	database_commit(db);
	printf("Welcome to Hearth. The account %s was made. Its token is shown only this once:\n\n"
	       "  export HF_ENDPOINT=%s\n  export HF_TOKEN=%s\n\n",
	       account.name, endpoint ? endpoint : "http://localhost:7440", text);
	(void)fflush(stdout);
	seal_wipe(text, sizeof(text));
	return 0;
}
