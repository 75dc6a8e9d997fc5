package spec

// MetricFilter makes a metric of the log records that match a pattern: an
// AWS::Logs::MetricFilter, or a pattern of custom.alerts.
type MetricFilter struct {
	Pos               Pos
	Name              string
	Group             string
	Pattern           string // of CloudWatch Logs; "": every record
	Namespace, Metric string
	Value             string   // a number, or $.MEMBER of the record
	Default           *float64 // of minutes in which no record matches
	Unit              string
	Dimensions        map[string]string
}

// metricFilter reads an AWS::Logs::MetricFilter.
func (r *reader) metricFilter(f field, n *node) {
	what := "resource " + f.key
	name := r.svc.Stack() + "-" + f.key
	r.names[f.key] = resource{name: name, ref: name}
	r.later = append(r.later, func() {
		m := MetricFilter{Pos: f.pos, Name: name}
		var made []MetricFilter
		r.around(n, what, func(v *node) {
			r.object(v, what, keys{
				"FilterName":             func(v *node) { m.Name = r.value(v, what+".FilterName") },
				"FilterPattern":          func(v *node) { m.Pattern = r.value(v, what+".FilterPattern") },
				"LogGroupName":           func(v *node) { m.Group = r.value(v, what+".LogGroupName") },
				"ApplyOnTransformedLogs": nil, // records are not transformed
				"MetricTransformations": func(v *node) {
					r.each(v, what+".MetricTransformations", func(v *node) { made = append(made, r.transformation(v, what+".MetricTransformations")) })
				},
			}, effects{})
		})
		for _, t := range made {
			t.Pos, t.Name, t.Group, t.Pattern = m.Pos, m.Name, m.Group, m.Pattern
			r.svc.MetricFilters = append(r.svc.MetricFilters, t)
		}
		if len(made) == 0 {
			r.fail(f.pos, "%s wants MetricTransformations", what)
		}
	})
}

func (r *reader) transformation(n *node, what string) (m MetricFilter) {
	r.object(n, what, keys{
		"MetricName":      func(v *node) { m.Metric = r.value(v, what+".MetricName") },
		"MetricNamespace": func(v *node) { m.Namespace = r.value(v, what+".MetricNamespace") },
		"MetricValue":     func(v *node) { m.Value = r.value(v, what+".MetricValue") },
		"DefaultValue":    func(v *node) { m.Default = new(r.decimal(v, what+".DefaultValue", -1e15, 1e15)) },
		"Unit":            func(v *node) { m.Unit = r.str(v, what+".Unit") },
		"Dimensions": func(v *node) {
			m.Dimensions = map[string]string{}
			r.each(v, what+".Dimensions", func(v *node) {
				var key, value string
				r.object(v, what+".Dimensions", keys{
					"Key":   func(v *node) { key = r.str(v, what+".Dimensions.Key") },
					"Value": func(v *node) { value = r.str(v, what+".Dimensions.Value") },
				}, effects{})
				m.Dimensions[key] = value
			})
		},
	}, effects{})
	return m
}
