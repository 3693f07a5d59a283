package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	"campanile.example/guests/campanile/campaniletest"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

func mail(t *testing.T, build campanile.Build, results campanile.Results, status campanile.Status) campanile.Message {
	t.Helper()
	message, err := render(campanile.Request{Name: "linux", Build: build, Results: results}, status)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// expect compares a mail with the files that the same mail in every language is compared with.
func expect(t *testing.T, message campanile.Message, name string) {
	t.Helper()
	for ending, got := range map[string]string{".html": message.Body, ".txt": message.Alternative.SomeOr("none")} {
		want, err := os.ReadFile(filepath.Join("../../html-mail-expected", name+ending))
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s%s:\ngot  %q\nwant %q", name, ending, got, want)
		}
	}
	if message.Subject.IsSome() || len(message.Headers) > 0 {
		t.Error("subject and headers are the settings' business")
	}
}

func TestFailure(t *testing.T) {
	build := campaniletest.NewBuild()
	expect(t, mail(t, build, types.ResultsFailure, campaniletest.NewStatus()), "failure")
}

func TestOddInput(t *testing.T) {
	build := campaniletest.NewBuild()
	build.Url = witTypes.Some("HTTPS://ci.example/b//")
	build.Reason = "a&b\r\n\t\"q\" 'é' 🔔"
	build.Worker = ""
	build.ResponsibleUsers = nil
	timeless, last := campaniletest.NewChange(), campaniletest.NewChange()
	timeless.When = math.NaN()
	timeless.Files = []string{"b", "a", "é", "B", "ab", "a", ""}
	timeless.Comments = "12345678<&>\"'9\x00"
	last.When = 253_402_300_799.5
	last.Files = nil
	build.SourceStamps = []campanile.SourceStamp{
		{Codebase: "lib<", Branch: witTypes.Some(""), Revision: witTypes.Some("")},
		{
			Branch:  witTypes.Some("b&b"),
			Patch:   witTypes.Some(campanile.Patch{}),
			Changes: []campanile.Change{timeless, last},
		},
	}
	build.Steps[0].Name = "a/b~ é%"
	build.Steps[1].Logs[0].Name = "stdio.txt"
	expect(t, mail(t, build, types.ResultsCancelled, campaniletest.Status{}), "odd")
}

func TestAbsentPartsLeaveNoTrace(t *testing.T) {
	build := campanile.Build{Worker: "w1"}
	body := mail(t, build, types.ResultsSuccess, campaniletest.Status{}).Body
	for _, part := range []string{"Source Stamp", "Recent Changes", "<a href", "Last 80 lines"} {
		if strings.Contains(body, part) {
			t.Errorf("%q is in:\n%s", part, body)
		}
	}
}

func TestOnlyWebAddressesBecomeLinks(t *testing.T) {
	if got := link("javascript:alert(1)"); got != "javascript:alert(1)" {
		t.Errorf("got %q", got)
	}
}
