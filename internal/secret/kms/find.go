package kms

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// find returns the key of an id or an ARN.
func (k *Keys) find(id string) (*key, error) {
	snap := k.current.Load()
	bare := id
	if strings.HasPrefix(id, "arn:") {
		resource, err := k.resource(id)
		if err != nil {
			return nil, err
		}
		var ok bool
		if bare, ok = strings.CutPrefix(resource, "key/"); !ok {
			return nil, fault.Coded(fault.Invalid, "InvalidArnException", "%q is not the ARN of a key, such as %s", id, k.keyARN("ID"))
		}
	}
	if found, ok := snap.keys[bare]; ok {
		return found, nil
	}
	if err := snap.damaged[bare]; err != nil {
		return nil, fault.Coded(fault.Unavailable, "KeyUnavailableException", "%s cannot be used: %w", k.keyARN(bare), err)
	}
	if strings.HasPrefix(bare, "alias/") {
		return nil, notFound("invalid key id %q: this action takes the id or the ARN of a key, not an alias", id)
	}
	if id == "" {
		return nil, invalid("KeyId is required")
	}
	if len(id) > 2048 {
		return nil, invalid("KeyId has %d characters; at most 2,048 are possible", len(id))
	}
	if _, err := uuid.Parse(bare); err != nil {
		return nil, notFound("invalid key id %q", id)
	}
	return nil, notFound("key %s does not exist", k.keyARN(bare))
}

// findAny is find for actions that take an alias or its ARN too. It returns the
// alias that was named. An alias of AWS, such as alias/aws/ssm, gets its key when
// it is first named.
func (k *Keys) findAny(ctx context.Context, id string) (_ *key, aliasName string, err error) {
	name := id
	if strings.HasPrefix(id, "arn:") {
		if name, err = k.resource(id); err != nil {
			return nil, "", err
		}
	}
	if !strings.HasPrefix(name, "alias/") {
		found, err := k.find(id)
		return found, "", err
	}
	snap := k.current.Load()
	a, ok := snap.aliases[name]
	if service, predefined := strings.CutPrefix(name, managedPrefix); predefined && !ok {
		if a, err = k.manage(ctx, service); err != nil {
			return nil, "", err
		}
	} else if !ok {
		return nil, "", notFound("alias %s is not found", k.aliasARN(name))
	}
	found, err := k.find(a.Key)
	return found, name, err
}

// resource returns the resource of an ARN of this service, region and account.
func (k *Keys) resource(text string) (string, error) {
	a, err := arn.Parse(text)
	if err != nil || a.Partition != "aws" || a.Service != "kms" {
		return "", fault.Coded(fault.Invalid, "InvalidArnException", "%q is not an ARN of the key service, such as %s", text, k.keyARN("ID"))
	}
	if a.Region != k.Region || a.Account != arn.Account {
		return "", notFound("%q is of another region or account; here are %s and %s", text, k.Region, arn.Account)
	}
	return a.Resource, nil
}

// The states of a key.
const (
	enabled         = "Enabled"
	disabled        = "Disabled"
	pendingDeletion = "PendingDeletion"
)

func (r *record) state() string {
	switch {
	case !r.Deletion.IsZero():
		return pendingDeletion
	case r.Disabled:
		return disabled
	}
	return enabled
}

// usable says why a key cannot be used for doing.
func (k *key) usable(doing string) error {
	switch k.state() {
	case pendingDeletion:
		return badState(k, doing)
	case disabled:
		return fault.Coded(fault.Conflict, "DisabledException", "%s is disabled", k.ARN)
	}
	return nil
}

// kept says why a key cannot be changed: it is about to be destroyed.
func (k *key) kept(doing string) error {
	if k.state() == pendingDeletion {
		return badState(k, doing)
	}
	return nil
}

// own says why what only a customer's key allows is not possible with this one.
func (k *key) own(doing string) error {
	if k.Managed == "" {
		return nil
	}
	return fault.Coded(fault.Denied, "AccessDeniedException", "%s is managed for %s; %s is possible with keys of your own only", k.ARN, k.Managed, doing)
}

// dryRun is the answer to a request that would succeed but was only asked about.
func dryRun(asked bool) error {
	if !asked {
		return nil
	}
	return fault.Coded(fault.Conflict, "DryRunOperationException", "the request would have succeeded, but the DryRun option is set")
}

// isNotFound reports whether err says that a key or an alias is not there.
func isNotFound(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && e.Code == "NotFoundException"
}
