package spec

import "slices"

// APIKey is an entry of provider.apiGateway.apiKeys.
type APIKey struct {
	Pos         Pos
	Name        string
	Value       string // "": the platform makes one
	Description string
	Customer    string
	Disabled    bool
	Plan        string // key of its usage plan; "": the service's only one
}

// UsagePlan is provider.apiGateway.usagePlan, or an item of it.
type UsagePlan struct {
	Pos      Pos
	Key      string // as in the file; "": the service's only plan
	Quota    *Quota
	Throttle *Throttle
}

// Quota bounds the requests of each key in a period: DAY, WEEK or MONTH.
type Quota struct {
	Limit  int
	Offset int `json:",omitzero"`
	Period string
}

// Throttle bounds requests a second, and at once.
type Throttle struct {
	Rate  float64 `json:",omitzero"`
	Burst int     `json:",omitzero"`
}

const (
	minKeyValue, maxKeyValue = 20, 128 // characters of an API key
	maxRequests              = 1 << 31 // of a plan
)

// apiKeys reads apiKeys and usagePlan, either of which may be absent: keys without
// a plan have one that limits nothing.
func (r *reader) apiKeys(n, plans *node, what string) {
	rest := &r.svc.REST
	switch {
	case plans != nil && plans.kind == list:
		r.each(plans, what+".usagePlan", func(item *node) {
			if item.kind != object || len(item.fields) != 1 {
				r.fail(item.pos, `%s.usagePlan: an item is a map of one key, the plan's name, such as "- free: {throttle: {rateLimit: 10}}"`, what)
				return
			}
			f := item.fields[0]
			rest.Plans = append(rest.Plans, r.usagePlan(r.vars.resolve(f.value), f.key, what+".usagePlan."+f.key))
		})
	case plans != nil:
		rest.Plans = []UsagePlan{r.usagePlan(plans, "", what+".usagePlan")}
	case n != nil:
		rest.Plans = []UsagePlan{{Pos: n.pos}}
	}
	if n == nil {
		return
	}
	r.each(n, what+".apiKeys", func(item *node) {
		if item.kind == object && len(item.fields) == 1 && r.plan(item.fields[0].key) {
			f := item.fields[0]
			r.each(f.value, what+".apiKeys."+f.key, func(item *node) { r.apiKey(item, f.key, what+".apiKeys."+f.key) })
			return
		}
		if item.kind == object && len(item.fields) == 1 && r.vars.resolve(item.fields[0].value).kind == list {
			r.fail(item.fields[0].pos, "%s.apiKeys: %q is none of the plans in %s.usagePlan", what, item.fields[0].key, what)
			return
		}
		if len(rest.Plans) > 0 && !r.plan("") {
			r.fail(item.pos, "%s.apiKeys: the key belongs to none of the plans in usagePlan; write it in a list under the name of one", what)
			return
		}
		r.apiKey(item, "", what+".apiKeys")
	})
}

// plan tells whether there is a usage plan.
func (r *reader) plan(key string) bool {
	return slices.ContainsFunc(r.svc.REST.Plans, func(p UsagePlan) bool { return p.Key == key })
}

// apiKey reads a name, or a map.
func (r *reader) apiKey(n *node, plan, what string) {
	k := APIKey{Pos: n.pos, Plan: plan}
	if n.kind != object || isIntrinsic(n) {
		k.Name = r.value(n, what)
	} else {
		r.object(n, what, keys{
			"name": func(v *node) { k.Name = r.value(v, what+".name") },
			"value": func(v *node) {
				k.Value = r.value(v, what+".value")
				if len(k.Value) < minKeyValue || len(k.Value) > maxKeyValue {
					r.fail(v.pos, "%s.value must have %d to %d characters, not %d", what, minKeyValue, maxKeyValue, len(k.Value))
				}
			},
			"description": func(v *node) { k.Description = r.value(v, what+".description") },
			"customerId":  func(v *node) { k.Customer = r.value(v, what+".customerId") },
			"enabled":     func(v *node) { k.Disabled = !r.boolean(v, what+".enabled") },
		}, effects{})
	}
	if n.kind == broken {
		return
	}
	if k.Name == "" {
		k.Name = r.svc.Stack() + "-" + plan + "key"
	}
	same := func(o APIKey) bool { return o.Name == k.Name }
	if i := slices.IndexFunc(r.svc.REST.Keys, same); i >= 0 {
		r.fail(n.pos, "%s: the API key %q is there already, at %s", what, k.Name, r.svc.REST.Keys[i].Pos)
		return
	}
	r.svc.REST.Keys = append(r.svc.REST.Keys, k)
}

func (r *reader) usagePlan(n *node, key, what string) UsagePlan {
	p := UsagePlan{Pos: n.pos, Key: key}
	r.object(n, what, keys{
		"quota": func(v *node) {
			p.Quota = &Quota{}
			r.object(v, what+".quota", keys{
				"limit":  func(v *node) { p.Quota.Limit = r.integer(v, what+".quota.limit", 0, maxRequests) },
				"offset": func(v *node) { p.Quota.Offset = r.integer(v, what+".quota.offset", 0, maxRequests) },
				"period": func(v *node) { p.Quota.Period = r.choice(v, what+".quota.period", "DAY", "WEEK", "MONTH") },
			}, effects{})
			if v.kind == object && (v.get("limit") == nil || v.get("period") == nil) {
				r.fail(v.pos, "%s.quota wants a limit and a period: DAY, WEEK or MONTH", what)
			}
		},
		"throttle": func(v *node) {
			p.Throttle = &Throttle{}
			r.object(v, what+".throttle", keys{
				"burstLimit": func(v *node) { p.Throttle.Burst = r.integer(v, what+".throttle.burstLimit", 0, maxRequests) },
				"rateLimit":  func(v *node) { p.Throttle.Rate = r.decimal(v, what+".throttle.rateLimit", 0, maxRequests) },
			}, effects{})
		},
	}, effects{})
	return p
}
