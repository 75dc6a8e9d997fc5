package audit

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// filter selects events; what is empty does not matter.
type filter struct {
	start, end time.Time // of the event, both inclusive
	errors     bool      // only of calls that failed or were denied
	tests      []func(*Event) bool
	// needles are for not decoding what cannot be wanted: of each list a wanted
	// event contains one at least.
	needles [][]string
}

// require adds a condition. An event that meets it contains one of the needles,
// unless there are none.
func (f *filter) require(test func(*Event) bool, needles ...string) {
	f.tests = append(f.tests, test)
	if len(needles) > 0 && !slices.ContainsFunc(needles, func(n string) bool { return !plain(n) }) {
		f.needles = append(f.needles, needles)
	}
}

// plain says that a text is the same in JSON.
func plain(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}

// may says whether an event can be wanted, without decoding it.
func (f *filter) may(event []byte) bool {
	if f.errors && !bytes.Contains(event, []byte(`"errorCode":`)) {
		return false
	}
	for _, list := range f.needles {
		if !slices.ContainsFunc(list, func(n string) bool { return bytes.Contains(event, []byte(n)) }) {
			return false
		}
	}
	return true
}

func (f *filter) wants(e *Event) bool {
	return (f.start.IsZero() || !e.EventTime.Before(f.start.Truncate(time.Second))) &&
		(f.end.IsZero() || !e.EventTime.After(f.end)) &&
		(!f.errors || e.ErrorCode != "") &&
		!slices.ContainsFunc(f.tests, func(test func(*Event) bool) bool { return !test(e) })
}

// byPrincipal is about who called: a user's or role's name, ARN, id or access key.
func (f *filter) byPrincipal(who string) {
	needles := []string{who}
	if who == root {
		needles = nil // not in the text
	}
	f.require(func(e *Event) bool {
		u := e.UserIdentity
		names := []string{u.Name(), u.ARN, u.PrincipalID, u.AccessKeyID}
		if u.SessionContext != nil && u.SessionContext.SessionIssuer != nil {
			i := u.SessionContext.SessionIssuer
			names = append(names, i.UserName, i.ARN, i.PrincipalID)
		}
		return slices.Contains(names, who)
	}, needles...)
}

// byAction is about what was called: GetParameter or ssm:GetParameter.
func (f *filter) byAction(action string) {
	service, name, qualified := strings.Cut(action, ":")
	if !qualified {
		service, name = "", action
	}
	f.require(func(e *Event) bool {
		return strings.EqualFold(e.EventName, name) && (service == "" || strings.EqualFold(e.EventSource, service+".amazonaws.com"))
	})
}

// byResource is about what was called upon: the ARN of a resource, the name that ends
// one, or a name among the call's own parameters.
func (f *filter) byResource(name string) {
	f.require(func(e *Event) bool {
		for _, value := range e.RequestParameters {
			if is(value, name) {
				return true
			}
		}
		return slices.ContainsFunc(e.Resources, func(r Resource) bool {
			return r.ARN == name || strings.HasSuffix(r.ARN, ":"+name) || strings.HasSuffix(r.ARN, "/"+strings.TrimPrefix(name, "/"))
		})
	}, strings.TrimPrefix(name, "/"))
}

// byParameter is about a parameter of Parameter Store: named alone, in a list, as
// a resource, or below a path that was read.
func (f *filter) byParameter(name string) {
	f.require(func(e *Event) bool {
		if e.EventSource != "ssm.amazonaws.com" {
			return false
		}
		p := e.RequestParameters
		if is(p["name"], name) || is(p["names"], name) || below(name, p["path"], p["recursive"] == true) {
			return true
		}
		return slices.ContainsFunc(e.Resources, func(r Resource) bool { return isParameter(r.ARN, name) })
	}, strings.TrimPrefix(name, "/"), "path")
}

// is says whether a value names a parameter, or a list does.
func is(value any, name string) bool {
	switch v := value.(type) {
	case string:
		return v == name || isParameter(v, name) || strings.HasPrefix(v, name+":") // with a version or label
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return is(item, name) })
	}
	return false
}

func isParameter(arn, name string) bool {
	_, resource, ok := strings.Cut(arn, ":parameter/")
	resource, _, _ = strings.Cut(resource, ":")
	return ok && resource == strings.TrimPrefix(name, "/")
}

// below says whether reading a path shows a parameter.
func below(name string, path any, recursive bool) bool {
	p, ok := path.(string)
	if !ok {
		return false
	}
	rest, inside := strings.CutPrefix(name, strings.TrimSuffix(p, "/")+"/")
	return inside && (recursive || !strings.Contains(rest, "/"))
}
