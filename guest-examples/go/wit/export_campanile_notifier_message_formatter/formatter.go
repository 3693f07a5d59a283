// Package export_campanile_notifier_message_formatter joins a message formatter to the generated export, which looks
// for it under this name.
package export_campanile_notifier_message_formatter

import (
	"runtime/debug"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
)

// Render is the formatter; the program sets it before the engine calls.
var Render func(request campanile.Request, status campanile.Status) (campanile.Message, error)

func init() {
	// An instance lives for one call and its memory goes with it. A collection would also ask for the time while the
	// engine hands over the arguments, which the component model forbids.
	debug.SetGCPercent(-1)
}

// FormatMessage is what the engine calls.
func FormatMessage(mode campanile.Mode, name string, build campanile.Build, results campanile.Results) witTypes.Result[campanile.Message, string] {
	request := campanile.Request{Mode: mode, Name: name, Build: build, Results: results}
	message, err := Render(request, campanile.Engine{})
	if err != nil {
		return witTypes.Err[campanile.Message](err.Error())
	}
	return witTypes.Ok[campanile.Message, string](message)
}
