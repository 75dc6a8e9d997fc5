package sandbox_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// atUserns are the tests of sandboxes that are run at level userns too.
var atUserns = []string{
	"TestWhatASandboxHolds",
	"TestSandboxesDoNotSeeEachOther",
	"TestMemoryLimitIsToldAsSuch",
	"TestListenersAreInside",
	"TestFilesOfAnIdentity",
	"TestAssignmentLeavesTheSandboxAlone",
	"TestManyComeAndGo",
	"TestProcessesAreLimited",
	"TestTheFirstProcessHeedsNoSignal",
	"TestTooManyTemporaryFilesAreStopped",
	"TestAFileHasALimitOfItsOwn",
	"TestHiddenTemporaryFilesAreFound",
	"TestAFrozenSandboxStandsStill",
	"TestSandboxesTrustTheAuthority",
	"TestWhatThisMachineTrustsStays",
	"TestTheSpawnerIsStartedAgain",
}

// TestWithoutRoot runs the tests of sandboxes again as a user without any rights,
// for whom they are of level userns.
func TestWithoutRoot(t *testing.T) {
	testkit.WithoutRoot(t, atUserns...)
}

// TestWithLittleRoot runs them as a root without the rights that level full takes.
func TestWithLittleRoot(t *testing.T) {
	testkit.WithLittleRoot(t, append(atUserns, "TestLittleRootHasUserns")...)
}

// TestLittleRootHasUserns: the strongest level that can be had is taken, and why it is
// not full is told.
func TestLittleRootHasUserns(t *testing.T) {
	if testkit.Strongest() == sandbox.Full {
		return // TestWithLittleRoot runs it
	}
	m := testkit.Maker(t, "auto")
	if m.Level != sandbox.Userns {
		t.Errorf("got level %s, want userns", m.Level)
	}
	missing, err := (&sandbox.Maker{TempDir: t.TempDir(), Log: m.Log}).Choose(sandbox.Full)
	if err == nil || missing[sandbox.Full] == "" {
		t.Errorf("level full: got %v, %v, want why not", missing, err)
	}
}
