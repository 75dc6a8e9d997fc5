package sandbox_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestWithoutRoot runs the tests of sandboxes again as a user without any rights,
// for whom they are of level userns.
func TestWithoutRoot(t *testing.T) {
	testkit.WithoutRoot(t, "TestWhatASandboxHolds", "TestSandboxesDoNotSeeEachOther", "TestMemoryLimitIsToldAsSuch", "TestListenersAreInside",
		"TestFilesOfAnIdentity", "TestAssignmentLeavesTheSandboxAlone", "TestManyComeAndGo", "TestProcessesAreLimited", "TestTheFirstProcessHeedsNoSignal",
		"TestSandboxesTrustTheAuthority", "TestWhatThisMachineTrustsStays", "TestTheSpawnerIsStartedAgain")
}
