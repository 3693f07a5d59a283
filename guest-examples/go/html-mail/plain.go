package main

import (
	"strings"

	"campanile.example/guests/campanile"
)

// plain is the same mail for readers without html.
func (p mailParts) plain() string {
	var out strings.Builder
	out.Grow(p.size())
	line := func(label, value string) {
		out.WriteString(label)
		out.WriteString(value)
		out.WriteByte('\n')
	}
	line("Build status: ", p.result)
	line("Worker for this Build: ", p.build.Worker)
	if url, ok := campanile.Value(p.url); ok {
		line("Complete logs for all build steps: ", url)
	}
	line("Build Reason: ", p.build.Reason)
	if p.source != "" {
		line("Build Source Stamp: ", p.source)
	}
	line("Blamelist: ", p.blamelist)
	for _, stamp := range p.build.SourceStamps {
		for _, change := range stamp.Changes {
			line("\nRepository: ", change.Repository)
			line("Project: ", change.Project)
			line("Time: ", campanile.FormatTime(change.When))
			line("Changed by: ", change.Who)
			line("Comments: ", change.Comments)
			line("Files: ", strings.Join(campanile.SortedFiles(change), " "))
		}
	}
	if p.log != nil {
		line("\nLast 80 lines of ", p.log.label)
		if url, ok := campanile.Value(p.log.url); ok {
			line("", url)
		}
		line("\n", p.log.text)
	}
	line("\n", "-The Buildbot")
	return out.String()
}
