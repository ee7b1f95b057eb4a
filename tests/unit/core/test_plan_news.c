/* SPDX-License-Identifier: MIT */
/* What those who watch are told: each step of a connection's life, once and in order. */
#include "play.h"

#include <errno.h>
#include <string.h>

static int begin(void **state)
{
	struct play *play = play_new(state);

	if (!play)
		return -1;
	play->plan.news.is_wanted = true;
	return 0;
}

/* The next news, which is of this kind. */
static const struct news *next(struct play *play, enum news_kind kind)
{
	const struct news *news = news_next(&play->plan.news);

	assert_non_null(news);
	assert_int_equal(news->kind, kind);
	assert_int_equal(news->key.token, play->key.token);
	return news;
}

static void no_more(struct play *play)
{
	assert_null(news_next(&play->plan.news));
}

static void an_elephant_is_told_step_by_step(void **state)
{
	struct play *play = *state;
	const struct news *news;

	play_connect(play);
	next(play, NEWS_CONNECTION);
	assert_int_equal(next(play, NEWS_ESTABLISHED)->subflows, 1);
	no_more(play);

	play_threshold(play, 100);
	news = next(play, NEWS_THRESHOLD);
	assert_int_equal(news->threshold, 100 * MB);
	assert_int_equal(news->bytes, 100 * MB + 12345);
	assert_non_null(strstr(news->why, "one more subflow"));
	news = next(play, NEWS_SUBFLOW_ASKED);
	assert_int_equal(news->asker, ASKER_ELEPHANT);
	assert_int_equal(news->local.port, 0);
	no_more(play);

	play_joined(play, LOCAL_PORT + 1);
	news = next(play, NEWS_SUBFLOW_UP);
	assert_int_equal(news->local.port, LOCAL_PORT + 1);
	assert_int_equal(news->subflows, 2);
	no_more(play);

	play->now_ns += 10000000000;
	play_left(play, LOCAL_PORT + 1);
	assert_string_equal(next(play, NEWS_SUBFLOW_CLOSED)->why, "the peer closed it");
	play_closed(play);
	next(play, NEWS_CLOSED);
	no_more(play);
}

static void a_threshold_that_leads_to_nothing_is_told_too(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_threshold(play, 300);
	next(play, NEWS_CONNECTION);
	next(play, NEWS_ESTABLISHED);
	assert_non_null(strstr(next(play, NEWS_THRESHOLD)->why, "it has passed stop"));
	no_more(play);
}

static void a_refusal_is_told_with_its_reason(void **state)
{
	struct play *play = *state;

	play_connect(play);
	play_intent(play, 1, 0);
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(LOCAL_PORT + 1),
				.remote = play_remote(),
				.reset_reason = 3});
	next(play, NEWS_CONNECTION);
	next(play, NEWS_ESTABLISHED);
	next(play, NEWS_REQUEST);
	assert_int_equal(next(play, NEWS_SUBFLOW_ASKED)->asker, ASKER_APPLICATION);
	assert_non_null(strstr(next(play, NEWS_SUBFLOW_REFUSED)->why, "MPTCP reset reason 3"));
	no_more(play);
}

static void what_the_kernel_refuses_is_told(void **state)
{
	struct play *play = *state;

	play->create_error = EACCES;
	play_connect(play);
	play_intent(play, 1, 0);
	next(play, NEWS_CONNECTION);
	next(play, NEWS_ESTABLISHED);
	next(play, NEWS_REQUEST);
	assert_non_null(strstr(next(play, NEWS_SUBFLOW_FAILED)->why, "Permission denied"));
	no_more(play);
}

static void a_repair_is_told(void **state)
{
	struct play *play = *state;

	play->plan.does_repair = true;
	play_connect(play);
	play_intent(play, 1, 0);
	play_joined(play, LOCAL_PORT + 1);
	while (news_next(&play->plan.news))
		;
	play_fell_silent(play, LOCAL_PORT + 1);
	assert_int_equal(next(play, NEWS_SUBFLOW_REPAIR)->local.port, LOCAL_PORT + 1);
	assert_int_equal(next(play, NEWS_SUBFLOW_ASKED)->asker, ASKER_REPAIR);
	no_more(play);
	play_left(play, LOCAL_PORT + 1);
	assert_non_null(strstr(next(play, NEWS_SUBFLOW_CLOSED)->why, "is silent: replaced"));
	no_more(play);
}

static void the_owner_is_found_out_when_that_matters(void **state)
{
	struct play *play = *state;

	play_created(play);
	assert_int_equal(play->owners, 0);
	assert_false(next(play, NEWS_CONNECTION)->has_uid);
	play_closed(play);
	assert_false(next(play, NEWS_CLOSED)->has_uid);

	play->plan.wants_owners = true;
	play->uid = 1000;
	play_created(play);
	assert_int_equal(play->owners, 1);
	next(play, NEWS_CONNECTION);
	play_closed(play);
	assert_true(next(play, NEWS_CLOSED)->has_uid);
	play->owner_error = ENOENT;
	play_created(play);
	assert_false(play_conn(play)->has_uid);
}

static void nobody_watches_nothing_is_noted(void **state)
{
	struct play *play = *state;

	play->plan.news.is_wanted = false;
	play_connect(play);
	play_threshold(play, 100);
	no_more(play);
	assert_null(play->plan.news.list);
}

static void what_is_too_much_is_counted(void **state)
{
	struct play *play = *state;

	play_connect(play);
	for (unsigned int i = 2; i < NEWS_MAX + 7; i++)
		news_add(&play->plan.news, NEWS_REQUEST, play_conn(play));
	assert_int_equal(news_take_lost(&play->plan.news), 7);
	assert_int_equal(news_take_lost(&play->plan.news), 0);
	next(play, NEWS_CONNECTION);
	for (unsigned int i = 1; i < NEWS_MAX; i++)
		assert_non_null(news_next(&play->plan.news));
	no_more(play);
	news_add(&play->plan.news, NEWS_REQUEST, play_conn(play));
	next(play, NEWS_REQUEST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_elephant_is_told_step_by_step),
		TEST(a_threshold_that_leads_to_nothing_is_told_too),
		TEST(a_refusal_is_told_with_its_reason),
		TEST(what_the_kernel_refuses_is_told),
		TEST(a_repair_is_told),
		TEST(the_owner_is_found_out_when_that_matters),
		TEST(nobody_watches_nothing_is_noted),
		TEST(what_is_too_much_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
