// Package export_campanile_notifier_summary_callback hands the engine's call to the callback; the generated export
// looks for it under this name.
package export_campanile_notifier_summary_callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
	reviews "campanile.example/guests/wit/campanile_notifier_reviews"
	summary "campanile.example/guests/wit/campanile_notifier_summary_callback"
)

// Summarize is what the engine calls.
func Summarize(builds []summary.BuildInfo, _ campanile.Results, _ witTypes.Option[string]) witTypes.Result[witTypes.Option[reviews.Review], string] {
	return witTypes.Ok[witTypes.Option[reviews.Review], string](callback.Summarize(builds))
}
