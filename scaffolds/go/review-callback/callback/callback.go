// Package callback tells Gerrit of a finished build: its result, where to look, and a vote.
package callback

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	reviews "campanile.example/guests/wit/campanile_notifier_reviews"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

// label is what is voted on.
const label = "Verified"

// scores are the votes by result; 0 for all others.
var scores = map[campanile.Results]int32{
	types.ResultsSuccess:   1,
	types.ResultsWarnings:  1,
	types.ResultsFailure:   -1,
	types.ResultsException: -1,
}

// Review makes the review of one build; none for a build that will be tried again.
func Review(builder string, build campanile.Build, results campanile.Results, status campanile.Status) witTypes.Option[reviews.Review] {
	if results == types.ResultsRetry {
		return witTypes.None[reviews.Review]()
	}
	message := builder + ": " + campanile.ResultWord(results)
	if url, ok := campanile.Value(campanile.BuildURL(build, status)); ok {
		message += "\n" + url
	}
	vote := reviews.Label{Name: label, Score: scores[results]}
	return witTypes.Some(reviews.Review{Message: message, Labels: []reviews.Label{vote}})
}
