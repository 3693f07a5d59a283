// Package callback says what a chat bot tells of a build: at its end its result and where to look, in one short line.
package callback

import (
	"fmt"

	"campanile.example/guests/campanile"
)

// Announce gives the lines to say. What begins is told as usual; without lines, nothing is said.
func Announce(finished bool, build campanile.Build, usual []string, status campanile.Status) []string {
	results, ok := campanile.Value(build.Results)
	if !finished || !ok {
		return usual
	}
	line := fmt.Sprintf("%s #%d: %s", build.Id.Builder, build.Id.Number, campanile.ResultWord(results))
	if url, ok := campanile.Value(campanile.BuildURL(build, status)); ok {
		line += " " + url
	}
	return []string{line}
}
