package function

import (
	"context"
	"fmt"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/instance"
)

// settle gives an instance what it alone has: keys of the function's role and the
// parameters that it wants, as they are now.
func (i *Invoker) settle(ctx context.Context, fn Function, id string) (own instance.Equipment, err error) {
	if i.Credentials != nil {
		if own.Keys, own.Expires, err = i.Credentials(fn, id); err != nil {
			return own, fmt.Errorf("credentials of its role: %w", err)
		}
	}
	if len(fn.Secrets) == 0 {
		return own, nil
	}
	if i.Secrets == nil {
		return own, fault.Errorf(fault.Unavailable, "it wants parameters in its environment, and nothing here resolves them")
	}
	values, err := i.Secrets(ctx, fn)
	if err != nil {
		return own, fmt.Errorf("parameters for its environment: %w", err)
	}
	own.Env = map[string]string{}
	for name, value := range values {
		if !settable(name, value) || instance.Reserved(name) {
			return own, fault.Errorf(fault.Invalid, "the parameter for %q cannot be in an environment: the name is reserved, or there is a NUL or = in it", name)
		}
		own.Env[name] = value
	}
	return own, nil
}

// secretNames is what of a function's parameters makes its instances others.
func secretNames(fn Function) (list []string) {
	for _, s := range fn.Secrets {
		list = append(list, s.Name+"="+s.Parameter)
	}
	return list
}
