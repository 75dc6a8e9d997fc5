package deploy

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/function"
)

// resourcePolicy is a function's, of one qualifier.
type resourcePolicy struct {
	Version   string
	Id        string
	Statement []json.RawMessage
}

// policies are the resource policies of a function that was another before: the
// statements that calls of the AWS API have added stay, those that the stack declared
// are as it declares them now.
func (r *Revision) policies(old *Revision, is, was function.Function) map[string]string {
	next := maps.Clone(is.Policies)
	if next == nil {
		next = map[string]string{}
	}
	ids := slices.Concat(old.Granted[was.Name], r.Granted[is.Name])
	for qualifier, text := range was.Policies {
		if next[qualifier] == "" && len(ids) == 0 {
			next[qualifier] = text
			continue
		}
		own := statements(next[qualifier])
		for _, s := range statements(text).Statement {
			if !slices.Contains(ids, statementID(s)) {
				own.Statement = append(own.Statement, s)
			}
		}
		if len(own.Statement) == 0 {
			continue
		}
		if doc, err := json.Marshal(own); err == nil { // it was JSON before
			next[qualifier] = string(doc)
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// statements reads a policy; "" is one without any. One that cannot be read, which
// no room lets in, says nothing.
func statements(text string) resourcePolicy {
	p := resourcePolicy{Version: "2012-10-17", Id: "default"}
	if text != "" {
		_ = json.Unmarshal([]byte(text), &p)
	}
	return p
}

func statementID(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s) // likewise
	return s.Sid
}

// lastLayers are the highest numbers that versions of layers had, in both.
func lastLayers(old, r *Revision) map[string]int {
	if len(old.LastLayers) == 0 {
		return r.LastLayers
	}
	last := maps.Clone(old.LastLayers)
	for name, n := range r.LastLayers {
		last[name] = max(last[name], n)
	}
	return last
}
