package callback

import (
	"testing"

	"campanile.example/guests/campanile/campaniletest"
)

func TestTheStartSaysWhereToLook(t *testing.T) {
	text, ok := Announce("linux", campaniletest.NewBuild(), campaniletest.NewStatus())
	if !ok || text != "linux #7 has started: https://ci.example/builders/linux/builds/7" {
		t.Errorf("got %q, %v", text, ok)
	}
}

func TestWithoutAnAddressNothingIsSaid(t *testing.T) {
	if text, ok := Announce("linux", campaniletest.NewBuild(), campaniletest.Status{}); ok {
		t.Errorf("got %q", text)
	}
}
