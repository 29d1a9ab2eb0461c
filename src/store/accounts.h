/* SPDX-License-Identifier: Apache-2.0 */
/* Users, organizations, membership and tokens. Names are compared without case. */
#ifndef HEARTH_STORE_ACCOUNTS_H
#define HEARTH_STORE_ACCOUNTS_H

#include "base/error.h"
#include "base/id.h"
#include "base/seal.h"
#include "store/database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_NAME_MAX 96 /* [A-Za-z0-9][A-Za-z0-9._-]*, as on the Hub */

enum account_type { ACCOUNT_USER, ACCOUNT_ORG };
enum account_role { ROLE_NONE, ROLE_READ, ROLE_WRITE, ROLE_ADMIN }; /* ordered */

struct account {
	char id[ID_SIZE];
	char name[ACCOUNT_NAME_MAX + 1];
	enum account_type type;
	bool is_external; /* known from the upstream Hub */
	int64_t created_ms;
};

struct token {
	char id[ID_SIZE];
	char user_id[ID_SIZE];
	char name[ACCOUNT_NAME_MAX + 1];
	enum account_role role; /* ROLE_READ or ROLE_WRITE */
	int64_t created_ms, last_used_ms; /* 0: never */
};

const char *role_name(enum account_role role);	   /* "read", "write", "admin", "no_access" */
enum account_role role_by_name(const char *name); /* ROLE_NONE if unknown */

/* E_INVALID for a bad or reserved name ("hardware", "me", …), E_CONFLICT if it exists. */
int accounts_create(struct database *db, const char *name, enum account_type type,
		    struct account *ret, struct error *err);
/* The external account (of the upstream Hub) with that name, made if there is none. E_CONFLICT when a
 * local account, or one of the other type, has the name: the upstream never takes over ours. */
int accounts_adopt(struct database *db, const char *name, enum account_type type,
		   struct account *ret, struct error *err);
int accounts_remove(struct database *db, const char *name, struct error *err); /* tokens too */
bool accounts_find(struct database *db, const char *name, struct account *ret);
bool accounts_find_by_id(struct database *db, const char *id, struct account *ret);
void accounts_each(struct database *db, void (*fn)(void *, const struct account *), void *arg);
int accounts_count(struct database *db);

int accounts_set_member(struct database *db, const char *org, const char *user,
			enum account_role role /* ROLE_NONE removes */, struct error *err);
/* Role of a user in a namespace: ROLE_ADMIN in their own, the member's role in an organization. */
enum account_role accounts_role(struct database *db, const char *user_id, const char *namespace_id);
/* Organizations of a user, or members of an organization. */
void accounts_each_org(struct database *db, const char *user_id,
		       void (*fn)(void *, const struct account *, enum account_role), void *arg);
void accounts_each_member(struct database *db, const char *org_id,
			  void (*fn)(void *, const struct account *, enum account_role), void *arg);

/* The text of the token is returned once and stored as a hash only. */
int tokens_create(struct database *db, const char *user, const char *name, enum account_role role,
		  char ret_text[TOKEN_SIZE], struct token *ret, struct error *err);
int tokens_revoke(struct database *db, const char *user, const char *name_or_id, struct error *err);
/* Who has this token; notes its use (at most once a minute). */
bool tokens_find(struct database *db, const char *text, struct token *ret_token,
		 struct account *ret_user);
void tokens_each(struct database *db, const char *user_id, void (*fn)(void *, const struct token *),
		 void *arg);

#endif
