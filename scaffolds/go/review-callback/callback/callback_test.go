package callback

import (
	"testing"

	"campanile.example/guests/campanile"
	"campanile.example/guests/campanile/campaniletest"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

func TestAFailureIsVotedDown(t *testing.T) {
	review, ok := campanile.Value(Review("linux", campaniletest.NewBuild(), types.ResultsFailure, campaniletest.NewStatus()))
	if !ok || review.Message != "linux: failure\nhttps://ci.example/builders/linux/builds/7" {
		t.Errorf("got %q", review.Message)
	}
	if len(review.Labels) != 1 || review.Labels[0].Name != "Verified" || review.Labels[0].Score != -1 {
		t.Errorf("got %v", review.Labels)
	}
}

func TestWhatIsTriedAgainIsNotReviewed(t *testing.T) {
	if Review("linux", campaniletest.NewBuild(), types.ResultsRetry, campaniletest.NewStatus()).IsSome() {
		t.Error("there is a review")
	}
}
