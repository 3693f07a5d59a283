// Package export_campanile_notifier_email_lookup hands the engine's call to the callback; the generated export looks
// for it under this name.
package export_campanile_notifier_email_lookup

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
)

// GetAddress is what the engine calls.
func GetAddress(user string) witTypes.Result[witTypes.Option[string], string] {
	address := witTypes.None[string]()
	if found, ok := callback.Find(user); ok {
		address = witTypes.Some(found)
	}
	return witTypes.Ok[witTypes.Option[string], string](address)
}
