package edge

import "strings"

// LogTo says where the access log of a distribution goes; nil is nowhere.
func (s *Server) LogTo(distribution string) *LogTo {
	if site := s.snapshot().ids[distribution]; site != nil {
		return site.Log
	}
	return nil
}

func (l *LogTo) check(add func(format string, args ...any)) {
	if !bucketName.MatchString(l.Bucket) {
		add("log bucket %q is not a bucket name (3 to 63 of a-z, 0-9, \".\" and \"-\")", l.Bucket)
	}
	if strings.HasPrefix(l.Bucket, ownBuckets) {
		add("log bucket %q is the platform's own", l.Bucket)
	}
	if len(l.Prefix) > 256 || strings.HasPrefix(l.Prefix, "/") || strings.ContainsFunc(l.Prefix, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		add("log prefix %q must have at most 256 plain characters and not begin with /", l.Prefix)
	}
}
