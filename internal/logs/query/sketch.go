package query

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
)

// distinct counts values that differ: exactly while there are few, within about one
// in a hundred when there are many.
type distinct struct {
	of     node
	groups []set
	bytes  int
	key    []byte
}

// set is the hashes of values, or, of more than maxSet, for each of 16,384 parts of
// them the longest run of zeros that began one (HyperLogLog).
type set struct {
	hashes map[uint64]struct{}
	runs   []uint8
}

const (
	maxSet   = 10_000
	runBits  = 14
	runCount = 1 << runBits
)

var hashSeed = maphash.MakeSeed()

func (a *distinct) grow(n int) { a.groups = grown(a.groups, n) }
func (a *distinct) held() int  { return 32*len(a.groups) + a.bytes }

func (a *distinct) add(e *env, groups, rows []int32) {
	for k, g := range groups {
		if v := a.of.eval(e, int(rows[k])); v.kind != Null {
			a.key = appendKey(a.key[:0], v)
			a.take(g, maphash.Bytes(hashSeed, a.key))
		}
	}
}

func (a *distinct) take(g int32, hash uint64) {
	s := &a.groups[g]
	if s.runs != nil {
		s.run(hash)
		return
	}
	if s.hashes == nil {
		s.hashes = map[uint64]struct{}{}
		a.bytes += 48
	}
	before := len(s.hashes)
	if s.hashes[hash] = struct{}{}; len(s.hashes) == before {
		return
	}
	if a.bytes += 24; len(s.hashes) > maxSet {
		a.bytes += runCount - 24*len(s.hashes)
		s.estimate()
	}
}

// estimate goes over from hashes to runs.
func (s *set) estimate() {
	s.runs = make([]uint8, runCount)
	for hash := range s.hashes {
		s.run(hash)
	}
	s.hashes = nil
}

func (s *set) run(hash uint64) {
	part := hash >> (64 - runBits)
	s.runs[part] = max(s.runs[part], uint8(bits.LeadingZeros64(hash<<runBits|1<<(runBits-1)))+1)
}

func (a *distinct) merge(from aggregator, to []int32) {
	for i, f := range from.(*distinct).groups {
		for hash := range f.hashes {
			a.take(to[i], hash)
		}
		if f.runs == nil {
			continue
		}
		s := &a.groups[to[i]]
		if s.runs == nil {
			s.estimate()
			a.bytes += runCount
		}
		for part, run := range f.runs {
			s.runs[part] = max(s.runs[part], run)
		}
	}
}

func (a *distinct) value(group int) Value {
	s := &a.groups[group]
	if s.runs == nil {
		return NumberValue(float64(len(s.hashes)))
	}
	sum, empty := 0.0, 0
	for _, run := range s.runs {
		sum += math.Ldexp(1, -int(run))
		if run == 0 {
			empty++
		}
	}
	n := 0.7213 / (1 + 1.079/runCount) * runCount * runCount / sum
	if n <= 2.5*runCount && empty > 0 {
		n = runCount * math.Log(float64(runCount)/float64(empty))
	}
	return NumberValue(math.Round(n))
}

// quantile is the value that a part of all values is not above: exactly while there
// are few, within one in a hundred of it when there are many.
type quantile struct {
	of     node
	at     float64
	groups []sample
	bytes  int
}

// sample is the values themselves, or of more than maxSample how many are about so
// large.
type sample struct {
	values  []float64
	buckets map[int32]int64
	n       int64
}

const (
	maxSample = 1000
	precision = 0.01
)

// growth is how much larger each bucket is than the one before.
var growth = math.Log((1 + precision) / (1 - precision))

func (a *quantile) grow(n int) { a.groups = grown(a.groups, n) }
func (a *quantile) held() int  { return 40*len(a.groups) + a.bytes }

func (a *quantile) add(e *env, groups, rows []int32) {
	for k, g := range groups {
		if v := a.of.eval(e, int(rows[k])); v.numeric {
			a.take(g, v.n)
		}
	}
}

func (a *quantile) take(g int32, v float64) {
	s := &a.groups[g]
	s.n++
	if s.buckets != nil {
		a.count(s, v, 1)
		return
	}
	if s.values = append(s.values, v); len(s.values) <= maxSample {
		a.bytes += 8
		return
	}
	a.approximate(s)
}

func (a *quantile) approximate(s *sample) {
	s.buckets = map[int32]int64{}
	a.bytes -= 8 * len(s.values)
	for _, v := range s.values {
		a.count(s, v, 1)
	}
	s.values = nil
}

func (a *quantile) count(s *sample, v float64, n int64) {
	before := len(s.buckets)
	s.buckets[bucketOf(v)] += n
	a.bytes += 24 * (len(s.buckets) - before)
}

// bucketOf numbers values by their size: 0 is for those about zero, negative numbers
// are for negative values.
func bucketOf(v float64) int32 {
	size := math.Abs(v)
	if size < 1e-9 {
		return 0
	}
	b := int32(math.Ceil(math.Log(size/1e-9)/growth)) + 1
	if v < 0 {
		return -b
	}
	return b
}

// middle is the value of a bucket that is nearest to all of it.
func middle(b int32) float64 {
	switch {
	case b == 0:
		return 0
	case b < 0:
		return -middle(-b)
	}
	return 1e-9 * math.Exp(growth*float64(b-1)) * (1 - precision)
}

func (a *quantile) merge(from aggregator, to []int32) {
	for i, f := range from.(*quantile).groups {
		for _, v := range f.values {
			a.take(to[i], v)
		}
		if f.buckets == nil {
			continue
		}
		s := &a.groups[to[i]]
		if s.buckets == nil {
			a.approximate(s)
		}
		for b, n := range f.buckets {
			s.buckets[b] += n
		}
		s.n += f.n
	}
}

func (a *quantile) value(group int) Value {
	s := &a.groups[group]
	if s.n == 0 {
		return Value{}
	}
	rank := max(int64(math.Ceil(a.at*float64(s.n))), 1)
	if s.buckets == nil {
		sorted := slices.Sorted(slices.Values(s.values))
		return NumberValue(sorted[rank-1])
	}
	list := make([]int32, 0, len(s.buckets))
	for b := range s.buckets {
		list = append(list, b)
	}
	slices.Sort(list)
	for _, b := range list {
		if rank -= s.buckets[b]; rank <= 0 {
			return NumberValue(middle(b))
		}
	}
	return Value{}
}
