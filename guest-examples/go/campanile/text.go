package campanile

import (
	"slices"
	"strings"
	"time"

	types "campanile.example/guests/wit/campanile_notifier_types"
)

// year10000 is the second at which that year begins: later times are no times.
const year10000 = 253_402_300_800

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// EscapeHTML replaces the five characters that mean something in html. Unlike html.EscapeString it writes &quot;,
// as all the example mails do.
func EscapeHTML(text string) string {
	return htmlEscaper.Replace(text)
}

// FormatTime writes seconds since 1970 as "Sat 19 Apr 2014 23:03:46" in UTC, and as "?" what is no such time.
func FormatTime(when float64) string {
	// Written so that what is no number fails it too.
	if !(when >= 0 && when < year10000) {
		return "?"
	}
	return time.Unix(int64(when), 0).UTC().Format("Mon 02 Jan 2006 15:04:05")
}

// ResultWord is "success", "warnings", "failure", "skipped", "exception", "retry" or "cancelled".
func ResultWord(results Results) string {
	return [...]string{
		types.ResultsSuccess:   "success",
		types.ResultsWarnings:  "warnings",
		types.ResultsFailure:   "failure",
		types.ResultsSkipped:   "skipped",
		types.ResultsException: "exception",
		types.ResultsRetry:     "retry",
		types.ResultsCancelled: "cancelled",
	}[results]
}

// SortedFiles gives the files of a change in order of name.
func SortedFiles(change Change) []string {
	return slices.Sorted(slices.Values(change.Files))
}
