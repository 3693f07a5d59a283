//go:build wasip1

// The component. The engine calls what is exported below wit, which calls the package callback.
package main

import (
	"runtime/debug"

	_ "campanile.example/guests/wit/wit_exports"
)

func init() {
	// An instance lives for one call and its memory goes with it. A collection would also ask for the time while the
	// engine hands over the arguments, which the component model forbids.
	debug.SetGCPercent(-1)
}

// A component has no main of its own to run.
func main() {}
