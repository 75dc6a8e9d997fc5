package detect

import (
	"slices"
	"sort"
)

// counts is what a client did within a slot of time.
type counts struct {
	Requests     int   `json:"r,omitempty"`
	Failed       int   `json:"f,omitempty"`
	Logins       int   `json:"l,omitempty"`
	LoginsFailed int   `json:"lf,omitempty"`
	Downloads    int   `json:"d,omitempty"`
	Bytes        int64 `json:"b,omitempty"`
}

func (c *counts) add(o counts) {
	c.Requests += o.Requests
	c.Failed += o.Failed
	c.Logins += o.Logins
	c.LoginsFailed += o.LoginsFailed
	c.Downloads += o.Downloads
	c.Bytes += o.Bytes
}

type slot struct {
	At int64 `json:"t"` // number of the slot since 1970
	counts
}

// series is counts by time, in order; slots in which nothing happened are left out.
// Records may come out of order, as those of several log objects do.
type series []slot

// add counts something in a slot and lets go of those more than keep before the last.
func (s *series) add(at int64, c counts, keep int64) {
	i := sort.Search(len(*s), func(i int) bool { return (*s)[i].At >= at })
	if i == len(*s) || (*s)[i].At != at {
		*s = slices.Insert(*s, i, slot{At: at})
	}
	(*s)[i].add(c)
	last := (*s)[len(*s)-1].At
	*s = slices.DeleteFunc(*s, func(x slot) bool { return x.At <= last-keep })
}

// sum is what happened in the n slots that end with last.
func (s series) sum(last, n int64) (c counts) {
	for _, x := range s {
		if x.At > last-n && x.At <= last {
			c.add(x.counts)
		}
	}
	return c
}

// worst is the sum of that window of n slots around at of which f is the largest.
func (s series) worst(at, n int64, f func(counts) int) (most counts) {
	for _, x := range s {
		if x.At < at || x.At >= at+n {
			continue
		}
		if c := s.sum(x.At, n); f(c) >= f(most) {
			most = c
		}
	}
	return most
}
