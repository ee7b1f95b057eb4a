/* SPDX-License-Identifier: MIT */
/* Who pays for a probe that belongs to no survey. */
#include "kernel/scout.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NETNS 7

#define NOW_NS 100000000000ull

static unsigned int questions;

uint64_t __wrap_loop_now_ns(void);

uint64_t __wrap_loop_now_ns(void)
{
	return NOW_NS;
}

/* Tokens are user ids. */
static bool find_user(void *owner, const struct conn_key *key, uint32_t *ret_uid)
{
	(void)owner;
	questions++;
	*ret_uid = key->token;
	return key->netns == NETNS;
}

static void begin(struct scout *scout, struct path_table *paths, uint32_t per_second)
{
	memset(scout, 0, sizeof(*scout));
	path_table_init(paths);
	scout->paths = paths;
	scout->probes_per_second = per_second;
	scout->quota.per_second = 1;
	scout->bucket.filled_ns = NOW_NS;
	scout->bucket.saved_ns = 1000000000ull;
	scout->find_user = find_user;
	assert_int_equal(prefixes_read("private", &scout->prefixes), 0);
	questions = 0;
}

static void end(struct scout *scout)
{
	quota_done(&scout->quota);
	path_table_done(scout->paths);
}

static unsigned int spend_all(struct scout *scout, uint32_t uid, const struct endpoint *remote)
{
	struct endpoint local = {.family = AF_INET};
	struct conn_key key = {.netns = NETNS, .token = uid};
	unsigned int count = 0;

	while (count < 1000 && scout_spend(scout, &key, &local, remote))
		count++;
	return count;
}

static struct endpoint host(const char *text)
{
	struct endpoint endpoint = {.family = AF_INET, .port = 80};

	assert_int_equal(inet_pton(AF_INET, text, &endpoint.v4), 1);
	return endpoint;
}

/* What is there for those whom nobody has asked for is spent first, without a question. */
static void each_user_pays_for_their_own(void **state)
{
	struct endpoint local = {.family = AF_INET}, remote = host("10.0.2.1");
	struct path_table paths;
	struct scout scout;

	(void)state;
	begin(&scout, &paths, 100000);
	for (int i = 0; i < QUOTA_BURST_MIN; i++)
		assert_true(scout_spend(&scout, &(struct conn_key){.netns = NETNS, .token = 1000},
			&local, &remote));
	assert_int_equal(questions, 0);
	assert_int_equal(spend_all(&scout, 1000, &remote), QUOTA_BURST_MIN);
	assert_int_equal(spend_all(&scout, 1000, &remote), 0);
	assert_int_equal(spend_all(&scout, 1001, &remote), QUOTA_BURST_MIN);
	assert_in_range(spend_all(&scout, 0, &remote), 4, 1000);
	assert_false(scout_spend(&scout, &(struct conn_key){.netns = NETNS + 1}, &local, &remote));
	end(&scout);
}

static void nothing_is_paid_for_what_may_not_be_sent(void **state)
{
	struct endpoint far = host("192.0.2.1"), near = host("10.0.2.1");
	struct path_table paths;
	struct scout scout;

	(void)state;
	begin(&scout, &paths, 1);
	assert_int_equal(spend_all(&scout, 1000, &far), 0);
	assert_int_equal(spend_all(&scout, 1000, &near), 1);
	assert_int_equal(scout.quota.nobody.bucket.saved_ns, 15000000000ull);
	end(&scout);
}

/* Surveys and what is asked beside them share what one destination may get. */
static void a_destination_gets_no_more_than_a_prefix_may(void **state)
{
	struct endpoint one = host("10.0.2.1"), other = host("10.0.2.9"), far = host("10.0.3.1");
	struct path_table paths;
	unsigned int count = 0;
	struct scout scout;

	(void)state;
	begin(&scout, &paths, 1000000);
	/* What bounds all allows a burst at a time. */
	for (int i = 0; i < 10; i++) {
		scout.bucket.filled_ns = 0;
		count += spend_all(&scout, 0, i % 2 ? &one : &other);
	}
	assert_int_equal(count, PATH_PREFIX_PER_SECOND);
	assert_true(spend_all(&scout, 0, &far));
	end(&scout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_user_pays_for_their_own),
		cmocka_unit_test(a_destination_gets_no_more_than_a_prefix_may),
		cmocka_unit_test(nothing_is_paid_for_what_may_not_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
