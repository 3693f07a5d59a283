package campanile

import (
	"fmt"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// BuildURL is the address of the build's page: the feed's own, else the engine's.
func BuildURL(build Build, status Status) witTypes.Option[string] {
	if build.Url.IsSome() {
		return build.Url
	}
	if url, ok := status.URLFor(build.Id); ok {
		return witTypes.Some(url)
	}
	return witTypes.None[string]()
}

// LogURL is the address of a log's page: the feed's own, else one below the build's.
func LogURL(buildURL witTypes.Option[string], step string, log LogSummary) witTypes.Option[string] {
	if log.Url.IsSome() || buildURL.IsNone() {
		return log.Url
	}
	base := strings.TrimRight(buildURL.Some(), "/")
	return witTypes.Some(base + "/steps/" + escapeSegment(step) + "/logs/" + escapeSegment(log.Name))
}

// escapeSegment escapes all that is not unreserved; url.PathEscape leaves "$&+=:@" as they are.
func escapeSegment(segment string) string {
	var out strings.Builder
	for _, b := range []byte(segment) {
		if isUnreserved(b) {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

func isUnreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~", b) >= 0
}
