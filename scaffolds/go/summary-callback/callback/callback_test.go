package callback

import (
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	summary "campanile.example/guests/wit/campanile_notifier_summary_callback"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

var (
	linux = summary.BuildInfo{
		Name: "linux", Results: types.ResultsSuccess, ResultsText: "success", Url: witTypes.Some("https://ci.example/7"),
	}
	windows = summary.BuildInfo{Name: "windows", Results: types.ResultsFailure, ResultsText: "failure"}
)

func TestOneBadBuildDecides(t *testing.T) {
	review := Summarize([]summary.BuildInfo{linux, windows}).Some()
	if review.Message != "[+] linux: success https://ci.example/7\n[-] windows: failure" {
		t.Errorf("got %q", review.Message)
	}
	if review.Labels[0].Score != -1 {
		t.Errorf("got %v", review.Labels)
	}
}

func TestGoodBuildsAreVotedFor(t *testing.T) {
	if review := Summarize([]summary.BuildInfo{linux}).Some(); review.Labels[0].Score != 1 {
		t.Errorf("got %v", review.Labels)
	}
	if Summarize(nil).IsSome() {
		t.Error("there is a review without builds")
	}
}
