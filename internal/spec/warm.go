package spec

import "slices"

// warmup is what serverless-plugin-warmup is told in custom.warmup: by version 5
// and later for each of several warmers, before that for all functions at once. It
// calls functions now and then so that instances stay; here the platform keeps
// them itself, as many as the plugin's concurrency asks for.
type warmup struct {
	n   *node
	say Pos
}

// warmup finds the plugin's settings, nil without it.
func (r *reader) warmup(custom *node) *warmup {
	if custom = r.vars.resolve(custom); custom == nil || custom.kind != object {
		return nil
	}
	for _, f := range custom.fields {
		if f.key != "warmup" {
			continue // what nobody reads may be made of anything
		}
		if n := r.vars.resolve(f.value); n.kind == object {
			return &warmup{n, f.pos}
		}
	}
	return nil
}

// warm is how many instances of a function the plugin is asked to keep: the most
// that any warmer wants.
func (r *reader) warm(own *node) int {
	w := r.plugin
	if w == nil {
		return 0
	}
	flat := slices.ContainsFunc(w.n.fields, func(f field) bool { return f.key == "enabled" || f.key == "default" })
	if flat {
		return r.warmer(w.n, own)
	}
	most := 0
	for _, f := range w.n.fields {
		settings := r.vars.resolve(f.value)
		if settings.kind != object {
			continue
		}
		var mine *node
		if own != nil && own.kind == object {
			mine = r.vars.resolve(own.get(f.key))
		}
		most = max(most, r.warmer(settings, mine))
	}
	return most
}

// warmer reads one warmer and what a function says instead.
func (r *reader) warmer(settings, own *node) int {
	enabled, concurrency := r.enabled(settings.get("enabled")) || r.enabled(settings.get("default")), settings.get("concurrency")
	switch {
	case own == nil:
	case own.kind != object:
		enabled = r.enabled(own)
	default:
		if v := own.get("enabled"); v != nil {
			enabled = r.enabled(v)
		}
		if v := own.get("concurrency"); v != nil {
			concurrency = v
		}
	}
	if !enabled {
		return 0
	}
	if concurrency == nil {
		return 1
	}
	return r.integer(concurrency, "custom.warmup.concurrency", 1, maxConcurrency)
}

// enabled reads true, the name of a stage, or a list of stages.
func (r *reader) enabled(n *node) bool {
	n = r.vars.resolve(n)
	switch {
	case n == nil:
		return false
	case n.kind == boolean:
		return n.text == "true"
	case n.kind == text:
		return n.text == r.svc.Stage
	}
	return n.kind == list && slices.ContainsFunc(n.items, r.enabled)
}

// sayWarm tells once what has become of the plugin's settings.
func (r *reader) sayWarm() {
	if r.plugin != nil {
		r.warn(r.plugin.say, "custom.warmup is not called on a schedule: the platform keeps instances initialised itself, as many as its concurrency says; to say it without the plugin, write `warm: 1` in a function")
	}
}
