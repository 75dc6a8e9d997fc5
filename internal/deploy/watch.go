package deploy

import (
	"fmt"
	"math"

	"github.com/dropstack/dropstack/internal/function"
)

// When a new version is given up, while callers are moved to it: enough of its
// invocations have ended to say something, some of them failed, and it fails
// clearly more often than the old version does meanwhile. What the old version does
// as badly, because something behind both is broken, is no reason.
const (
	leastEnded  = 10   // invocations of the new version
	leastFailed = 3    // of them
	leastExcess = 0.05 // by which its error ratio is above the old version's
	leastErrors = 3.0  // standard errors that the excess is above chance
)

// failing says why a new version is to be given up; "" if it is not.
func failing(next, old function.Tally) string {
	if next.Ended < leastEnded || next.Failed < leastFailed {
		return ""
	}
	ratio := float64(next.Failed) / float64(next.Ended)
	before, among := 0.0, 0.0
	if old.Ended > 0 {
		before, among = float64(old.Failed)/float64(old.Ended), 1/float64(old.Ended)
	}
	// as if both were one version: how far apart they would be by chance
	pooled := float64(next.Failed+old.Failed) / float64(next.Ended+old.Ended)
	chance := math.Sqrt(pooled * (1 - pooled) * (1/float64(next.Ended) + among))
	if excess := ratio - before; excess <= leastExcess || excess <= leastErrors*chance {
		return ""
	}
	return fmt.Sprintf("%d of %d invocations of the new version failed (%.0f %%), against %d of %d of the old one",
		next.Failed, next.Ended, 100*ratio, old.Failed, old.Ended)
}
