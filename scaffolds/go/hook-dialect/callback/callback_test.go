package callback

import (
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	hook "campanile.example/guests/wit/campanile_notifier_hook_dialect"
)

const aPush = `{"repository": "https://git.example.org/bells", "branch": "main", "commits": [
	{"id": "1f0c2d", "author": "Ada <ada@example.org>", "time": 1774000000, "message": "ring", "files": ["tower.c"]}]}`

func TestACommitBecomesAChange(t *testing.T) {
	parsed, err := Parse(hook.HookRequest{Body: []byte(aPush)}, `{"project": "bells"}`)
	if err != nil || len(parsed.Changes) != 1 {
		t.Fatalf("got %v, %v", parsed, err)
	}
	change := parsed.Changes[0]
	if change.Who != "Ada <ada@example.org>" || change.Revision.SomeOr("") != "1f0c2d" || change.Project != "bells" {
		t.Errorf("got %v", change)
	}
	if change.Branch.SomeOr("") != "main" || len(change.Files) != 1 || change.Files[0] != "tower.c" {
		t.Errorf("got %v", change)
	}
}

func TestOtherEventsMakeNoChange(t *testing.T) {
	headers := []witTypes.Tuple2[string, string]{{F0: "X-Event", F1: "issue"}}
	parsed, err := Parse(hook.HookRequest{Headers: headers}, "{}")
	if err != nil || len(parsed.Changes) != 0 || parsed.Note.IsNone() {
		t.Errorf("got %v, %v", parsed, err)
	}
}

func TestWhatIsNoPushIsRefused(t *testing.T) {
	for _, body := range []string{"", "{}", `{"repository": "r", "branch": "b", "commits": [{}]}`} {
		if parsed, err := Parse(hook.HookRequest{Body: []byte(body)}, "{}"); err == nil {
			t.Errorf("%q gives %v", body, parsed)
		}
	}
}
