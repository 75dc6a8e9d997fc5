package deploy

import (
	"context"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/function"
)

// open decrypts the environments and API keys of a revision that was read.
func (d *Deployer) open(ctx context.Context, r *Revision) (err error) {
	r.sealed = map[string][]byte{}
	for i := range r.Functions {
		f := &r.Functions[i]
		if len(f.Sealed) > 0 {
			r.sealed[f.Name] = f.Sealed
		}
		if *f, err = function.Open(ctx, d.Sealer, *f); err != nil {
			return err
		}
	}
	return d.openKeys(ctx, r)
}

// seal is a revision as it is stored. An environment that is as it was in old stays
// sealed as it was: who edits one function needs no permission for another's key.
func (d *Deployer) seal(ctx context.Context, r, old *Revision) (*Revision, error) {
	stored := *r
	stored.Functions = slices.Clone(r.Functions)
	for i := range stored.Functions {
		f := &stored.Functions[i]
		if sealed := old.sealedAs(*f); sealed != nil {
			f.Sealed, f.Environment = sealed, nil
			continue
		}
		var err error
		if *f, err = function.Seal(ctx, d.Sealer, *f); err != nil {
			return nil, err
		}
	}
	var err error
	stored.APIKeys, err = d.sealKeys(ctx, r.APIKeys)
	return &stored, err
}

// sealedAs is how a function's environment is stored in r, nil if it is not.
func (r *Revision) sealedAs(f function.Function) []byte {
	if r == nil {
		return nil
	}
	i := slices.IndexFunc(r.Functions, func(was function.Function) bool { return was.Name == f.Name })
	if i < 0 || r.Functions[i].ARN != f.ARN || r.Functions[i].KeyARN != f.KeyARN || !maps.Equal(r.Functions[i].Environment, f.Environment) {
		return nil
	}
	return r.sealed[f.Name]
}
