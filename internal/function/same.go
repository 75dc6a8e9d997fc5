package function

// Same reports whether a function is what a version of it is: in code and in
// configuration. Then publishing it makes no other version.
func Same(a, b Function) bool { return same(a, b) }

// common forgets what a function has for all its versions: how many instances are
// kept and may run, how its callers are moved, and what becomes of its events.
func (f *Function) common() {
	f.Source, f.Provisioned, f.Concurrency, f.Shift = "", 0, nil, nil
	f.MaxEventAge, f.MaxRetries, f.OnSuccess, f.OnFailure = 0, nil, "", ""
}

// deployed is the function that an entry is a version of, as it is now: it has what
// holds for all its versions.
func (i *Invoker) deployed(e *entry) *entry {
	if now := i.snapshot().functions[e.Name]; now != nil {
		return now
	}
	return e
}
