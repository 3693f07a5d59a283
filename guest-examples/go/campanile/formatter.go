package campanile

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"

	formatter "campanile.example/guests/wit/campanile_notifier_message_formatter"
)

// The types of message formatters under short names.
type (
	Message = formatter.Message
	Mode    = formatter.Mode
)

// Request is what a message formatter is called with.
type Request struct {
	// Mode says when mails go out, as the expanded set.
	Mode Mode
	// Name of the builder, or "(whole buildset)".
	Name string
	// Build as it was when it finished.
	Build Build
	// Results that the mail is about.
	Results Results
}

// HTML is an html message with its plain-text twin; it leaves the subject to the settings.
func HTML(body, alternative string) Message {
	return Message{Body: body, Kind: formatter.KindHtml, Alternative: witTypes.Some(alternative)}
}
