// Package export_campanile_notifier_announce_formatter hands the engine's call to the callback; the generated export
// looks for it under this name.
package export_campanile_notifier_announce_formatter

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
	formatter "campanile.example/guests/wit/campanile_notifier_announce_formatter"
)

// Announce is what the engine calls.
func Announce(announcement formatter.Announcement) witTypes.Result[[]string, string] {
	finished := announcement.Event == formatter.EventFinished
	lines := callback.Announce(finished, announcement.Build, announcement.Usual, campanile.Engine{})
	return witTypes.Ok[[]string, string](lines)
}
