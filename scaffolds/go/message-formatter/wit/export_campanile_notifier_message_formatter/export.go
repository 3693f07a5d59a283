// Package export_campanile_notifier_message_formatter hands the engine's call to the callback; the generated export
// looks for it under this name.
package export_campanile_notifier_message_formatter

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
)

// FormatMessage is what the engine calls.
func FormatMessage(mode campanile.Mode, name string, build campanile.Build, results campanile.Results) witTypes.Result[campanile.Message, string] {
	request := campanile.Request{Mode: mode, Name: name, Build: build, Results: results}
	return witTypes.Ok[campanile.Message, string](callback.Render(request, campanile.Engine{}))
}
