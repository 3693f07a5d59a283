// Package callback knows the mail addresses of version-control users: a table of exceptions first, then a rule.
package callback

import (
	"regexp"
	"strings"
)

// table has users whose address follows no rule; empty: no mail for this one.
var table = map[string]string{"bob": "robert@example.com", "build-bot": ""}

// domain is where everybody else has a mailbox of the same name.
const domain = "example.org"

var (
	// own is the address that `Alice <a@b.org>` has with it.
	own  = regexp.MustCompile(`<([^<>]+)>$`)
	name = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// Find gives the address of a user; not ok: no mail for this one.
func Find(user string) (address string, ok bool) {
	if address, ok := table[user]; ok {
		return address, address != ""
	}
	if found := own.FindStringSubmatch(user); found != nil {
		return found[1], true
	}
	if !name.MatchString(user) {
		return "", false
	}
	return strings.ToLower(user) + "@" + domain, true
}
