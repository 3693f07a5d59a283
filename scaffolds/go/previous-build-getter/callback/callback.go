// Package callback takes for the previous build the newest earlier one of the same branch: a broken branch says
// nothing about another.
package callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
)

// lookedAt is how many builds are looked at; the engine gives no more at once.
const lookedAt = 100

// History knows earlier builds of a builder, newest first.
type History interface {
	RecentBuilds(before campanile.BuildID, limit uint32) []campanile.Build
}

// Choose gives the build to compare with, if there is one.
func Choose(build campanile.Build, history History) witTypes.Option[campanile.BuildID] {
	own, known := branch(build)
	for _, other := range history.RecentBuilds(build.Id, lookedAt) {
		if theirs, theirsKnown := branch(other); theirs == own && theirsKnown == known {
			return witTypes.Some(other.Id)
		}
	}
	return witTypes.None[campanile.BuildID]()
}

// branch is that of the first source stamp, if there is one.
func branch(build campanile.Build) (string, bool) {
	if len(build.SourceStamps) == 0 {
		return "", false
	}
	return campanile.Value(build.SourceStamps[0].Branch)
}
