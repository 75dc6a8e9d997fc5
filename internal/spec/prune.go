package spec

// prune reads custom.prune of serverless-prune-plugin: with automatic, how many
// versions of each function a deployment leaves. Without, the plugin prunes when it
// is asked to, and the platform keeps as many as it does anyway.
func (r *reader) prune(custom *node) {
	n := r.vars.resolve(custom.get("prune"))
	if n == nil || n.kind != object {
		return
	}
	automatic, keep := false, 0
	r.object(n, "custom.prune", keys{
		"automatic": func(v *node) { automatic = r.boolean(v, "custom.prune.automatic") },
		"number":    func(v *node) { keep = r.integer(v, "custom.prune.number", 1, 10_000) },
		"includeLayers": func(v *node) {
			if r.boolean(v, "custom.prune.includeLayers") {
				r.warn(v.pos, "custom.prune.includeLayers has no effect: layers go with the last revision and version that use them")
			}
		},
	}, effects{})
	if automatic {
		r.svc.KeepVersions = keep
	}
}
