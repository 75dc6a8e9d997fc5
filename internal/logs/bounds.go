package logs

import "slices"

// Bounds are the times of the first and the last of the records that a batch was
// chosen from, in whose order batches come: by the last, or for the oldest first by
// the first.
func (t *table) Bounds() (first, last int64) {
	times := t.allTimes()
	if len(times) == 0 {
		return 0, 0
	}
	return slices.Min(times), slices.Max(times)
}
