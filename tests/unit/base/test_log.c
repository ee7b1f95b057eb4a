/* SPDX-License-Identifier: MIT */
/* The log: prefixes, levels, and one line a message whatever its length. */
#include "base/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../unit.h"

#define TEXT_MAX 4096

/* Standard error goes into the pipe between begin() and end(). */
struct capture {
	int read_fd, saved_fd;
};

static void begin(struct capture *capture, bool journal, bool verbose)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	capture->read_fd = ends[0];
	capture->saved_fd = dup(STDERR_FILENO);
	assert_true(capture->saved_fd >= 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	if (journal)
		setenv("JOURNAL_STREAM", "8:12345", 1);
	else
		unsetenv("JOURNAL_STREAM");
	log_init(verbose);
}

static void end(struct capture *capture, char ret_text[TEXT_MAX])
{
	ssize_t len;

	dup2(capture->saved_fd, STDERR_FILENO);
	close(capture->saved_fd);
	len = read(capture->read_fd, ret_text, TEXT_MAX - 1);
	close(capture->read_fd);
	assert_true(len >= 0);
	ret_text[len] = '\0';
}

static void names_errors_and_warnings(void **state)
{
	struct capture capture;
	char text[TEXT_MAX];

	(void)state;
	begin(&capture, false, true);
	log_error("e %d", 1);
	log_warning("w");
	log_info("i");
	log_debug("d");
	end(&capture, text);
	assert_string_equal(
		text, "subflowd: error: e 1\nsubflowd: warning: w\nsubflowd: i\nsubflowd: d\n");
}

static void journal_gets_priorities(void **state)
{
	struct capture capture;
	char text[TEXT_MAX];

	(void)state;
	begin(&capture, true, true);
	log_error("e");
	log_warning("w");
	log_info("i");
	log_debug("d");
	end(&capture, text);
	assert_string_equal(text, "<3>e\n<4>w\n<6>i\n<7>d\n");
}

static void debug_is_for_the_verbose(void **state)
{
	struct capture capture;
	char text[TEXT_MAX];

	(void)state;
	begin(&capture, false, false);
	log_debug("d");
	end(&capture, text);
	assert_string_equal(text, "");
}

/* Around the size of the buffer: the text may be cut, its line ends in one newline. */
static void long_lines_end_once(void **state)
{
	char message[2048];

	(void)state;
	for (size_t len = 1000; len < 1040; len++) {
		for (int journal = 0; journal < 2; journal++) {
			const char *prefix = journal ? "<6>" : "subflowd: ";
			struct capture capture;
			char text[TEXT_MAX];
			size_t got;

			memset(message, 'x', len);
			message[len] = '\0';
			begin(&capture, journal, false);
			log_info("%s", message);
			end(&capture, text);
			got = strlen(text);
			assert_ptr_equal(strchr(text, '\n'), &text[got - 1]);
			assert_memory_equal(text, prefix, strlen(prefix));
			assert_int_equal(
				strspn(text + strlen(prefix), "x"), got - strlen(prefix) - 1);
			if (len < 1010)
				assert_int_equal(got, strlen(prefix) + len + 1);
			else
				assert_true(got > 1000);
		}
	}
}

/* Nobody is waited for; what was lost is said once there is room again. */
static void a_pipe_that_is_full_is_not_waited_for(void **state)
{
	struct capture capture;
	char text[TEXT_MAX], block[TEXT_MAX];
	uint64_t lost = log_lost();
	int flags, left;

	(void)state;
	begin(&capture, false, false);
	flags = fcntl(STDERR_FILENO, F_GETFL);
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK), 0);
	memset(block, '.', sizeof(block));
	while (write(STDERR_FILENO, block, sizeof(block)) > 0)
		;
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags), 0);
	log_info("first");
	log_info("second");
	do {
		assert_true(read(capture.read_fd, block, sizeof(block)) > 0);
		assert_int_equal(ioctl(capture.read_fd, FIONREAD, &left), 0);
	} while (left);
	log_info("third");
	end(&capture, text);
	assert_string_equal(text, "subflowd: warning: 2 lines of this log could not be written\n"
				  "subflowd: third\n");
	assert_int_equal(log_lost() - lost, 2);
}

static void a_full_disk_loses_lines_alone(void **state)
{
	uint64_t lost = log_lost();
	int saved = dup(STDERR_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(dup2(full, STDERR_FILENO), STDERR_FILENO);
	log_info("first");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(full);
	assert_int_equal(log_lost() - lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_errors_and_warnings),
		cmocka_unit_test(journal_gets_priorities),
		cmocka_unit_test(debug_is_for_the_verbose),
		cmocka_unit_test(long_lines_end_once),
		cmocka_unit_test(a_pipe_that_is_full_is_not_waited_for),
		cmocka_unit_test(a_full_disk_loses_lines_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
