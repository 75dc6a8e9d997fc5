package deploy

import "time"

// Weight is the share of callers that a type gives the new version a while after
// the shift began.
func Weight(kind string, after time.Duration) (float64, error) {
	t, err := parseTraffic(kind)
	return t.weight(after), err
}

// Resumed is how long ago a shift seems to have begun that goes on after a restart
// with a weight.
func Resumed(kind string, weight float64) (time.Duration, error) {
	t, err := parseTraffic(kind)
	now := time.Now()
	return now.Sub(t.since(now, weight)), err
}

var Failing = failing

// Begin has the next sweep be the first.
func (d *Deployer) Begin() { d.unused = nil }
