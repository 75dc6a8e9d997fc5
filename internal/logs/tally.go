package logs

import "strings"

// tally is what came to a stream.
type tally struct {
	group, stream string
	records       int
	first, last   int64 // times, in milliseconds
	bytes         int64 // of messages
}

// tallies are those of the streams of some records.
type tallies struct {
	list []*tally
	of   map[[2]string]*tally
	last *tally
}

// add counts the records of a chunk.
func (s *tallies) add(c *chunk) {
	for i := range c.records {
		s.count(&c.records[i])
	}
}

func (s *tallies) count(r *Record) {
	if s.last == nil || s.last.stream != r.Stream || s.last.group != r.Group {
		s.last = s.named(r.Group, r.Stream)
	}
	t, at := s.last, r.Time.UnixMilli()
	if t.records == 0 || at < t.first {
		t.first = at
	}
	t.last = max(t.last, at)
	t.records++
	t.bytes += int64(len(r.Message))
}

// group counts nothing of a group but that it is there.
func (s *tallies) group(name string) { s.named(name, "") }

func (s *tallies) named(group, stream string) *tally {
	key := [2]string{group, stream}
	t := s.of[key]
	if t == nil {
		t = &tally{group: group, stream: strings.Clone(stream)}
		if s.of == nil {
			s.of = map[[2]string]*tally{}
		}
		s.of[key] = t
		s.list = append(s.list, t)
	}
	return t
}
