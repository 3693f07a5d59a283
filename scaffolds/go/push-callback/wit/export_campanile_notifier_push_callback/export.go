// Package export_campanile_notifier_push_callback hands the engine's call to the callback; the generated export looks
// for it under this name.
package export_campanile_notifier_push_callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	push "campanile.example/guests/wit/campanile_notifier_push_callback"
)

// PushPackets is what the engine calls.
func PushPackets(packets []push.Packet) witTypes.Result[push.Pushed, string] {
	pushed, err := callback.Push(packets)
	if err != nil {
		return witTypes.Err[push.Pushed](err.Error())
	}
	return witTypes.Ok[push.Pushed, string](pushed)
}
