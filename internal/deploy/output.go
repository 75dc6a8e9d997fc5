package deploy

import (
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/gateway"
)

// amazons is the address of an API or of a function's URL as Amazon would have it,
// which services and templates compose: its id and its path.
var amazons = regexp.MustCompile(`^https://([a-z0-9]+)\.(?:execute-api\.[a-z0-9-]+\.amazonaws\.com|lambda-url\.[a-z0-9-]+\.on\.aws)(/.*)?$`)

// Answering are the outputs of a revision as people and other stacks see them: what is
// the address of one of its own APIs, or of a function's URL, is where that answers
// here, by the URL of a host. Outputs are stored as they are on AWS and told so, because
// a platform may be told another port tomorrow.
func (r *Revision) Answering(url func(host string) string) []Output {
	shown := slices.Clone(r.Outputs)
	for i := range shown {
		shown[i].Value = r.answering(shown[i].Value, url)
	}
	return shown
}

func (r *Revision) answering(value string, url func(host string) string) string {
	m := amazons.FindStringSubmatch(value)
	if m == nil || url == nil {
		return value
	}
	i := slices.IndexFunc(r.APIs, func(a gateway.API) bool { return a.ID == m[1] })
	if i < 0 {
		return value
	}
	api, path := r.APIs[i], m[2]
	if api.Kind == gateway.URL {
		return url(gateway.URLHost(api.ID, r.Region)) + path
	}
	if path == "" {
		path = api.Base() // without a stage nothing answers
	}
	return url(gateway.Host(api.ID, r.Region)) + path
}
