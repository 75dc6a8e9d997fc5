package spec

// LogSource is one entry of custom.dropstack.logs: log files that are imported as
// they come into a bucket.
type LogSource struct {
	Pos    Pos
	Bucket string
	Prefix string
	Format string
	Group  string
}

func (r *reader) logSource(n *node) {
	const what = "custom.dropstack.logs"
	s := LogSource{Pos: n.pos}
	r.strict(n, what, keys{
		"bucket": func(v *node) {
			if s.Bucket = r.value(v, what+".bucket"); s.Bucket != "" {
				r.useBucket(s.Bucket, v.pos)
			}
		},
		"prefix": func(v *node) { s.Prefix = r.value(v, what+".prefix") },
		"format": func(v *node) { s.Format = r.str(v, what+".format") },
		"group":  func(v *node) { s.Group = r.str(v, what+".group") },
	})
	if n.kind != object {
		return
	}
	if s.Bucket == "" && n.get("bucket") == nil {
		r.fail(n.pos, "%s: the entry has no bucket", what)
		return
	}
	r.svc.LogSources = append(r.svc.LogSources, s)
}
