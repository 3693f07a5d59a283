package callback

import (
	"fmt"
	"testing"

	push "campanile.example/guests/wit/campanile_notifier_push_callback"
)

func pushed(t *testing.T, count int) push.Pushed {
	t.Helper()
	var packets []push.Packet
	for id := range count {
		packets = append(packets, push.Packet{Id: uint64(id + 1), Event: "buildFinished", Payload: fmt.Sprintf(`{"n":%d}`, id+1)})
	}
	pushed, err := Push(packets)
	if err != nil {
		t.Fatal(err)
	}
	return pushed
}

func TestEventsGoOutInOneRequest(t *testing.T) {
	pushed := pushed(t, 2)
	if pushed.Consumed != 2 || len(pushed.Requests) != 1 {
		t.Fatalf("got %v", pushed)
	}
	const want = `{"events":[{"id":1,"event":"buildFinished","payload":{"n":1}},{"id":2,"event":"buildFinished","payload":{"n":2}}]}`
	if got := string(pushed.Requests[0].Body); got != want {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsTooMuchStaysQueued(t *testing.T) {
	if got := pushed(t, 51).Consumed; got != 50 {
		t.Errorf("%d were taken", got)
	}
	if got := pushed(t, 0); len(got.Requests) != 0 {
		t.Errorf("got %v", got)
	}
}
