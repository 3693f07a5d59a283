// Package callback makes one JSON request of queued events, which the engine sends and retries.
package callback

import (
	"encoding/json"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	push "campanile.example/guests/wit/campanile_notifier_push_callback"
)

const (
	// address is where the events go.
	address = "https://events.example.org/builds"
	// most is how many events go into one request; the rest waits for the next call.
	most = 50
)

type event struct {
	ID      uint64          `json:"id"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// Push says how many packets are taken, and makes the request that carries them, oldest first.
func Push(packets []push.Packet) (push.Pushed, error) {
	batch := packets[:min(most, len(packets))]
	if len(batch) == 0 {
		return push.Pushed{}, nil
	}
	var events []event
	for _, packet := range batch {
		events = append(events, event{packet.Id, packet.Event, json.RawMessage(packet.Payload)})
	}
	body, err := json.Marshal(map[string]any{"events": events})
	if err != nil {
		return push.Pushed{}, err
	}
	request := push.HttpRequest{
		Method:  "POST",
		Url:     address,
		Headers: []witTypes.Tuple2[string, string]{{F0: "Content-Type", F1: "application/json"}},
		Body:    body,
	}
	return push.Pushed{Consumed: uint32(len(batch)), Requests: []push.HttpRequest{request}}, nil
}
