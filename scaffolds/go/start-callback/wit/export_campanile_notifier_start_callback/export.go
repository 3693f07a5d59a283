// Package export_campanile_notifier_start_callback hands the engine's call to the callback; the generated export looks
// for it under this name.
package export_campanile_notifier_start_callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
)

// AnnounceStart is what the engine calls.
func AnnounceStart(builder string, build campanile.Build, _ witTypes.Option[string]) witTypes.Result[witTypes.Option[string], string] {
	said := witTypes.None[string]()
	if text, ok := callback.Announce(builder, build, campanile.Engine{}); ok {
		said = witTypes.Some(text)
	}
	return witTypes.Ok[witTypes.Option[string], string](said)
}
