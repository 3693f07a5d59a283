// Package callback tells Gerrit when a build begins: which one, and where it can be watched.
package callback

import (
	"fmt"

	"campanile.example/guests/campanile"
)

// Announce says that a build has begun; not ok for a build that nobody could watch.
func Announce(builder string, build campanile.Build, status campanile.Status) (text string, ok bool) {
	url, ok := campanile.Value(campanile.BuildURL(build, status))
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%s #%d has started: %s", builder, build.Id.Number, url), true
}
