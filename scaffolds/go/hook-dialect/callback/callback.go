// Package callback is a change hook for a forge of one's own: each commit of a JSON push becomes a change.
package callback

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	hook "campanile.example/guests/wit/campanile_notifier_hook_dialect"
)

type push struct {
	Repository string   `json:"repository"`
	Branch     string   `json:"branch"`
	Commits    []commit `json:"commits"`
}

type commit struct {
	ID      string   `json:"id"`
	Author  string   `json:"author"`
	Time    float64  `json:"time"`
	Message string   `json:"message"`
	Files   []string `json:"files"`
}

// Parse gives the changes of a push; any other event is noted and makes none.
func Parse(request hook.HookRequest, options string) (hook.Parsed, error) {
	if event := header(request, "x-event"); event != "" && event != "push" {
		return hook.Parsed{Note: witTypes.Some("no changes in the event " + event)}, nil
	}
	var settings struct {
		Project string `json:"project"`
	}
	if err := json.Unmarshal([]byte(options), &settings); err != nil {
		return hook.Parsed{}, fmt.Errorf("the options: %w", err)
	}
	var push push
	if err := json.Unmarshal(request.Body, &push); err != nil {
		return hook.Parsed{}, fmt.Errorf("the body: %w", err)
	}
	if push.Repository == "" || push.Commits == nil {
		return hook.Parsed{}, errors.New("a push has a `repository` and `commits`")
	}
	parsed := hook.Parsed{Src: witTypes.Some("git")}
	for _, commit := range push.Commits {
		if commit.ID == "" || commit.Author == "" {
			return hook.Parsed{}, errors.New("a commit has an `id` and an `author`")
		}
		parsed.Changes = append(parsed.Changes, campanile.Change{
			Who:        commit.Author,
			Revision:   witTypes.Some(commit.ID),
			Branch:     witTypes.Some(push.Branch),
			When:       commit.Time,
			Files:      commit.Files,
			Comments:   commit.Message,
			Repository: push.Repository,
			Project:    settings.Project,
		})
	}
	return parsed, nil
}

// header gives the first header of this name, whatever its case.
func header(request hook.HookRequest, name string) string {
	for _, header := range request.Headers {
		if strings.EqualFold(header.F0, name) {
			return header.F1
		}
	}
	return ""
}
