package main

import (
	"strings"

	"campanile.example/guests/campanile"
)

// html is the body for readers with html; everything from outside is escaped.
func (p mailParts) html() string {
	var out strings.Builder
	out.Grow(p.size())
	out.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n<h4>Build status: ")
	out.WriteString(campanile.EscapeHTML(p.result))
	out.WriteString("</h4>\n<table cellspacing=\"10\">\n")
	writeRow(&out, "Worker for this Build:", bold(p.build.Worker))
	if url, ok := campanile.Value(p.url); ok {
		writeRow(&out, "Complete logs for all build steps:", link(url))
	}
	writeRow(&out, "Build Reason:", campanile.EscapeHTML(p.build.Reason))
	if p.source != "" {
		writeRow(&out, "Build Source Stamp:", bold(p.source))
	}
	writeRow(&out, "Blamelist:", campanile.EscapeHTML(p.blamelist))
	out.WriteString("</table>\n")
	for _, stamp := range p.build.SourceStamps {
		if len(stamp.Changes) > 0 {
			out.WriteString("<h4>Recent Changes:</h4>\n")
		}
		for _, change := range stamp.Changes {
			writeChange(&out, change)
		}
	}
	if p.log != nil {
		writeLog(&out, *p.log)
	}
	out.WriteString("<br><br>\n<b>-The Buildbot</b>\n</body></html>\n")
	return out.String()
}

// size is room for the frame of the mail and the log, escaped.
func (p mailParts) size() int {
	size := 4096
	if p.log != nil {
		size += len(p.log.text) + len(p.log.text)/8
	}
	return size
}

func writeChange(out *strings.Builder, change campanile.Change) {
	var files []string
	for _, file := range campanile.SortedFiles(change) {
		files = append(files, campanile.EscapeHTML(file))
	}
	out.WriteString("<table cellspacing=\"10\">\n")
	writeRow(out, "Repository:", campanile.EscapeHTML(change.Repository))
	writeRow(out, "Project:", campanile.EscapeHTML(change.Project))
	writeRow(out, "Time:", campanile.FormatTime(change.When))
	writeRow(out, "Changed by:", campanile.EscapeHTML(change.Who))
	writeRow(out, "Comments:", campanile.EscapeHTML(change.Comments))
	writeRow(out, "Files:", strings.Join(files, "<br>"))
	out.WriteString("</table>\n")
}

func writeLog(out *strings.Builder, log logEnd) {
	if url, ok := campanile.Value(log.url); ok {
		out.WriteString("<i>Detailed log of last build step:</i> " + link(url) + "<br>\n")
	}
	out.WriteString("<h4>Last 80 lines of &quot;" + campanile.EscapeHTML(log.label) + "&quot;</h4>\n<pre>\n")
	out.WriteString(campanile.EscapeHTML(log.text))
	out.WriteString("\n</pre>\n")
}

// writeRow adds a row of a table; the value is html already.
func writeRow(out *strings.Builder, label, value string) {
	out.WriteString("<tr><td>" + label + "</td><td>" + value + "</td></tr>\n")
}

func bold(text string) string {
	return "<b>" + campanile.EscapeHTML(text) + "</b>"
}

// link makes a link of a web address; anything else, such as "javascript:", is shown as text.
func link(url string) string {
	escaped := campanile.EscapeHTML(url)
	if !hasPrefixFold(url, "http://") && !hasPrefixFold(url, "https://") {
		return escaped
	}
	return `<a href="` + escaped + `">` + escaped + "</a>"
}

// hasPrefixFold looks at as many bytes as the prefix has, so that only ASCII letters can match.
func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
