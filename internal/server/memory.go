package server

import (
	"os"
	"runtime/debug"
)

// collectorPercent is how much the heap may grow before the collector runs. The
// platform's own heap is some 40 MB, and requests leave little behind: with Go's 100
// the collector would run a dozen times a second under load and take a sixth of all
// processor time, with 200 it takes half of that and some tens of MB.
const collectorPercent = 200

// tuneCollector leaves it to the operator who has set GOGC.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
}
