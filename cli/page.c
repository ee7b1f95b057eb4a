/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <errno.h>
#include <stdlib.h>

int page_open(struct page *page, struct answer_reader *reader)
{
	page->out = open_memstream(&page->text, &page->len);
	if (page->out)
		return 0;
	answer_reject(reader, "out of memory");
	return -ENOMEM;
}

int page_close(struct page *page, struct answer_reader *reader, char **ret_text)
{
	if (fclose(page->out))
		answer_reject(reader, "out of memory");
	if (reader->has_failed) {
		free(page->text);
		return -EBADMSG;
	}
	*ret_text = page->text;
	return 0;
}
