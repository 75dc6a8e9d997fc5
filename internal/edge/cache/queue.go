package cache

import "iter"

// queue is SIEVE's: in order of arrival, with the hand that looks for a victim. The
// links are inside what it holds.
type queue[T comparable] struct {
	link         func(T) *link[T]
	newest, last T // T's zero value: empty
	hand         T
}

type link[T comparable] struct{ newer, older T }

func (q *queue[T]) push(t T) {
	var none T
	l := q.link(t)
	l.newer, l.older = none, q.newest
	if q.newest != none {
		q.link(q.newest).newer = t
	} else {
		q.last = t
	}
	q.newest = t
}

func (q *queue[T]) remove(t T) {
	var none T
	l := q.link(t)
	if q.hand == t {
		q.hand = l.newer
	}
	if l.newer != none {
		q.link(l.newer).older = l.older
	} else {
		q.newest = l.older
	}
	if l.older != none {
		q.link(l.older).newer = l.newer
	} else {
		q.last = l.newer
	}
	l.newer, l.older = none, none
}

// victim moves the hand over what spare spares, twice around at most, and returns what
// it then points to, which stays in the queue.
func (q *queue[T]) victim(spare func(T) bool) (T, bool) {
	var none T
	ends := 0
	for {
		if q.hand == none {
			if ends++; ends > 3 || q.last == none {
				return none, false
			}
			q.hand = q.last
		}
		t := q.hand
		if !spare(t) {
			return t, true
		}
		q.hand = q.link(t).newer
	}
}

// oldest yields everything, oldest first.
func (q *queue[T]) oldest() iter.Seq[T] {
	return func(yield func(T) bool) {
		var none T
		for t := q.last; t != none; t = q.link(t).newer {
			if !yield(t) {
				return
			}
		}
	}
}
