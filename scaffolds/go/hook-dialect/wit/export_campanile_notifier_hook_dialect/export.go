// Package export_campanile_notifier_hook_dialect hands the engine's call to the callback; the generated export looks
// for it under this name.
package export_campanile_notifier_hook_dialect

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	hook "campanile.example/guests/wit/campanile_notifier_hook_dialect"
)

// ParseRequest is what the engine calls.
func ParseRequest(request hook.HookRequest, options string) witTypes.Result[hook.Parsed, hook.Rejection] {
	parsed, err := callback.Parse(request, options)
	if err != nil {
		return witTypes.Err[hook.Parsed](hook.Rejection{Status: 400, Message: err.Error()})
	}
	return witTypes.Ok[hook.Parsed, hook.Rejection](parsed)
}
