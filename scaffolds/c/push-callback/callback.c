// Queued events become one JSON request, which the engine sends and retries.

#include "campanile.h"

#include <stdlib.h>

// Where the events go.
#define ADDRESS "https://events.example.org/builds"
// No more events go into one request; the rest waits for the next call.
#define MOST 50

static string owned(const char *value) {
  text out = {0};
  text_add_literal(&out, value);
  return text_view(&out);
}

static void *allocate(size_t size) {
  void *data = malloc(size);
  if (data == NULL) {
    abort();
  }
  return data;
}

// Adds a JSON string with its quotes.
static void add_json_string(text *out, string value) {
  static const char hex[] = "0123456789abcdef";
  text_add_literal(out, "\"");
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.ptr[i];
    if (byte == '"' || byte == '\\') {
      text_add_literal(out, "\\");
    }
    if (byte < ' ') {
      char escape[] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15], '\0'};
      text_add_literal(out, escape);
    } else {
      text_add(out, (string){value.ptr + i, 1});
    }
  }
  text_add_literal(out, "\"");
}

static void add_event(text *out, const exports_callback_packet_t *packet) {
  text_add_literal(out, "{\"id\":");
  text_add_integer(out, packet->id);
  text_add_literal(out, ",\"event\":");
  add_json_string(out, packet->event);
  // The payload is JSON already.
  text_add_literal(out, ",\"payload\":");
  text_add(out, packet->payload);
  text_add_literal(out, "}");
}

// One POST with all of `count` packets.
static exports_callback_http_request_t request(const exports_callback_packet_t *packets, size_t count) {
  text body = {0};
  text_add_literal(&body, "{\"events\":[");
  for (size_t i = 0; i < count; i++) {
    text_add_literal(&body, i > 0 ? "," : "");
    add_event(&body, &packets[i]);
  }
  text_add_literal(&body, "]}");
  guest_tuple2_string_string_t *header = allocate(sizeof *header);
  *header = (guest_tuple2_string_string_t){owned("Content-Type"), owned("application/json")};
  return (exports_callback_http_request_t){
      .method = owned("POST"), .url = owned(ADDRESS), .headers = {header, 1}, .body = {body.data, body.length}};
}

// How many packets are taken, and the request that carries them, oldest first.
bool exports_callback_push_packets(exports_callback_list_packet_t *packets, exports_callback_pushed_t *pushed,
                                   string *error) {
  (void)error;
  size_t count = packets->len < MOST ? packets->len : MOST;
  *pushed = (exports_callback_pushed_t){.consumed = (uint32_t)count};
  if (count > 0) {
    exports_callback_http_request_t *only = allocate(sizeof *only);
    *only = request(packets->ptr, count);
    pushed->requests = (exports_callback_list_http_request_t){only, 1};
  }
  return true;
}
