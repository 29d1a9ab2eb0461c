/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth completion: a shell's completion script. The script asks nothing while people type: the
 * words are in it, made from the command table.
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* The next words that may follow a group ("" or "image"), each once. */
static void each_word(const char *group, void (*fn)(const char *word, size_t len, const char *help))
{
	size_t n = strlen(group);
	for (const struct command *c = commands; c->name; c++) {
		const char *rest = c->name;
		if (n && (strncmp(rest, group, n) != 0 || rest[n] != ' '))
			continue;
		rest += n ? n + 1 : 0;
		size_t len = strcspn(rest, " ");
		size_t whole = (size_t)(rest - c->name) + len;
		bool is_first = true;
		for (const struct command *before = commands; before < c; before++)
			if (strncmp(before->name, c->name, whole) == 0 &&
			    (before->name[whole] == ' ' || !before->name[whole]))
				is_first = false;
		if (is_first)
			fn(rest, len, rest[len] ? "" : c->summary);
	}
}

static void print_word(const char *word, size_t len, const char *help)
{
	printf(" %.*s", (int)len, word);
}

static void each_group(void (*fn)(const char *group))
{
	for (const struct command *c = commands; c->name; c++)
		for (const char *p = strchr(c->name, ' '); p; p = strchr(p + 1, ' ')) {
			size_t len = (size_t)(p - c->name);
			bool is_first = true;
			for (const struct command *before = commands; before < c; before++)
				if (strncmp(before->name, c->name, len + 1) == 0)
					is_first = false;
			autofree char *group = xstrndup(c->name, len);
			if (is_first)
				fn(group);
		}
}

static void print_options(const struct command *c)
{
	for (const struct option_row *row = c->options; row->name; row++) {
		printf(" --%s", row->name);
		if (row->letter)
			printf(" -%c", row->letter);
	}
}

static void bash_case(const char *name, const char *aliases)
{
	printf("\t'%s'", name);
	while (aliases && *aliases) {
		size_t n = strcspn(aliases, ",");
		printf("|'%.*s'", (int)n, aliases);
		aliases += n + strspn(aliases + n, ", ");
	}
	putchar(')');
}

static void bash_group(const char *group)
{
	printf("\t'%s') words='", group);
	each_word(group, print_word);
	puts("' ;;");
}

static void print_bash(void)
{
	puts("# bash completion for hearth; source it, or put it in\n"
	     "# /usr/share/bash-completion/completions/hearth\n"
	     "_hearth() {\n"
	     "local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "local path='' words='' values='' i w next\n"
	     "for ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\tw=${COMP_WORDS[i]}\n"
	     "\t[[ $i == 1 && $w == jobs ]] && continue\n"
	     "\t[[ $w == -* ]] && continue\n"
	     "\tnext=${path:+$path }$w\n"
	     "\tcase $next in");
	for (const struct command *c = commands; c->name; c++) {
		bash_case(c->name, c->aliases);
		printf(" path='%s'; words='", c->name);
		print_options(c);
		puts("'; break ;;");
	}
	each_group(bash_group);
	puts("\t*) break ;;\n"
	     "\tesac\n"
	     "\tpath=$next\n"
	     "done");
	fputs("[[ -z $path ]] && words='", stdout);
	each_word("", print_word);
	puts(" jobs --help --version'\ncase \"$path $prev\" in");
	for (const struct command *c = commands; c->name; c++)
		for (const struct option_row *row = c->options; row->name; row++) {
			if (!row->completes)
				continue;
			printf("'%s --%s'", c->name, row->name);
			if (row->letter)
				printf("|'%s -%c'", c->name, row->letter);
			if (strcmp(row->completes, "file") == 0)
				puts(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;");
			else
				printf(") values='%s' ;;\n", row->completes);
		}
	puts("esac\n"
	     "COMPREPLY=($(compgen -W \"${values:-$words}\" -- \"$cur\"))\n"
	     "[[ ${#COMPREPLY[@]} == 0 && $cur != -* ]] && COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	     "}\n"
	     "complete -o filenames -F _hearth hearth 2>/dev/null || complete -F _hearth hearth");
}

/* zsh runs bash's functions through bashcompinit. */
static void print_zsh(void)
{
	puts("#compdef hearth\n"
	     "# zsh completion for hearth\n"
	     "autoload -U +X bashcompinit && bashcompinit");
	print_bash();
}

static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_fish_condition(const char *path)
{
	fputs("complete -c hearth -n '__hearth_is \"", stdout);
	fputs(path, stdout);
	fputs("\"'", stdout);
}

static void print_fish_option(const struct command *c, const struct option_row *row)
{
	print_fish_condition(c->name);
	printf(" -l %s", row->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	if (row->value)
		fputs(row->completes && strcmp(row->completes, "file") != 0 ? " -x" : " -r",
		      stdout);
	if (row->completes && strcmp(row->completes, "file") != 0) {
		fputs(" -a ", stdout);
		print_quoted(row->completes);
	}
	fputs(" -d ", stdout);
	print_quoted(row->help);
	putchar('\n');
}

static void print_fish_command(const struct command *c)
{
	const char *last = strrchr(c->name, ' ');
	autofree char *group = last ? xstrndup(c->name, (size_t)(last - c->name)) : xstrdup("");
	print_fish_condition(group);
	printf(" -f -a %s -d ", last ? last + 1 : c->name);
	print_quoted(c->summary);
	putchar('\n');
	for (const struct option_row *row = c->options; row->name; row++)
		print_fish_option(c, row);
}

static void print_fish_group(const char *group)
{
	const char *last = strrchr(group, ' ');
	autofree char *outer = last ? xstrndup(group, (size_t)(last - group)) : xstrdup("");
	print_fish_condition(outer);
	printf(" -f -a %s\n", last ? last + 1 : group);
}

static void print_fish(void)
{
	puts("# fish completion for hearth; put it in ~/.config/fish/completions/hearth.fish\n"
	     "function __hearth_is\n"
	     "    set -l words (string match -v -- '-*' (commandline -opc)[2..])\n"
	     "    test \"$words[1]\" = jobs; and set -e words[1]\n"
	     "    test -z \"$argv[1]\"; and test -z \"$words\"; and return 0\n"
	     "    test -n \"$argv[1]\"; and string match -q -- \"$argv[1]*\" \"$words\"\n"
	     "end");
	each_group(print_fish_group);
	for (const struct command *c = commands; c->name; c++)
		print_fish_command(c);
}

int completion_command(struct invocation *in)
{
	const char *shell = in->options.arguments[0];
	if (strcmp(shell, "bash") == 0)
		print_bash();
	else if (strcmp(shell, "zsh") == 0)
		print_zsh();
	else if (strcmp(shell, "fish") == 0)
		print_fish();
	else
		return output_error("SHELL must be bash, zsh or fish, not '%s'", shell);
	return 0;
}
