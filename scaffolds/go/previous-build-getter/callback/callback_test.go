package callback

import (
	"testing"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"campanile.example/guests/campanile"
	"campanile.example/guests/campanile/campaniletest"
)

type builds []campanile.Build

func (b builds) RecentBuilds(campanile.BuildID, uint32) []campanile.Build { return b }

func onBranch(number uint64, branch string) campanile.Build {
	build := campaniletest.NewBuild()
	build.Id.Number = number
	build.SourceStamps[0].Branch = witTypes.Some(branch)
	return build
}

func TestTheNewestOfTheSameBranchIsTaken(t *testing.T) {
	earlier := builds{onBranch(6, "next"), onBranch(5, "main"), onBranch(4, "main")}
	previous, ok := campanile.Value(Choose(onBranch(7, "main"), earlier))
	if !ok || previous.Number != 5 {
		t.Errorf("got %v, %v", previous, ok)
	}
}

func TestANewBranchHasNoPreviousBuild(t *testing.T) {
	if previous := Choose(onBranch(7, "main"), builds{onBranch(6, "next")}); previous.IsSome() {
		t.Errorf("got %v", previous.Some())
	}
}
