package campanile_test

import (
	"math"
	"testing"

	"campanile.example/guests/campanile"
)

func TestFormatTime(t *testing.T) {
	for when, want := range map[float64]string{
		0:               "Thu 01 Jan 1970 00:00:00",
		951_782_400.9:   "Tue 29 Feb 2000 00:00:00",
		1_397_948_626:   "Sat 19 Apr 2014 23:03:46",
		1_735_689_599:   "Tue 31 Dec 2024 23:59:59",
		253_402_300_799: "Fri 31 Dec 9999 23:59:59",
		253_402_300_800: "?",
		-1:              "?",
		math.Inf(1):     "?",
		math.NaN():      "?",
	} {
		if got := campanile.FormatTime(when); got != want {
			t.Errorf("FormatTime(%v) = %q, want %q", when, got, want)
		}
	}
}

func TestEscapeHTML(t *testing.T) {
	const want = "a&lt;b&gt;&amp;&quot;&#39;é"
	if got := campanile.EscapeHTML(`a<b>&"'é`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSortedFilesLeavesTheChangeAlone(t *testing.T) {
	change := campanile.Change{Files: []string{"b", "a"}}
	if got := campanile.SortedFiles(change); got[0] != "a" || got[1] != "b" {
		t.Errorf("got %q", got)
	}
	if change.Files[0] != "b" {
		t.Error("the change was sorted too")
	}
}
