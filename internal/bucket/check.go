package bucket

import (
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Events are the event types that a notification may name.
var Events = []string{
	"s3:ObjectCreated:*",
	"s3:ObjectCreated:Put",
	"s3:ObjectCreated:Post",
	"s3:ObjectCreated:Copy",
	"s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*",
	"s3:ObjectRemoved:Delete",
	"s3:ObjectRemoved:DeleteMarkerCreated",
}

// Check says what is wrong with notifications: fault.Invalid for an event type
// that there is none of and, as S3 has it, for two notifications of a bucket that
// could both want the same change.
func Check(list []Notification) error {
	for i, n := range list {
		if err := n.check(); err != nil {
			return err
		}
		for _, other := range list[:i] {
			if overlap(n, other) {
				return fault.Coded(fault.Invalid, "InvalidArgument",
					"bucket %s: Configurations overlap: %s of stack %s and %s of stack %s could both want the same object; give them prefixes or suffixes that differ",
					n.Bucket, other, other.Stack, n, n.Stack)
			}
		}
	}
	return nil
}

func (n Notification) check() error {
	if n.Bucket == "" || n.Function == "" {
		return fault.Coded(fault.Invalid, "InvalidArgument", "notification %q: it needs a bucket and a function", n.ID)
	}
	if !slices.Contains(Events, n.Event) {
		return fault.Coded(fault.Invalid, "InvalidArgument", "bucket %s: event %q is not supported; it is one of %s", n.Bucket, n.Event, strings.Join(Events, ", "))
	}
	return nil
}

// String is the notification as an error names it.
func (n Notification) String() string {
	s := n.Event
	if n.Prefix != "" {
		s += " prefix " + n.Prefix
	}
	if n.Suffix != "" {
		s += " suffix " + n.Suffix
	}
	return s + " for " + n.Function
}

// overlap tells whether one change could be meant for both: common event types,
// and prefixes and suffixes of which one contains the other.
func overlap(a, b Notification) bool {
	return a.Bucket == b.Bucket &&
		(covers(a.Event, b.Event) || covers(b.Event, a.Event)) &&
		(strings.HasPrefix(a.Prefix, b.Prefix) || strings.HasPrefix(b.Prefix, a.Prefix)) &&
		(strings.HasSuffix(a.Suffix, b.Suffix) || strings.HasSuffix(b.Suffix, a.Suffix))
}
