// Package callback tells Gerrit of a whole buildset: a line for each builder, and one vote.
package callback

import (
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	reviews "campanile.example/guests/wit/campanile_notifier_reviews"
	summary "campanile.example/guests/wit/campanile_notifier_summary_callback"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

// label is what is voted on.
const label = "Verified"

// Summarize makes one review for all builds, for the change only if every build is good; none without builds.
func Summarize(builds []summary.BuildInfo) witTypes.Option[reviews.Review] {
	if len(builds) == 0 {
		return witTypes.None[reviews.Review]()
	}
	score := int32(1)
	var lines []string
	for _, info := range builds {
		lines = append(lines, line(info))
		if !isGood(info) {
			score = -1
		}
	}
	vote := reviews.Label{Name: label, Score: score}
	return witTypes.Some(reviews.Review{Message: strings.Join(lines, "\n"), Labels: []reviews.Label{vote}})
}

// line is "[-] linux: failure https://...".
func line(info summary.BuildInfo) string {
	mark := "[-] "
	if isGood(info) {
		mark = "[+] "
	}
	text := mark + info.Name + ": " + info.ResultsText
	if url, ok := campanile.Value(info.Url); ok {
		text += " " + url
	}
	return text
}

func isGood(info summary.BuildInfo) bool {
	return info.Results == types.ResultsSuccess || info.Results == types.ResultsWarnings
}
