package callback

import (
	"strings"
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	"campanile.example/guests/campanile/campaniletest"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

func mail(results campanile.Results, status campanile.Status) campanile.Message {
	build := campaniletest.NewBuild()
	build.Steps[1].Results = witTypes.Some(results)
	return Render(campanile.Request{Name: "linux", Build: build, Results: results}, status)
}

func TestAFailureIsToldWithTheEndOfItsLog(t *testing.T) {
	message := mail(types.ResultsFailure, campaniletest.NewStatus())
	if got := message.Subject.SomeOr(""); got != "[failure] linux #7" {
		t.Errorf("the subject is %q", got)
	}
	const head = "linux #7: failure\nhttps://ci.example/builders/linux/builds/7\nChanges by: alice, bob\n" +
		"\nstdio of step make all ends with:\n\nline 81\n"
	if !strings.HasPrefix(message.Body, head) || !strings.HasSuffix(message.Body, "line <100>\n") {
		t.Errorf("the body is %q", message.Body)
	}
}

func TestASuccessNeedsNoLog(t *testing.T) {
	message := mail(types.ResultsSuccess, campaniletest.NewStatus())
	if !strings.HasSuffix(message.Body, "Changes by: alice, bob\n") {
		t.Errorf("the body is %q", message.Body)
	}
}

func TestWhatCannotBeAskedIsLeftOut(t *testing.T) {
	message := mail(types.ResultsFailure, campaniletest.Status{})
	if message.Body != "linux #7: failure\nChanges by: alice, bob\n" {
		t.Errorf("the body is %q", message.Body)
	}
}
