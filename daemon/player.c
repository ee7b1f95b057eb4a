/* SPDX-License-Identifier: MIT */
/* subflow-replay: plays a recording of subflowd to the same judgement, and compares. */
#include "core/replay.h"

#include "core/endpoint.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERS 1
#define USAGE   2
#define WRONG   3

static const char usage[] =
	"Usage: subflow-replay [--all | --quiet] FILE\n"
	"Plays what `subflowd --record FILE` has heard to the judgement of this version, without\n"
	"privilege, and prints what it decides. Ends at the first decision that is another one.\n"
	"\n"
	"  -a, --all      go on past differences: \"+\" is decided now, \"-\" was decided then\n"
	"  -q, --quiet    print differences only\n"
	"  -V, --version  print the version\n"
	"  -h, --help     print this\n";

struct player {
	struct replay replay;
	uint64_t first_ns;
	bool is_quiet;
};

/* Those whose reason is worth a line. */
static bool has_reason(const struct action *action)
{
	switch (action->kind) {
	case ACTION_CREATE:
	case ACTION_DESTROY:
	case ACTION_WITHDRAW:
	case ACTION_SURVEY:
	case ACTION_LISTEN:
	case ACTION_CLAIM:
		return true;
	default:
		return false;
	}
}

static void print_action(const struct action *action, const char *why)
{
	struct text text = {};

	line_write(&text, LINE_DO, action);
	/* Its end is another one, and of its beginning "do " is known. */
	if (text.length > 4)
		printf("%.*s", (int)text.length - 4, text.bytes + 3);
	if (*why && has_reason(action))
		printf("  (%s)", why);
	text_done(&text);
}

static void decided(void *owner, const struct replay_decision *decision)
{
	static const char marks[] = {
		[REPLAY_SAME] = ' ', [REPLAY_NEW] = '+', [REPLAY_GONE] = '-', [REPLAY_SAID] = ' '};
	struct player *player = owner;
	uint64_t since_ns;

	if (!player->first_ns)
		player->first_ns = decision->now_ns;
	if (player->is_quiet &&
		(decision->verdict == REPLAY_SAME || decision->verdict == REPLAY_SAID))
		return;
	since_ns = decision->now_ns > player->first_ns ? decision->now_ns - player->first_ns : 0;
	printf("%c %4" PRIu64 ".%06" PRIu64 " ", marks[decision->verdict], since_ns / 1000000000,
		since_ns / 1000 % 1000000);
	if (decision->action)
		print_action(decision->action, decision->why);
	else
		printf("netns=%" PRIu64 " token=%08x: %s", (uint64_t)decision->key->netns,
			decision->key->token, decision->why);
	printf("\n");
}

static int play(struct player *player, FILE *file, const char *path)
{
	struct replay *replay = &player->replay;
	size_t room = 0, length;
	char *words = NULL;
	int err = 0;

	while (!err && getline(&words, &room, file) > 0) {
		length = strlen(words);
		if (!length || words[length - 1] != '\n') {
			fprintf(stderr, "subflow-replay: %s: the last line has no end: left out\n",
				path);
			break;
		}
		words[length - 1] = '\0';
		err = replay_line(replay, words);
	}
	free(words);
	if (!err && ferror(file)) {
		fprintf(stderr, "subflow-replay: %s: cannot be read\n", path);
		return WRONG;
	}
	if (!err)
		err = replay_end(replay);
	fflush(stdout);
	if (err)
		fprintf(stderr, "subflow-replay: %s: %s\n", path, replay->error);
	else
		printf("%u decisions, %u differences%s\n", replay->decisions, replay->differences,
			replay->feed.is_full ? "; the recording was full, and the daemon went on"
					     : "");
	if (err && err != -EILSEQ)
		return WRONG;
	return replay->differences || fflush(stdout) ? DIFFERS : EXIT_SUCCESS;
}

static int run(struct player *player, const char *path)
{
	FILE *file = fopen(path, "re");
	int status;

	if (!file) {
		fprintf(stderr, "subflow-replay: %s: %s\n", path, strerror(errno));
		return WRONG;
	}
	player->replay.owner = player;
	player->replay.decided = decided;
	status = play(player, file, path);
	replay_done(&player->replay);
	fclose(file);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"quiet", no_argument, NULL, 'q'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	static struct player player;
	int option;

	while ((option = getopt_long(argc, argv, "aqVh", options, NULL)) != -1) {
		switch (option) {
		case 'a':
			player.replay.does_go_on = true;
			break;
		case 'q':
			player.is_quiet = true;
			break;
		case 'V':
			puts("subflow-replay " SUBFLOW_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return USAGE;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return USAGE;
	}
	return run(&player, argv[optind]);
}
