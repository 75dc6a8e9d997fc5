package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// rare is how often outliers are looked for, in the time of the records.
const rare = 10 * time.Second

// Outliers finds clients that take far more than the others: more than the floor, and
// more than so many deviations above the median. The deviation is the median of the
// distances to the median (MAD), which a few large ones do not move, scaled as usual to
// be a standard deviation where things are normal; where all are alike it is taken for
// a tenth of the median.
func (d *Detector) Outliers() []Verdict {
	if d.newest.Before(d.looked.Add(rare)) && !past(d.newest, d.looked) {
		return nil
	}
	d.looked = d.newest
	last := slotOf(d.newest, long)
	sums := make(map[netip.Prefix]counts, len(d.clients))
	for key, c := range d.clients {
		if sum := c.Long.sum(last, perWindow); sum.Requests > 0 {
			sums[key] = sum
		}
	}
	if len(sums) < d.rules.Peers {
		return nil
	}
	found := d.beyond(sums, d.rules.Bytes, func(c counts) int64 { return c.Bytes }, func(n, median int64) string {
		return fmt.Sprintf("%s taken within %v; the median of %d clients is %s", size(n), window, len(sums), size(median))
	})
	more := d.beyond(sums, int64(d.rules.Downloads), func(c counts) int64 { return int64(c.Downloads) }, func(n, median int64) string {
		return fmt.Sprintf("%d downloads within %v; the median of %d clients is %d", n, window, len(sums), median)
	})
	for _, v := range more {
		if !slices.ContainsFunc(found, func(o Verdict) bool { return o.Client == v.Client }) {
			found = append(found, v)
		}
	}
	for _, v := range found {
		c := d.client(v.Client)
		*c = Client{Last: c.Last, Judged: v.At}
	}
	slices.SortFunc(found, func(a, b Verdict) int { return a.Client.Addr().Compare(b.Client.Addr()) })
	return found
}

func (d *Detector) beyond(sums map[netip.Prefix]counts, floor int64, of func(counts) int64, words func(n, median int64) string) (found []Verdict) {
	if floor <= 0 {
		return nil
	}
	values := make([]int64, 0, len(sums))
	for _, c := range sums {
		values = append(values, of(c))
	}
	middle := median(values)
	for i, v := range values {
		values[i] = max(v-middle, middle-v)
	}
	deviation := max(1.4826*float64(median(values)), float64(middle)/10)
	limit := max(float64(floor), float64(middle)+d.rules.Deviations*deviation)
	for key, c := range sums {
		if n := of(c); float64(n) > limit {
			found = append(found, Verdict{Client: key, Reason: words(n, middle), At: d.newest})
		}
	}
	return found
}

// median sorts what it gets.
func median(values []int64) int64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return values[n/2-1] + (values[n/2]-values[n/2-1])/2
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
