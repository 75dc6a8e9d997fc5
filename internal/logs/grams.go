package logs

import "math/bits"

// A block's filter says which blocks cannot hold a needle. It has grams of the words
// in the block: of every window of gramWindow successive grams in a word the one with
// the least hash. A needle that has gramSize+gramWindow-1 bytes of a word together has
// a whole window of them, in which the same gram is chosen, wherever in the word it
// begins.
const (
	gramSize   = 6
	gramWindow = 5
	gramBits   = 4 // of the filter, for each gram
	maxFilter  = 1 << 20
)

// inWord are the bytes that words consist of. What is around a value in a template is
// none of them, so that a word never lies in a value and in what is around it, nor
// does a word of a value in JSON.
var inWord = func() (set [256]bool) {
	for c := '!'; c < 256; c++ {
		set[c] = true
	}
	for _, c := range `",:{}[]\` {
		set[c] = false
	}
	return set
}()

// appendGrams adds the hashes of the chosen grams of a text.
func appendGrams(list []uint32, text string) []uint32 {
	if len(text) < gramSize+gramWindow-1 {
		return list
	}
	var key uint64
	var ring [8]uint32 // of the latest hashes
	var least uint32
	leastAt, told := 0, -1 // which of the word's grams is the least, and was added last
	n := 0                 // bytes of the word so far
	for i := range len(text) {
		c := text[i]
		if !inWord[c] {
			n = 0
			continue
		}
		if c >= 'A' && c <= 'Z' { // for those who ask for a text in any case
			c += 'a' - 'A'
		}
		key = key>>8 | uint64(c)<<40
		if n++; n < gramSize {
			continue
		}
		h := uint32(key * 0x9E3779B97F4A7C15 >> 32)
		at := n - gramSize
		ring[at&7] = h
		switch {
		case at == 0:
			least, leastAt, told = h, 0, -1
		case h < least:
			least, leastAt = h, at
		case leastAt <= at-gramWindow:
			least, leastAt = h, at
			for j := at - 1; j > at-gramWindow; j-- {
				if ring[j&7] <= least {
					least, leastAt = ring[j&7], j
				}
			}
		}
		if at >= gramWindow-1 && leastAt != told {
			list, told = append(list, least), leastAt
		}
	}
	return list
}

// filter is a Bloom filter of two bits a gram. Of an empty one everything is expected.
type filter []byte

func newFilter(grams []uint32) filter {
	if len(grams) == 0 {
		return nil
	}
	f := make(filter, min(maxFilter, len(grams)*gramBits/8+8))
	for _, g := range grams {
		a, b := f.bits(g)
		f[a>>3] |= 1 << (a & 7)
		f[b>>3] |= 1 << (b & 7)
	}
	return f
}

func (f filter) bits(gram uint32) (a, b uint64) {
	h := uint64(gram) * 0xD6E8FEB86659FD93
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	a, _ = bits.Mul64(h, uint64(len(f))*8)
	b, _ = bits.Mul64(h<<32|h>>32, uint64(len(f))*8)
	return a, b
}

// mayHold says whether a text may be in what the filter was made of.
func (f filter) mayHold(text string) bool {
	if len(f) == 0 {
		return true
	}
	for _, g := range appendGrams(nil, text) {
		a, b := f.bits(g)
		if f[a>>3]&(1<<(a&7)) == 0 || f[b>>3]&(1<<(b&7)) == 0 {
			return false
		}
	}
	return true
}

// grams adds those of all values, also as they are in JSON.
func (c *columnBuilder) grams(list []uint32, some bool) []uint32 {
	for _, v := range c.values {
		list = appendGrams(list, v)
		if some && escaped(v) {
			list = appendGrams(list, string(appendEscaped(nil, v)))
		}
	}
	return list
}
