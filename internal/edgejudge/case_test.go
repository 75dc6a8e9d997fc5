package edgejudge

import (
	"regexp"
)

// A file of cases reads like this; " | " goes between the parts of a line:
//
//	case a fresh response is reused
//	must 9111 4.2
//	at /plain                                  the behaviour, /plain unless said
//
//	> GET /a | Accept: text/plain              a request, of /a unless said
//	< 200 | Cache-Control: max-age=60          what the origin answers when it is asked
//	= origin 200                               who must have answered
//	? !If-None-Match                           what the origin must have seen
//
//	> GET /a
//	= cache 200 #1 | Age: 0..10
//
// Who answers is one of
//
//	origin      the origin, in this step
//	cache       the cache with the origin's response #N, nobody being asked
//	validated   the cache with #N after the origin said 304
//	stale       the cache with #N though the origin was asked, or will be
//	either      the origin or the cache with #N
//	edge        the edge itself: no response of the origin
//	broken      nobody to the end: the body breaks off
//	eventually  the cache with #N, within some seconds of asking again
//
// Without #N it is the newest that the origin has sent with a body; the status is 200
// unless said, 0 being any. Of headers, "!Name"
// must be missing, "Name?" may be, "3..9" is a range, "/…/" a regular expression; what a case puts in
// braces is a date, {now-60} or {now+3600 rfc850}.
//
// The origin's answers may have @size N, @random N, @chunked, @hold NAME (before the
// head), @part N NAME (after N bytes of the body), @abort N (after N bytes), @refuse
// (no answer), @raw LINE (a header line as it is), @nodate, @anonymous (no number).
//
// Commands are "! release NAME", "! leave NAME", "! join NAME" with what came of it,
// "! asked N" (wait until the origin has been asked N times), "! written NAME", "! head
// NAME", "! invalidate PATH", "! pause 1200ms". A request with "as NAME" goes on in the
// background, "times N" is as many at once.
type testCase struct {
	id      string
	group   string
	name    string
	kind    string // must, should, optional
	source  string // "9111 4.2"
	at      string
	steps   []step
	seconds float64 // that it pauses
}

// step is a request, or a command, and what has to come of it.
type step struct {
	line    int
	command []string
	request *request
	answers []answer
	want    *want
	seen    []check // by the origin
}

type request struct {
	method, path, name string
	times              int
	headers            []header
	body               string
}

type header struct{ name, value string }

type answer struct {
	status              int
	headers             []header
	size                int
	random, chunked     bool
	hold, partHold      string
	part, abort, repeat int
	refuse, nodate      bool
	anonymous           bool
	raw                 []string
}

type want struct {
	source string
	status int
	number int // of the origin's response; 0: the newest
	checks []check
}

// check is of one header, or of how often the origin was asked ("asked").
type check struct {
	name   string
	absent bool
	maybe  bool
	exact  string
	match  *regexp.Regexp
	lo, hi int
	ranged bool
}
