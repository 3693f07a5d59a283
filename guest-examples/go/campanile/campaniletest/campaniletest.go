// Package campaniletest has a made-up build and a made-up engine, for tests of callbacks without an engine.
package campaniletest

import (
	"fmt"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
)

// Status answers from its fields.
type Status struct {
	// URL of the installation, ending in a slash; empty: builds have no pages.
	URL string
	// Log lines, oldest first; nil: no log can be read.
	Log []string
}

// NewStatus is an engine whose logs are "line 1" to "line <100>".
func NewStatus() Status {
	var log []string
	for n := range 99 {
		log = append(log, fmt.Sprintf("line %d", n+1))
	}
	return Status{URL: "https://ci.example/", Log: append(log, "line <100>")}
}

// URLFor is an address below URL.
func (s Status) URLFor(build campanile.BuildID) (string, bool) {
	return fmt.Sprintf("%sbuilders/%s/builds/%d", s.URL, build.Builder, build.Number), s.URL != ""
}

// LogTail is the end of Log, whatever log is asked for.
func (s Status) LogTail(_ campanile.BuildID, _, _ string, lines uint32) (string, bool) {
	from := max(0, len(s.Log)-int(lines))
	return strings.Join(s.Log[from:], "\n"), s.Log != nil
}

// NewBuild is build 7 of "linux" on branch "main", patched, with one change and two steps.
func NewBuild() campanile.Build {
	return campanile.Build{
		Id:               campanile.BuildID{Builder: "linux", Number: 7},
		Reason:           "scheduler 'a'\nsecond line",
		Worker:           "w1",
		ResponsibleUsers: []string{"alice", "bob"},
		SourceStamps: []campanile.SourceStamp{{
			Repository: "git://x/y",
			Project:    "quad",
			Branch:     witTypes.Some("main"),
			Revision:   witTypes.Some("abc123"),
			Patch:      witTypes.Some(campanile.Patch{Level: 1, Author: "bob", Comment: "try <this>"}),
			Changes:    []campanile.Change{NewChange()},
		}},
		Steps: []campanile.Step{newStep("git"), newStep("make all")},
	}
}

// NewChange is a change of two files with html in its comments.
func NewChange() campanile.Change {
	return campanile.Change{
		Who:        "Alice <alice@example.org>",
		When:       1_397_948_626,
		Files:      []string{"b.c", "a.c"},
		Comments:   "fix <b> & c",
		Repository: "git://x/y",
		Project:    "quad",
	}
}

func newStep(name string) campanile.Step {
	return campanile.Step{Name: name, Logs: []campanile.LogSummary{{Name: "stdio", Lines: 100, Bytes: 800}}}
}
