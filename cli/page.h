/* SPDX-License-Identifier: MIT */
/* The text that an answer becomes: shown when all of it is there, or not at all. */
#ifndef PAGE_H
#define PAGE_H

#include "answer.h"

#include <stddef.h>
#include <stdio.h>

struct page {
	FILE *out;
	char *text;
	size_t len;
};

/* -ENOMEM, which @reader then says. After success, page_close(). */
int page_open(struct page *page, struct answer_reader *reader);

/*
 * *@ret_text is the caller's, to be freed. -EBADMSG if @reader has failed, or there was no memory
 * for the text: @reader says which.
 */
int page_close(struct page *page, struct answer_reader *reader, char **ret_text);

#endif
