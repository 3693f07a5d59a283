// Package callback writes a short mail: what came of the build, who changed something, and the end of the log that
// tells why it failed.
package callback

import (
	"fmt"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
)

// logLines is how much of the log goes into the mail.
const logLines = 20

// Render makes the mail about one build.
func Render(request campanile.Request, status campanile.Status) campanile.Message {
	build := request.Build
	result := campanile.ResultWord(request.Results)
	about := fmt.Sprintf("%s #%d", request.Name, build.Id.Number)
	var body strings.Builder
	fmt.Fprintf(&body, "%s: %s\n", about, result)
	if url, ok := campanile.Value(campanile.BuildURL(build, status)); ok {
		fmt.Fprintln(&body, url)
	}
	fmt.Fprintf(&body, "Changes by: %s\n", strings.Join(build.ResponsibleUsers, ", "))
	body.WriteString(logEnd(build, status))
	// A header is one line.
	subject := strings.Join(strings.Fields("["+result+"] "+about), " ")
	return campanile.Message{Subject: witTypes.Some(subject), Body: body.String()}
}

// logEnd gives the last lines of the failed step's first log; nothing without a log that can be read.
func logEnd(build campanile.Build, status campanile.Status) string {
	for _, step := range build.Steps {
		if !hasFailed(step) {
			continue
		}
		if len(step.Logs) == 0 {
			return ""
		}
		log := step.Logs[0].Name
		text, ok := status.LogTail(build.Id, step.Name, log, logLines)
		if !ok {
			return ""
		}
		return fmt.Sprintf("\n%s of step %s ends with:\n\n%s\n", log, step.Name, text)
	}
	return ""
}

func hasFailed(step campanile.Step) bool {
	results, ok := campanile.Value(step.Results)
	if !ok {
		return false
	}
	word := campanile.ResultWord(results)
	return word == "failure" || word == "exception"
}
