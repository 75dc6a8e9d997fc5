package deploy

import (
	"slices"

	"github.com/dropstack/dropstack/internal/gateway"
)

// stages is the APIs of r with what calls of the AWS API have set of their stages.
// A serverless.yml says all there is to say of a stage; a template leaves some of it
// to calls, and the framework that deploys it makes them only when something changes.
func (r *Revision) stages(old *Revision) []gateway.API {
	if r.Owner != OwnerCloudFormation {
		return r.APIs
	}
	next := slices.Clone(r.APIs)
	for i, api := range next {
		j := slices.IndexFunc(old.APIs, func(was gateway.API) bool { return was.ID == api.ID && was.Stage == api.Stage })
		if j >= 0 && api.Settings == nil {
			next[i] = api.Set(old.APIs[j].Settings)
		}
	}
	return next
}
