package deploy

import (
	"crypto/rand"
	"slices"

	"github.com/dropstack/dropstack/internal/gateway"
)

// complete returns r with what only the platform knows: the contents and the
// numbers of layers, and the values of API keys that are given none. old is the
// stack as it is, nil when it is new.
func (d *Deployer) complete(r, old *Revision) (*Revision, error) {
	next, err := d.resolveLayers(r, old)
	if err != nil {
		return nil, err
	}
	next.APIKeys = slices.Clone(r.APIKeys)
	for i := range next.APIKeys {
		k := &next.APIKeys[i]
		if k.Value == "" {
			k.Value = old.keyValue(k.ID)
		}
	}
	return next, nil
}

// keyValue is the value of an API key, made when there is none yet.
func (r *Revision) keyValue(id string) string {
	if r != nil {
		if i := slices.IndexFunc(r.APIKeys, func(k gateway.APIKey) bool { return k.ID == id }); i >= 0 {
			return r.APIKeys[i].Value
		}
	}
	const characters = 40 // as API Gateway makes them
	return (rand.Text() + rand.Text())[:characters]
}
