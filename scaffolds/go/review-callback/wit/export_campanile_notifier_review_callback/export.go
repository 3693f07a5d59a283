// Package export_campanile_notifier_review_callback hands the engine's call to the callback; the generated export looks
// for it under this name.
package export_campanile_notifier_review_callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
	reviews "campanile.example/guests/wit/campanile_notifier_reviews"
)

// ReviewBuild is what the engine calls.
func ReviewBuild(builder string, build campanile.Build, results campanile.Results, _ witTypes.Option[string]) witTypes.Result[witTypes.Option[reviews.Review], string] {
	review := callback.Review(builder, build, results, campanile.Engine{})
	return witTypes.Ok[witTypes.Option[reviews.Review], string](review)
}
