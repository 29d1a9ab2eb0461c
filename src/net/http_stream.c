/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streamed answers. libmicrohttpd asks for more when the socket took what it had, and the producer
 * writes straight into its buffer. When the producer has nothing the connection is suspended until
 * it wakes the stream.
 */
#include "net/http_internal.h"

#include "base/memory.h"

#define SIZED_BLOCK_BYTES 65536

struct http_stream {
	struct http_request *request; /* NULL: nobody listens, `done` is on its way */
	struct http_stream_source source;
	bool is_woken; /* since the last fill began */
	bool is_sized; /* it may not end early */
};

void http_stream_end(struct http_stream *stream)
{
	stream->request = NULL;
	stream->source.done(stream->source.arg);
	free(stream);
}

static void end_later(void *arg)
{
	http_stream_end(arg);
}

static ssize_t read_more(void *cls, uint64_t offset, char *data, size_t max)
{
	struct http_stream *stream = cls;
	struct http_connection *connection = stream->request->connection;

	if (connection->is_gone) {
		http_connection_hurry(connection);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	stream->is_woken = false;
	ssize_t n = stream->source.fill(stream->source.arg, data, max);
	if (n < 0 && stream->is_sized) {
		http_connection_hurry(connection);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (n < 0) {
		if (stream->request->is_1_0)
			http_connection_hurry(connection);
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (n == 0) {
		http_connection_suspend(connection);
		if (stream->is_woken)
			http_connection_resume(connection);
	}
	return n;
}

/* HEAD asks for what would be said before the stream; a client that left asks for nothing. */
static struct http_stream *respond_without_stream(struct http_request *request, int status,
                                                  const char *content_type,
                                                  struct http_stream *stream)
{
	loop_defer(request->server->loop, end_later, stream);
	http_respond(request, status, content_type, "", 0);
	return stream;
}

static struct http_stream *respond_stream(struct http_request *request, int status,
                                          const char *content_type, uint64_t length,
                                          size_t block_size,
                                          const struct http_stream_source *source)
{
	struct http_stream *stream = xcalloc(1, sizeof(*stream));

	stream->source = *source;
	stream->is_sized = length != MHD_SIZE_UNKNOWN;
	if (request->is_head || !request->connection)
		return respond_without_stream(request, status, content_type, stream);
	struct MHD_Response *response =
	        MHD_create_response_from_callback(length, block_size, read_more, stream, NULL);
	if (!response)
		BUG("out of memory");
	(void)MHD_add_response_header(response, "Content-Type", content_type);
	stream->request = request;
	request->stream = stream;
	http_respond_queue(request, status, response);
	return stream;
}

struct http_stream *http_respond_stream(struct http_request *request, int status,
                                        const char *content_type,
                                        const struct http_stream_source *source)
{
	/* Chunks are written into the connection's memory; only HTTP/1.0 needs a block of its own.
	 */
	return respond_stream(request, status, content_type, MHD_SIZE_UNKNOWN,
	                      request->is_1_0 ? 4096 : 64, source);
}

struct http_stream *http_respond_stream_sized(struct http_request *request, int status,
                                              const char *content_type, int64_t length,
                                              const struct http_stream_source *source)
{
	return respond_stream(request, status, content_type, (uint64_t)length, SIZED_BLOCK_BYTES,
	                      source);
}

void http_stream_wake(struct http_stream *stream)
{
	stream->is_woken = true;
	if (stream->request && stream->request->connection)
		http_connection_resume(stream->request->connection);
}
