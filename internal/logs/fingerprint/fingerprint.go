// Package fingerprint finds the errors in what functions log and groups those that
// are one and the same.
//
// What is an error: a line of JSON that has errorType or errorMessage, wherever the
// runtime has put it; a line of JSON whose level is error; a line that the Node client
// marks ERROR; a panic of Go with the lines of its stack; and what the platform says
// of an invocation that it had to end (find.go). Its fingerprint is made of the
// function, the type, the message without what differs from one time to the next, and
// the frames of the stack in the function's own code (normal.go). A Group is all
// errors with one fingerprint: how many, since when, since which version, and whether
// somebody has dealt with it.
//
// Stored, on the durable server:
//
//	bucket  error-groups  <ID>: a Group as JSON
//
// Groups are counted in memory and written some seconds later: a crash loses what was
// counted in them, which Rebuild counts again from the log. What somebody says of a
// group is on disk before it is answered.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// Occurrence is one error in a log.
type Occurrence struct {
	Function string
	Version  string // of the function: $LATEST or a number
	Type     string // as the runtime calls it; "": it does not
	Message  string
	Stack    []string // frames as the runtime writes them, the innermost first
	Time     time.Time
	Request  string
	Group    string // of the log
	Stream   string
}

// frames is how many frames of a function's own code make a fingerprint.
const frames = 3

// ID is the fingerprint: 16 hex digits.
func (o *Occurrence) ID() string {
	parts := append([]string{o.Function, o.Type, Mask(o.Message)}, own(o.Stack)...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// States of a group.
const (
	Open     = "open"
	Resolved = "resolved" // it is open again when it comes back
	Ignored  = "ignored"
)

// Group is the errors of one fingerprint.
type Group struct {
	ID           string    `json:"id"`
	Function     string    `json:"function"`
	Type         string    `json:"type,omitempty"`
	Message      string    `json:"message"` // without what differs
	State        string    `json:"state"`
	First        wire.Time `json:"firstSeen"`
	Last         wire.Time `json:"lastSeen"`
	FirstVersion string    `json:"firstVersion,omitempty"` // of the function, in which it was seen first
	LastVersion  string    `json:"lastVersion,omitempty"`
	Count        int64     `json:"count"`
	Changed      wire.Time `json:"stateChanged,omitzero"` // when somebody has said State
	Regressed    bool      `json:"regressed,omitempty"`   // it was resolved, and came back
	Sample       Sample    `json:"sample"`                // the last one
	// Hours are the counts of the last week by hour: seconds since 1970 of its
	// beginning, in order.
	Hours []Hour `json:"hours,omitempty"`
}

// Hour is how many there were within one.
type Hour struct {
	Start int64 `json:"start"`
	Count int64 `json:"count"`
}

// Sample is one of the errors.
type Sample struct {
	Time    wire.Time `json:"time"`
	Request string    `json:"requestId,omitempty"`
	Group   string    `json:"group"`
	Stream  string    `json:"stream"`
	Message string    `json:"message"`
	Stack   []string  `json:"stack,omitempty"`
}

// Bounds of what is kept of a group.
const (
	week       = 7 * 24
	maxMessage = 1000
	maxStack   = 30
	maxFrame   = 300
)

// count takes one more into the group.
func (g *Group) count(o *Occurrence) {
	at := wire.At(o.Time)
	if g.First.IsZero() || at.Before(g.First.Time) {
		g.First = at
		g.FirstVersion = o.Version
	}
	g.Count++
	g.hour(o.Time, 1)
	if g.State == Resolved && o.Time.After(g.Changed.Time) {
		g.State, g.Regressed = Open, true
	}
	if at.Before(g.Last.Time) {
		return
	}
	g.Last, g.LastVersion = at, o.Version
	g.Sample = Sample{
		Time: at, Request: o.Request, Group: o.Group, Stream: o.Stream, Message: short(o.Message, maxMessage),
	}
	for _, frame := range o.Stack[:min(len(o.Stack), maxStack)] {
		g.Sample.Stack = append(g.Sample.Stack, short(frame, maxFrame))
	}
}

// hour counts n within the hour of a time, and forgets those of more than a week before.
func (g *Group) hour(at time.Time, n int64) {
	start := at.Truncate(time.Hour).Unix()
	i := len(g.Hours)
	for i > 0 && g.Hours[i-1].Start > start {
		i--
	}
	if i > 0 && g.Hours[i-1].Start == start {
		g.Hours[i-1].Count += n
	} else {
		g.Hours = append(g.Hours, Hour{})
		copy(g.Hours[i+1:], g.Hours[i:])
		g.Hours[i] = Hour{start, n}
	}
	oldest := g.Hours[len(g.Hours)-1].Start - week*3600
	for g.Hours[0].Start <= oldest {
		g.Hours = g.Hours[1:]
	}
}

// newSince says whether a group was first seen in a version after another.
func (g *Group) newSince(version string) bool {
	after, err := strconv.Atoi(version)
	if err != nil {
		return false
	}
	first, err := strconv.Atoi(g.FirstVersion)
	return err == nil && first > after
}

func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
