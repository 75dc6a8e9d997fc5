package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// Where the API key of a request is.
const (
	KeyInHeader     = "HEADER"     // X-Api-Key
	KeyOfAuthorizer = "AUTHORIZER" // usageIdentifierKey of the authorizer's answer
)

// Lengths of an API key's value.
const (
	minKey = 20
	maxKey = 128
)

// ring is every API key and usage plan at one moment. It never changes.
type ring struct {
	keys  map[string][]APIKey    // by stack
	of    map[string][]UsagePlan // likewise
	value map[[sha256.Size]byte]*APIKey
	plans map[PlanStage][]*plan
}

// plan is a usage plan, with its keys by id.
type plan struct {
	UsagePlan
	keys map[string]bool
}

// with is the ring with other keys and plans of a stack.
func (r *ring) with(stack string, keys []APIKey, plans []UsagePlan) (*ring, error) {
	next := &ring{keys: map[string][]APIKey{}, of: map[string][]UsagePlan{}, value: map[[sha256.Size]byte]*APIKey{}, plans: map[PlanStage][]*plan{}}
	if r != nil {
		maps.Copy(next.keys, r.keys)
		maps.Copy(next.of, r.of)
	}
	next.keys[stack], next.of[stack] = slices.Clone(keys), slices.Clone(plans)
	if len(keys) == 0 {
		delete(next.keys, stack)
	}
	if len(plans) == 0 {
		delete(next.of, stack)
	}
	ids := map[string]string{}
	for _, stack := range slices.Sorted(maps.Keys(next.keys)) {
		for i := range next.keys[stack] {
			key := &next.keys[stack][i]
			if other, taken := ids[key.ID]; taken {
				return nil, fault.Errorf(fault.Conflict, "stacks %q and %q both have an API key with id %s", other, stack, key.ID)
			}
			ids[key.ID] = stack
			if key.Value == "" {
				continue // it opens nothing
			}
			hash := sha256.Sum256([]byte(key.Value))
			if other := next.value[hash]; other != nil {
				return nil, fault.Coded(fault.Conflict, "ConflictException", "API keys %q and %q have the same value; every key needs one of its own", other.Name, key.Name)
			}
			next.value[hash] = key
		}
	}
	for _, stack := range slices.Sorted(maps.Keys(next.of)) {
		for _, p := range next.of[stack] {
			made := &plan{p, map[string]bool{}}
			for _, id := range p.Keys {
				made.keys[id] = true
			}
			for _, stage := range p.Stages {
				next.plans[stage] = append(next.plans[stage], made)
			}
		}
	}
	return next, nil
}

// find returns the key with a value, and the plan by which it may call a stage.
func (r *ring) find(value string, stage PlanStage) (*APIKey, *plan) {
	if r == nil || value == "" {
		return nil, nil
	}
	key := r.value[sha256.Sum256([]byte(value))]
	if key == nil || key.Disabled {
		return nil, nil
	}
	for _, p := range r.plans[stage] {
		if p.keys[key.ID] {
			return key, p
		}
	}
	return nil, nil
}

// unlock finds the key of a request to a route that needs one, and counts the
// request.
func (s *server) unlock(r *request) error {
	value := r.Header.Get("X-Api-Key")
	if s.api.KeySource == KeyOfAuthorizer {
		value = r.allowed().usageKey
	}
	key, p := s.gateway.snapshot().ring.find(value, PlanStage{s.api.ID, s.api.Stage})
	if key == nil {
		return &failure{cause: badKey}
	}
	r.key = key
	if p.Throttle != nil && !s.gateway.buckets.take(p.ID+"/"+key.ID, *p.Throttle) {
		return &failure{cause: throttled}
	}
	if !s.gateway.meter().take(&p.UsagePlan, key.ID, r.at) {
		return &failure{cause: overQuota}
	}
	return nil
}

// keyed is the key of the request; an empty one without.
func (r *request) keyed() APIKey {
	if r.key == nil {
		return APIKey{}
	}
	return *r.key
}

// checkID is for ids that become parts of stored names.
var checkID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckKeys says everything that is wrong with the API keys and usage plans of one
// stack, as fault.Invalid. No message has the value of a key.
func CheckKeys(stack string, keys []APIKey, plans []UsagePlan) error {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, k := range keys {
		switch {
		case k.Stack != stack:
			add("API key %q is of stack %q, not of %q", k.Name, k.Stack, stack)
		case !checkID.MatchString(k.ID):
			add("API key %q: the id %q must be letters and digits", k.Name, k.ID)
		case k.Value != "" && (len(k.Value) < minKey || len(k.Value) > maxKey):
			add("API key %q: the value has %d characters; it must have %d to %d", k.Name, len(k.Value), minKey, maxKey)
		}
	}
	for _, p := range plans {
		switch {
		case p.Stack != stack:
			add("usage plan %q is of stack %q, not of %q", p.Name, p.Stack, stack)
		case !checkID.MatchString(p.ID):
			add("usage plan %q: the id %q must be letters and digits", p.Name, p.ID)
		}
		if err := checkThrottle(p.Throttle); err != nil {
			add("usage plan %q: %w", p.Name, err)
		}
		if q := p.Quota; q != nil && (q.Limit < 0 || q.Offset < 0 || q.Offset > q.Limit || !slices.Contains(periods, q.Period)) {
			add("usage plan %q: the quota needs a limit, an offset not over it, and a period out of DAY, WEEK and MONTH", p.Name)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Err: errors.Join(faults...)}
}
