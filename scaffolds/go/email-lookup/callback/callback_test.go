package callback

import "testing"

func TestFind(t *testing.T) {
	for user, want := range map[string]string{
		"bob":                             "robert@example.com",
		"build-bot":                       "",
		"Ada":                             "ada@example.org",
		"Alice <alice@lists.example.org>": "alice@lists.example.org",
		"nobody at all":                   "",
	} {
		if got, ok := Find(user); got != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %v, want %q", user, got, ok, want)
		}
	}
}
