// Package export_campanile_notifier_previous_build_getter hands the engine's call to the callback; the generated
// export looks for it under this name.
package export_campanile_notifier_previous_build_getter

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/callback"
	"campanile.example/guests/campanile"
)

// GetPreviousBuild is what the engine calls.
func GetPreviousBuild(build campanile.Build) witTypes.Result[witTypes.Option[campanile.BuildID], string] {
	return witTypes.Ok[witTypes.Option[campanile.BuildID], string](callback.Choose(build, campanile.Engine{}))
}
