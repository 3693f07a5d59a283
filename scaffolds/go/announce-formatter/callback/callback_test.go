package callback

import (
	"slices"
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	"campanile.example/guests/campanile/campaniletest"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

func said(finished bool) []string {
	build := campaniletest.NewBuild()
	build.Results = witTypes.Some[campanile.Results](types.ResultsFailure)
	return Announce(finished, build, []string{"as usual"}, campaniletest.NewStatus())
}

func TestTheEndIsOneShortLine(t *testing.T) {
	expected := []string{"linux #7: failure https://ci.example/builders/linux/builds/7"}
	if lines := said(true); !slices.Equal(lines, expected) {
		t.Errorf("got %q", lines)
	}
}

func TestAStartIsToldAsUsual(t *testing.T) {
	if lines := said(false); !slices.Equal(lines, []string{"as usual"}) {
		t.Errorf("got %q", lines)
	}
}
