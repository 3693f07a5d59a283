// The html mail: result, worker, links, reason, source, blamelist, changes, and the end of the last "stdio" log.
package main

import (
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
)

// logLines is how much of the log is shown; the headings say it too.
const logLines = 80

// A component has no main of its own to run: the engine calls the exported render.
func main() {}

// render makes the html body and its plain-text twin; the subject is left to the settings.
func render(request campanile.Request, status campanile.Status) (campanile.Message, error) {
	parts := gather(request, status)
	return campanile.HTML(parts.html(), parts.plain()), nil
}

// mailParts is what both bodies say, gathered once.
type mailParts struct {
	build     campanile.Build
	result    string
	url       witTypes.Option[string]
	source    string
	blamelist string
	log       *logEnd
}

// logEnd is the end of one log.
type logEnd struct {
	label string
	url   witTypes.Option[string]
	text  string
}

func gather(request campanile.Request, status campanile.Status) mailParts {
	build := request.Build
	url := campanile.BuildURL(build, status)
	stamps := make([]string, 0, len(build.SourceStamps))
	for _, stamp := range build.SourceStamps {
		stamps = append(stamps, describe(stamp))
	}
	return mailParts{
		build:     build,
		result:    strings.ToUpper(campanile.ResultWord(request.Results)),
		url:       url,
		source:    strings.Join(stamps, ", "),
		blamelist: strings.Join(build.ResponsibleUsers, ","),
		log:       lastStdio(build, url, status),
	}
}

// describe writes "CODEBASE: [branch B] REV-or-HEAD (plus patch) (PATCH COMMENT)" without the parts that are absent.
func describe(stamp campanile.SourceStamp) string {
	var out strings.Builder
	if stamp.Codebase != "" {
		out.WriteString(stamp.Codebase + ": ")
	}
	if branch := stamp.Branch.SomeOr(""); branch != "" {
		out.WriteString("[branch " + branch + "] ")
	}
	if revision := stamp.Revision.SomeOr(""); revision != "" {
		out.WriteString(revision)
	} else {
		out.WriteString("HEAD")
	}
	if patch, ok := campanile.Value(stamp.Patch); ok {
		out.WriteString(" (plus patch)")
		if patch.Comment != "" {
			out.WriteString(" (" + patch.Comment + ")")
		}
	}
	return out.String()
}

func lastStdio(build campanile.Build, buildURL witTypes.Option[string], status campanile.Status) *logEnd {
	for s := len(build.Steps) - 1; s >= 0; s-- {
		step := build.Steps[s]
		for l := len(step.Logs) - 1; l >= 0; l-- {
			log := step.Logs[l]
			if log.Name != "stdio" {
				continue
			}
			text, ok := status.LogTail(build.Id, step.Name, log.Name, logLines)
			if !ok {
				text = "(the log cannot be read)"
			}
			return &logEnd{
				label: step.Name + "." + log.Name,
				url:   campanile.LogURL(buildURL, step.Name, log),
				text:  text,
			}
		}
	}
	return nil
}
