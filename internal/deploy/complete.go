package deploy

import (
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// complete returns r with what only the platform knows: the contents and the
// numbers of layers, the numbers of functions' versions, and the values of API keys
// that are given none. old is the stack as it is, nil when it is new.
func (d *Deployer) complete(ctx context.Context, r, old *Revision) (*Revision, error) {
	next, err := d.resolveLayers(r, old)
	if err != nil {
		return nil, err
	}
	next.APIKeys = valued(old, r.APIKeys)
	return next, d.foretell(ctx, next)
}

// completeAgain completes a revision beside what others have deployed since it was
// first: fetched is what it came to then, whose files are at hand.
func (d *Deployer) completeAgain(ctx context.Context, given, fetched, old *Revision) (*Revision, error) {
	next, err := d.complete(ctx, given, old)
	if err != nil {
		return nil, err
	}
	for i := range next.Functions {
		f := &next.Functions[i]
		if !slices.Equal(f.Layers, fetched.Functions[i].Layers) {
			return nil, fault.Errorf(fault.Conflict, "the layers of function %s were deployed by somebody else meanwhile; deploy again", f.Name)
		}
		f.CodeSize = fetched.Functions[i].CodeSize
	}
	for i := range next.Layers {
		if l := &next.Layers[i]; l.Size == 0 && i < len(fetched.Layers) && fetched.Layers[i].Artifact == l.Artifact {
			l.Size = fetched.Layers[i].Size
		}
	}
	return next, nil
}
