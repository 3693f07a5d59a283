// Pushes of made-up packets.

#include "testing.h"

static exports_callback_pushed_t pushed(exports_callback_packet_t *packets, size_t count) {
  exports_callback_list_packet_t list = {packets, count};
  exports_callback_pushed_t answer = {0};
  string error = {0};
  check(exports_callback_push_packets(&list, &answer, &error), "there is an answer");
  return answer;
}

int main(void) {
  exports_callback_packet_t packets[51];
  for (size_t i = 0; i < LENGTH(packets); i++) {
    packets[i] = (exports_callback_packet_t){
        .id = i + 1, .event = literal("build \"Finished\""), .payload = literal("{\"n\":1}")};
  }
  exports_callback_pushed_t two = pushed(packets, 2);
  check(two.consumed == 2 && two.requests.len == 1, "events go out in one request");
  guest_list_u8_t body = two.requests.ptr[0].body;
  check_text((string){body.ptr, body.len},
             "{\"events\":[{\"id\":1,\"event\":\"build \\\"Finished\\\"\",\"payload\":{\"n\":1}},"
             "{\"id\":2,\"event\":\"build \\\"Finished\\\"\",\"payload\":{\"n\":1}}]}",
             "the body is JSON");
  check(pushed(packets, LENGTH(packets)).consumed == 50, "what is too much stays queued");
  check(pushed(packets, 0).requests.len == 0, "nothing makes no request");
  return finish();
}
