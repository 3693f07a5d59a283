// Package campanile is what callbacks in Go share: questions to the engine, and the parts of a message.
package campanile

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	status "campanile.example/guests/wit/campanile_notifier_status"
	types "campanile.example/guests/wit/campanile_notifier_types"
)

// The contract's types under short names.
type (
	Build       = types.Build
	BuildID     = types.BuildId
	Change      = types.Change
	LogSummary  = types.LogSummary
	Patch       = types.Patch
	Results     = types.Results
	SourceStamp = types.SourceStamp
	Step        = types.Step
)

// Status is what a message formatter may ask the engine; a test answers with whatever it made up.
type Status interface {
	// URLFor gives the address of a build's page, if it has one.
	URLFor(build BuildID) (url string, ok bool)
	// LogTail gives the last lines of a log, newest last; not ok: the log cannot be read.
	LogTail(build BuildID, step, log string, lines uint32) (text string, ok bool)
}

// Engine is the Status of the engine that called this component; it answers nowhere else.
type Engine struct{}

// URLFor asks the engine.
func (Engine) URLFor(build BuildID) (string, bool) {
	return Value(status.UrlFor(build))
}

// RecentBuilds asks the engine for finished builds of the same builder with a lower number, newest first; at most 100.
func (Engine) RecentBuilds(before BuildID, limit uint32) []Build {
	return status.RecentBuilds(before, limit)
}

// LogTail asks the engine.
func (Engine) LogTail(build BuildID, step, log string, lines uint32) (string, bool) {
	tail := status.LogTail(build, step, log, lines)
	if tail.IsErr() {
		return "", false
	}
	return tail.Ok(), true
}

// Value turns an optional value of the contract into Go's pair.
func Value[T any](option witTypes.Option[T]) (value T, ok bool) {
	if option.IsSome() {
		return option.Some(), true
	}
	return value, false
}
